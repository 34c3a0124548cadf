"""The digest of the week on its way: written down before and after it is sent, by whoever holds partition 0."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.alerting import AlertsConfig
from schemas.calendars import WEEKDAYS
from schemas.incidents import Sending
from services.alerting.channels.outcome import DigestSender
from services.alerting.desks import Desks
from streams.incidents.actions import ActionLog
from streams.incidents.quiet import next_clock
from streams.incidents.weekly import weekly
from streams.runtime.failpoints import hit

_log = logging.getLogger("touchline.alerts")
_AGAIN = timedelta(minutes=15)
_GIVE_UP_AFTER = timedelta(days=1)


class Weeklies:
    """Sends a channel its digest once a week. The first one comes on the first such day after it was configured."""

    def __init__(self, desks: Desks, log: ActionLog, config: AlertsConfig, clock: Callable[[], datetime]) -> None:
        self._desks, self._log, self._clock = desks, log, clock
        self._channels, self._page = config.digest.weekly, config.public_url
        self._at, self._zone = time.fromisoformat(config.digest.at), ZoneInfo(config.digest.zone)
        self._weekday = WEEKDAYS.index(config.digest.weekday)
        self._in_doubt = timedelta(seconds=config.in_doubt_s)

    async def step(self, sender: DigestSender) -> bool:
        """Send it, if it is time. Whether it was."""
        ward, now = self._desks.wards.get(0), self._clock()
        if ward is None or sender.name not in self._channels:
            return False
        sending = ward.weekly.get(sender.name)
        if sending is None:
            await self._keep(Sending(channel=sender.name, next_at=self._next(now)))
            return False
        if not self._is_ready(sending, now):
            return False
        due_at = sending.due_at or sending.next_at
        pasts = await self._desks.all_pasts()
        since = min([ward.since, *(past.opened_at for past in pasts)])
        digest = weekly(sender.name, pasts, self._log, due_at, since, self._page)
        tried = sending.changed(state="trying", attempts=sending.attempts + 1, tried_at=now, due_at=due_at)
        await self._keep(tried)
        hit("alerts_before_send")
        outcome = await sender.send_digest(digest, self._log.left(sender.name))
        hit("alerts_before_mark")
        said = {"channel": sender.name, "outcome": outcome.kind, "answer": outcome.words}
        _log.log(logging.INFO if outcome.kind == "sent" else logging.WARNING, "digest of the week", extra=said)
        is_over = outcome.kind != "retry" or now - due_at > _GIVE_UP_AFTER
        after = Sending(channel=sender.name, next_at=self._next(now))
        await self._keep(after if is_over else tried.changed(state="due", next_at=now + _AGAIN))
        return True

    def _is_ready(self, sending: Sending, now: datetime) -> bool:
        if sending.state == "trying":  # it may have been sent before a crash
            return sending.tried_at is None or now >= sending.tried_at + self._in_doubt
        return now >= sending.next_at

    def _next(self, now: datetime) -> datetime:
        return next_clock(now, self._at, self._zone, self._weekday)

    async def _keep(self, sending: Sending) -> None:
        ward = self._desks.wards.get(0)
        if ward is not None:  # else another process has it by now, and does as this one would
            self._desks.put_ward(ward.changed(weekly=ward.weekly | {sending.channel: sending}))
            await self._desks.save()
