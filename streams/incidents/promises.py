"""Whether what a touchpoint type promises is missed: burn rates over several windows. Pure.

Everything that is judged is bad to a degree of 0…1; a promise says how bad the mean may be. It is missed when the mean
was many times worse than that for a short time, or a little worse for a long one, still is, and chance does not
explain it. Too few touchpoints, or too few accounts, prove nothing.
Sources of the method: The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"; E. B. Wilson,
"Probable inference" (1927), for the least that a counted part can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, sqrt
from typing import ClassVar, Final, Literal, NamedTuple

from schemas.blueprint import Blueprint, TouchpointType
from schemas.policies import Burn, Policy
from streams.incidents.rhythm import duration
from streams.incidents.series import SLOT_S, Series, rate
from streams.incidents.type_desks import Pain

IN_TIME: Final = ("first_response_s", "resolution_s", "answer_s", "duration_ms")
"""Targets that each touchpoint keeps or misses; the others are kept by all of them together."""
_WORDS: Final = {
    "first_response_s": "had no first answer within",
    "resolution_s": "were not solved within",
    "answer_s": "had no answer within",
    "duration_ms": "took longer than",
}
_CALMER: Final = 0.9
"""What was missed is kept again when it is a tenth better than promised: else it would come and go at the boundary."""
MEMORY: Final = timedelta(days=7)
_SURE: Final = 3.0
"""Standard deviations: each promise is looked at a hundred times a day."""


def budget(target: str, wanted: float, policy: Policy) -> float:
    """How bad the mean may be, 0…1. An emotion of -1 is all bad, 1 is not bad at all."""
    if target == "friction_rate":
        return wanted
    return (1 - wanted) / 2 if target == "emotion" else policy.may_miss


class Window(NamedTuple):
    """A burn, its windows in slots, and the rate from which on it burns."""

    burn: Burn
    long: int
    short: int
    most: float


@dataclass(frozen=True, slots=True)
class Promise:
    """One target of one type, judged by one policy."""

    policy: Policy
    target: str
    wanted: float
    series: Series
    windows: tuple[Window, ...]
    sources: tuple[str, ...] = ()
    phase: str = ""
    kind: ClassVar[Literal["target"]] = "target"
    step_s: ClassVar[int] = SLOT_S
    reach: ClassVar[timedelta] = timedelta(days=3)

    @classmethod
    def of(cls, policy: Policy, target: str, wanted: float, series: Series, sources: tuple[str, ...] = ()) -> Promise:
        allowed = budget(target, wanted, policy)
        windows = (
            Window(burn, _slots(burn.long_h), _slots(burn.short_h), min(burn.factor * allowed, (1 + allowed) / 2))
            for burn in policy.burns
        )
        return cls(policy, target, wanted, series, tuple(windows), sources)

    @property
    def needs_sources(self) -> bool:
        """That nobody answered is known by silence; friction and moods are reported."""
        return self.target in IN_TIME and self.target != "duration_ms"

    @property
    def measure(self) -> str:
        return self.target

    @property
    def budget(self) -> float:
        return budget(self.target, self.wanted, self.policy)

    def pain(self, slot: int, *, is_news: bool = False) -> Pain | None:
        """How it is missed as of the end of a slot; None: it is not."""
        found = next((window for window in self.windows if self._burns(window, slot, is_news=is_news)), None)
        if found is None:
            return None
        after = slot - found.long
        counted, bad = self.series.sums(after, slot)
        share = (rate(counted, bad) - self.budget) / (1 - self.budget) if self.budget < 1 else 0.0
        words = f"{self._words(counted, bad)} in the last {duration(found.burn.long_h * 3600)}"
        return Pain(0.5 + 0.4 * share, f"{words}; felt at {_many(self.series.accounts(after, slot))}")

    def is_over(self, slot: int) -> bool:
        """Whether it was kept lately, by enough touchpoints to say so, or too little happens to say anything."""
        after = self.series.enough_after(slot, self.policy.volume)
        if after is None or after < slot - max(window.long for window in self.windows):
            return True
        lately = min(after, slot - max(window.short for window in self.windows))
        return rate(*self.series.sums(lately, slot)) < _CALMER * self.budget

    def _burns(self, window: Window, slot: int, *, is_news: bool) -> bool:
        after = slot - window.long
        counted, bad = self.series.sums(after, slot, is_news=is_news)
        if counted < self.policy.volume or rate(counted, bad) < window.most or at_least(counted, bad) <= self.budget:
            return False
        lately = slot - window.short - 1  # the slot that has just begun says too little alone
        if rate(*self.series.sums(lately, slot, is_news=is_news)) < window.most:
            return False
        return self.series.accounts(after, slot) >= self.policy.accounts

    def _words(self, counted: float, bad: float) -> str:
        found = rate(counted, bad)
        if self.target == "emotion":
            return f"felt like {1 - 2 * found:+.1f} on average of {counted:.0f}, {self.wanted:+.1f} is promised"
        if self.target == "friction_rate":
            return f"friction at {found:.0%} of {counted:.0f}, {self.wanted:.0%} is promised at most"
        limit = duration(self.wanted) if self.target.endswith("_s") else f"{self.wanted:.0f} ms"
        return f"{found:.0%} of {counted:.0f} {_WORDS[self.target]} {limit}, {self.policy.may_miss:.0%} may"


def at_least(counted: float, bad: float) -> float:
    """The least part, 0…1, that chance allows where so much of it was bad: the lower bound of Wilson's interval."""
    share, z2 = rate(counted, bad), _SURE * _SURE
    middle = share + z2 / (2 * counted)
    spread = _SURE * sqrt(share * (1 - share) / counted + z2 / (4 * counted * counted))
    return (middle - spread) / (1 + z2 / counted)


def promises(
    blueprint: Blueprint,
    measured: Mapping[tuple[str, str], Series],
    sources: Mapping[str, tuple[str, ...]],
    names: Iterable[str] | None = None,
) -> dict[str, list[Promise]]:
    """Touchpoint type → what its policies judge. `measured`: (type, target) → what was counted."""
    found: dict[str, list[Promise]] = {}
    for kind in blueprint.types:
        for target, wanted in sorted(kind.targets.items()):
            for policy in blueprint.policies:
                if "*" in policy.targets or target in policy.targets:
                    series = measured.get((kind.id, target))
                    if series is not None:
                        promise = Promise.of(policy, target, wanted, series, sources.get(kind.id, ()))
                        found.setdefault(kind.id, []).append(promise)
    return found


def asked_of(kinds: Iterable[TouchpointType]) -> dict[str, dict[str, float]]:
    """Target → type → what is promised."""
    found: dict[str, dict[str, float]] = {}
    for kind in kinds:
        for target, wanted in kind.targets.items():
            found.setdefault(target, {})[kind.id] = wanted
    return found


def _slots(hours: float) -> int:
    return max(1, ceil(hours * 3600 / SLOT_S))


def _many(accounts: int) -> str:
    return f"{accounts} accounts" if accounts < 20 else "20 accounts or more"
