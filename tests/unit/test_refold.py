"""A changed blueprint, and refolds that are asked for: what differs is told anew, once, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from schemas.facts import FACTS, AccountFact, Correction, TouchpointFact
from schemas.touchpoints import CleanTouchpoint, Refold
from services.cli.commands import refold_run as command
from services.cli.commands.refold_run import NothingMoves, remap
from services.cli.main import app
from streams.journey import corrections as corrections_module
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.causes import DEADLINE, LATE, LOAD, Cause, in_english, profile_changed, reasons_of
from streams.journey.compiled import CompiledBlueprint
from streams.journey.corrections import Stored, corrections
from streams.journey.facts import inputs_of
from streams.processors import journey as journey_module
from tests.journeys import AS_OF, attributed, touchpoint
from tests.pipeline import Pipeline
from tests.unit.test_pipeline_convergence import streams

BLUEPRINT = load()


def edited(**changes: Any) -> CompiledBlueprint:
    """The default blueprint with other values."""
    return CompiledBlueprint(BLUEPRINT.source.model_copy(update=changes))


def dearer(version: int = 1) -> CompiledBlueprint:
    """Pricing pages became as important as can be; the version may or may not say so."""
    types = [t.model_copy(update={"importance": 5}) if t.id == "pricing_page" else t for t in BLUEPRINT.source.types]
    return edited(version=version, types=tuple(types))


# The digest


def test_the_digest_is_of_what_a_blueprint_means() -> None:
    again = load()
    assert again.digest == BLUEPRINT.digest, "the same on every worker"
    assert edited(version=7).digest != BLUEPRINT.digest, "rows say their version"
    first = BLUEPRINT.source.phases[0]
    renamed = (first.model_copy(update={"name": "Awakening", "goal": "?"}), *BLUEPRINT.source.phases[1:])
    assert edited(phases=renamed).digest == BLUEPRINT.digest, "words for people make no other rows"
    assert dearer().digest != BLUEPRINT.digest
    assert edited(transitions=BLUEPRINT.source.transitions[:-1]).digest != BLUEPRINT.digest
    assert edited(policies=()).digest == BLUEPRINT.digest, "who is told of rows makes no other ones"
    assert edited(rules=(), policies=()).digest != BLUEPRINT.digest


# What a refold tells


def told(blueprint: CompiledBlueprint, items: Sequence[Any]) -> tuple[Stored, AccountJourney]:
    """The store after an account was told by this blueprint."""
    account, journey = AccountJourney.rebuilt("crm:1", blueprint, items, AS_OF)
    facts = corrections(account, journey, Stored(), AS_OF, {LOAD})
    stored = Stored(items={item.event_id: item for item in items})
    for fact in facts:
        if isinstance(fact, TouchpointFact):
            stored.touchpoint_digests[fact.event_id] = fact.digest
        if isinstance(fact, AccountFact):
            stored.account_digest, stored.phase, stored.segment = fact.digest, fact.phase, fact.segment
            stored.blueprint_version, stored.blueprint_digest = fact.blueprint_version, fact.blueprint_digest
            stored.max_revision = fact.revision
    return stored, account


PAGES = [
    attributed("e1", 0, page="/pricing"),
    attributed("e2", 9, page="/blog/a"),
    attributed("e3", 20, page="/blog/b"),
]


def again(blueprint: CompiledBlueprint, stored: Stored, *causes: Cause) -> dict[str, list[Any]]:
    """What a refold by this blueprint tells, by kind."""
    account, journey = AccountJourney.rebuilt("crm:1", blueprint, list(stored.items.values()), AS_OF)
    found: dict[str, list[Any]] = {}
    for fact in corrections(account, journey, stored, AS_OF, causes):
        found.setdefault(fact.kind, []).append(fact)
    return found


def test_the_same_blueprint_tells_nothing() -> None:
    assert again(BLUEPRINT, told(BLUEPRINT, PAGES)[0], LOAD) == {}


def test_an_edit_without_a_new_version_tells_what_it_changed() -> None:
    found = again(dearer(), told(BLUEPRINT, PAGES)[0], LOAD)
    assert [(fact.event_id, fact.importance) for fact in found["touchpoint"]] == [("e1", 5)]
    (line,) = found["correction"]
    assert line.cause == "blueprint version 1 was edited"
    assert line.what == "1 touchpoint judged anew"
    assert found["account"][0].blueprint_digest == dearer().digest


def test_a_new_version_tells_every_row_and_says_which_changed_only_in_that() -> None:
    asked = Cause("asked", "blueprint version 2 applied to history")
    found = again(dearer(version=2), told(BLUEPRINT, PAGES)[0], asked)
    assert {fact.blueprint_version for fact in found["touchpoint"]} == {2} and len(found["touchpoint"]) == 3
    (line,) = found["correction"]
    assert line.cause == "blueprint version 2 instead of 1; blueprint version 2 applied to history"
    assert line.what == "1 touchpoint judged anew, 2 touchpoints unchanged but for the blueprint's version"
    assert (line.touchpoints_changed, line.touchpoints_removed) == (3, 0)


def test_a_new_blueprint_is_knowledge_and_an_old_one_is_not() -> None:
    """While workers are replaced, one that still runs the lower version must not win by counting up."""
    old, new = told(BLUEPRINT, PAGES)[0], told(dearer(version=2), PAGES)[0]
    up, down = again(dearer(version=2), old, LOAD)["account"][0], again(BLUEPRINT, new, LOAD)["account"][0]
    assert inputs_of(up.revision) == inputs_of(old.max_revision) + 1
    assert inputs_of(down.revision) == inputs_of(new.max_revision)


def test_a_line_says_what_changed_and_why() -> None:
    late = attributed("e0", -60, "lifecycle_changed", properties={"value": "customer"})
    stored, _ = told(BLUEPRINT, PAGES)
    stored.items["e0"] = late
    (line,) = again(BLUEPRINT, stored, LATE)["correction"]
    assert line.cause == "touchpoints came that lie before later ones: late, or moved here"
    assert line.what.startswith("phase initiate, not consideration, ")
    left = {event_id: item for event_id, item in told(BLUEPRINT, PAGES)[0].items.items() if event_id != "e3"}
    stored, _ = told(BLUEPRINT, PAGES)
    account, journey = AccountJourney.rebuilt("crm:1", BLUEPRINT, list(left.values()), AS_OF)
    gone = corrections(account, journey, stored, AS_OF, {Cause("links", "touchpoints moved to crm:2")})[-2]
    assert isinstance(gone, Correction)
    assert (gone.cause, gone.what) == ("touchpoints moved to crm:2", "1 touchpoint gone")


def test_causes_in_words() -> None:
    assert reasons_of({LOAD}) == ["read again, after a restart or a long rest"]
    assert reasons_of({LOAD, DEADLINE}) == ["a deadline passed"]
    changed = profile_changed({"p1": ("unknown", "buyer"), "": ("", "small"), "p2": ("a", "b"), "p3": ("a", "b")})
    assert in_english(changed.words) == (
        "the segment is small, not none; the persona of person p1 is buyer, not unknown; "
        "the persona of person p2 is b, not a; and 1 more"
    )


def test_rows_survive_their_journey() -> None:
    """They are built without validation: a value that is none of its field's would be another one for who reads it."""
    ticket = attributed("e1", 0, "ticket_created", subject="ticket:1")
    account, journey = AccountJourney.rebuilt("crm:1", BLUEPRINT, [ticket], AS_OF)
    facts = corrections(account, journey, Stored(), AS_OF, {LOAD})
    assert {"touchpoint", "signal", "account"} <= {fact.kind for fact in facts}
    assert FACTS.validate_json(FACTS.dump_json(list(facts))) == facts


