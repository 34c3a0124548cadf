"""Stages that stand still, groups that nobody works for, and how far the sink is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from schemas.processes import GROUPS
from services.cli.commands.doctor.check import Check, Place, State
from services.cli.commands.doctor.seen import GroupSeen, KafkaSeen, Offsets
from streams.runtime.clickhouse import query_rows

RESTART = "see its log and /healthz, then restart the stage"


def stages(place: Place) -> Iterator[Check]:
    """Each stage's lag, whether it moves, and whether anybody works on it."""
    yield from stages_of(place.kafka)


def stages_of(seen: KafkaSeen) -> Iterator[Check]:
    """Two looks at each stage; pure."""
    for stage in GROUPS:
        group, lag, name = seen.groups[stage], seen.lag(stage), f"stage {stage}"
        beyond = [f"{topic}-{number}" for topic, number in beyond_end(group, seen.ends)]
        if beyond:
            detail = f"it has committed beyond the end of {', '.join(beyond)}: that log lost its tail"
            yield Check(
                name, "problem", detail, "restart it, then `touchline replay --from-beginning` and `touchline verify`"
            )
        elif not group.members:
            state: State = "problem" if lag else "warning"
            yield Check(name, state, f"nobody works on it, {lag} records wait", f"start it: `touchline run {stage}`")
        elif lag and group.before == group.after:
            yield Check(name, "problem", f"{lag} records wait and it stands still", RESTART)
        elif lag:
            yield Check(
                name, "warning", f"{lag} records wait, it moves", "wait; another worker of the stage if it lasts"
            )
        else:
            yield Check(name, "ok", f"keeps up, {group.members} worker(s)")


def beyond_end(group: GroupSeen, ends: Offsets) -> list[tuple[str, int]]:
    """Partitions in which a group that does not move is further than the log: what comes next would be passed over."""
    still = [(at, offset) for at, offset in group.after.items() if group.before.get(at) == offset]
    return [at for at, offset in still if at in ends and offset > ends[at]]


def sink(place: Place) -> Iterator[Check]:
    """When the sink last stored anything, and what is not stored yet."""
    database = place.config.clickhouse.database
    (row,) = query_rows(place.store, f"SELECT count() AS n, max(written_at) AS newest FROM {database}.histories")
    yield sink_of(row, place.kafka.lag("sink"), datetime.now(UTC))


def sink_of(row: Mapping[str, object], waiting: int, now: datetime) -> Check:
    """Its progress in one line."""
    newest = row["newest"]
    if not int(str(row["n"])) or not isinstance(newest, datetime):
        return Check("sink", "warning" if waiting else "ok", f"nothing is stored, {waiting} records wait", RESTART)
    ago_s = (now - newest.replace(tzinfo=UTC)).total_seconds()
    detail = f"last stored {_ago(ago_s)} ago, {waiting} records wait"
    return Check("sink", "warning" if waiting and ago_s > 60 else "ok", detail, RESTART)


def _ago(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
