"""From what hurts an account to messages for people: conversations open, grow, come back, close and are withdrawn.

`judged` is a pure step: the same desk at the same time always comes to the same, and a second look changes nothing.
Notices it makes stay on the desk until they are delivered, so that a crash loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from schemas.incidents import MAX_EVENTS, Desk, Message, Notice, Sending, Thread
from schemas.policies import LEVELS, Policy, is_at_least
from streams.incidents.actions import ActionLog, Standing
from streams.incidents.identity import Known, matched
from streams.incidents.incident import Incident, incidents_of
from streams.incidents.intake import Lens
from streams.incidents.judging import Watch, bursts_of, falls_under, is_news, level_of, near_since
from streams.incidents.messages import Kind, Places, describe, ended
from streams.incidents.rhythm import Rhythms

Route = Callable[[Message], tuple[str, ...]]
"""The channels that a message goes to."""
WITHDRAW_AFTER: Final = timedelta(seconds=90)
"""What is read anew is withdrawn first and comes back a moment later."""


class Manner(Protocol):
    """How the people behind a channel want to be notified."""

    def not_before(self, message: Message, channel: str, now: datetime) -> datetime:
        """When a channel's people want to hear of it."""

    def in_digest(self, message: Message, channel: str) -> bool:
        """Whether a channel's people hear of it together with others, once a day."""

    def reminder(self, message: Message) -> tuple[timedelta, tuple[str, ...]] | None:
        """After how long people are reminded of what nobody took, and through which channels; None: never."""


class AtOnce:
    """Everything at once, and nothing twice."""

    def not_before(self, message: Message, channel: str, now: datetime) -> datetime:
        return now

    def in_digest(self, message: Message, channel: str) -> bool:
        return False

    def reminder(self, message: Message) -> tuple[timedelta, tuple[str, ...]] | None:
        return None


@dataclass(frozen=True, slots=True)
class View:
    """What a look at a desk needs beside the desk.

    heard: source → up to when it has reported what happened. rhythms: when that is late.
    owners: account → who owns it in the CRM.
    aside: sources whose requests are kept unread.
    """

    lens: Lens
    now: datetime
    watch: Watch
    route: Route
    manner: Manner = AtOnce()
    log: ActionLog = field(default_factory=ActionLog)
    places: Places = field(default_factory=Places)
    heard: Mapping[str, datetime] = field(default_factory=dict)
    aside: Set[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)
    rhythms: Rhythms = field(default_factory=Rhythms)
    withdraw_after: timedelta = WITHDRAW_AFTER

    @property
    def policies(self) -> Sequence[Policy]:
        return self.lens.blueprint.policies

    def doubt(self, source: str) -> str:
        """Why the silence of a source proves nothing: it is set aside, never heard, or late by its own rhythm."""
        if not source:
            return ""
        if source in self.aside:
            return f"{source} is set aside"
        at = self.heard.get(source)
        if at is None:
            return f"nothing was heard of {source}"
        rhythm = self.rhythms.of(source)
        if rhythm.is_late(at + timedelta(seconds=rhythm.lag_s), self.now):
            return f"{source} reported nothing of what happened after {at:%Y-%m-%d %H:%M} UTC"
        return ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """An incident as it is judged now."""

    incident: Incident
    hits: tuple[Policy, ...]
    news: tuple[Policy, ...]
    standing: Standing
    desk: Desk
    view: View

    def message(self, thread_id: str, kind: Kind, policies: Sequence[str], remark: str = "") -> Message:
        named = next((one for one in self.view.policies if one.id in policies), self.view.policies[0])
        weight = _weight(self.desk, self.view)
        level = level_of(self.incident, self.view.lens, weight)
        desk = self.desk.changed(owner=self.desk.owner or self.view.owners.get(self.desk.account_id, ""))
        make = describe(self.incident, desk, self.view.lens, named, level, self.standing, self.view.places)
        return make(thread_id, kind, self.view.now, remark)


def incidents_on(desk: Desk, lens: Lens) -> list[Incident]:
    """The incidents of the account."""
    return incidents_of(desk.account_id, desk.parts.values(), bursts_of(lens.blueprint.policies))