# Through the whole pipeline


async def _remapped(stream: list[CleanTouchpoint], seed: int) -> tuple[Pipeline, Pipeline]:
    """A system that changed its blueprint half-way and was remapped, and one that had it from the beginning."""
    new = dearer(version=2)
    changed, fresh = Pipeline(BLUEPRINT, AS_OF, seed), Pipeline(new, AS_OF, seed)
    half = len(stream) // 2
    await changed.feed(stream[:half])
    await changed.run()
    await changed.restart_with(new)
    left = [a for a, own in changed.store.accounts.items() if own.blueprint_digest != new.digest]
    await changed.ask([Refold(account_id=a, cause="asked", blueprint_digest=new.digest) for a in left])
    await changed.feed(stream[half:])
    await changed.run(restarts=1)
    await fresh.feed(stream)
    await fresh.run()
    await changed.close()
    await fresh.close()
    return changed, fresh


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=streams())
def test_after_a_remap_nothing_is_left_of_the_old_blueprint(stream: list[CleanTouchpoint]) -> None:
    with patch.object(journey_module, "ROWS_EVERY_S", 0.0):
        changed, fresh = asyncio.run(_remapped(stream, seed=len(stream)))
    assert {e: f.digest for e, f in changed.store.visible().items()} == {
        e: f.digest for e, f in fresh.store.visible().items()
    }
    alive = {a: own for a, own in changed.store.accounts.items() if not own.deleted}
    assert {own.blueprint_version for own in alive.values()} <= {2}
    assert {a: own.digest for a, own in alive.items()} == {
        a: own.digest for a, own in fresh.store.accounts.items() if not own.deleted
    }


