"""The map's cells: recomputed from what is stored, for the minutes a batch touched. Never counted up.

Recomputing twice, late, or from two processes at once gives the same cells: a recomputation's version is taken
before it reads, so of two the one with the higher version knows everything that the other knew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from streams.incidents.intake import OUTRIGHT

CHUNK_MINUTES: Final = 500
"""Minutes per statement; they travel in the URL, whose length servers limit (64 KiB and up)."""

# Not behind any earlier recomputation or roll-up, even when the server's clock was set back.
VERSION: Final = """
SELECT toString(greatest(now64(6, 'UTC'), max(version) + toIntervalMicrosecond(1))) AS version
FROM
(
    SELECT version FROM journey_minutes WHERE minute IN {minutes:Array(UInt32)}
    UNION ALL
    SELECT version FROM journey_days WHERE day IN (SELECT toDate(toDateTime(arrayJoin({minutes:Array(UInt32)}), 'UTC')))
)
"""

# What is on no map because of who sent it has cells of its own, so that it can be counted; `kept_off` says why.
# Who declined is counted, where at all, as nobody: among no people.
# Cells that are stored but have no touchpoint any more come in with real = 0 and go out as zeros.
# Sums are of integers (millionths), so that they do not depend on the order in which rows are read.
RECOMPUTE: Final = """
INSERT INTO journey_minutes (
    minute, phase, touchpoint_type, persona, segment, channel, traffic, version,
    volume, visitor_volume, friction, delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set,
    person_set, hurts, blueprint_version, importance, moment_of_truth, example
)
SELECT
    minute, phase, touchpoint_type, persona, segment, channel, kept_off, toDateTime64({version:String}, 6, 'UTC'),
    countIf(real),
    countIf(real AND NOT is_identified),
    countIf(real AND friction > 0),
    countIf(real AND delight > 0),
    sumIf(emotion_millionths, real) / 1e6,
    countIf(real AND has_emotion),
    sumIf(pain_millionths, real) / 1e6,
    groupUniqArrayIf(account, real AND is_identified),
    groupUniqArrayIf(account, real AND NOT is_identified),
    groupUniqArrayIf(person, real AND is_person),
    arraySort(groupArrayIf((account, at, toUInt32(pain_millionths)), real AND is_identified AND does_hurt)),
    max(judged_by),
    argMax(importance, judged_by),
    argMax(moment_of_truth, judged_by),
    if(kept_off = '', '', argMaxIf(seen, (at, id), real))
FROM
(
    SELECT
        minute, phase, touchpoint_type, persona, segment, channel, if(on_map, '', toString(traffic)) AS kept_off,
        toUInt8(1) AS real, friction, delight,
        has_emotion, toInt64(round(if(has_emotion, emotion, 0) * 1e6)) AS emotion_millionths,
        toInt64(round(pain * 1e6)) AS pain_millionths, sipHash64(account_id) AS account,
        NOT startsWith(account_id, 'anon:') AS is_identified, sipHash64(person_id) AS person,
        person_id != '' AND traffic != 'declined' AS is_person, occurred_at AS at,
        friction > 0 OR has({outright:Array(String)}, touchpoint_type) AS does_hurt,
        blueprint_version AS judged_by, importance, moment_of_truth,
        if(url_host = '', toString(agent), toString(url_host)) AS seen, event_id AS id
    FROM touchpoints FINAL
    WHERE minute IN {minutes:Array(UInt32)} AND (on_map OR traffic != '')
    UNION ALL
    SELECT
        minute, phase, touchpoint_type, persona, segment, channel, toString(traffic), toUInt8(0), 0, 0, 0, 0, 0, 0, 0,
        0, 0, toDateTime64(0, 3, 'UTC'), 0, 0, 0, 0, '', ''
    FROM journey_minutes FINAL
    WHERE minute IN {minutes:Array(UInt32)} AND volume > 0
)
GROUP BY minute, phase, touchpoint_type, persona, segment, channel, kept_off
"""


class Commands(Protocol):
    """The part of Store that a recomputation uses."""

    def command(self, sql: str, parameters: dict[str, object]) -> None: ...

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]: ...


def recompute(store: Commands, minutes: Iterable[int]) -> None:
    """Recomputes the cells of `minutes` (seconds since 1970); safe to repeat. Raises as Store does."""
    for chunk in _chunks(sorted(set(minutes))):
        version = store.rows(VERSION, {"minutes": chunk})[0]["version"]
        store.command(RECOMPUTE, {"minutes": chunk, "version": version, "outright": sorted(OUTRIGHT)})


def _chunks(minutes: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(minutes), CHUNK_MINUTES):
        yield minutes[start : start + CHUNK_MINUTES]
