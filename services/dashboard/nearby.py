"""What must be read of accounts' pains to find the incidents that some of them belong to: statements and values.

Most pains stand for themselves, and an account has them for years. Two are one incident when they share evidence, when
one names the other, or when a burst holds both (`streams.incidents.grouping`): what does none of that is left out
unless it is asked for. Ids and events are compared by hash: two with one hash are read in vain, and none is missed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from services.dashboard.store import Near, Row
from streams.incidents.stored import MINE, SINCE

_MINE: Final = f"polarity = 'friction' AND {SINCE} {MINE}"
_KEYS: Final = """arrayDistinct(arrayMap(each -> cityHash64(each),
    arrayFilter(each -> each != '', arrayConcat(evidence, parts, [event_id, signal_id, case_id]))))"""

# A wanted touchpoint or fall counts as one that holds its event: a signal that shares it is not alone.
SIGNALS: Final = f"""
SELECT * EXCEPT (written_at, is_deleted, explanation_coded) FROM signals FINAL
WHERE {_MINE} AND (account_id IN {{whole:Array(String)}} OR signal_id IN {{wanted:Array(String)}}
  OR (account_id, signal_id) IN (
    SELECT account_id, arrayJoin(arrayConcat(close, arrayFilter((id, mine) -> hasAny(mine, shared), ids, held)))
    FROM (
      SELECT account_id, groupArray(id) AS ids, groupArray(keys) AS held, arrayFlatten(held) AS every,
        arrayFilter((key, n) -> n = 2, every, arrayEnumerateUniq(every)) AS shared,
        arraySort(groupArrayIf((at_ms, id), id != '')) AS timed,
        arrayFilter(n -> timed[n + {{least:Int64}} - 1].1 - timed[n].1 <= {{within_ms:Int64}},
          range(1, greatest(toInt64(length(timed)) - {{least:Int64}} + 2, 1))) AS dense,
        arrayDistinct(arrayFlatten(arrayMap(
          n -> arrayMap(each -> each.2, arraySlice(timed, n, {{least:Int64}})), dense))) AS close
      FROM (
        SELECT account_id, signal_id AS id, toUnixTimestamp64Milli(opened_at) AS at_ms, {_KEYS} AS keys
        FROM signals FINAL WHERE {_MINE}
        UNION ALL
        SELECT holder.1, '', toInt64(0), [cityHash64(holder.2)]
        FROM (SELECT arrayJoin(arrayZip({{seeds_of:Array(String)}}, {{seeds:Array(String)}})) AS holder))
      GROUP BY account_id)))
"""

# By their full keys; of those whose time is not told histories knows it. Neither the window nor a kind is read.
TOUCHPOINTS: Final = """
SELECT account_id, event_id, touchpoint_type, phase, person_id, title, occurred_at FROM touchpoints FINAL
WHERE on_map AND minute >= {since:DateTime64(3, 'UTC')} AND has({types:Array(String)}, touchpoint_type)
  AND NOT has({whole:Array(String)}, account_id)
  AND (minute, account_id, event_id) IN (
    SELECT toDateTime(told.1, 'UTC'), told.2, told.3 FROM (SELECT arrayJoin(
      arrayZip({minutes:Array(Int64)}, {told_of:Array(String)}, {told:Array(String)})) AS told)
    UNION ALL
    SELECT toStartOfMinute(occurred_at), account_id, event_id FROM histories
    WHERE (account_id, event_id) IN (
      SELECT arrayJoin(arrayZip({holders:Array(String)}, {events:Array(String)})) AS pair))
"""
_NO_BURST: Final = 1 << 40
_TOUCHPOINT, _PHASE = "touchpoint:", "phase:"
"""Beginnings of the ids of pains that are no signals; an event's id follows."""


def asked(near: Near) -> dict[str, Any]:
    """The parameters of SIGNALS that say what is looked for."""
    seeds = [*_events(near, _TOUCHPOINT), *_events(near, _PHASE)]
    return {
        "wanted": [row["part_id"] for row in near.parts if not row["part_id"].startswith((_TOUCHPOINT, _PHASE))],
        "seeds_of": [row["account_id"] for row, _ in seeds],
        "seeds": [event for _, event in seeds],
        "whole": list(near.whole),
        "least": near.least or _NO_BURST,
        "within_ms": near.within_ms,
    }


def touched(near: Near, types: Collection[str], signals: Sequence[Row]) -> dict[str, Any]:
    """The parameters of TOUCHPOINTS: what may be pain by definition in these incidents. Empty: nothing may.

    A signal is of its carrier's type; what else is evidence may be of any.
    """
    touched_rows = _events(near, _TOUCHPOINT)
    pairs = {(row["account_id"], event) for row, event in _events(near, _PHASE)}
    for row in signals:
        shown = {*row["evidence"]} - {row["event_id"]}
        shown |= {row["event_id"]} if row["touchpoint_type"] in types else set()
        pairs |= {(row["account_id"], event) for event in shown}
    pairs -= {(row["account_id"], event) for row, event in touched_rows}
    if not touched_rows and not pairs:
        return {}
    return {
        "minutes": [int(row["at"].timestamp()) // 60 * 60 for row, _ in touched_rows],
        "told_of": [row["account_id"] for row, _ in touched_rows],
        "told": [event for _, event in touched_rows],
        "holders": [account for account, _ in sorted(pairs)],
        "events": [event for _, event in sorted(pairs)],
        "whole": list(near.whole),
    }


def _events(near: Near, kind: str) -> list[tuple[Row, str]]:
    return [(row, row["part_id"].removeprefix(kind)) for row in near.parts if row["part_id"].startswith(kind)]
