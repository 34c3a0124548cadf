"""The digest of the week: what it says, when it comes, and that it comes once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from schemas.alerting import AlertsConfig
from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.incidents import Desk, Past, Ward
from services.alerting.channels.outcome import Outcome
from services.alerting.desks import PAST_MEMORY, Desks
from services.alerting.watcher import _pasts
from services.alerting.weeklies import Weeklies
from streams.incidents.actions import ActionLog
from streams.incidents.threads import judged
from streams.incidents.weekly import weekly
from tests.incident_kit import NOW, action, ago, part, view
from tests.unit.test_alert_dispatch import Log
from tests.unit.test_alerts_digest import DigestChannel

KAFKA = KafkaConfig(partitions=1)
HOOK = {"name": "hook", "url": "https://a.example", "secrets": [{"env": "X"}]}


def past(name: str, days: float, touchpoint: str = "Support ticket", **fields: Any) -> Past:
    base: dict[str, Any] = {
        "incident_id": name,
        "account_id": f"crm:{name}",
        "headline": f"Trouble at {name}",
        "policy": "silent",
        "level": "high",
        "touchpoint": touchpoint,
        "department": "Support",
        "owners": ("Support lead",),
        "opened_at": ago(days=days),
        "state": "told",
        "events": (f"e-{name}",),
    }
    return Past(**(base | fields))


WEEKS = [
    past("a", 1),
    past("b", 2, account_id="crm:a"),
    past("c", 3, "Demo", department="Sales", owners=(), state="closed", ended_at=ago(days=1)),
    past("w", 3, "Demo", state="withdrawn", ended_at=ago(days=3)),
    *(past(f"old{number}", 9, "Demo", state="closed", ended_at=ago(days=8)) for number in range(3)),
]
LOG = ActionLog([action("1", "done", "e-b", minutes=60)])


def lines(pasts: Sequence[Past] = WEEKS, days: float = 14) -> dict[str, list[str]]:
    digest = weekly("hook", pasts, LOG, NOW, ago(days=days))
    return {part.title: [line.words for line in part.lines] for part in digest.parts}


def test_it_says_what_hurt_what_got_better_what_was_fixed_and_who_has_not_looked() -> None:
    assert lines() == {
        "What hurt most": [
            "Support ticket: 2 incidents at 1 account; 0 the week before",
            "Demo: 1 incident at 1 account; 3 the week before",
        ],
        "What got better": ["Demo: 1 incident, after 3 the week before"],
        "What was fixed": ["Trouble at c: over after 2 days", "Trouble at b: Ann called it done"],
        "What nobody has looked at": [
            f"Support (Support lead): 1 incident that nobody took, the oldest since {ago(days=1):%Y-%m-%d}"
        ],
    }


def test_nothing_is_compared_with_a_week_that_nobody_watched() -> None:
    found = lines(days=13)
    assert found["What hurt most"][1] == "Demo: 1 incident at 1 account"
    assert found["What got better"] == ["Not known yet: Touchline has watched for less than two weeks"]
    assert set(map(tuple, lines([]).values())) == {("Nothing",)}


class Week:
    """A channel's digests of the week, on desks whose log outlives them; `now` is the test's clock."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.now, self.log = NOW, Log()
        self.channel = DigestChannel(self.log, *outcomes)
        self.begin()

    def begin(self, ward: Ward | None = None) -> None:
        """A process takes over what the one before it left."""
        self.desks = Desks(KAFKA, self.log, 1)
        self.desks.wards = {0: ward or Ward(partition=0, blueprint_digest=1, since=EPOCH, until=NOW)}

        async def all_pasts() -> list[Past]:
            return WEEKS

        self.desks.all_pasts = all_pasts  # type: ignore[method-assign]
        config = AlertsConfig.model_validate({"webhooks": [HOOK], "digest": {"weekly": ["hook"], "weekday": "friday"}})
        self.weeklies = Weeklies(self.desks, LOG, config, lambda: self.now)

    async def step(self, **later: float) -> bool:
        self.now += timedelta(**later)
        return await self.weeklies.step(self.channel)


async def test_it_comes_once_a_week_from_the_first_such_day_on() -> None:
    week = Week(Outcome("sent", "ok"))
    assert not await week.step(), "it is a Friday afternoon: the next one is in a week"
    sent = [await week.step(hours=1) for _ in range(24 * 15)]
    assert (sum(sent), len(week.channel.digests)) == (2, 2)
    assert len({digest.digest_id for digest in week.channel.digests}) == 2
    assert week.channel.digests[0].title == "The week until 11 October: 0 incidents"


async def test_a_failure_is_tried_again_and_a_crash_is_in_doubt() -> None:
    week = Week(Outcome("retry", "500"), Outcome("sent", "ok"))
    await week.step()
    assert await week.step(days=7)
    assert not await week.step(minutes=14)
    ward = week.desks.wards[0]
    week.begin(ward)  # what was saved is what the next one reads
    assert await week.step(minutes=1)
    assert len({digest.digest_id for digest in week.channel.digests}) == 1
    sending = week.desks.wards[0].weekly["hook"].changed(state="trying", tried_at=week.now, due_at=week.now)
    week.begin(ward.changed(weekly={"hook": sending}))
    assert not await week.step(seconds=59)
    assert await week.step(seconds=1)


async def test_what_people_were_told_is_kept_for_two_weeks_and_read_again() -> None:
    pain = part("s", "e1", what="moment_of_truth_failed", severity=0.7)
    before = Desk(account_id="crm:1", parts={"s": pain})
    after = judged(before, view())
    (kept,) = _pasts(before, after)
    assert (kept.state, kept.touchpoint, kept.events) == ("told", "Error in the product", ("e1",))
    assert list(_pasts(after, after)) == []
    log = Log()
    desks = Desks(KAFKA, log, 1)
    desks.put_past(kept)
    assert desks.pasts == {}, "another process has the partition"
    desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=NOW, until=NOW)}
    over = kept.changed(state="closed", ended_at=NOW)
    desks.put_past(over)
    await desks.save()
    (written,) = log.written
    fresh = Desks(KAFKA, Log(), 1)
    fresh._learn(written[1], written[2], {})
    assert fresh.pasts == {kept.incident_id: over}
    desks.drop_pasts(NOW + PAST_MEMORY)
    assert desks.pasts
    desks.drop_pasts(NOW + PAST_MEMORY + timedelta(seconds=1))
    await desks.save()
    assert log.written[-1] == (written[0], written[1], None)


async def test_what_another_version_kept_is_left_out_and_stops_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    desks = Week(Outcome("sent", "ok")).desks
    del desks.all_pasts

    async def read(self: Desks, places: object) -> AsyncIterator[tuple[str, bytes | None]]:
        yield "past:odd", b'[{"of": "another version"}]'
        yield "past:known", b"[" + WEEKS[0].encoded() + b"]"
        yield "ward:0", b"[{}]"

    monkeypatch.setattr(Desks, "_read", read)
    assert await desks.all_pasts() == [WEEKS[0]]
