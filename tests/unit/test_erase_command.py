"""What `touchline erase` decides without a store: who is meant, what is written down, what is left and until when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from clickhouse_connect.driver.client import Client

from schemas.config import Config, KafkaConfig, SecretRef, SourceConfig
from schemas.errors import ConfigurationError
from schemas.facts import Fact, ProposalFact
from schemas.incidents import ACTIONS, IncidentAction, Verb
from schemas.links import AccountClaim, Edge, Erasure
from schemas.parking import STANDINGS, NotTaken
from schemas.retention import TOPICS_HELD
from schemas.touchpoints import AttributedTouchpoint, Attribution
from services.cli.console import UsageError
from services.cli.privacy import blanking, requests, schedule, store, subject, topics
from services.cli.privacy.erase import NotErased, Tools, Wish, Work
from services.cli.privacy.folder import PrivacyFolder
from services.cli.privacy.receipt import left, words
from services.cli.privacy.store import needles
from services.cli.privacy.subject import Subject, late_in_links, person_with
from services.common.config import load_config
from services.sink.batch import Item
from services.sink.erased import Erased
from services.supervisor.private import OWNED
from streams.connectors.registry import erasing, systems_of
from streams.identity.directories import Directories
from streams.identity.erasures import ERASED, Ledger
from tests.journeys import touchpoint
from tests.pipeline import ERASURE_KEY
from tests.store_facts import correction, touchpoint_fact
from tests.store_fixture import FakeRecord
from tests.unit.test_erasures import erasure, known
from tests.unit.test_identity_command import ANN, Listed, learned

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DIRECTORIES = Directories(systems=systems_of())


def test_all_ids_of_a_person_are_meant() -> None:
    subject = person_with(Listed(learned(ANN)[1]), ["email:ann@acme.com"], DIRECTORIES, "ann@acme.com")
    assert "email:ann@acme.com" in subject.names and len(subject.names) > 1


def test_somebody_who_was_never_seen_is_their_alias() -> None:
    assert person_with(Listed([]), ["email:new@acme.com"], DIRECTORIES).names == {"email:new@acme.com"}


def test_an_id_of_two_people_is_refused() -> None:
    two = [Edge(a=name, b=name, since=NOW, evidence="e", source="s") for name in ("email:a@b.nl", "email:c@d.nl")]
    with pytest.raises(UsageError, match="several people"):
        person_with(Listed(two), [edge.a for edge in two], DIRECTORIES, "x")


def test_the_ledger_is_on_disk_closed_to_others_and_names_nobody(tmp_path: Path) -> None:
    folder, one = PrivacyFolder(tmp_path), erasure("email:ann@acme.com")
    folder.note([one])
    folder.note([one.changed(part=1)])
    assert list(folder.ledger()) == [one, one.changed(part=1)]
    path = tmp_path / "privacy" / "ledger.jsonl"
    assert path.stat().st_mode & 0o077 == 0 and b"ann" not in path.read_bytes() and "privacy" in OWNED
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(ConfigurationError, match=r"ledger\.jsonl:3"):
        list(folder.ledger())


def test_a_ledger_takes_over_what_another_has_and_nothing_twice(tmp_path: Path) -> None:
    before, restored = PrivacyFolder(tmp_path / "before"), PrivacyFolder(tmp_path / "restored")
    one = erasure("email:ann@acme.com")
    before.note([one, one.changed(part=1)])
    restored.note([one])
    assert (restored.add(before.ledger()), restored.add(before.ledger())) == (1, 0)
    assert list(restored.ledger()) == [one, one.changed(part=1)]
    with pytest.raises(ConfigurationError, match="is not there"):
        restored.add(restored.ledger(tmp_path / "nowhere"))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_schedule_sees_erasures_that_the_services_do_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    one = erasure("email:ann@acme.com")
    monkeypatch.setattr(store, "ledger", lambda _: iter([(1, one)] if is_known else []))
    folder = PrivacyFolder(tmp_path)
    folder.note([one])
    assert schedule.is_behind(cast(Tools, SimpleNamespace(client=None, folder=folder))) is not is_known


async def test_what_the_services_erased_by_themselves_is_taken_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noted when it is done: who is killed before that begins again."""
    noted, told = erasure("email:ann@acme.com"), erasure("anonymous:a1").changed(part=77)
    folder, works = PrivacyFolder(tmp_path), list[Work]()
    folder.note([noted])
    monkeypatch.setattr(store, "ledger", lambda _: iter([(1, noted), (9, told)]))
    monkeypatch.setattr(store, "erased_names", lambda *_: {"anonymous:a1"})

    @asynccontextmanager
    async def kafka(_: object) -> AsyncIterator[None]:
        yield None

    async def finished(_: object, __: object, ___: object, work: Work) -> dict[str, int]:
        works.append(work)
        if len(works) == 1:
            raise NotErased("killed")
        return {"touchpoints": 1}

    for name in ("consumer", "producer"):
        monkeypatch.setattr(schedule, name, kafka)
    monkeypatch.setattr(schedule, "gone", AsyncMock())
    monkeypatch.setattr(schedule, "finish", finished)
    tools = cast(Tools, SimpleNamespace(client=None, folder=folder, key=ERASURE_KEY, config=Config()))
    with pytest.raises(NotErased):
        await schedule.erase_late(tools)
    assert await schedule.erase_late(tools) == {"late_ids": 1, "of": ["x"], "erased": {"touchpoints": 1}}
    assert [(work.names, work.position, work.ledger.names("email:ann@acme.com")) for work in works] == [
        ({"anonymous:a1"}, 9, False)
    ] * 2
    assert await schedule.erase_late(tools) is None


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_schedule_moves_compacted_topics_on_where_anybody_was_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_noted: bool
) -> None:
    sent: list[tuple[str, bytes, int, object]] = []

    class Writer:
        async def send_and_wait(self, topic: str, value: object, *, key: bytes, partition: int) -> None:
            sent.append((topic, key, partition, value))

    @asynccontextmanager
    async def kafka(_: object) -> AsyncIterator[Writer]:
        yield Writer()

    one, folder = erasure("email:ann@acme.com"), PrivacyFolder(tmp_path)
    monkeypatch.setattr(schedule, "producer", kafka)
    monkeypatch.setattr(schedule, "requested", lambda *_: [])
    monkeypatch.setattr(store, "ledger", lambda _: iter([(1, one)]))
    if is_noted:
        folder.note([one])
    else:
        monkeypatch.setattr(schedule, "erase_late", AsyncMock(return_value=None))
    config = Config(kafka=KafkaConfig(topic_prefix="x.", partitions=2))
    tools = cast(Tools, SimpleNamespace(client=None, folder=folder, config=config, source=None, directories=None))
    assert list(schedule.on_schedule(tools)) == []
    compacted = [("identity.links.v1", 1), ("sources.standings.v1", 1), ("incidents.actions.v1", 1)]
    places = [(name, n) for name, count in (*compacted, ("alerts.desks.v1", 2)) for n in range(count)]
    wanted = [(f"x.{name}", topics.NOTHING, number, None) for name, number in places]
    assert sent == (wanted if is_noted else [])