def judged(desk: Desk, view: View) -> Desk:
    """The desk after a look at it; the same object when nothing changed."""
    incidents = incidents_on(desk, view.lens)
    known = [Known(thread.thread_id, frozenset(thread.events), thread.opened_at) for thread in desk.threads]
    matching = matched(known, incidents)
    threads = {thread.thread_id: thread for thread in desk.threads}
    after: list[Thread] = []
    for thread_id, incident in matching.continued.items():
        others = [threads[one] for one, into in matching.merged.items() if into == thread_id]
        one = _continued(_joined(threads[thread_id], others), _seen(incident, desk, view))
        after += [one] if one is not None else []
    for thread_id in matching.gone:
        one = _gone(threads[thread_id], view)
        after += [one] if one is not None else []
    for incident, parent in matching.split:
        after += _begun(_seen(incident, desk, view), threads[parent])
    for incident in matching.fresh:
        after += _begun(_seen(incident, desk, view), None)
    after.sort(key=lambda thread: (thread.opened_at, thread.thread_id))
    return desk if tuple(after) == desk.threads else desk.changed(threads=tuple(after))


def look_again_at(desk: Desk, view: View) -> datetime | None:
    """When time alone can change what `judged` comes to; None: never."""
    due: list[datetime] = []
    if any(not thread.is_over for thread in desk.threads):
        for incident in incidents_on(desk, view.lens):
            over_at = incident.over_at()
            due += [over_at] if over_at is not None and over_at > view.now else []
    nearer = [near_since(policy, desk.dates) for policy in view.policies] if desk.parts else []
    due += [at for at in nearer if at is not None and at > view.now]
    for thread in desk.threads:
        due += [thread.missing_since + view.withdraw_after] if thread.missing_since and not thread.is_over else []
        due += [view.now + timedelta(seconds=15)] if thread.state == "held" else []
        reminder = _due_reminder(thread, view)
        due += [reminder[0]] if reminder is not None and reminder[0] > view.now else []
        silent_until = view.log.standing(thread.events).silenced_until
        due += [silent_until] if silent_until is not None and silent_until > view.now else []
    return min(due, default=None)


def moved(here: Desk, there: Desk) -> tuple[Desk, Desk]:
    """Conversations of `there` whose evidence is all `here` now: an account was merged, or a person moved."""
    mine = {event for part in here.parts.values() for event in part.proof}
    theirs = {event for part in there.parts.values() for event in part.proof}
    going = [
        thread for thread in there.threads if not mine.isdisjoint(thread.events) and theirs.isdisjoint(thread.events)
    ]
    if not going:
        return here, there
    known = {thread.thread_id for thread in here.threads}
    added = tuple(thread.changed(missing_since=None) for thread in going if thread.thread_id not in known)
    left = tuple(thread for thread in there.threads if thread not in going)
    return here.changed(threads=(*here.threads, *added)), there.changed(threads=left)


def _weight(desk: Desk, view: View) -> float:
    return view.lens.weight_of(desk.tier, desk.segment)


def _seen(incident: Incident, desk: Desk, view: View) -> _Seen:
    is_key = _weight(desk, view) > 1
    hits = tuple(one for one in view.policies if falls_under(one, incident, desk.dates, view.now, is_key=is_key))
    news = tuple(
        one for one in hits if is_news(one, incident, desk.carriers, view.watch, view.now, near_since(one, desk.dates))
    )
    return _Seen(incident, hits, news, view.log.standing(incident.events), desk, view)


def _begun(seen: _Seen, parent: Thread | None) -> list[Thread]:
    """A conversation about an incident that has none; one that was sent under another name is not sent anew."""
    incident, view = seen.incident, seen.view
    if parent is not None and parent.state == "told":
        return [_thread(seen, "told").changed(level=parent.level, channels=parent.channels, told_at=parent.told_at)]
    is_quiet = seen.standing.is_silent(view.now) or seen.standing.is_done(incident.pained_at)
    if not seen.news or is_quiet or incident.is_over(view.now):
        return []
    source, why = _stale_source(seen)
    if source:
        return [_thread(seen, "held").changed(held_since=view.now, held_for=source, held_why=why)]
    thread = _thread(seen, "told")
    return [_notified(thread, seen, "opened", "")]


def _thread(seen: _Seen, state: str) -> Thread:
    incident = seen.incident
    return Thread(
        thread_id=incident.incident_id,
        events=incident.events,
        opened_at=incident.opened_at,
        state="held" if state == "held" else "told",
        level=level_of(incident, seen.view.lens, _weight(seen.desk, seen.view)),
        policies=tuple(one.id for one in seen.hits),
    )


