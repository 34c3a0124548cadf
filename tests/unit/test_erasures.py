"""Erased people and accounts: whatever comes when, the store ends where it would be if they had never been there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.links import LINKS, Edge, Erasure
from schemas.touchpoints import CleanTouchpoint
from streams.identity import knowledge as knowledge_module
from streams.identity.erasures import ERASED, EVER, Ledger
from streams.identity.forgetting import known_names
from streams.identity.knowledge import Knowledge
from streams.identity.late_erasures import late_ids, ties
from streams.identity.learning import implied
from streams.identity.stored import stored as stored_links
from streams.journey import account as account_module
from streams.processors import attributor as attributor_module
from streams.processors import journey as journey_module
from streams.processors.attributor import Attributor
from streams.processors.recalled import Reattribute
from tests import pipeline as pipeline_module
from tests.journeys import AS_OF, START, touchpoint
from tests.pipeline import ERASURE_KEY, Pipeline
from tests.unit.test_pipeline_convergence import BLUEPRINT, oracle, streams
from tests.unit.test_pipeline_convergence import stored as rows_of

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # a minute of it, for a stream that is short as it is
ANN = ("email:ann@acme.com", "anonymous:a1", "anonymous:a2", "user:u1")
ACME = ("crm:1", "group:acme", "domain:acme.com", *ANN)


def erasure(
    *names: str, before: datetime = EVER - timedelta(days=1), suppress: bool = False, key: bytes = ERASURE_KEY
) -> Erasure:
    ledger = Ledger(key)
    return Erasure(
        erasure_id="x",
        before=before,
        suppress=suppress,
        key_id=ledger.key_id,
        marks=tuple(ledger.mark(name) for name in names),
        evidence="",
        source="",
        scoped=True,
    )


def known(one: Erasure) -> Ledger:
    ledger = Ledger(ERASURE_KEY)
    ledger.take(one)
    return ledger


def left(stream: list[CleanTouchpoint], one: Erasure) -> dict[str, tuple[object, ...]]:
    """What is there when nothing that is covered ever was; what it told of others, who stay, is known all the same."""
    with patch("tests.unit.test_pipeline_convergence.Knowledge", lambda: Knowledge(None, known(one))):
        kept = [event for event in stream if not known(one).covers(event.changed(scoped=True))]
        return oracle(kept, taught_by=stream)


def erased(
    stream: list[CleanTouchpoint], one: Erasure, at: int, seed: int, *, restarts: int = 0, twice: bool = False
) -> dict[str, tuple[object, ...]]:
    """The stream, with the erasure after its first `at` touchpoints; `twice`: all of it is sent again at the end."""

    async def play() -> dict[str, tuple[object, ...]]:
        pipeline = Pipeline(BLUEPRINT, AS_OF, seed)
        try:
            await pipeline.feed(stream[:at])
            if seed % 2:  # else it comes while they are under way
                await asyncio.wait_for(pipeline.run(restarts=restarts, resolver_restarts=restarts), 30)
            await pipeline.erase(one)
            await pipeline.feed(stream[at:])
            await asyncio.wait_for(pipeline.run(restarts=restarts, resolver_restarts=restarts), 30)
            await pipeline.sweep()
            await asyncio.wait_for(pipeline.run(restarts=restarts, resolver_restarts=restarts), 30)
            if twice:
                await pipeline.feed(stream)
                await asyncio.wait_for(pipeline.run(), 30)
            return rows_of(pipeline)
        finally:
            await pipeline.close()

    with patch.object(journey_module, "ROWS_EVERY_S", 0.0), patch.object(account_module, "TAIL", 4):
        return asyncio.run(play())


@settings(max_examples=10, deadline=None, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(
    stream=streams(),
    seed=st.integers(0, 10_000),
    at=st.integers(0, 16),
    names=st.sampled_from([ANN, ACME]),
    until=st.sampled_from([0, 2, 20_000, 40_000]),
    suppress=st.booleans(),
    restarts=st.sampled_from([0, 2]),
)
def test_any_order_and_every_death_ends_where_they_had_never_been(  # noqa: PLR0913 - what is drawn
    stream: list[CleanTouchpoint],
    seed: int,
    at: int,
    names: tuple[str, ...],
    until: int,
    suppress: bool,
    restarts: int,
) -> None:
    one = erasure(*names, before=START + timedelta(seconds=until), suppress=suppress)
    assert erased(stream, one, at, seed, restarts=restarts, twice=True) == left(stream, one)


STREAM = [
    touchpoint("e1", 0, "page_view", aliases=("anonymous:a1",), page="/pricing"),
    touchpoint("e2", 60, "identify", aliases=("email:ann@acme.com", "anonymous:a1")),
    touchpoint("e3", 70, "identify", aliases=("email:bob@acme.com",)),
]


def test_only_the_other_one_is_left() -> None:
    assert {key for key in erased(STREAM, erasure(*ANN), 3, 1) if key.startswith("e")} == {"e3"}


def _deaf(name: str, kind: Any) -> Callable[[], Any]:
    """A stage that does not look into the ledger."""
    return lambda: patch.object(kind, name, lambda self, given: given if name == "_kept" else _moved(self, given))


_MOVED = Reattribute._moved


def _moved(self: Any, recalled: Any) -> Any:
    with patch.object(Ledger, "covers", lambda *_: False):
        return _MOVED(self, recalled)


@pytest.mark.parametrize(("name", "kind"), [("_kept", Attributor), ("_moved", Reattribute)], ids=["live", "recalled"])
def test_a_stage_that_ignores_the_ledger_is_caught(name: str, kind: Any) -> None:
    """Known bad."""
    one = erasure(*ANN)
    with _deaf(name, kind)():
        assert erased(STREAM, one, 3 if name == "_moved" else 0, 1, twice=True) != left(STREAM, one)


def test_knowledge_that_keeps_the_links_is_caught() -> None:
    """Known bad: the links of who was erased stay, and place another one."""
    stream = [*STREAM, touchpoint("e4", 80, "page_view", aliases=("anonymous:a1",), page="/pricing")]
    one = erasure(*ANN, before=START + timedelta(seconds=75))
    assert erased(stream, one, 4, 1) == left(stream, one)
    with patch.object(knowledge_module, "forget", lambda *_: []):
        assert erased(stream, one, 4, 1) != left(stream, one)


def test_a_worker_that_starts_knows_what_one_that_ran_on_knows() -> None:
    one = erasure(*ANN, before=START + timedelta(seconds=75))
    ran, started = (Knowledge(None, Ledger(ERASURE_KEY)) for _ in range(2))
    links = [link for event in STREAM for link in Knowledge().learn(event)]
    for position, link in enumerate(links):
        ran.apply(link, position + 1)
    ran.erase(one, len(links) + 1)
    record = LINKS.dump_json([*(link.changed(scoped=True) for link in links), one])
    started.load(stored_links(record) or [], len(links) + 1)
    for knowledge in (ran, started):
        assert set(knowledge.graph.aliases()) == {"email:bob@acme.com"}
        assert not any(knowledge.ledger.names(name) for name in known_names(knowledge))


def test_what_is_told_later_is_told_again_when_its_record_is_emptied() -> None:
    knowledge = Knowledge(None, known(erasure(*ANN, before=START)))
    later = Edge(a="email:ann@acme.com", b="anonymous:a1", since=START + timedelta(1), evidence="e", source="s")
    knowledge.apply(later, 1)
    assert knowledge.told_since == {later.link_id: later}


def test_a_browser_that_two_used_takes_only_one_of_them() -> None:
    ledger = known(erasure(*ANN))
    assert ledger.covers(touchpoint("e", 0, "page_view", aliases=("anonymous:a1",)))
    assert not ledger.covers(touchpoint("e", 0, "page_view", aliases=("email:bob@acme.com", "anonymous:a1")))
    assert ledger.covers(touchpoint("e", 0, "page_view", aliases=("email:ann@acme.com", "anonymous:b")))


def test_an_account_takes_who_writes_from_its_domain() -> None:
    ledger = known(erasure(*ACME))
    assert ledger.covers(touchpoint("e", 0, "page_view", aliases=("email:new@mail.acme.com",)))
    assert ledger.covers(touchpoint("e", 0, "deal_changed", account_refs=("crm:1",)))
    assert not ledger.covers(touchpoint("e", 0, "page_view", aliases=("email:new@beta.nl",)))


def test_it_holds_no_name_and_another_key_reads_nothing() -> None:
    one = erasure(*ANN)
    assert b"ann" not in one.encoded() and b"a1" not in one.encoded()
    other = Ledger(b"another key of sixteen bytes")
    assert not other.take(one)
    assert other.unread == {one.link_id} and not other


def test_a_sentence_loses_its_names() -> None:
    said = "email:ann@acme.com and anonymous:a9 are the same person"
    assert known(erasure(*ANN)).without_names(said) == f"{ERASED} and anonymous:a9 are the same person"


@pytest.mark.parametrize("at", [0, 2])
def test_what_an_erased_account_told_of_others_is_known_whenever_it_came(at: int) -> None:
    """A consultant's browser was seen at the erased account alone; the consultant stays, and the browser is theirs."""
    stream = [
        touchpoint("told", 1, "identify", aliases=("email:bob@beta.nl", "anonymous:b"), account_refs=("crm:1",)),
        touchpoint("seen", 2, "page_view", aliases=("anonymous:b",), page="/pricing"),
    ]
    rows = erased(stream, erasure("crm:1", before=START + timedelta(days=1)), at, 1)
    assert rows["seen"][0] == "domain:beta.nl" and "told" not in rows


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["erase", "suppress", "lift"]), st.integers(0, 5)),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_a_suppression_ends_when_it_is_lifted_in_any_order(told: list[tuple[str, int]], order: random.Random) -> None:
    name, ledger, shuffled = "email:ann@acme.com", Ledger(ERASURE_KEY), list(told)
    order.shuffle(shuffled)
    for number, (how, day) in enumerate(shuffled):
        one = erasure(name, before=START + timedelta(days=day), suppress=how == "suppress")
        ledger.take(one.changed(erasure_id=str(number), lifts=how == "lift"))
    days = {how: max((day for kind, day in told if kind == how), default=-1) for how in ("erase", "suppress", "lift")}
    is_held = days["suppress"] > days["lift"] or (days["suppress"] >= 0 and days["lift"] < 0)
    until = (
        EVER if is_held else START + timedelta(days=max(days["erase"], days["lift"] if days["suppress"] >= 0 else -1))
    )
    nothing = days["erase"] < 0 and days["suppress"] < 0
    assert ledger.until(name) == (None if nothing else until)
    assert bool(ledger.suppressed(name)) == (is_held and not nothing)


