"""Helpdesks and portals that number their records alike, from raw requests to the views, against the oracle."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from schemas.touchpoints import CleanTouchpoint
from tests.clickhouse_fixture import ClickHouse
from tests.integration.pipelines import STAGES, Installation, installed, received
from tests.naive_attribution import Place, led
from tests.scenarios.messages import requests, understood
from tests.scenarios.model import Scenario

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
RIGHT_WITHIN_S = 120.0
#: Portal and helpdesk of the first, and of the second company; and of the first, the other doors to the same records.
ACME, GLOBEX, ALSO_ACME = ("crm", "support"), ("crm_us", "desk_us"), ("crm_push", "desk_push")
DIRECTORIES: dict[str, dict[str, str]] = {
    "crm": {"vendor": "hubspot"},
    "crm_us": {"vendor": "hubspot"},
    "crm_push": {"vendor": "hubspot", "directory": "crm"},
    "support": {"vendor": "zendesk", "crm_directory": "crm"},
    "desk_us": {"vendor": "zendesk", "crm_directory": "crm_us"},
    "desk_push": {"vendor": "zendesk", "directory": "support", "crm_directory": "crm"},
    "web": {"vendor": "segment", "crm_directory": "crm"},
}


def portal(source: str, day: int, **fields: Any) -> dict[str, Any]:
    return {"at": f"2026-03-{day:02} 09:00", "source": source, "hubspot": fields}


def desk(source: str, day: int, kind: str, **detail: Any) -> dict[str, Any]:
    return {"at": f"2026-03-{day:02} 09:00", "source": source, "zendesk": {"type": kind, "detail": detail}}


def changed(kind: str, number: int, name: str, value: str) -> dict[str, Any]:
    told = {"objectId": number, "propertyName": name, "propertyValue": value}
    return {"subscriptionType": f"{kind}.propertyChange", **told}


def tied(kind: str, number: int) -> dict[str, Any]:
    """To company 7."""
    both = {"fromObjectId": number, "toObjectId": 7, "associationType": f"{kind.upper()}_TO_COMPANY"}
    return {"subscriptionType": f"{kind}.associationChange", "objectId": number, **both, "associationRemoved": False}


def told(where: tuple[str, str], company: str, person: str, user: str) -> dict[str, Any]:
    """What a portal and a helpdesk tell of company 7, contact 51, deal 5, user 51, organisation 3 and ticket 12."""
    crm, helpdesk = where
    return {
        f"{crm}_company": portal(crm, 1, **changed("company", 7, "domain", company)),
        f"{crm}_contact": portal(crm, 2, **changed("contact", 51, "email", person)),
        f"{crm}_job": portal(crm, 3, **tied("contact", 51)),
        f"{crm}_deal": portal(crm, 4, **changed("deal", 5, "dealstage", "qualifiedtobuy")),
        f"{crm}_deal_of": portal(crm, 4, **tied("deal", 5)),
        f"{crm}_ticket": portal(crm, 5, subscriptionType="ticket.creation", objectId=12),
        f"{crm}_ticket_of": portal(crm, 6, **tied("ticket", 12)),
        f"{helpdesk}_org": desk(helpdesk, 7, "organization.created", id="3"),
        f"{helpdesk}_user": desk(
            helpdesk, 8, "user.created", id="51", email=user, role="end-user", organization_id="3"
        ),
        f"{helpdesk}_asks": desk(
            helpdesk, 9, "ticket.created", id="12", requester_id="51", subject="Late", status="NEW"
        ),
    }


def scenario(sources: dict[str, dict[str, str]] = DIRECTORIES) -> Scenario:
    """Two customers of two portals and helpdesks; through other doors, more of the first."""
    events = told(ACME, "acme.example", "ann@gmail.com", "dora@initech.example")
    events |= told(GLOBEX, "globex.example", "bob@gmail.com", "erik@umbrella.example")
    crm, helpdesk = ALSO_ACME
    events |= {
        "ann_at_work": portal(crm, 11, **changed("contact", 51, "jobtitle", "CTO")),
        "second": portal(crm, 12, **changed("contact", 52, "email", "cid@gmail.com")),
        "second_job": portal(crm, 13, **tied("contact", 52)),
        "won": portal(crm, 14, **changed("deal", 5, "dealstage", "closedwon")),
        "asks_again": desk(helpdesk, 15, "ticket.created", id="13", requester_id="51", subject="Again", status="NEW"),
    }
    for name, person in {"ann": "ann", "bob": "bob", "cid": "cid"}.items():
        says = {"type": "identify", "userId": f"u-{name}", "traits": {"email": f"{person}@gmail.com"}}
        events[f"{name}_visits"] = {"at": "2026-03-20 10:00", "segment": says}
    return Scenario.model_validate(
        {"name": "clash", "leading": "crm", "sources": sources, "events": events, "expect": {"won": {}}}
    )


def wanted(story: Scenario) -> tuple[dict[str, CleanTouchpoint], dict[str, Place]]:
    """(name → its touchpoint, event → where the oracle puts it)."""
    mapped, refused = understood(story)
    assert not refused
    by_name = {name: touchpoints[0] for name, touchpoints in mapped.items()}
    return by_name, led(by_name.values(), ["crm", "crm_us"])


def figures(places: dict[str, Place]) -> dict[str, tuple[int, int]]:
    """Account → its touchpoints and people."""
    people: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for place in places.values():
        count[place.account_id] += 1
        people[place.account_id] |= {place.person_id} - {""}
    return {account: (count[account], len(people[account])) for account in count}


def written(sources: dict[str, dict[str, str]]) -> str:
    rows = [{"name": name, "secrets": "[{env: NONE}]", **row} for name, row in sources.items()]
    lines = ["  - {" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}" for row in rows]
    return "\n".join(["attribution: {leading_directory: crm}", "sources:", *lines]) + "\n"


@pytest.fixture
def installation(
    tmp_path: Path, kafka_bootstrap: str, topic_prefix: str, clickhouse_url: ClickHouse, clickhouse_database: str
) -> Any:
    with installed(tmp_path, kafka_bootstrap, topic_prefix, clickhouse_url, clickhouse_database) as made:
        yield made


def test_they_are_other_people_and_companies_and_one_where_a_directory_is_shared(installation: Installation) -> None:
    story = scenario()
    events, places = wanted(story)
    sent = [request for name, event in story.spread() for request in requests(name, event)]
    order = random.Random(12).sample(sent + sent[:9], len(sent) + 9)  # in any order, some twice
    installation.configured(written(DIRECTORIES))
    received(installation.kafka, order)
    installation.start(*STAGES)

    def shown() -> dict[str, tuple[str, str, str]]:
        return {event: (row["person"], row["account"], row["method"]) for event, row in installation.shown().items()}

    expected = {event: (place.person_id, place.account_id, place.method) for event, place in places.items()}
    installation.wait_for(shown, expected, RIGHT_WITHIN_S)

    def who(name: str) -> str:
        return places[events[name].event_id].person_id

    def whose(name: str) -> str:
        return places[events[name].event_id].account_id

    assert {whose(name) for name in ("ann_visits", "cid_visits", "crm_ticket", "won")} == {"crm:crm:7"}
    assert {whose(name) for name in ("bob_visits", "crm_us_ticket", "crm_us_deal")} == {"crm:crm_us:7"}
    assert len({who(name) for name in ("crm_contact", "crm_us_contact", "support_asks", "desk_us_asks", "second")}) == 5
    assert who("ann_at_work") == who("crm_contact") == who("ann_visits") != who("bob_visits")
    assert who("asks_again") == who("support_asks") != who("desk_us_asks")
    assert whose("asks_again") == whose("support_asks") != whose("desk_us_asks")

    def accounts() -> dict[str, tuple[int, int]]:
        rows = installation.rows("SELECT account_id, touchpoints, people FROM bi.accounts WHERE touchpoints > 0")
        return {row["account_id"]: (row["touchpoints"], row["people"]) for row in rows}

    installation.wait_for(accounts, figures(places), RIGHT_WITHIN_S)
    deals = installation.rows("SELECT directory, crm_id, account_id, status FROM bi.opportunities ORDER BY directory")
    assert [tuple(deal.values()) for deal in deals] == [
        ("crm", "5", "crm:crm:7", "won"),
        ("crm_us", "5", "crm:crm_us:7", "open"),
    ]
    assert installation.asked("run", "migrate").returncode == 0
    apart = {name: {key: row[key] for key in row if key != "directory"} for name, row in DIRECTORIES.items()}
    installation.configured(written(apart))
    refused = installation.asked("run", "migrate")
    assert refused.returncode == 78
    for place, source, directory, records in ((2, "crm_push", "crm", 4), (5, "desk_push", "support", 1)):
        told = (
            f"sources.{place}.directory: records of `{source}` are stored under the directory `{directory}` ({records})"
        )
        assert told in refused.stderr.decode()
        assert f"Write `directory: {directory}`" in refused.stderr.decode()


def test_the_oracle_would_see_it_if_numbers_alone_decided() -> None:
    """Known bad: all doors lead to one directory, or each to its own."""
    one = {
        name: {**row, "directory": "crm" if row["vendor"] == "hubspot" else "support"}
        for name, row in DIRECTORIES.items()
    }
    one["web"] = DIRECTORIES["web"]
    own = {name: {**row, "directory": ""} for name, row in DIRECTORIES.items()}
    right = wanted(scenario())[1]
    for sources in (one, own):
        places = led(list(wanted(scenario(sources))[0].values()), ["crm", "crm_us", "crm_push"])
        assert figures(places) != figures(right)