def test_a_restored_ledger_is_made_as_long_as_the_stored_links_say() -> None:
    names = ("email:ann@acme.com", "anonymous:a1")
    link = Edge(a=names[0], b=names[1], since=NOW, evidence="e", source="s")
    ledger = known(erasure(names[0], before=NOW - timedelta(days=1)))
    (one,) = late_in_links(Listed([link]), {names[0]}, ledger, DIRECTORIES)
    assert ledger.names(names[1]) and one.marks == (ledger.mark(names[1]),)
    assert list(late_in_links(Listed([link]), {names[0]}, ledger, DIRECTORIES)) == []


def test_logs_lose_their_ids_and_keep_their_length(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "attribute.log").write_text("saw ann@acme.com and 51, again ann@acme.com\n")
    assert PrivacyFolder(tmp_path).blank_logs(["email:ann@acme.com", "crm_contact:51"]) == 2
    assert (logs / "attribute.log").read_text() == f"saw {'x' * 12} and 51, again {'x' * 12}\n"


def test_every_topic_with_something_personal_is_in_the_receipt_with_a_time() -> None:
    told = list(left(Config(), NOW))
    personal = {f"topic {topic}" for topic, held in TOPICS_HELD.items() if held.personal}
    assert personal <= {one["where"] for one in told}
    raw = next(one for one in told if one["where"] == "topic touchpoints.raw.v1")
    assert raw["gone_by"] == "2026-12-08T00:10:00Z"
    links = next(one for one in told if one["where"] == "topic identity.links.v1")
    assert links["gone_by"] == "2026-12-03T03:10:00Z"
    receipt = {
        "erasure_id": "x", "kind": "person", "requested_at": "a", "finished_at": "b", "before": "a", "suppress": True,
        "by": "", "ids": 3, "erased": {"touchpoints": 4}, "left": told,
    }  # fmt: skip
    said = words(receipt)
    assert "what occurs after that is dropped, too" in said and "2026-12-08T00:10:00Z" in said


