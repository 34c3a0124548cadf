"""Whose number an id is: what each source's ids become, how people may write them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.config import AttributionConfig, Config, SourceConfig
from schemas.ids import bare, directory_of, parts
from schemas.links import AccountClaim, Decision, Declared, Edge, Link, Membership, RecordChange
from services.cli.commands.validate import problems
from services.sink.directory_check import Parted, parted
from streams.connectors.registry import systems_of
from streams.identity.aliases import unique_space
from streams.identity.directories import Directories
from streams.identity.inherited_person_ids import Kept
from streams.identity.knowledge import Knowledge
from tests.journeys import at, touchpoint

FRESH: dict[str, dict[str, Any]] = {
    "web": {"vendor": "segment", "directory": "product"},
    "product": {"vendor": "rudderstack"},
    "crm": {"vendor": "hubspot"},
    "support": {"vendor": "zendesk"},
    "operators": {"vendor": "touchline"},
}


def directories(leading: str = "", **more: dict[str, Any]) -> Directories:
    secrets = ({"env": "NONE"},)
    rows = {**FRESH, **more}
    sources = tuple(SourceConfig.model_validate({"name": n, "secrets": secrets, **row}) for n, row in rows.items())
    return Directories(sources, AttributionConfig(leading_directory=leading), systems=systems_of())


def said(known: Directories, source: str, *names: str, subject: str = "", **fields: Any) -> tuple[str, ...]:
    vendor = known._sources[source].vendor
    accounts = tuple(name for name in names if name.partition(":")[0] in ("crm", "org", "group"))
    aliases = tuple(name for name in names if name not in accounts)
    told = touchpoint("e", 0, source=source, vendor=vendor, aliases=aliases, account_refs=accounts, subject=subject)
    found = known.touchpoint(told.changed(scoped=False, **fields))
    assert found.scoped
    assert known.touchpoint(found) is found
    return (*found.aliases, *found.account_refs, *([found.subject] if subject else []))


def test_a_source_speaks_of_its_own_records_and_means_the_only_other_system() -> None:
    known = directories()
    assert said(known, "crm", "crm_contact:51", "email:ann@acme.com", "crm:7") == (
        "crm_contact:crm:51",
        "email:ann@acme.com",
        "crm:crm:7",
    )
    assert said(known, "support", "support_user:51", "user:u1", "org:3", "crm:7") == (
        "support_user:support:51",
        "user:u1",
        "org:support:3",
        "crm:crm:7",
    )
    assert said(known, "web", "anonymous:a", "group:g:1") == ("anonymous:a", "group:product:g:1")
    assert said(known, "operators", "crm_contact:51", "support_user:7", "crm:7") == (
        "crm_contact:crm:51",
        "support_user:support:7",
        "crm:crm:7",
    )


@pytest.mark.parametrize(
    ("source", "subject", "wanted"),
    [
        ("crm", "ticket:12", "ticket:crm:12"),
        ("support", "ticket:12", "ticket:support:12"),
        ("operators", "ticket:12", "ticket:support:12"),
        ("operators", "deal:9", "deal:crm:9"),
        ("crm", "object_2-19:9", "object_2-19:crm:9"),
        ("web", "form:signup", "form:signup"),
        ("operators", "quote:55", "quote:55"),
    ],
)
def test_a_case_is_its_systems(source: str, subject: str, wanted: str) -> None:
    assert said(directories(), source, subject=subject) == (wanted,)
    assert bare(wanted) == subject


def test_values_may_hold_colons_and_only_people_write_directories() -> None:
    known = directories()
    assert said(known, "crm", "crm_contact:crm:9") == ("crm_contact:crm:crm:9",)  # the CRM's own value
    assert parts("crm_contact:crm:crm:9") == ("crm_contact", "crm", "crm:9")
    assert said(known, "operators", "crm_contact:crm:9") == ("crm_contact:crm:9",)
    assert directory_of("email:a@b.cc") == directory_of("crm:51") == ""


def test_a_directory_that_is_stated_is_meant() -> None:
    known = directories(
        leading="crm",
        crm_us={"vendor": "hubspot"},
        push={"vendor": "hubspot", "directory": "crm_us"},
        support={"vendor": "zendesk", "crm_directory": "crm_us"},
        operators={"vendor": "touchline", "directory": "crm_us"},
    )
    assert said(known, "push", "crm_contact:51") == ("crm_contact:crm_us:51",)
    assert said(known, "support", "support_user:9", "crm:7") == ("support_user:support:9", "crm:crm_us:7")
    assert said(known, "operators", "crm:7") == ("crm:crm_us:7",)
    assert said(known, "web", "crm:7") == ("crm:crm:7",)
    assert list(known.in_order)[:2] == ["crm", "crm_us"]
    assert known.candidates("crm:7") == ("crm:crm:7", "crm:crm_us:7", "crm:7")
    assert known.candidates("crm:crm_us:7")[0] == "crm:crm_us:7"


def test_whose_it_is_is_never_guessed() -> None:
    known = directories(desk_us={"vendor": "zendesk"})
    unsaid = touchpoint("e", 0, source="operators", vendor="touchline", aliases=("support_user:9",))
    assert known.unclear(unsaid) == "support_user:9"
    assert known.unclear(unsaid.changed(aliases=("support_user:desk_us:9",))) == ""
    assert known.unclear(unsaid.changed(source="desk_us", vendor="zendesk")) == ""
    assert directories().unclear(unsaid) == ""


def test_a_source_that_shares_a_directory_from_now_on_is_read_as_that_one() -> None:
    before, now = (
        directories("crm", push={"vendor": "hubspot"}),
        directories(push={"vendor": "hubspot", "directory": "crm"}),
    )
    told = touchpoint("e", 0, source="push", vendor="hubspot", aliases=("crm_contact:51",)).changed(scoped=False)
    stored = before.touchpoint(told)
    assert stored.aliases == ("crm_contact:push:51",)
    assert now.touchpoint(stored).aliases == ("crm_contact:crm:51",)
    ticket = before.touchpoint(told.changed(aliases=(), subject="ticket:12"))
    assert (ticket.subject, now.touchpoint(ticket).subject) == ("ticket:push:12", "ticket:crm:12")
    desk = touchpoint("e", 0, source="support", vendor="zendesk", subject="ticket:12").changed(scoped=False)
    assert now.touchpoint(now.touchpoint(desk)).subject == "ticket:support:12"
    edge = Edge(a="crm_contact:push:51", b="email:a@b.cc", since=at(0), evidence="e", source="push", scoped=True)
    assert now.link(edge).a == "crm_contact:crm:51"
    assert before.link(edge) is edge


def test_what_was_stored_under_a_common_name_is_not_parted_without_a_word() -> None:
    def configured(**more: dict[str, Any]) -> tuple[Config, Directories]:
        known = directories("crm", **more)
        return Config(sources=tuple(known._sources.values())), known

    def complaints(stored: list[tuple[str, str]], **more: dict[str, Any]) -> list[Parted]:
        config, known = configured(**more)
        rows = [{"source": source, "directory": directory, "records": 1_200} for source, directory in stored]
        return list(parted(config, known, rows))

    hubspot = {"vendor": "hubspot"}
    one = [("crm", "crm"), ("push", "crm"), ("support", "support"), ("web", "product")]
    assert complaints(one, push={**hubspot, "directory": "crm"}) == []
    assert complaints([("push", "push"), *one], push={**hubspot, "directory": "crm"}) == [], "shared from now on"
    (said,) = complaints(one, push=hubspot)
    assert said.detail.startswith("sources.5.directory: records of `push` are stored under the directory `crm` (1,200)")
    assert said.fix.startswith("Write `directory: crm`; or give the source another name")
    (said,) = complaints(one, push={**hubspot, "directory": "crm"}, web={"vendor": "segment"})
    assert said.detail.startswith("sources.0.directory") and "would be of `web` from now on" in said.detail


OLD: list[tuple[Link, set[str]]] = [
    (Edge(a="crm_contact:51", b="email:a@b.cc", since=at(0), evidence="e", source="crm"), {"crm_contact:crm:51"}),
    (
        Membership(alias="support_user:9", account_id="org:3", since=at(0), evidence="e", source="support"),
        {"support_user:support:9", "org:support:3"},
    ),
    (
        Membership(alias="crm_deal:1", account_id="crm_contact:2", since=at(0), evidence="e", source="crm"),
        {"crm_deal:crm:1", "crm_contact:crm:2"},
    ),
    (
        AccountClaim(account_id="org:3", trait="is", value="crm:7", since=at(0), evidence="e", source="support"),
        {"org:support:3", "crm:crm:7"},
    ),
    (
        AccountClaim(account_id="crm:7", trait="domain", value="acme.com", since=at(0), evidence="e", source="crm"),
        {"crm:crm:7"},
    ),
    (
        RecordChange(record="crm:7", how="merged", into="crm:8", since=at(0), evidence="e", source="crm"),
        {"crm:crm:7", "crm:crm:8"},
    ),
    (
        Declared(alias="user:u1", trait="network", value="crm:7", since=at(0), evidence="e", source="web"),
        {"crm:crm:7"},
    ),
    (
        Decision(
            a="support_user:9", b="crm:7", verdict="belongs", by="o", decided_at=at(0), evidence="e", source="operators"
        ),
        {"support_user:support:9", "crm:crm:7"},
    ),
]


@pytest.mark.parametrize(("link", "wanted"), OLD)
def test_links_of_before_are_read_with_their_directory(link: Link, wanted: set[str]) -> None:
    found = directories().link(link)
    assert {str(value) for value in found.model_dump().values()} >= wanted
    assert found.scoped
    assert found.link_id != link.link_id
    assert directories().link(found) is found


def test_who_was_there_first_keeps_the_id_of_before() -> None:
    known, kept = directories(desk_us={"vendor": "zendesk"}), Kept()
    late = Edge(a="support_user:9", b="email:b@b.cc", since=at(9), evidence="e", source="support")
    early = late.changed(b="email:a@a.cc", since=at(1), source="desk_us")
    for order in ((late, early), (early, late)):
        kept = Kept()
        for link in order:
            kept.current(link, known)
        assert kept.name("support_user:desk_us:9") == "support_user:9"
        assert kept.name("support_user:support:9") == "support_user:support:9"
        assert kept.name("support_user:support:10") == "support_user:support:10"
        assert kept.name("ticket:desk_us:4") == "ticket:4"  # a thing need not have been on a link
        assert kept.name("crm_contact:crm:9") == "crm_contact:crm:9"
    assert Kept().name("ticket:desk_us:4") == "ticket:desk_us:4"


def test_connectors_number_what_their_ids_say() -> None:
    """People and cases, else its first kind of account; who names those of several systems numbers none."""
    assert systems_of() == {
        "segment": "product",
        "rudderstack": "product",
        "posthog": "product",
        "hubspot": "crm",
        "salesforce": "crm",
        "zendesk": "support",
        "intercom": "support",
    }


def test_a_person_has_one_contact_in_each_directory() -> None:
    assert unique_space("crm_contact:a:1") == unique_space("crm_contact:a:2") != unique_space("crm_contact:b:1")
    assert unique_space("support_user:a:1") is None
    knowledge = Knowledge()
    for number, name in enumerate(("crm_contact:a:1", "crm_contact:b:1", "crm_contact:a:2")):
        event = touchpoint(f"e{number}", number, "identify", aliases=(name, "email:ann@acme.com"))
        for link in knowledge.learn(event):
            knowledge.apply(link, knowledge.position + 1)
    person = knowledge.graph.person("email:ann@acme.com")
    assert person.aliases == ("crm_contact:a:1", "crm_contact:b:1", "email:ann@acme.com")
    assert [proposal.b for proposal in knowledge.proposals] == ["email:ann@acme.com"]


@pytest.mark.parametrize(
    ("sources", "attribution", "place", "words"),
    [
        ("crm_us: hubspot", "", "attribution.leading_directory", "leading_directory: crm"),
        ("crm_us: hubspot", "{leading_directory: crm}", "sources.4.directory", "Write `directory: crm`"),
        ("crm_us: hubspot", "{leading_directory: crm}", "sources.3.crm_directory", "Write `crm_directory: crm`"),
        ("", "{leading_directory: crn}", "attribution.leading_directory", "did you mean `crm`"),
        ("", "{networks: [{account: 'group:g', ranges: [192.0.2.0/24]}]}", "", ""),
        (
            "app: segment",
            "{networks: [{account: 'group:g', ranges: [192.0.2.0/24]}]}",
            "attribution.networks.0.account",
            "group:product:g",
        ),
    ],
)
def test_what_could_be_meant_either_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: str, attribution: str, place: str, words: str
) -> None:
    monkeypatch.setenv("NONE", "a-secret-that-is-long-enough")
    told = {name: {**row} for name, row in FRESH.items()}
    told |= {name: {"vendor": vendor} for name, vendor in [sources.split(": ")] if sources} if sources else {}
    lines = [f"  - {{name: {n}, secrets: [{{env: NONE}}], {_keys(row)}}}" for n, row in told.items()]
    (tmp_path / "touchline.yaml").write_text(
        "\n".join([f"attribution: {attribution or '{}'}", "sources:", *lines]) + "\n"
    )
    found = {complaint.field: complaint.message for complaint in problems(tmp_path / "touchline.yaml")}
    found = {field: why for field, why in found.items() if "secret" not in field and "public_base_url" not in field}
    if place:
        assert words in found[place], found
    else:
        assert not found


def _keys(row: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in row.items())
