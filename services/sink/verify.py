"""Reconciles the store with itself: what is derived must equal what it is derived from, computed another way.

On a store that is being written to, a difference may be a batch under way: `settled` looks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.base import EPOCH
from streams.incidents.intake import OUTRIGHT
from streams.runtime.clickhouse import query_rows

EXAMPLES: Final = 5
LOOKS: Final = 10
PAUSE_S: Final = 3.0
"""A batch takes a second from its first row to its last cell."""
_ROWS_PER_SLICE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of difference: how often, and where it can be seen."""

    check: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.check}: {self.count} ({'; '.join(self.examples)})"


@dataclass(frozen=True, slots=True)
class _Check:
    """`sql` gives one row per difference, `example` first and `total` (of all differences) second."""

    name: str
    sql: str


_KINDS: Final = ", ".join(f"'{kind}'" for kind in sorted(OUTRIGHT))
# The touchpoints as they should look, without FINAL: the row of the highest revision of each key.
_TRUTH: Final = f"""
SELECT
    minute, account_id, event_id, argMax(is_deleted, revision) AS gone, argMax(on_map, revision) AS shown,
    if(shown, '', toString(argMax(traffic, revision))) AS kept_off,
    argMax(phase, revision) AS phase, argMax(touchpoint_type, revision) AS touchpoint_type,
    argMax(persona, revision) AS persona, argMax(segment, revision) AS segment, argMax(channel, revision) AS channel,
    if(argMax(traffic, revision) = 'declined', '', argMax(person_id, revision)) AS person,
    argMax(friction, revision) AS frictions,
    argMax(delight, revision) AS delights, argMax(has_emotion, revision) AS felt,
    argMax(emotion, revision) AS feeling, argMax(pain, revision) AS hurt,
    cityHash64(sipHash64(account_id), argMax(occurred_at, revision), toUInt32(round(hurt * 1e6))) AS as_stored,
    NOT startsWith(account_id, 'anon:')
        AND (frictions > 0 OR touchpoint_type IN ({_KINDS})) AS does_hurt
FROM touchpoints
WHERE minute >= {{day:Date}} AND minute < {{day:Date}} + 1
GROUP BY minute, account_id, event_id
"""
_CELLS: Final = _Check(
    "cells of the map that differ from the touchpoints",
    f"""
SELECT
    concat(toString(minute), ' ', phase, ' ', touchpoint_type, ' ', persona, ' ', segment, ' ', channel, ': stored ',
        toString(sumIf(figures.1, NOT truth)), ', true ', toString(sumIf(figures.1, truth))) AS example,
    count() OVER () AS total
FROM
(
    SELECT
        1 AS truth, minute, phase, touchpoint_type, persona, segment, channel, kept_off,
        (count(), countIf(frictions > 0), countIf(delights > 0), countIf(felt), uniqExact(account_id),
            uniqExactIf(person, person != ''), sumIf(as_stored, does_hurt)) AS figures,
        sumIf(feeling, felt) AS feelings, sum(hurt) AS pains
    FROM ({_TRUTH}) WHERE NOT gone AND (shown OR kept_off != '')
    GROUP BY minute, phase, touchpoint_type, persona, segment, channel, kept_off
    UNION ALL
    SELECT
        0, minute, phase, touchpoint_type, persona, segment, channel, toString(traffic),
        (volume, friction, delight, emotion_count, length(account_set) + length(visitor_set), length(person_set),
            arraySum(each -> cityHash64(each.1, each.2, each.3), hurts)),
        emotion_sum, pain_sum
    FROM journey_minutes FINAL
    WHERE minute >= {{day:Date}} AND minute < {{day:Date}} + 1 AND volume > 0
)
GROUP BY minute, phase, touchpoint_type, persona, segment, channel, kept_off
HAVING count() != 2 OR uniqExact(figures) != 1
    OR abs(sumIf(feelings, truth) - sumIf(feelings, NOT truth)) > 1e-5 * (1 + any(figures.1))
    OR abs(sumIf(pains, truth) - sumIf(pains, NOT truth)) > 1e-5 * (1 + any(figures.1))
ORDER BY minute
""",
)
_DAYS: Final = _Check(
    "roll-ups of days that differ from their minutes",
    """
SELECT
    concat(toString({day:Date}), ' ', phase, ' ', touchpoint_type, ' ', persona, ' ', segment, ' ', channel) AS example,
    count() OVER () AS total
FROM
(
    SELECT
        1 AS rolled, phase, touchpoint_type, persona, segment, channel, traffic,
        (volume, visitor_volume, friction, delight, emotion_count, length(account_set), length(visitor_set),
            length(person_set), arraySum(each -> cityHash64(each.1, each.2, each.3), hurts)) AS figures,
        emotion_sum AS feelings, pain_sum AS pains
    FROM journey_days FINAL
    WHERE day = {day:Date} AND volume > 0
    UNION ALL
    SELECT
        0, phase, touchpoint_type, persona, segment, channel, traffic,
        (sum(m.volume), sum(m.visitor_volume), sum(m.friction), sum(m.delight), sum(m.emotion_count),
            uniqExactArray(m.account_set), uniqExactArray(m.visitor_set), uniqExactArray(m.person_set),
            sum(arraySum(each -> cityHash64(each.1, each.2, each.3), m.hurts))),
        sum(m.emotion_sum), sum(m.pain_sum)
    FROM journey_minutes AS m FINAL
    WHERE minute >= {day:Date} AND minute < {day:Date} + 1 AND m.volume > 0
    GROUP BY phase, touchpoint_type, persona, segment, channel, traffic
)
WHERE (SELECT any(is_settled) FROM journey_day_states WHERE day = {day:Date})
GROUP BY phase, touchpoint_type, persona, segment, channel, traffic
HAVING count() != 2 OR uniqExact(figures) != 1
    OR abs(sumIf(feelings, rolled) - sumIf(feelings, NOT rolled)) > 1e-5 * (1 + any(figures.1))
    OR abs(sumIf(pains, rolled) - sumIf(pains, NOT rolled)) > 1e-5 * (1 + any(figures.1))
ORDER BY example
""",
)
_SLICED: Final = (
    _Check(
        "touchpoints and histories that do not match",
        """
SELECT concat(account_id, ' ', event_id, if(count() = 1, ' only in ', ' differs: '), any(place)) AS example,
    count() OVER () AS total
FROM
(
    SELECT account_id, event_id, revision, 'touchpoints' AS place FROM touchpoints FINAL
    WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32} AND occurred_at >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT account_id, event_id, revision, 'histories' FROM histories FINAL
    WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32} AND occurred_at >= {since:DateTime64(3, 'UTC')}
)
GROUP BY account_id, event_id
HAVING count() != 2 OR uniqExact(revision) != 1
""",
    ),
    _Check(
        "touchpoints that are visible more than once",
        """
SELECT concat(event_id, ' in ', arrayStringConcat(groupArray(account_id), ', ')) AS example, count() OVER () AS total
FROM touchpoints FINAL
WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32}
GROUP BY event_id
HAVING count() > 1
""",
    ),
    _Check(
        "signals on touchpoints that their account does not have",
        """
SELECT concat(signal_id, ' of ', account_id, ' on ', event_id) AS example, count() OVER () AS total
FROM signals FINAL
WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32} AND {since:DateTime64(3, 'UTC')} = 0
  AND (account_id, event_id) NOT IN
(
    SELECT account_id, event_id FROM histories FINAL
    WHERE cityHash64(event_id) % {slices:UInt32} = {slice:UInt32}
)
""",
    ),
)