def test_a_domain_is_found_by_the_addresses_there() -> None:
    assert needles(["domain:acme.com"]) == ['"domain:acme.com"', '@acme.com"', '.acme.com"']


class Stored:
    """A table of links with these erasures."""

    def __init__(self, *erasures: Erasure) -> None:
        self._erasures = erasures

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        return [{"payload": one.encoded().decode()} for one in self._erasures]


def _question() -> ProposalFact:
    return ProposalFact(
        proposal_id="p", revision=1, question="same_person", a="anonymous:a1", b="email:x@y.nl", reason="r",
        evidence="e", confidence=0.5, since=NOW, status="settled",
    )  # fmt: skip


def test_the_sink_stores_nothing_of_who_was_erased() -> None:
    fact = touchpoint_fact(1)
    names = fact.input.touchpoint.aliases
    said = correction("c").changed(cause=f"{names[0]} and email:x@y.nl are the same person")
    facts: list[Fact] = [fact, said, _question()]
    items = [Item(FakeRecord(), number, one) for number, one in enumerate(facts)]
    kept = Erased(Stored(erasure(*names, "anonymous:a1")), Ledger(ERASURE_KEY)).kept(items)
    assert [item.index for item in kept] == [1]
    assert kept[0].fact is not None and kept[0].fact.changed().cause == f"{ERASED} and email:x@y.nl are the same person"  # type: ignore[union-attr]
    told = Item(FakeRecord(), 3, link=erasure(*names, "anonymous:a1"))
    assert [item.index for item in Erased(Stored(), Ledger(ERASURE_KEY)).kept([told, *items])] == [3, 1]


def test_a_sink_that_ignores_the_ledger_is_caught() -> None:
    """Known bad: without the key it stores all."""
    fact = touchpoint_fact(1)
    kept = Erased(Stored(erasure(*fact.input.touchpoint.aliases)), Ledger()).kept([Item(FakeRecord(), 0, fact)])
    assert len(kept) == 1


def _asking(source: str, vendor_type: str, **changes: Any) -> AttributedTouchpoint:
    base: dict[str, Any] = {"aliases": ("email:ann@acme.com",), "source": source, "vendor_type": vendor_type}
    asked = touchpoint("r", 0, "support_record", **(base | changes))
    attribution = Attribution(account_id="crm:crm:1", method="membership", confidence=1.0)
    return AttributedTouchpoint(touchpoint=asked, attribution=attribution)


SOURCES = [
    SourceConfig(name=name, vendor=vendor, secrets=(SecretRef(env="X"),), erases=erases)
    for name, vendor, erases in (
        ("crm", "hubspot", False), ("web", "segment", False), ("gdpr", "segment", True),
        ("desk", "intercom", True), ("chat", "intercom", False), ("operators", "touchline", False),
    )
]  # fmt: skip