async def test_a_refold_meant_for_another_blueprint_is_left_alone() -> None:
    pipeline = Pipeline(BLUEPRINT, AS_OF, 1)
    await pipeline.feed([touchpoint("e1", 0, aliases=("email:a@acme.example",))])
    await pipeline.run()
    (account_id,) = pipeline.store.accounts
    before = pipeline.store.accounts[account_id]
    await pipeline.ask([Refold(account_id=account_id, cause="remap", blueprint_digest=BLUEPRINT.digest + 1)])
    await pipeline.ask([Refold(account_id="crm:nobody", cause="who?")])
    await pipeline.run()
    await pipeline.close()
    assert pipeline.store.accounts == {account_id: before}


async def test_rows_that_a_mistake_made_are_mended_when_asked() -> None:
    """Known bad: a row of the store that says something else. Only the refold that is asked for finds it."""
    pipeline = Pipeline(BLUEPRINT, AS_OF, 1)
    await pipeline.feed([touchpoint("e1", 0, aliases=("email:a@acme.example",), page="/pricing")])
    await pipeline.run()
    (key,) = pipeline.store.touchpoints
    right = pipeline.store.touchpoints[key]
    assert isinstance(right, TouchpointFact)
    pipeline.store.touchpoints[key] = right.changed(phase="advocacy", digest=1)
    await pipeline.ask([Refold(account_id=key[0], cause="the phase looked wrong")])
    await pipeline.run()
    await pipeline.close()
    mended = pipeline.store.touchpoints[key]
    assert isinstance(mended, TouchpointFact) and mended.phase == right.phase
    (line,) = pipeline.store.corrections.values()
    assert (line.cause, line.what) == ("the phase looked wrong", "1 touchpoint judged anew")