def verify(client: Client, since: datetime = EPOCH) -> list[Finding]:
    """What does not add up; empty when all is well. Reads all from `since` on, in slices. Raises StoreUnavailable.

    Where touchpoints are kept for a time only, a signal may outlive the one that carries it; it is not held against it.
    """
    findings = [_run(client, check, _slices(client, since)) for check in _SLICED]
    findings += [_run(client, check, _days(client, since)) for check in (_CELLS, _DAYS)]
    return [finding for finding in findings if finding.count]


def settled(
    client: Client,
    say: Callable[[str], None],
    *,
    since: datetime = EPOCH,
    looks: int = LOOKS,
    pause_s: float = PAUSE_S,
) -> list[Finding]:
    """What does not add up once no batch is under way. `say` hears why it takes longer. Raises StoreUnavailable."""
    for look in range(1, looks + 1):
        before = _written(client)
        findings = verify(client, since)
        if not findings:
            return []
        time.sleep(pause_s)
        if _written(client) == before:
            return findings
        if look < looks:
            say(f"{len(findings)} kind(s) of difference while the store is written to: looking again")
    say("the store is written to all the time: what differs may be a batch under way; run it again when it is quiet")
    return findings


_WRITTEN: Final = """
SELECT groupArray((table, newest)) AS tables FROM (
  SELECT table, partition_id, max(max_block_number) AS newest FROM system.parts
  WHERE active AND database = currentDatabase()
    AND table IN ('touchpoints', 'histories', 'signals', 'journey_minutes', 'journey_days')
  GROUP BY table, partition_id ORDER BY table, partition_id)
"""


def _written(client: Client) -> str:
    """Changes with every insert and with nothing else: merges keep the highest block number."""
    return str(query_rows(client, _WRITTEN)[0]["tables"])


def _run(client: Client, check: _Check, slices: Iterator[Mapping[str, object]]) -> Finding:
    count, examples = 0, list[str]()
    for parameters in slices:
        rows = query_rows(client, f"{check.sql} LIMIT {EXAMPLES}", parameters)
        count += int(str(rows[0]["total"])) if rows else 0
        examples += [str(row["example"]) for row in rows]
    return Finding(check.name, count, tuple(examples[:EXAMPLES]))


def _slices(client: Client, since: datetime) -> Iterator[Mapping[str, object]]:
    total = int(str(query_rows(client, "SELECT count() AS n FROM histories")[0]["n"]))
    slices = total // _ROWS_PER_SLICE + 1
    yield from ({"slices": slices, "slice": slice_, "since": since.replace(tzinfo=None)} for slice_ in range(slices))


def _days(client: Client, since: datetime) -> Iterator[Mapping[str, object]]:
    days = """
    SELECT DISTINCT day FROM
    (SELECT toDate(minute) AS day FROM touchpoints UNION ALL SELECT toDate(minute) FROM journey_minutes)
    WHERE day >= {since:Date} ORDER BY day
    """
    yield from ({"day": row["day"]} for row in query_rows(client, days, {"since": since.date()}))
