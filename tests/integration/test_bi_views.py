"""The views that analysts read: each against the same rows counted by hand; no join of them doubles anything."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from services.cli.generate import dbt_sources
from services.cli.privacy.store import _TAKEN_OUT
from services.sink.blueprints import TABLE, TYPES, row
from services.sink.views import load_views
from streams.incidents.rows import TYPES as INCIDENTS
from streams.runtime.clickhouse import Store
from tests import bi_incidents as incidents
from tests import dashboard_seed as seed
from tests.bi_story import ACCOUNT, BLUEPRINT, NOW, START, story
from tests.clickhouse_fixture import ClickHouse
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse
#: View → what names one of its rows.
KEYS = {
    "account_phases": ("account_id", "changed_at", "event_id"),
    "accounts": ("account_id",),
    "alerts_sent": ("notice_id", "channel", "outcome", "attempt", "sent_at"),
    "cases": ("case_id",),
    "committee": ("account_id", "role"),
    "compounds": ("signal_id",),
    "corrections": ("correction_id",),
    "deal_stages": ("opportunity_id", "position"),
    "directory": ("object_kind", "directory", "object_id", "field", "since", "event_id"),
    "freshness": ("source",),
    "funnel": ("phase",),
    "incidents": ("incident_id",),
    "journey_map": ("phase", "touchpoint_type"),
    "journey_map_daily": ("event_date", "phase", "touchpoint_type", "persona", "segment", "channel"),
    "mobile_gap": ("touchpoint_type",),
    "opportunities": ("opportunity_id",),
    "pain_daily": ("event_date", "touchpoint_type", "phase"),
    "paths": ("from_type", "to_type"),
    "people": ("person_id",),
    "person_names": ("person_id",),
    "personas": ("persona",),
    "phase_dwell": ("phase",),
    "phases": ("phase",),
    "proposals": ("proposal_id",),
    "quotes": ("event_id",),
    "sessions": ("source", "session_id"),
    "signals": ("signal_id",),
    "source_health": ("source",),
    "tickets": ("ticket_id",),
    "touchpoint_types": ("touchpoint_type",),
    "touchpoints": ("event_id",),
    "traffic": ("event_date", "source", "traffic", "url_host", "agent"),
    "unmapped": ("source", "vendor", "vendor_type", "action"),
}
#: Seconds and days until now: another at each look.
_RUNNING = {"age_s", "stage_s", "silent_for_s", "days_in_phase"}


WORLD = story()


@pytest.fixture(scope="module")
def store(clickhouse_url: ClickHouse) -> Iterator[Store]:
    name = f"views_{uuid4().hex[:8]}"
    with fresh_store(clickhouse_url, name) as (made, _):
        made.insert(TABLE, TYPES, row(BLUEPRINT, NOW))
        seed.store(made.client, WORLD)
        incidents.kept(made)
        yield made
    client = clickhouse_url.client()
    client.command(f"DROP DATABASE {name}")
    client.close()


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    return store.rows(sql.replace("bi.", f"bi_{store.client.database}."))


def one(store: Store, view: str, where: str) -> dict[str, Any]:
    (found,) = rows(store, f"SELECT * FROM bi.{view} WHERE {where}")
    return found


def on_map(days: float = 1000) -> list[seed.Row]:
    return [kept for kept in WORLD.touchpoints if kept["on_map"] and kept["occurred_at"] >= NOW - timedelta(days=days)]


# What doubles


def test_every_view_says_what_names_a_row(store: Store) -> None:
    assert {view.name for view in load_views()} == set(KEYS)
    for view, key in KEYS.items():
        (found,) = rows(store, f"SELECT count() AS n, uniqExact({', '.join(key)}) AS keys FROM bi.{view}")
        assert found["n"] == found["keys"], view


def test_dbt_checks_what_names_a_row() -> None:
    assert dbt_sources.KEYS.items() <= {view: key[0] for view, key in KEYS.items() if len(key) == 1}.items()


def test_a_readers_settings_change_no_view(store: Store) -> None:
    for view in KEYS:
        sql = f"SELECT * FROM bi.{view} ORDER BY ALL LIMIT 20"
        asked = (sql, f"{sql} SETTINGS join_use_nulls = 1, prefer_column_name_to_alias = 1")
        plain, other = ([{k: v for k, v in r.items() if k not in _RUNNING} for r in rows(store, one)] for one in asked)
        assert repr(other) == repr(plain), view


def columns(store: Store) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    listed = "SELECT table, name, type FROM system.columns WHERE database = concat('bi_', currentDatabase())"
    for column in store.rows(listed):
        found[str(column["table"])][str(column["name"])] = str(column["type"])
    return found


def test_no_join_on_a_key_doubles_or_drops_anything(store: Store) -> None:
    """Each view with all the others whose key it holds: as many rows, and the same sums."""
    known, joins = columns(store), 0
    for view in KEYS:
        numbers = [name for name, kind in known[view].items() if kind in ("Int64", "Float64") and name not in _RUNNING]
        sums = ", ".join(["count() AS n", *(f"sum(a.{name}) AS sum_{name}" for name in numbers)])
        joined = [other for other in KEYS if other != view and set(KEYS[other]) <= known[view].keys()]
        joins += len(joined)
        more = "".join(f" LEFT JOIN bi.{other} AS {other} ON {_equal(other)}" for other in joined)
        (alone,) = rows(store, f"SELECT {sums} FROM bi.{view} AS a")
        assert rows(store, f"SELECT {sums} FROM bi.{view} AS a{more}") == [pytest.approx(alone)], (view, joined)
    assert joins > 60


#: Keys that go by another name in another view: (view, its columns, the view whose key they are).
OTHER_NAMES = (
    ("touchpoints", ("subject",), "tickets"),
    ("touchpoints", ("subject",), "opportunities"),
    ("touchpoints", ("home_phase",), "phases"),
    ("quotes", ("subject",), "tickets"),
    ("quotes", ("subject",), "opportunities"),
    ("accounts", ("high_water_phase",), "phases"),
    ("account_phases", ("from_phase",), "phases"),
    ("account_phases", ("to_phase",), "phases"),
    ("touchpoint_types", ("home_phase",), "phases"),
    ("paths", ("from_type",), "touchpoint_types"),
    ("paths", ("to_type",), "touchpoint_types"),
    ("directory", ("object_id",), "opportunities"),
)


def test_no_join_on_a_key_by_another_name_doubles_or_drops_anything(store: Store) -> None:
    known = columns(store)
    for view, names, other in OTHER_NAMES:
        numbers = [name for name, kind in known[view].items() if kind in ("Int64", "Float64") and name not in _RUNNING]
        sums = ", ".join(["count() AS n", *(f"sum(a.{name}) AS sum_{name}" for name in numbers)])
        equal = " AND ".join(f"b.{key} = a.{name}" for key, name in zip(KEYS[other], names, strict=True))
        (alone,) = rows(store, f"SELECT {sums} FROM bi.{view} AS a")
        joined = rows(store, f"SELECT {sums} FROM bi.{view} AS a LEFT JOIN bi.{other} AS b ON {equal}")
        assert joined == [pytest.approx(alone)], (view, other)


def _equal(other: str) -> str:
    return " AND ".join(f"{other}.{name} = a.{name}" for name in KEYS[other])


def test_the_table_of_incidents_has_the_columns_that_are_written(store: Store) -> None:
    there = store.rows(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'incidents'"
        " AND default_kind = '' ORDER BY position"
    )
    assert [tuple(row.values()) for row in there] == list(INCIDENTS.items())


def test_a_moment_orders_by_time_and_then_by_id(store: Store) -> None:
    store.command("CREATE TABLE moments AS touchpoints")
    store.command(
        "INSERT INTO moments (minute, account_id, event_id, occurred_at)"
        " SELECT now(), toString(ms), event_id, at FROM (SELECT"
        " arrayJoin(['a', 'ab', 'b', 'é', 'e-1', 'e-10', 'z']) AS event_id,"
        " arrayJoin([0, 1, 255, 256, 65535, 65536, 1764500000123, 4102444799999]) AS ms,"
        " fromUnixTimestamp64Milli(ms, 'UTC') AS at)"
    )
    by_moment, by_both = (
        [(row["occurred_at"], row["event_id"]) for row in store.rows(f"SELECT * FROM moments ORDER BY {order}")]
        for order in ("moment", "occurred_at, event_id")
    )
    assert by_moment == by_both and len(by_both) == 56
    store.command("DROP TABLE moments SYNC")


# What they say


def test_a_touchpoint_carries_the_names_of_the_blueprint(store: Store) -> None:
    types = {kind.id: kind for kind in BLUEPRINT.source.types}
    personas = {persona.id: persona for persona in BLUEPRINT.source.personas}
    names = [phase.id for phase in BLUEPRINT.source.phases]
    wanted = "touchpoint_type, touchpoint_name, owner_department, risk, phase, phase_position, persona, buying_role"
    for found in rows(store, f"SELECT {wanted} FROM bi.touchpoints WHERE on_map"):
        kind = types[found["touchpoint_type"]]
        department = kind.owner.department if kind.owner else ""
        assert (found["touchpoint_name"], found["owner_department"], found["risk"]) == (
            kind.name,
            department,
            kind.risk,
        )
        assert found["phase_position"] == names.index(found["phase"]) + 1
        persona = personas.get(found["persona"])
        assert found["buying_role"] == (persona.buying_role if persona else "")


def test_sums_and_counts_give_the_mean(store: Store) -> None:
    felt = [kept["emotion"] for kept in WORLD.touchpoints if kept["has_emotion"]]
    (found,) = rows(
        store,
        "SELECT sum(emotion_sum) AS s, sum(emotion_count) AS n, toFloat64(avg(emotion)) AS mean FROM bi.touchpoints",
    )
    assert (found["s"], found["n"]) == (pytest.approx(sum(felt)), len(felt))
    assert found["mean"] == pytest.approx(sum(felt) / len(felt), abs=1e-6)


def test_sums_are_those_of_the_decimals(store: Store) -> None:
    """To the last digit, whatever order they are added in: a sum of floats says 0.30000000000000004, or 0.3."""
    told = {kept["event_id"]: kept for kept in WORLD.touchpoints}.values()

    def pains(kept: Callable[[seed.Row], bool], name: str) -> dict[str, float]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for each in told:
            if each[name] and kept(each):
                found[str(each[name])] += round(Decimal(each["pain"]), 9)
        return {key: float(total) for key, total in found.items()}

    by_person = {r["person_id"]: r["pain_sum"] for r in rows(store, "SELECT person_id, pain_sum FROM bi.people")}
    wanted = pains(lambda kept: bool(kept["on_map"]), "person_id")
    assert {person: pain for person, pain in by_person.items() if pain} == {p: n for p, n in wanted.items() if n}
    (in_all,) = rows(
        store,
        "SELECT sum(toDecimal64(pain_sum, 9)) AS p, sum(toDecimal64(emotion_sum, 9)) AS e FROM bi.people"
    )  # fmt: skip
    felt = [each["emotion"] for each in told if each["on_map"] and each["has_emotion"] and each["person_id"]]
    assert float(in_all["p"]) == float(sum(map(Decimal, map(str, wanted.values()))))
    assert in_all["e"] == sum((round(Decimal(each), 9) for each in felt), Decimal())
    month = {r["account_id"]: r["p"] for r in rows(store, "SELECT account_id, pain_30d AS p FROM bi.accounts")}
    since = NOW - timedelta(days=30)
    wanted = pains(lambda kept: bool(kept["on_map"]) and kept["occurred_at"] >= since, "account_id")
    assert {account: pain for account, pain in month.items() if pain} == {a: n for a, n in wanted.items() if n}


def test_numbers_have_bands_beside_them(store: Store) -> None:
    felt = rows(
        store,
        "SELECT emotion_band AS band, min(emotion) AS low, max(emotion) AS high FROM bi.touchpoints GROUP BY band",
    )
    bands = {r["band"]: (r["low"], r["high"]) for r in felt}
    assert set(bands) == {"", "painful", "neutral", "delightful"}
    assert bands[""] == (None, None)
    assert bands["painful"][1] < Decimal("-0.2") <= bands["neutral"][0]
    assert bands["neutral"][1] <= Decimal("0.2") < bands["delightful"][0]
    found = rows(store, "SELECT account_id, revenue_band FROM bi.accounts")
    assert {r["account_id"]: r["revenue_band"] for r in found if r["revenue_band"]} == {ACCOUNT: "1M-10M"}


def test_a_mean_has_its_parts_beside_it(store: Store) -> None:
    felt = [kept for kept in on_map(30) if kept["has_emotion"]]
    (found,) = rows(
        store, "SELECT sum(emotion_sum) AS s, sum(emotion_count) AS n, sum(pain_sum) AS p FROM bi.journey_map"
    )
    assert (found["s"], found["n"]) == (pytest.approx(sum(kept["emotion"] for kept in felt)), len(felt))
    assert found["p"] == pytest.approx(sum(kept["pain"] for kept in on_map(30)))
    for view, mean, total, count in (
        ("journey_map", "emotion", "emotion_sum", "emotion_count"),
        ("journey_map", "friction_rate", "friction_touchpoints", "volume"),
        ("journey_map_daily", "emotion", "emotion_sum", "emotion_touchpoints"),
        ("journey_map_daily", "friction_rate", "friction_touchpoints", "volume"),
        ("mobile_gap", "mobile_friction_rate", "mobile_friction_touchpoints", "mobile_touchpoints"),
        ("mobile_gap", "desktop_friction_rate", "desktop_friction_touchpoints", "desktop_touchpoints"),
        ("committee", "completeness", "least(known, required)", "required"),
    ):
        off = f"abs(toFloat64({mean}) - {total} / {count}) > 1e-6"
        (told,) = rows(store, f"SELECT countIf({off}) AS off, count() AS n FROM bi.{view} WHERE {count} > 0")
        assert told["off"] == 0, (view, mean)


def test_an_account_has_what_the_crm_says_and_what_hurt_it(store: Store) -> None:
    found = one(store, "accounts", f"account_id = '{ACCOUNT}'")
    assert (str(found["annual_revenue"]), found["country"], found["crm_owner"]) == ("2500000.50", "Belgium", "77")
    assert (found["industry"], int(found["employees"]), found["size_band"]) == ("manufacturing", 240, "50-249")
    for days in (7, 30):
        pains: Counter[str] = Counter()
        for kept in on_map(days):
            pains[kept["account_id"]] += kept["pain"]
        told_of = {
            r["account_id"]: r["p"] for r in rows(store, f"SELECT account_id, pain_{days}d AS p FROM bi.accounts")
        }
        assert told_of == pytest.approx({account: pains[account] for account in told_of})
    latest = max(signal["opened_at"] for signal in WORLD.signals if signal["account_id"] == ACCOUNT)
    assert found["last_pain_at"].replace(tzinfo=UTC) == latest
    other = one(store, "accounts", "account_id = 'crm:0001'")
    assert (other["annual_revenue"], other["country"], other["crm_owner"]) == (None, "", "")


async def test_incidents_are_those_of_the_page(store: Store) -> None:
    """Each line of the page of incidents, in each state, and no other; and what each account has open."""
    shown = await incidents.on_the_page(store)
    found = rows(store, f"SELECT {', '.join(incidents.SHOWN)} FROM bi.incidents")
    assert incidents.plain(found) == incidents.plain(incidents.as_rows(shown))
    assert {one.state for one in shown} == {"open", "taken", "silenced", "done", "over"}
    still = Counter(one.account_id for one in shown if one.state in ("open", "taken", "silenced"))
    counts = {r["account_id"]: r["n"] for r in rows(store, "SELECT account_id, open_incidents AS n FROM bi.accounts")}
    assert counts == {account: still[account] for account in counts}


def test_the_pain_of_an_incident_is_that_of_its_touchpoints(store: Store) -> None:
    pain_of = {kept["event_id"]: kept["pain"] for kept in on_map()}
    found = rows(store, "SELECT evidence, evidence_count, pain_sum FROM bi.incidents")
    for one in found:
        events = one["evidence"].split(",")
        assert one["evidence_count"] == len(events)
        assert one["pain_sum"] == pytest.approx(sum(pain_of.get(event, 0.0) for event in events))
    assert sum(one["pain_sum"] for one in found) > 0


async def test_incidents_follow_what_is_done_and_what_is_stored(store: Store) -> None:
    """A second look writes nothing; an action alone changes its row; what is withdrawn is gone, and comes back."""
    table, log = incidents.table(store)
    assert await table.step() == 0, "everything was there already"
    assert await table.step() == 0
    one = next(each for each in await incidents.on_the_page(store) if each.state == "open")
    table.acted(incidents.act(log, one.event_id, "take", "Cy"))
    assert await table.step() == 1
    taken = rows(store, f"SELECT state, taken_by FROM bi.incidents WHERE incident_id = '{one.id}'")
    assert [tuple(row.values()) for row in taken] == [("taken", "Cy")]
    with incidents.withdrawn(store, one.account_id):
        assert await table.step() > 0
        (gone,) = rows(store, f"SELECT count() AS n FROM bi.incidents WHERE account_id = '{one.account_id}'")
        assert gone["n"] == 0
    await table.step()
    assert rows(store, f"SELECT state FROM bi.incidents WHERE incident_id = '{one.id}'") == [{"state": "taken"}]
    again, _ = incidents.table(store)
    assert await again.step() == 1, "this one knows nothing of the action"


async def test_an_erasure_takes_incidents_of_its_events_out_of_the_files(store: Store) -> None:
    """Also rows that newer ones have replaced; what is left of the incident is computed anew."""
    one = (await incidents.on_the_page(store))[0]
    taking_out = next(sql for sql in _TAKEN_OUT if "TABLE incidents" in sql)
    physical = f"SELECT count() AS n FROM incidents WHERE incident_id = '{one.id}'"
    assert store.rows(physical)[0]["n"] != 0
    store.client.command(taking_out, parameters={"ids": [one.event_id]}, settings={"mutations_sync": 2})
    assert store.rows(physical) == [{"n": 0}]
    assert await incidents.table(store)[0].step() == 1


def test_a_ticket_is_answered_solved_and_opened_again(store: Store) -> None:
    first = one(store, "tickets", "ticket_id = 'ticket:desk:1'")
    assert (first["title"], first["status"], first["is_solved"], first["reopened"]) == ("Slow", "solved", True, 1)
    assert (float(first["first_reply_s"]), float(first["resolution_s"])) == (60, 240), "told solved twice: solved once"
    assert first["solved_at"].replace(tzinfo=UTC) == START + timedelta(seconds=240)
    again = one(store, "tickets", "ticket_id = 'ticket:crm:2'")
    assert (again["status"], again["is_solved"], again["solved_at"], again["reopened"]) == ("open", False, None, 1)
    assert (again["first_reply_s"], again["resolution_s"]) == (None, None), "a CRM shows no answers"
    unseen = one(store, "tickets", "ticket_id = 'ticket:desk:3'")
    assert (unseen["has_created"], unseen["first_reply_s"], unseen["status"]) == (False, None, "")
    assert unseen["first_reply_at"].replace(tzinfo=UTC) == START + timedelta(seconds=10)


def test_a_deal_goes_through_its_stages(store: Store) -> None:
    found = rows(store, "SELECT stage, position, stage_s, is_current FROM bi.deal_stages ORDER BY position")
    assert [(r["stage"], r["position"], r["is_current"]) for r in found] == [
        ("a", 1, False),
        ("b", 2, False),
        ("a", 3, True),
    ]
    assert [r["stage_s"] for r in found[:2]] == [50, 60]


def test_a_session_has_a_beginning_and_an_end(store: Store) -> None:
    found = one(store, "sessions", "session_id = 's1'")
    wanted = {
        "duration_s": 90,
        "entry_page": "/a",
        "exit_page": "/c",
        "page_views": 3,
        "pain_sum": 0.25,
        "device": "mobile",
    }
    assert {name: found[name] for name in wanted} == wanted


def test_words_have_who_said_them(store: Store) -> None:
    found = rows(store, "SELECT words, said_by FROM bi.quotes ORDER BY occurred_at")
    assert [(r["words"], r["said_by"]) for r in found] == [
        ("Hello", "company"), ("It broke twice", "customer"), ("We look into it", "company"),
    ]  # fmt: skip


def test_people_are_counted_without_their_names(store: Store) -> None:
    pains: Counter[str] = Counter()
    for kept in on_map():
        pains[kept["person_id"]] += kept["pain"]
    found = {r["person_id"]: r["pain_sum"] for r in rows(store, "SELECT person_id, pain_sum FROM bi.people")}
    assert found == pytest.approx({person: pains[person] for person in found})
    assert found.keys() == {kept["person_id"] for kept in WORLD.touchpoints} - {""}


def test_names_are_in_a_view_of_their_own(store: Store) -> None:
    from tests.journeys import attributed

    said = [
        attributed("n1", 0, "identify", person="px", person_traits={"name": "Ann", "title": "CFO"}),
        attributed("n2", 9, "identify", person="px", person_traits={"name": "Ann Lee"}),
    ]
    for item in said:
        store.command(
            "INSERT INTO histories (account_id, event_id, revision, occurred_at, payload)"
            " VALUES ('crm:1', {id:String}, 1, {at:DateTime64(3, 'UTC')}, {payload:String})",
            {"id": item.touchpoint.event_id, "at": item.touchpoint.occurred_at, "payload": item.encoded().decode()},
        )
    found = one(store, "person_names", "person_id = 'px'")
    assert (found["person_name"], found["job_title"], found["department"]) == ("Ann Lee", "CFO", "")
    assert not any("name" in column for column in columns(store)["people"] if column != "account_name")


def test_pain_by_owner_adds_up(store: Store) -> None:
    owners = {kind.id: kind.owner.department if kind.owner else "" for kind in BLUEPRINT.source.types}
    pains: Counter[str] = Counter()
    for kept in on_map():
        pains[owners[kept["touchpoint_type"]]] += kept["pain"]
    found = rows(
        store, "SELECT owner_department AS d, sum(pain_sum) AS p, sum(touchpoints) AS n FROM bi.pain_daily GROUP BY d"
    )
    assert {r["d"]: r["p"] for r in found} == pytest.approx(dict(pains))
    assert sum(r["n"] for r in found) == len(on_map())


def test_the_funnel_only_narrows(store: Store) -> None:
    order = [phase.id for phase in BLUEPRINT.source.phases]
    known = [kept for kept in WORLD.accounts if not kept["account_id"].startswith("anon:")]
    found = rows(store, "SELECT * FROM bi.funnel ORDER BY position")
    for step in found:
        reached = sum(order.index(kept["high_water_phase"]) >= order.index(step["phase"]) for kept in known)
        assert step["accounts_reached"] == reached
        assert step["accounts_now"] == sum(kept["phase"] == step["phase"] for kept in known)
    assert [step["share_reached"] for step in found] == sorted((s["share_reached"] for s in found), reverse=True)


def test_paths_are_the_steps_of_one_account(store: Store) -> None:
    steps: Counter[tuple[str, str]] = Counter()
    by_account: dict[str, list[seed.Row]] = defaultdict(list)
    for kept in on_map(30):
        if not kept["account_id"].startswith("anon:"):
            by_account[kept["account_id"]].append(kept)
    for history in by_account.values():
        history.sort(key=lambda kept: (kept["occurred_at"], kept["event_id"]))
        kinds = [kept["touchpoint_type"] for kept in history]
        steps.update(pair for pair in itertools.pairwise(kinds) if pair[0] != pair[1])
    found = rows(store, "SELECT from_type, to_type, steps FROM bi.paths")
    assert {(r["from_type"], r["to_type"]): r["steps"] for r in found} == steps


def test_a_source_is_known_by_what_it_sent_today(store: Store) -> None:
    sent: Counter[str] = Counter()
    for kept in WORLD.touchpoints:
        sent[kept["source"]] += kept["occurred_at"] >= NOW - timedelta(days=1)
    found = rows(store, "SELECT source, touchpoints_24h, unmapped_24h FROM bi.source_health")
    assert {r["source"]: r["touchpoints_24h"] for r in found} == {r["source"]: sent[r["source"]] for r in found}