def _stale_source(seen: _Seen) -> tuple[str, str]:
    """The source whose silence makes the incident, if that proves nothing, and why; empty: believe the incident."""
    roots = [part for part in seen.incident.roots if part.closed_at is None or not part.waits]
    if not roots or any(not part.waits or (part.sources and not part.needs_sources) for part in roots):
        return "", ""
    carriers = seen.desk.carriers
    sources = {carriers[part.event_id].source for part in roots if part.event_id in carriers}
    sources |= {source for part in roots if part.needs_sources for source in part.sources}
    doubts = ((source, seen.view.doubt(source)) for source in sorted(sources))
    return next((one for one in doubts if one[1]), ("", ""))


def _joined(thread: Thread, others: Sequence[Thread]) -> Thread:
    """One conversation of several about what turned out to be one incident. What was sent of any counts as sent."""
    for other in others:
        events = tuple(dict.fromkeys((*thread.events, *other.events)))[:MAX_EVENTS]
        thread = thread.changed(events=events, policies=tuple(dict.fromkeys((*thread.policies, *other.policies))))
        thread = thread.changed(posts=other.posts | thread.posts)
        if other.state == "told":
            level = max(thread.level, other.level, key=LEVELS.index) if thread.state == "told" else other.level
            told_at = thread.told_at or other.told_at
            channels = tuple(dict.fromkeys((*thread.channels, *other.channels)))
            thread = thread.changed(state="told", level=level, channels=channels, told_at=told_at, ended_at=None)
            thread = thread.changed(last=thread.last or other.last, held_since=None, held_for="", held_why="")
    return thread


def _continued(thread: Thread, seen: _Seen) -> Thread | None:
    events = tuple(dict.fromkeys((*thread.events, *seen.incident.events)))[:MAX_EVENTS]
    policies = tuple(one.id for one in seen.view.policies if one.id in thread.policies or one in seen.hits)
    thread = thread.changed(events=events, policies=policies, missing_since=None)
    if thread.state == "held":
        return _held(thread, seen)
    if thread.is_over:
        return _revived(thread, seen)
    return _spoken_of(thread, seen)


def _held(thread: Thread, seen: _Seen) -> Thread | None:
    """Sent as soon as its source is heard again, dropped when it ended or came to nothing meanwhile."""
    if not seen.hits or seen.incident.is_over(seen.view.now) or _is_mended(seen):
        return None
    source, why = _stale_source(seen)
    if source:
        is_known = (thread.held_for, thread.held_why) == (source, why)
        return thread if is_known else thread.changed(held_for=source, held_why=why)
    if seen.standing.is_silent(seen.view.now):
        return thread
    assert thread.held_since is not None
    minutes = round((seen.view.now - thread.held_since).total_seconds() / 60)
    remark = f"held for {minutes} min because {thread.held_why or f'nothing was heard of {thread.held_for}'}"
    return _notified(thread.changed(state="told", held_since=None, held_for="", held_why=""), seen, "opened", remark)


def _is_mended(seen: _Seen) -> bool:
    return all(part.waits and part.closed_at is not None for part in seen.incident.roots)


def _revived(thread: Thread, seen: _Seen) -> Thread:
    if not seen.news or seen.incident.is_over(seen.view.now) or seen.standing.is_silent(seen.view.now):
        return thread
    if thread.ended_at is not None and thread.state == "closed" and seen.incident.pained_at <= thread.ended_at:
        return thread
    return _notified(thread.changed(state="told", ended_at=None), seen, "returned", "it was over, and hurts again")


def _spoken_of(thread: Thread, seen: _Seen) -> Thread:
    view, standing = seen.view, seen.standing
    if seen.incident.is_over(view.now):
        calm = "what was waited for has come" if _is_mended(seen) else "nothing more happened for a day"
        return _ended(thread, view, "closed", calm)
    if standing.is_silent(view.now):
        return thread
    done_at = standing.done_at
    if done_at is not None and thread.resumed_at != done_at and not standing.is_done(seen.incident.pained_at):
        remark = f"{standing.done_by} called it done, and it hurts again"
        return _notified(thread.changed(resumed_at=done_at), seen, "returned", remark)
    level = level_of(seen.incident, view.lens, _weight(seen.desk, view))
    if seen.news and not is_at_least(thread.level, level) and not standing.is_done(seen.incident.pained_at):
        return _notified(thread, seen, "grown", f"it was {thread.level}")
    return _reminded(thread, seen)