ONLY_ANN = "email:ann@acme.com"


def theirs(stream: Iterable[CleanTouchpoint], names: Iterable[str]) -> set[str]:
    """These names and whatever is tied to them in the end, whatever came first."""
    pairs, found = {pair for event in stream for link in implied(event) for pair in ties(link)}, set(names)
    while more := {other for known, other in pairs if known in found} - found:
        found |= more
    return found


@settings(max_examples=10, deadline=None, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(
    stream=streams(),
    seed=st.integers(0, 10_000),
    at=st.integers(0, 16),
    until=st.sampled_from([0, 2, 20_000, 40_000]),
    suppress=st.booleans(),
    restarts=st.sampled_from([0, 2]),
)
def test_ids_that_are_tied_to_them_later_are_erased_as_if_they_had_been_known(  # noqa: PLR0913 - what is drawn
    stream: list[CleanTouchpoint], seed: int, at: int, until: int, suppress: bool, restarts: int
) -> None:
    before = START + timedelta(seconds=until)
    told = erasure(*theirs(stream[:at], [ONLY_ANN]), before=before, suppress=suppress)
    whole = erasure(*theirs(stream, [ONLY_ANN]), before=before, suppress=suppress)
    assert erased(stream, told, at, seed, restarts=restarts, twice=True) == left(stream, whole)


LATE = [
    touchpoint("visit", 0, "page_view", aliases=("anonymous:a1",), page="/pricing"),
    touchpoint("back", 60, "identify", aliases=(ONLY_ANN, "anonymous:a1")),
    touchpoint("again", 70, "page_view", aliases=("anonymous:a1",), page="/pricing"),
    touchpoint("other", 80, "identify", aliases=("email:bob@acme.com",)),
]


@pytest.mark.parametrize(("until", "gone"), [(30, {"visit"}), (65, {"visit", "back"})], ids=["link-after", "link-late"])
def test_a_browser_that_turns_out_to_be_theirs_loses_what_it_did_before(until: int, gone: set[str]) -> None:
    """Whether who came back is kept, or only the event that says so came late."""
    one = erasure(ONLY_ANN, before=START + timedelta(seconds=until))
    for seed in (1, 2):
        rows = {key for key in erased(LATE, one, 1, seed) if key in {event.event_id for event in LATE}}
        assert rows == {event.event_id for event in LATE} - gone


@pytest.mark.parametrize("until", [30, 65], ids=["link-after", "link-late"])
def test_a_resolver_that_passes_nothing_on_is_caught(until: int) -> None:
    """Known bad."""
    one = erasure(ONLY_ANN, before=START + timedelta(seconds=until))
    deaf: Any = patch.object(attributor_module, "late_ids", lambda *_: [])
    with deaf, patch.object(pipeline_module, "spread", lambda *_: []):
        assert "visit" in erased(LATE, one, 1, 1)


def told_late(*events: CleanTouchpoint, of: Iterable[str] = (ONLY_ANN,)) -> dict[str, bool]:
    """Of the ids of these events, in this order, whether each is erased in the end."""
    knowledge = Knowledge(None, known(erasure(*of, before=START + timedelta(seconds=30))))
    for event in events:
        for one in late_ids(knowledge, event):
            knowledge.erase(one, knowledge.position + 1)
        for link in knowledge.learn(event):
            knowledge.apply(link, knowledge.position + 1)
    return {name: knowledge.ledger.names(name) for event in events for name in event.aliases}


BOB = "email:bob@acme.com"
SEEN_WITH_BOB = touchpoint("b", 40, "identify", aliases=(BOB, "anonymous:a1"))
SEEN_WITH_ANN = touchpoint("a", 50, "identify", aliases=(ONLY_ANN, "anonymous:a1"))


@pytest.mark.parametrize("at_s", [20, 40], ids=["covered", "later"])
def test_who_teaches_a_link_tells_the_ledger_whether_it_is_learned_or_not(at_s: int) -> None:
    news = touchpoint("a", at_s, "identify", aliases=(ONLY_ANN, "anonymous:a1"))
    assert told_late(news)["anonymous:a1"]


def test_a_browser_passes_nothing_on() -> None:
    found = told_late(SEEN_WITH_BOB, SEEN_WITH_ANN)
    assert found == {ONLY_ANN: True, "anonymous:a1": True, BOB: False}


def test_what_hangs_on_an_id_that_names_them_goes_with_it() -> None:
    known_before = touchpoint("k", 10, "identify", aliases=("user:u1", "anonymous:a2"))
    found = told_late(known_before, touchpoint("l", 50, "identify", aliases=(ONLY_ANN, "user:u1")))
    assert found == dict.fromkeys([ONLY_ANN, "user:u1", "anonymous:a2"], True)


@pytest.mark.parametrize(
    ("name", "events", "of"),
    [
        ("user:u1", [touchpoint("t", 50, "form_submitted", aliases=("user:u1", ONLY_ANN))], (ONLY_ANN,)),
        (
            "anonymous:a1",
            [SEEN_WITH_BOB, touchpoint("t", 50, "form_submitted", aliases=("anonymous:a1", ONLY_ANN))],
            (ONLY_ANN,),
        ),
        (
            "anonymous:a1",
            [touchpoint("d", 40, "decision", aliases=(ONLY_ANN, "anonymous:a1"), properties={"verdict": "unlink"}),
             SEEN_WITH_ANN],
            (ONLY_ANN,),
        ),
        (BOB, [SEEN_WITH_BOB], ("anonymous:a1",)),
        (
            "ticket:1",
            [touchpoint("t", 40, "ticket_created", aliases=(BOB, "ticket:1")),
             touchpoint("u", 50, "ticket_replied", aliases=(ONLY_ANN, "ticket:1"))],
            (ONLY_ANN,),
        ),
        (
            "device:hall",
            [*(touchpoint(f"v{n}", n, "identify", aliases=(f"user:{n}", "device:hall")) for n in range(101)),
             touchpoint("t", 500, "identify", aliases=(ONLY_ANN, "device:hall"))],
            (ONLY_ANN,),
        ),
    ],
    ids=["signed-in-typed", "typed-by-somebody", "decided-otherwise", "from-a-browser", "ticket-of-two", "a-hall"],
)  # fmt: skip
def test_what_may_be_somebody_elses_stays(name: str, events: list[CleanTouchpoint], of: tuple[str, ...]) -> None:
    assert told_late(*events, of=of)[name] is False


@pytest.mark.parametrize("verdict", ["link", "unlink"])
def test_a_decision_makes_it_theirs(verdict: str) -> None:
    decided = touchpoint("d", 50, "decision", aliases=(ONLY_ANN, "user:u9"), properties={"verdict": verdict})
    assert told_late(decided)["user:u9"] is (verdict == "link")


def test_an_address_at_an_erased_account_passes_it_on() -> None:
    found = told_late(
        touchpoint("n", 50, "identify", aliases=("email:new@acme.com", "user:u5")), of=["domain:acme.com"]
    )
    assert found["user:u5"]


def test_a_late_id_is_suppressed_and_freed_with_the_others() -> None:
    knowledge = Knowledge(None, known(erasure(ONLY_ANN, before=START, suppress=True)))
    (late,) = late_ids(knowledge, SEEN_WITH_ANN)
    knowledge.erase(late, 1)
    ledger = knowledge.ledger
    assert ledger.until("anonymous:a1") == EVER and not late_ids(knowledge, SEEN_WITH_ANN)
    assert {one.link_id for one in ledger.suppressed(ONLY_ANN)} == {one.link_id for one in ledger}
