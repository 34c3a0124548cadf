"""Golden tests of policies: events in, tellings out; they live beside them and run with `touchline validate`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from schemas.base import EPOCH
from schemas.blueprint import Blueprint
from schemas.config import LatenessConfig
from schemas.facts import Fact
from schemas.incidents import Desk, Thread
from schemas.policies import Policy, PolicyTest
from streams.incidents.intake import MEMORY as MEMORY_OF_PAINS
from streams.incidents.intake import Lens, Recent, taken_in
from streams.incidents.judging import Watch
from streams.incidents.lateness import after_look
from streams.incidents.pace import SLOT_S
from streams.incidents.promises import promises
from streams.incidents.rhythm import MEMORY, rhythm_of
from streams.incidents.series import NOBODY, Series, Tally
from streams.incidents.series import SLOT_S as SLOT
from streams.incidents.subjects import SOURCE
from streams.incidents.threads import View, judged
from streams.incidents.type_desks import Check, desk_id, looked
from streams.incidents.unusual import HOUR_S, Cell
from streams.journey.account import AccountJourney
from streams.journey.compiled import CompiledBlueprint
from streams.journey.facts import account_fact, facts_of
from streams.journey.golden import START, events_of, with_targets

_LEAST_GAP = timedelta(minutes=30)
_LOOKS = timedelta(days=5)
"""How long before the end of a test figures are looked at; what a test is about happens then."""
_MEASURED = "support_ticket"
"""The type of tests of figures: it matters most."""


def run(blueprint: CompiledBlueprint, policy: Policy, test: PolicyTest) -> str:
    """Empty when the test holds; otherwise what differs."""
    threads = _opened(blueprint, policy, test)
    differs = [] if len(threads) == test.signals else [f"{len(threads)} incidents, {test.signals} expected"]
    message = threads[0].last if threads else None
    if message is not None:
        if test.level is not None and message.level != test.level:
            differs.append(f"level {message.level}, {test.level} expected")
        said = f"{message.headline}. {' '.join(one.words for one in message.evidence)}"
        if test.says not in said:
            differs.append(f"says `{said}`, `{test.says}` expected")
    return f"{policy.id}: {test.name}: {', '.join(differs)}" if differs else ""


def run_all(blueprint: CompiledBlueprint) -> list[str]:
    """What fails of all golden tests of all policies."""
    results = [run(blueprint, policy, test) for policy in blueprint.source.policies for test in policy.tests]
    return [failure for failure in results if failure]


def only(blueprint: Blueprint, policy: Policy) -> Blueprint:
    """The blueprint with this one policy."""
    return blueprint.model_copy(update={"policies": (policy,)})


def _opened(blueprint: CompiledBlueprint, policy: Policy, test: PolicyTest) -> Sequence[Thread]:
    now = START + timedelta(seconds=test.as_of_s)
    lens = Lens(only(blueprint.source, policy))
    if policy.sources:
        return _told_of_source(lens, test, now)
    if policy.targets or policy.unusual:
        return _told_of_figures(lens, test, now)
    desk, recent = Desk(account_id="crm:golden"), Recent()
    for fact in _facts(with_targets(blueprint, tuple(sorted(test.targets.items()))), test, now):
        desk = taken_in(desk, fact, lens, recent, now)
    view = View(lens, now, Watch(EPOCH), route=lambda message: (), heard={"golden": now})
    return [thread for thread in judged(desk, view).threads if thread.state == "told"]


def _told_of_source(lens: Lens, test: PolicyTest, now: datetime) -> Sequence[Thread]:
    """The incidents of a source that was heard as the test says: looked at just before it came back, and now."""
    desk = Desk(account_id=f"{SOURCE}golden")
    times = sorted({START + hours for span in test.heard for hours in _hours(*span)})
    heard = [at for at in times if at <= now]
    for at in (*(end - timedelta(seconds=1) for end in heard[1:]), now):
        before = heard[: bisect_right(heard, at)]
        if before and now - at < MEMORY_OF_PAINS and (at == now or at - before[-1] > _LEAST_GAP):
            slots = [int(one.timestamp()) // SLOT_S for one in before if one > at - MEMORY]
            desk = after_look(desk, "golden", rhythm_of(slots, LatenessConfig()), before[-1], at)
    view = View(lens, now, Watch(EPOCH), route=lambda message: ())
    return [thread for thread in judged(desk, view).threads if thread.state == "told"]


def _told_of_figures(lens: Lens, test: PolicyTest, now: datetime) -> Sequence[Thread]:
    """The incidents of a type whose figures were as the test says: looked at time and again, as they were known."""
    kind = lens.types[_MEASURED].model_copy(update={"targets": test.targets})
    blueprint = lens.blueprint.model_copy(update={"types": (kind,)})
    measured = {(kind.id, target): Series(dict(_tallies(test, target, SLOT))) for target in test.targets}
    checks: list[Check] = [*promises(blueprint, measured, {kind.id: ("golden",)}).get(kind.id, [])]
    for policy in blueprint.policies:
        of = {name: Series(dict(_tallies(test, name, HOUR_S))) for name in ("friction_rate", "emotion")}
        checks += [Cell(policy, kind.phase, name, of.get(name, of["friction_rate"])) for name in policy.unusual]
    desk = Desk(account_id=desk_id(kind))
    at = max(START + timedelta(seconds=SLOT), now - _LOOKS)
    while checks and at < now:
        desk, at = looked(desk, kind, checks, at), at + timedelta(seconds=min(check.step_s for check in checks))
    view = View(lens, now, Watch(EPOCH), route=lambda message: (), heard={"golden": now})
    return [thread for thread in judged(looked(desk, kind, checks, now), view).threads if thread.state == "told"]


def _tallies(test: PolicyTest, target: str, slot_s: int) -> Iterator[tuple[int, Tally]]:
    first = int(START.timestamp()) // slot_s
    for since, until, figures in test.figures:
        volume = figures.get("volume", 0.0) * slot_s / 3600
        emotion = (1 - figures.get("emotion", 1.0)) / 2
        of = {"friction_rate": figures.get("friction_rate", 0.0), "emotion": emotion}
        bad = of.get(target, figures.get("missed", 0.0))
        felt = frozenset(range(round(figures.get("accounts", 0.0)))) if bad else NOBODY
        for slot in range(int(since * 3600 / slot_s), int(until * 3600 / slot_s)):
            anew, squares = volume * bad * figures.get("anew", 0.0), volume * bad * bad if target == "emotion" else None
            yield first + slot, Tally(volume, volume * bad, felt, anew, squares)


def _hours(first: float, last: float, every: float) -> Iterator[timedelta]:
    return (timedelta(hours=first + n * every) for n in range(int((last - first) / every) + 1))


def _facts(blueprint: CompiledBlueprint, test: PolicyTest, now: datetime) -> list[Fact]:
    account = AccountJourney("crm:golden", blueprint)
    base = test.base | ({"account_traits": test.traits} if test.traits else {})
    changes = account.accept(events_of(test.model_copy(update={"base": base})), now)
    return [*facts_of(account, changes, now), account_fact(account, now)]