def test_without_the_digest_an_edit_would_go_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: comparing versions only."""
    same_version = told(BLUEPRINT, [PAGES[1]])[0]
    assert again(dearer(), same_version, LOAD), "no row changes, but which blueprint made them is told"
    monkeypatch.setattr(corrections_module, "_other_blueprint", lambda *_: "")
    assert "correction" not in again(dearer(), same_version, LOAD)


# The command


class Rows:
    """Accounts, each made by some blueprint."""

    def __init__(self, digests: dict[str, int]) -> None:
        self.digests = digests

    def others(self, digest: int, most: int) -> list[str]:
        return sorted(a for a, made_by in self.digests.items() if made_by != digest)[:most]

    def count_others(self, digest: int) -> int:
        return len(self.others(digest, 1 << 30))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "POLL_S", 0.001)
    monkeypatch.setattr(command, "WINDOW", 10)
    monkeypatch.setattr(command, "STALLED_AFTER_S", 0.1)


@pytest.mark.usefixtures("quick")
async def test_remap_asks_for_what_is_left_and_for_no_more_than_fits() -> None:
    rows = Rows({f"crm:{n:03}": n % 2 * BLUEPRINT.digest for n in range(100)})
    asked: list[str] = []

    async def ask(refolds: Sequence[Refold]) -> None:
        assert {r.blueprint_digest for r in refolds} <= {BLUEPRINT.digest}
        asked.extend(r.account_id for r in refolds)
        under_way = [a for a in asked if rows.digests[a] != BLUEPRINT.digest]
        assert len(under_way) <= 10
        for account_id in under_way[:4]:
            rows.digests[account_id] = BLUEPRINT.digest

    done = await remap(rows, ask, BLUEPRINT, pytest.fail)
    assert done["accounts"] == 50 == len(asked) == len(set(asked))
    assert (await remap(rows, ask, BLUEPRINT, pytest.fail))["accounts"] == 0


@pytest.mark.usefixtures("quick")
async def test_remap_says_when_the_workers_run_another_blueprint() -> None:
    async def ignored(refolds: Sequence[Refold]) -> None:
        return None

    with pytest.raises(NothingMoves, match="another blueprint"):
        await remap(Rows({"crm:1": 0}), ignored, BLUEPRINT, pytest.fail)


@pytest.mark.usefixtures("quick")
async def test_remap_keeps_to_its_rate() -> None:
    rows, passed_s = Rows({f"crm:{n}": 0 for n in range(6)}), []
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def ask(refolds: Sequence[Refold]) -> None:
        passed_s.extend([loop.time() - began] * len(refolds))
        rows.digests.update({r.account_id: BLUEPRINT.digest for r in refolds})

    await remap(rows, ask, BLUEPRINT, pytest.fail, rate_per_s=5.0)
    assert len([s for s in passed_s if s < 0.1]) == 5 and passed_s[-1] >= 0.19


@pytest.mark.parametrize("arguments", [["refold"], ["refold", "crm:1", "--all"]])
def test_refold_must_be_told_which_accounts(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2 and "--all" in told.output


async def test_both_accounts_say_which_link_moved_a_touchpoint() -> None:
    """A visit of a firm nobody knows; later the CRM claims its domain, and the visit belongs to the CRM's account."""
    pipeline = Pipeline(BLUEPRINT, AS_OF, 3)
    await pipeline.feed([touchpoint("e1", 0, aliases=("email:a@acme.com",), page="/pricing")])
    await pipeline.run()
    claim = {"account_refs": ("crm:1",), "account_traits": {"domain": "acme.com"}}
    await pipeline.feed([touchpoint("e2", 90, "crm_record", **claim)])
    await pipeline.run()
    await pipeline.close()
    causes = {line.account_id: line.cause for line in pipeline.store.corrections.values()}
    assert causes["domain:acme.com"] == "touchpoints moved to crm:1: crm:1 claims acme.com"
    assert causes["crm:1"] == "crm:1 claims acme.com", "its record of the claim is in another phase by the visit"


async def test_a_signal_that_a_late_event_takes_back_leaves_a_line_however_small_the_account() -> None:
    pipeline = Pipeline(BLUEPRINT, AS_OF, 3)
    who: dict[str, Any] = {"aliases": ("email:a@acme.com",), "subject": "ticket:1"}
    await pipeline.feed([touchpoint("e1", 0, "ticket_created", **who)])
    await pipeline.run()
    assert [signal.rule for signal in pipeline.store.signals.values() if not signal.withdrawn]
    assert not pipeline.store.corrections
    await pipeline.feed([touchpoint("e2", 60, "ticket_replied_by_agent", **who)])
    await pipeline.run()
    await pipeline.close()
    (line,) = pipeline.store.corrections.values()
    assert line.cause == LATE.words
    assert line.signals_withdrawn >= 1
    assert "withdrawn" in line.what


async def test_a_persona_that_was_mended_from_memory_is_a_correction_too() -> None:
    pipeline = Pipeline(BLUEPRINT, AS_OF, 3)
    who: dict[str, Any] = {"aliases": ("email:a@acme.com",)}
    await pipeline.feed([touchpoint("e1", 0, page="/pricing", **who)])
    await pipeline.run()
    await pipeline.feed([touchpoint("e2", 5, "identify", person_traits={"title": "CFO"}, **who)])
    await pipeline.run()
    await pipeline.close()
    (line,) = pipeline.store.corrections.values()
    assert line.cause.endswith("is economic_buyer, not unknown")
    assert (line.what, line.touchpoints_changed) == ("1 touchpoint judged anew", 1)