class Asked:
    """A store with these touchpoints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *items: AttributedTouchpoint) -> None:
        rows = [{"payload": item.encoded().decode()} for item in items]

        def query(_: object, sql: str, asked: dict[str, list[str]]) -> list[dict[str, str]]:
            return [row for row in rows if any(needle in row["payload"] for needle in asked["types"])]

        monkeypatch.setattr(requests, "query_rows", query)

    def wishes(self) -> list[Wish]:
        known = Listed(learned(ANN)[1])
        return list(requests.requested(cast(Client, None), known, DIRECTORIES, erasing(SOURCES)))


def test_a_request_is_a_wish_that_takes_the_request_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    item = _asking("crm", "contact.privacyDeletion")
    (wish,) = Asked(monkeypatch, item).wishes()
    assert wish.erasure_id == item.event_id and wish.by == "source crm" and not wish.suppress
    assert known(erasure(*wish.subject.names, before=wish.at)).covers(item.touchpoint)


@pytest.mark.parametrize(
    ("source", "vendor_type", "is_taken"),
    [
        ("crm", "contact.privacyDeletion", True),
        ("crm", "contact.deletion", False),
        ("gdpr", "delete", True),
        ("gdpr", "identify", False),
        ("web", "delete", False),  # a page's key is nobody's secret
        ("desk", "contact.deleted", True),
        ("chat", "contact.deleted", False),
        ("operators", "erasure", True),
        ("web", "erasure", False),
        ("gone", "delete", False),
    ],
)
def test_only_who_may_asks_and_only_by_what_it_says(
    monkeypatch: pytest.MonkeyPatch, source: str, vendor_type: str, *, is_taken: bool
) -> None:
    """A property called `privacy`, as a form's box for the terms may be, asks for nothing."""
    item = _asking(source, vendor_type, properties={"privacy": True, "suppress": True, "by": "me"})
    wishes = Asked(monkeypatch, item).wishes()
    assert len(wishes) == is_taken
    assert all(wish.suppress == (vendor_type == "erasure") for wish in wishes)


def test_a_request_that_names_nobody_is_of_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = Subject("account", frozenset({"crm:crm:1", "domain:acme.com"}))
    monkeypatch.setattr(requests, "subject_of", lambda _c, _s, account, _d: meant if account == "crm:crm:1" else None)
    item = _asking("operators", "erasure", aliases=(), account_refs=("crm:crm:1",))
    (wish,) = Asked(monkeypatch, item).wishes()
    assert wish.subject == meant


def test_a_source_that_tells_of_no_deletion_may_not_be_allowed_to(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    path.write_text("sources:\n  - {name: desk, vendor: zendesk, secrets: [{env: KEY}], erases: true}\n")
    with pytest.raises(ConfigurationError, match=r"touchline.yaml:2:\d+: sources.0.erases: .*`hubspot`, `intercom`"):
        load_config(path)


class Sends:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: dict[bytes, bytes] = {}

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, partition: int) -> None:
        assert (topic, partition) == ("t-incidents.actions.v1", 0)
        self.sent[key] = value


@pytest.mark.parametrize(
    ("text", "events", "is_emptied"),
    [
        ("called them", ("gone",), True),
        ("called Ann@Acme.com again", ("other",), True),
        ("called 51 times", ("other",), False),  # a short id stands for many other things
        ("called them", ("other",), False),
        ("", ("gone",), False),
        (ERASED, ("gone",), False),  # done already
    ],
)
async def test_notes_lose_their_words_where_they_are_about_somebody(
    monkeypatch: pytest.MonkeyPatch, text: str, events: tuple[str, ...], *, is_emptied: bool
) -> None:
    verb: Verb = "note" if text else "take"
    action = IncidentAction(action_id="a", at=NOW, by="Olaf", verb=verb, events=events, text=text)

    async def read(*_: object) -> AsyncIterator[object]:
        yield SimpleNamespace(key=b"a", value=b"[" + action.encoded() + b"]")

    monkeypatch.setattr(blanking, "history", read)
    writer, names = Sends(), ["email:ann@acme.com", "crm_contact:crm:51"]
    done = await blanking.blank_notes(None, writer, KafkaConfig(topic_prefix="t-"), {"gone"}, names)
    assert done == len(writer.sent) == is_emptied
    for value in writer.sent.values():
        assert ACTIONS.validate_json(value) == [action.changed(text=ERASED)]


def edge(a: str, b: str) -> Edge:
    return Edge(a=a, b=b, since=NOW - timedelta(days=2), evidence="e", source="s", scoped=True)


def together(*links: Edge | Erasure) -> bytes:
    return b"[" + b",".join(link.encoded() for link in links) + b"]"


GONE, STAYS = edge("email:ann@acme.com", "anonymous:a1"), edge("email:bob@acme.com", "anonymous:b1")
TOLD = erasure("anonymous:z9")
"""An erasure that a service learned, and that an earlier version wrote into one record with links."""


