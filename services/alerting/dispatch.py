"""From the desks to the channels: at least once, in order for each conversation, never in a storm.

Before a message is sent the desk says that it is being tried, and that is in Kafka. Whoever finds it so after a crash
does not know whether it went out: it waits (`in_doubt_s`) and sends it again, with the same id; so it does when a
receiver got it and did not answer. A receiver that is away is asked again after a pause that doubles, up to a quarter
of an hour, until `give_up_after_h`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.alerting import AlertsConfig
from schemas.incidents import Message, Notice, Sending, Thread
from services.alerting.channels.alertmanager import Alertmanager
from services.alerting.channels.outcome import ConversationSender, DigestSender, Outcome, Sender
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.watcher import without_idle
from services.alerting.weeklies import Weeklies
from streams.incidents.digests import daily
from streams.runtime.failpoints import hit
from streams.runtime.metrics import Meter

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 900.0
IDLE_S: Final = 0.5
RESTS: Final = 10
"""Looking for the next message of a channel takes at most so small a part of the time."""


@dataclass(frozen=True, slots=True)
class Due:
    """One sending whose turn it is."""

    account_id: str
    thread_id: str
    message: Message
    sending: Sending
    ref: str = ""
    """How the channel calls what it has of the conversation, if it has."""


def pause_s(attempts: int, asked_s: float | None = None) -> float:
    """How long to wait after so many failures, at least as long as the receiver asked for."""
    doubled = float(min(FIRST_PAUSE_S * 2 ** min(attempts - 1, 20), LONGEST_PAUSE_S))
    return max(doubled * random.uniform(0.75, 1.0), asked_s or 0.0)


class Dispatcher:
    """Sends what the desks hold, one task a channel."""

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        desks: Desks,
        senders: Mapping[str, Sender],
        deliveries: Deliveries,
        config: AlertsConfig,
        meter: Meter,
        clock: Callable[[], datetime],
        left: Callable[[str], Set[str]] = lambda channel: frozenset(),
        weeklies: Weeklies | None = None,
    ) -> None:
        """`left`: the marks of those who want no more digests of a channel."""
        self._weeklies = weeklies
        self._desks, self._senders, self._deliveries = desks, senders, deliveries
        self._in_doubt = timedelta(seconds=config.in_doubt_s)
        self._give_up_after = timedelta(hours=config.give_up_after_h)
        self._meter, self._clock, self._left = meter, clock, left
        self._trying: set[tuple[str, str]] = set()
        self._paused_until: dict[str, datetime] = {}
        self._looked_s: dict[str, float] = {}
        self.failing: dict[str, str] = {}
        """Channel → what it said last, while it takes nothing."""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for sender in self._senders.values():
                tasks.create_task(self._serve(sender))
                if isinstance(sender, Alertmanager):
                    tasks.create_task(self._refresh(sender))
            tasks.create_task(self._drop_unknown())

    async def step(self, sender: Sender) -> bool:
        """Send one message, if one is due. Whether there was one."""
        due = self.due(sender.name)
        if due is not None:
            await self._send([due], _sent_by(sender, due))
            return True
        waiting = self.digest_due(sender.name) if isinstance(sender, DigestSender) else []
        if isinstance(sender, DigestSender) and waiting:
            digest = daily(sender.name, [one.message for one in waiting], self._clock())
            await self._send(waiting, sender.send_digest(digest, self._left(sender.name)))
            return True
        return isinstance(sender, DigestSender) and self._weeklies is not None and await self._weeklies.step(sender)

    async def _send(self, together: Sequence[Due], sending: Coroutine[Any, Any, Outcome]) -> None:
        """Written down before, sent, and what came of it written down."""
        now = self._clock()
        tried = [(due, _tried(due.sending, now)) for due in together]
        marks = {(due.message.notice_id, due.sending.channel) for due in together}
        self._trying |= marks
        try:
            for due, after in tried:
                self._mark(due, after)
            await self._desks.save()
            hit("alerts_before_send")
            outcome = await sending
            hit("alerts_before_mark")
            wait = self._pause(tried[0][1], outcome)
            for due, after in tried:
                await self._note(due, after, outcome, wait)
            await self._desks.save()
        finally:
            sending.close()  # where saving failed it was never begun
            self._trying -= marks

    def due(self, channel: str) -> Due | None:
        """The oldest sending whose turn it is; a later message of a conversation waits for an earlier one."""
        began, now = time.monotonic(), self._clock()
        waiting = list(self._waiting(channel))
        self._meter.set("touchline_alerts_waiting", len(waiting), channel=channel)
        if now < self._paused_until.get(channel, now):
            return None  # the receiver asked to be left alone, whatever the message
        first: dict[str, Due] = {}
        for one in waiting:
            first.setdefault(one.thread_id, one)
        ready = [one for one in first.values() if self._is_ready(one, now)]
        self._looked_s[channel] = time.monotonic() - began
        return min(ready, key=lambda one: (one.message.at, one.message.notice_id), default=None)

    def digest_due(self, channel: str) -> list[Due]:
        """What the next digest of a channel is made of, once it is time: all that waits, or a digest in doubt again."""
        now = self._clock()
        if now < self._paused_until.get(channel, now):
            return []
        ready = [one for one in self._waiting(channel, digest=True) if self._is_ready(one, now)]
        tried = {one.sending.tried_at for one in ready if one.sending.state == "trying"}
        if not tried:
            return ready
        first = min(at for at in tried if at is not None)
        return [one for one in ready if one.sending.tried_at == first]

    def _waiting(self, channel: str, *, digest: bool = False) -> Iterator[Due]:
        for account_id in sorted(self._desks.noticed):
            for thread in self._desks.get(account_id).threads:
                for notice in thread.notices:
                    for sending in notice.sendings:
                        is_mine = sending.channel == channel and sending.digest == digest
                        if is_mine and sending.state in ("due", "trying"):
                            ref = thread.posts.get(channel, "")
                            yield Due(account_id, thread.thread_id, notice.message, sending, ref)

    def _is_ready(self, due: Due, now: datetime) -> bool:
        if (due.message.notice_id, due.sending.channel) in self._trying:
            return False
        if due.sending.state == "trying":  # another process tried, and did not live to say what came of it
            return due.sending.tried_at is None or now >= due.sending.tried_at + self._in_doubt
        return now >= due.sending.next_at

    async def _serve(self, sender: Sender) -> None:
        pause = 60 / sender.per_minute
        while True:
            had_one = await self.step(sender)
            rest = RESTS * self._looked_s.get(sender.name, 0.0)  # thousands that wait must not keep all else waiting
            await asyncio.sleep(max(pause if had_one else IDLE_S, rest))

    async def _refresh(self, sender: Alertmanager) -> None:
        while True:
            open_now = list(self._open(sender.name))
            for start in range(0, len(open_now), 500):
                outcome = await sender.refresh(open_now[start : start + 500])
                if outcome.kind == "sent":
                    self.failing.pop(sender.name, None)
                else:
                    self.failing[sender.name] = outcome.words
            await asyncio.sleep(sender.refresh_s)

    def _open(self, channel: str) -> Iterator[Message]:
        for desk in self._desks.of.values():
            for thread in desk.threads:
                if thread.state == "told" and thread.last is not None and channel in thread.channels:
                    yield thread.last

    async def _drop_unknown(self) -> None:
        """What was meant for a channel that is configured no more is given up."""
        while True:
            channels = {
                sending.channel
                for account_id in self._desks.noticed
                for thread in self._desks.get(account_id).threads
                for notice in thread.notices
                for sending in notice.sendings
            }
            for channel in sorted(channels - self._senders.keys()):
                for due in [*self._waiting(channel), *self._waiting(channel, digest=True)]:
                    await self._note(due, due.sending, Outcome("final", "the channel is configured no more"))
                await self._desks.save()
                self.failing.pop(channel, None)
            await asyncio.sleep(60)

    def _pause(self, tried: Sending, outcome: Outcome) -> timedelta:
        pause = timedelta(seconds=pause_s(tried.attempts, outcome.after_s))
        return max(pause, self._in_doubt) if outcome.in_doubt else pause

    async def _note(self, due: Due, tried: Sending, outcome: Outcome, wait: timedelta | None = None) -> None:
        """`wait`: before the next attempt, where several wait together."""
        now, channel = self._clock(), tried.channel
        if outcome.kind == "sent":
            self.failing.pop(channel, None)
            after = tried.changed(state="sent")
        elif outcome.kind == "final" or now - (tried.due_at or due.message.at) >= self._give_up_after:
            self.failing[channel] = outcome.words
            after = tried.changed(state="gave_up")
        else:
            self.failing[channel] = outcome.words
            if outcome.after_s:
                self._paused_until[channel] = now + timedelta(seconds=outcome.after_s)
            after = tried.changed(state="due", next_at=now + (wait or self._pause(tried, outcome)))
        said = {"sent": "sent", "gave_up": "gave_up"}.get(after.state, "retry")
        await self._deliveries.attempted(due.message, channel, said, now, tried.attempts, outcome.words)  # type: ignore[arg-type]
        self._mark(due, after, outcome.ref)

    def _mark(self, due: Due, sending: Sending, ref: str = "") -> None:
        """Put a sending's new state on the desk, wherever the conversation stands by now."""
        for account_id in (due.account_id, *self._desks.of):
            desk = self._desks.of.get(account_id)
            if desk is not None and any(thread.thread_id == due.thread_id for thread in desk.threads):
                threads = tuple(_marked(thread, due, sending, ref) for thread in desk.threads)
                self._desks.put(without_idle(desk.changed(threads=threads)))
                return


def _sent_by(sender: Sender, due: Due) -> Coroutine[Any, Any, Outcome]:
    if isinstance(sender, ConversationSender):
        return sender.send_on(due.message, due.ref)
    return sender.send(due.message)


def _tried(sending: Sending, now: datetime) -> Sending:
    return sending.changed(state="trying", attempts=sending.attempts + 1, tried_at=now)


def _marked(thread: Thread, due: Due, sending: Sending, ref: str) -> Thread:
    if thread.thread_id != due.thread_id:
        return thread
    if ref:
        thread = thread.changed(posts=thread.posts | {sending.channel: ref})
    return thread.changed(notices=tuple(_with(notice, due, sending) for notice in thread.notices))


def _with(notice: Notice, due: Due, sending: Sending) -> Notice:
    if notice.message.notice_id != due.message.notice_id:
        return notice
    sendings = tuple(sending if one.channel == sending.channel else one for one in notice.sendings)
    return notice.changed(sendings=sendings)