def _reminded(thread: Thread, seen: _Seen) -> Thread:
    """Sent again where nobody took it for as long as a route allows."""
    view, due = seen.view, _due_reminder(thread, seen.view)
    if due is None or due[0] > view.now or seen.standing.taken_by:
        return thread
    if seen.standing.is_done(seen.incident.pained_at):
        return thread
    hours = (view.now - thread.opened_at).total_seconds() / 3600
    reminded = _notified(thread, seen, "reminder", f"nobody has taken it for {hours:.0f} h", due[1])
    return reminded.changed(level=max(thread.level, reminded.level, key=LEVELS.index))


def _due_reminder(thread: Thread, view: View) -> tuple[datetime, tuple[str, ...]] | None:
    """When people are to be reminded of it, and where, if nobody takes it."""
    if thread.state != "told" or thread.last is None or thread.told_at is None:
        return None
    found = view.manner.reminder(thread.last)
    waiting = [one.next_at for notice in thread.notices for one in notice.sendings if one.state == "due"]
    return (max([thread.told_at, *waiting]) + found[0], tuple(found[1])) if found is not None else None


def _notified(thread: Thread, seen: _Seen, kind: Kind, remark: str, only: Sequence[str] | None = None) -> Thread:
    message = seen.message(thread.thread_id, kind, thread.policies, remark)
    channels = seen.view.route(message) if only is None else tuple(only)
    return thread.changed(
        level=message.level,
        told_at=seen.view.now,
        channels=tuple(dict.fromkeys((*thread.channels, *channels))),
        notices=_with_notice(thread, message, channels, seen.view),
        last=message,
    )


def _gone(thread: Thread, view: View) -> Thread | None:
    """No evidence is left. A moment is waited: what is read anew is withdrawn first and then comes again."""
    if thread.is_over:
        return thread
    if thread.state == "held":
        return None
    if thread.missing_since is None:
        return thread.changed(missing_since=view.now)
    if view.now - thread.missing_since < view.withdraw_after:
        return thread
    return _ended(thread, view, "withdrawn", "later facts show that it did not happen")


def _ended(thread: Thread, view: View, kind: Kind, remark: str) -> Thread:
    state = "closed" if kind == "closed" else "withdrawn"
    thread = thread.changed(state=state, ended_at=view.now)
    if thread.last is None:
        return thread
    message = ended(thread.last, kind, view.now, remark)
    unheard = _unheard(thread) if kind == "withdrawn" else frozenset()
    thread = thread.changed(last=message, notices=tuple(_without(notice, unheard) for notice in thread.notices))
    channels = [channel for channel in thread.channels if channel not in unheard]
    return thread.changed(notices=_with_notice(thread, message, channels, view))


def _unheard(thread: Thread) -> frozenset[str]:
    """Channels whose people have heard nothing of it yet: what did not happen need not be sent and taken back."""
    opened = [notice for notice in thread.notices if notice.message.kind == "opened"]
    return frozenset(
        one.channel for notice in opened for one in notice.sendings if one.state == "due" and not one.attempts
    )


def _without(notice: Notice, channels: Set[str]) -> Notice:
    if not channels:
        return notice
    return notice.changed(sendings=tuple(one for one in notice.sendings if one.channel not in channels))


def _with_notice(thread: Thread, message: Message, channels: Sequence[str], view: View) -> tuple[Notice, ...]:
    """The notices still under way, and this one. One that is made again is the same notice, not a second."""
    if any(notice.message.notice_id == message.notice_id for notice in thread.notices):
        return thread.notices
    manner, now = view.manner, view.now
    sendings = tuple(
        Sending(channel=channel, next_at=at, due_at=at, digest=manner.in_digest(message, channel))
        for channel, at in ((channel, manner.not_before(message, channel, now)) for channel in channels)
    )
    alone = {one.channel for one in sendings if not one.digest}
    return (*(_not_in_digest(one, alone) for one in thread.notices), Notice(message=message, sendings=sendings))


def _not_in_digest(notice: Notice, channels: Set[str]) -> Notice:
    """What is sent now need not be sent again tomorrow morning as it was before."""
    sendings = tuple(
        one for one in notice.sendings if not (one.digest and one.channel in channels and not one.attempts)
    )
    return notice if len(sendings) == len(notice.sendings) else notice.changed(sendings=sendings)