class Log:
    """A topic as readers see it, and what is written to it."""

    def __init__(self, *records: tuple[bytes, bytes | None]) -> None:
        self.records = list(records)

    async def history(self, *_: object) -> AsyncIterator[object]:
        for key, value in list(self.records):
            yield SimpleNamespace(key=key, value=value)

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> object:
        self.records.append((key, value))
        return SimpleNamespace(offset=len(self.records) - 1)

    @property
    def compacted(self) -> dict[bytes, bytes]:
        return {key: value for key, value in dict(self.records).items() if value is not None}


async def test_a_record_of_several_links_lets_go_of_the_one_that_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log((b"digest", together(GONE, TOLD, STAYS)), (b"other", together(STAYS, STAYS)), (b"alone", together(GONE)),
              (b"was", together(GONE, STAYS)), (b"was", None))  # fmt: skip
    monkeypatch.setattr(topics, "history", log.history)
    ledger = known(erasure("email:ann@acme.com", before=NOW))
    kafka = KafkaConfig(topic_prefix="t-")
    assert [one.link_id async for one in topics.ledger_of(None, kafka)] == [TOLD.link_id]
    assert await topics.take_apart(None, log, kafka, ledger) == 1
    left = log.compacted
    assert b"digest" not in left and left[TOLD.link_id.encode()] == together(TOLD)
    assert left[STAYS.link_id.encode()] == together(STAYS)
    assert [key for key, value in left.items() if b"ann@" in value] == [b"alone"], "that one's own key stands for it"
    written = len(log.records)
    assert await topics.take_apart(None, log, kafka, ledger) == 0 and len(log.records) == written


async def test_of_several_notes_in_one_record_only_those_about_somebody_lose_their_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    about, other = (
        IncidentAction(action_id=name, at=NOW, by="Olaf", verb="note", events=(event,), text="called")
        for name, event in (("a", "gone"), ("b", "other"))
    )
    log = Log((b"digest", b"[" + about.encoded() + b"," + other.encoded() + b"]"))
    monkeypatch.setattr(blanking, "history", log.history)
    assert await blanking.blank_notes(None, log, KafkaConfig(), {"gone"}, ()) == 1
    assert ACTIONS.validate_json(log.compacted[b"digest"]) == [about.changed(text=ERASED), other]


@pytest.mark.parametrize(
    ("detail", "is_about"), [("type 'Ann@acme.com' is unknown", True), ("type '51' is not", False)]
)
async def test_what_was_said_of_a_refused_message_loses_the_words_that_name_somebody(
    monkeypatch: pytest.MonkeyPatch, detail: str, *, is_about: bool
) -> None:
    refused = NotTaken(stage="attribute", by="h", source="web", reason="unknown_type", count=3, since=NOW, last_at=NOW,
                       detail=detail)  # fmt: skip
    log = Log((refused.key.encode(), b"[" + refused.encoded() + b"]"), (b"standing|web", b"[]"), (topics.NOTHING, None))
    monkeypatch.setattr(blanking, "history", log.history)
    names = ["email:ann@acme.com", "crm_contact:crm:51"]
    assert await blanking.blank_refusals(None, log, KafkaConfig(), names) == is_about
    expected = refused.changed(detail=ERASED) if is_about else refused
    assert STANDINGS.validate_json(log.compacted[refused.key.encode()]) == [expected]


def test_with_an_account_goes_whoever_has_an_address_there_and_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All three were seen at another account, too."""
    whose = {"own": "email:ann@acme.com", "consultant": "email:bob@beta.nl", "browser": "anonymous:x"}
    attributions = {one: Attribution(person_id=one, account_id="crm:1", method="m", confidence=1.0) for one in whose}
    items = [
        AttributedTouchpoint(touchpoint=touchpoint(one, 0, aliases=(name,)), attribution=attributions[one])
        for one, name in whose.items()
    ]

    def query(_: object, sql: str, asked: dict[str, object]) -> list[dict[str, object]]:
        if "person_id IN" in sql:
            return [{"person_id": one} for one in whose]
        return [{"payload": item.encoded().decode()} for item in items]

    claim = AccountClaim(account_id="crm:1", trait="domain", value="acme.com", since=NOW, evidence="e", source="s")
    monkeypatch.setattr(subject, "query_rows", query)
    found = subject.subject_of(cast(Client, None), Listed([claim]), "crm:1", DIRECTORIES)
    assert found.names == {"crm:1", "domain:acme.com", "email:ann@acme.com"}
