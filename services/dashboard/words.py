"""Numbers and ids in words, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from schemas.ids import parts

_EMOTIONS = ((0.6, "delighted"), (0.2, "pleased"), (-0.2, "neutral"), (-0.6, "uneasy"))
ANONYMOUS = "anon:"


def is_identified(account_id: str) -> bool:
    return not account_id.startswith(ANONYMOUS)


def is_provisional(account_id: str) -> bool:
    """Known by its domain only."""
    return account_id.startswith("domain:")


def account_name(account_id: str, name: str) -> str:
    """The account's own name, else its id without the namespace."""
    if name:
        return name
    known = parts(account_id)
    bare = known.value if known else account_id.partition(":")[2] or account_id
    return bare if is_identified(account_id) else f"Visitor {bare[:8]}"


def emotion_word(value: float | None) -> str:
    """`value` in -1…1; None is `no evidence`, never neutral."""
    if value is None:
        return "no evidence"
    return next((word for bound, word in _EMOTIONS if value >= bound), "frustrated")


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def percent(rate: float | None) -> str:
    """A rate 0…1 as people read it; small ones keep a decimal, none is rounded to nothing."""
    if rate is None:
        return "–"
    if 0 < rate < 0.001:
        return "< 0.1%"
    return f"{rate:.1%}" if 0 < rate < 0.1 else f"{rate:.0%}"


def count(value: int) -> str:
    return f"{value:,}"


def plural(value: int, one: str, many: str = "") -> str:
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


_OVERRIDES = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def without_overrides(value: object) -> object:
    """A text without the characters that turn the direction of what follows: `exe.png` must not be `gnp.exe`."""
    return value.translate(_OVERRIDES) if isinstance(value, str) else value


def rule_words(rule: str) -> str:
    return rule.replace("_", " ")


def clock_time(at: datetime, now: datetime) -> str:
    """UTC; the day only where it is another one, the year only where it is another one."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b %H:%M}" if at.year == now.year else f"{at.day} {at:%b %Y}"


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h`, `12 d`: the largest unit that fits."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{int(seconds)} s"


def named(ids: Mapping[str, str], key: str) -> str:
    """The blueprint's name of `key`; what the blueprint does not know keeps its id, in words."""
    return ids.get(key) or (rule_words(key) if key else "unknown")


TERM_WORDS = {"quick": "2 weeks at most", "medium": "3 months at most", "long": "longer than 3 months"}


def figure(value: float | None) -> str:
    """An input or a result of a formula; null is `–`, never zero."""
    if value is None:
        return "–"
    return count(int(value)) if value == int(value) else f"{value:.3g}".replace("-", "−")


def target_words(target: str) -> str:
    """A target's name without its unit."""
    return rule_words(target.removesuffix("_ms").removesuffix("_s"))


def measure(value: float | None, target: str, is_gap: bool = False) -> str:
    """A target's value with its unit, taken from the end of its name; a gap has its sign."""
    if value is None:
        return "–"
    sign = ("−" if value < 0 else "+") if is_gap else "−" if value < 0 else ""
    size = abs(value)
    if target.endswith("_ms"):
        return f"{sign}{size:,.0f} ms"
    if target.endswith("_s"):
        return f"{sign}{duration(size)}"
    return f"{sign}{percent(size)}" if target.endswith("_rate") else f"{sign}{size:.1f}"
