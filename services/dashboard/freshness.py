"""How recent each source's data is, pure. Stale is stale and never is never; neither is zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from schemas.base import EPOCH
from services.dashboard.views.sources import (
    Freshness,
    IgnoredMessages,
    OtherTraffic,
    RefusedRequests,
    SetAside,
    SourceFreshness,
    SourceState,
    StageBehind,
)
from streams.incidents.rhythm import Rhythm, Rhythms

IGNORED_WITHIN = timedelta(days=1)


def build_freshness(  # noqa: PLR0913 - what is known of sources, from six places
    rows: Iterable[Mapping[str, Any]],
    configured: Iterable[str],
    as_of: datetime,
    behind: Sequence[StageBehind] = (),
    ignored: Iterable[Mapping[str, Any]] = (),
    aside: Mapping[str, SetAside] = MappingProxyType({}),
    traffic: Iterable[Mapping[str, Any]] = (),
    refused: Mapping[str, tuple[RefusedRequests, ...]] = MappingProxyType({}),
    rhythms: Rhythms | None = None,
) -> Freshness:
    """Sources of the configuration and of the store; one that never sent is listed as `never`."""
    rhythms = rhythms or Rhythms()
    known = {row["source"]: row for row in rows}
    left, others = _left_out(ignored), _others(traffic)
    names = sorted({*configured, *known, *left, *aside, *refused} - {""})
    sources = tuple(
        replace(
            _source(name, known.get(name), as_of, rhythms.of(name)),
            ignored=left.get(name, ()),
            set_aside=aside.get(name),
            traffic=others.get(name, ()),
            refused=refused.get(name, ()),
        )
        for name in names
    )
    lags = [_pipeline_lag_s(sources), *((as_of - stage.since).total_seconds() for stage in behind)]
    if behind:
        sources = tuple(each if each.state == "never" else replace(each, state="behind") for each in sources)
    lag_s = max((lag for lag in lags if lag is not None), default=None)
    return Freshness(as_of, lag_s, sources, tuple(behind), refused.get("", ()))


def _left_out(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[IgnoredMessages, ...]]:
    found: dict[str, tuple[IgnoredMessages, ...]] = {}
    for row in rows:
        there = found.get(row["source"], ())
        found[row["source"]] = (*there, IgnoredMessages(row["reason"], int(row["messages"])))
    return found


def _others(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[OtherTraffic, ...]]:
    found: dict[str, tuple[OtherTraffic, ...]] = {}
    for row in rows:
        one = OtherTraffic(row["traffic"], int(row["touchpoints"]), int(row["counted"]), row["example"])
        found[row["source"]] = (*found.get(row["source"], ()), one)
    return found


def _source(name: str, row: Mapping[str, Any] | None, as_of: datetime, rhythm: Rhythm) -> SourceFreshness:
    if row is None:
        return SourceFreshness(name, "never", None, None, None, None, rhythm.late_after_s, rhythm.words())
    occurred, received, written = (_seen(row[f"last_{what}_at"]) for what in ("occurred", "received", "written"))
    newest = received or written
    state: SourceState = "fresh" if newest and not rhythm.is_late(newest, as_of) else "stale"
    lag_s = max((as_of - occurred).total_seconds(), 0.0) if occurred else None
    return SourceFreshness(name, state, occurred, received, written, lag_s, rhythm.late_after_s, rhythm.words())


def _seen(at: datetime) -> datetime | None:
    return at if at > EPOCH else None


def _pipeline_lag_s(sources: Iterable[SourceFreshness]) -> float | None:
    """Receipt to store, of the source that was written last."""
    both = [
        (each.last_written_at, each.last_received_at)
        for each in sources
        if each.last_written_at is not None and each.last_received_at is not None
    ]
    if not both:
        return None
    written, received = max(both)
    return max((written - received).total_seconds(), 0.0)
