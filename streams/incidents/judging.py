"""Which policies an incident falls under, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.blueprint import TouchpointType
from schemas.incidents import Carrier, Part
from schemas.policies import Level, Policy, level_at
from streams.incidents.grouping import Burst
from streams.incidents.incident import Incident
from streams.incidents.intake import Lens

_USUAL_IMPORTANCE, _OF = 3, 5
_FIRST_CONTACT = timedelta(minutes=5)
"""What a source reports at its very first contact is not older than this, or it is its history."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when somebody watches with this blueprint, and since when each source is heard at all."""

    since: datetime
    sources: Mapping[str, datetime] = field(default_factory=dict)


def bursts_of(policies: Sequence[Policy]) -> list[Burst]:
    """The bursts that policies ask for."""
    return [Burst(one.id, one.count, timedelta(seconds=one.within_s)) for one in policies if one.count]


def score(parts: Iterable[Part], lens: Lens, weight: float) -> float:
    """0…1: the worst part's severity × importance of its type, × the account's weight."""
    return _weighed(max(part.severity * _importance(part, lens) for part in parts), weight)


def _weighed(severity: float, weight: float) -> float:
    return min(1.0, weight * severity)


def level_of(incident: Incident, lens: Lens, weight: float) -> Level:
    """How bad an incident is."""
    return level_at(score(incident.parts, lens, weight))


def level_of_part(part: Part, lens: Lens, weight: float) -> Level:
    """How bad one pain of an incident is, by the same measure."""
    return level_at(score((part,), lens, weight))


def level_of_sign(severity: float, kind: TouchpointType | None, weight: float) -> Level:
    """How bad one sign on a timeline is, by the same measure; `kind`: of the touchpoint that carries it."""
    return level_at(_weighed(severity * importance(kind), weight))


def near_since(policy: Policy, dates: Mapping[str, datetime]) -> datetime | None:
    """Since when the renewal that a policy asks for is near; None: it asks for none, or none is known."""
    at = dates.get(policy.renewal_trait) if policy.renewal_within_days else None
    return at - timedelta(days=policy.renewal_within_days) if at is not None else None


def is_near(policy: Policy, dates: Mapping[str, datetime], now: datetime) -> bool:
    """Whether the account's renewal is as near as a policy asks; the day itself is the last."""
    since = near_since(policy, dates)
    return since is not None and since <= now < dates[policy.renewal_trait] + timedelta(days=1)


def falls_under(
    policy: Policy, incident: Incident, dates: Mapping[str, datetime], now: datetime, *, is_key: bool
) -> bool:
    """Whether a policy asks for such an incident, whenever it happened."""
    if policy.key_accounts and not is_key:
        return False
    if policy.renewal_within_days and not is_near(policy, dates, now):
        return False
    return any(_meets(policy, part) for part in incident.parts)


def is_news(  # noqa: PLR0913 - what makes news
    policy: Policy,
    incident: Incident,
    carriers: Mapping[str, Carrier],
    watch: Watch,
    now: datetime,
    near: datetime | None = None,
) -> bool:
    """Whether it hurt lately, and while somebody watched. What still hurts is news when the renewal comes `near`."""
    oldest = max(watch.since, now - timedelta(seconds=policy.max_age_s))
    is_nearer = near is not None and oldest <= near <= now
    return any(
        (part.pained_at >= oldest or is_nearer) and not _is_history(part, carriers.get(part.event_id), watch)
        for part in incident.roots
    )


def _is_history(part: Part, carrier: Carrier | None, watch: Watch) -> bool:
    """Sent as history, or older than what its source first reported."""
    sources = (carrier.source,) if carrier is not None else part.sources
    firsts = [watch.sources[source] for source in sources if source in watch.sources]
    is_older = any(part.pained_at < first - _FIRST_CONTACT for first in firsts)
    return is_older or (carrier is not None and carrier.backfill)


def _meets(policy: Policy, part: Part) -> bool:
    if part.severity < policy.threshold:
        return False
    if part.kind in ("target", "unusual"):
        return part.what == policy.id
    if part.kind == "source":
        return "*" in policy.sources or part.what in policy.sources
    if policy.renewal_within_days and not (policy.rules or policy.types or policy.moves or policy.count):
        return not part.derived
    if part.kind == "burst":
        return part.what == policy.id
    named = {"signal": policy.rules, "touchpoint": policy.types, "phase": policy.moves}[part.kind]
    return part.what in named


def importance(kind: TouchpointType | None) -> float:
    """How much a type matters, 0…1, by its blueprint; of one that it does not know: as much as the usual."""
    return (kind.importance if kind is not None else _USUAL_IMPORTANCE) / _OF


def _importance(part: Part, lens: Lens) -> float:
    return 1.0 if part.kind in ("phase", "source") else importance(lens.types.get(part.touchpoint_type))
