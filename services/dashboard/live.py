"""Live updates: one poll for all, one computation a page and scope, one encoding a frame, whoever watches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import orjson

from schemas.errors import StoreUnavailable
from services.dashboard.frames import KEEP_ALIVE, Frame
from services.dashboard.not_found import NotFound
from services.dashboard.scope import Scope
from services.dashboard.snapshots import Key, Snapshots
from services.dashboard.views.snapshot import Snapshot
from streams.runtime.metrics import Meter

_log = logging.getLogger(__name__)
QUEUE_LENGTH = 4
POLL_S = 0.5
RECOMPUTE_S = 1.0
REST_FACTOR = 4
"""A page rests this many times what its last computation took."""
SLIDE_S = 10.0
"""A window moves even when nothing is written: this often it is looked at again."""
KEEP_ALIVE_S = 15.0
MAX_ROOMS = 64

Fragments = Mapping[str, bytes]
"""Part of a page → its content as JSON: a string of HTML, or data."""
Render = Callable[[Scope, Snapshot], Fragments]


def _object(fragments: Fragments) -> bytes:
    return orjson.dumps({key: orjson.Fragment(value) for key, value in fragments.items()})


class TooManyScopes(Exception):
    """More different pages are watched than the server keeps live."""


class Viewer:
    """One open stream. A viewer that does not keep up loses the oldest frames and is sent the whole anew."""

    __slots__ = ("_frames", "_wake", "closed", "missed")

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._wake = asyncio.Event()
        self.missed = False
        self.closed = False

    def push(self, frame: Frame) -> None:
        if len(self._frames) >= QUEUE_LENGTH:
            self._frames.popleft()
            self.missed = True
        self._frames.append(frame)
        self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def next(self) -> Frame | None:
        """The oldest frame; None when the stream is over."""
        while not self._frames and not self.closed:
            self._wake.clear()
            await self._wake.wait()
        return self._frames.popleft() if self._frames and not self.closed else None

    def restart(self, whole: Frame) -> None:
        """Only the whole is left to send."""
        self._frames.clear()
        self.missed = False
        self.push(whole)


class Room:
    """The viewers of one page, and the last they were shown."""

    def __init__(self, name: str) -> None:
        self.viewers: set[Viewer] = set()
        self._name = name
        self._version = 0
        self._shown: dict[str, bytes] = {}
        self._whole: Frame | None = None

    @property
    def frame_id(self) -> str:
        return f"{self._name}-{self._version}"

    def show(self, fragments: Fragments) -> bool:
        """Send what changed; true when anything did."""
        changed = {key: text for key, text in fragments.items() if self._shown.get(key) != text}
        if not changed and self._version:
            return False
        self._shown = dict(fragments)
        self._version += 1
        self._whole = None
        self._send(changed)
        return True

    def _send(self, changed: Fragments) -> None:
        patch = Frame("patch", self.frame_id, _object(changed))
        for viewer in self.viewers:
            viewer.push(patch)
            if viewer.missed:
                viewer.restart(self.whole())

    def whole(self) -> Frame:
        """Everything, encoded at most once a version."""
        if self._whole is None:
            self._whole = Frame("snapshot", self.frame_id, _object(self._shown))
        return self._whole

    def welcome(self, viewer: Viewer, last_seen_id: str) -> None:
        """First frame: the whole, unless the viewer has exactly this version already."""
        self.viewers.add(viewer)
        if self._version:
            viewer.push(Frame("patch", self.frame_id, b"{}") if last_seen_id == self.frame_id else self.whole())


@dataclass
class _Pace:
    """How often a page of a scope is computed: what costs much rests longer, so it never holds the store busy."""

    is_dirty: bool = True
    rest_s: float = field(default_factory=lambda: RECOMPUTE_S)
    begun_at: float = field(default_factory=time.monotonic)

    def is_due(self, now: float) -> bool:
        return now - self.begun_at >= (self.rest_s if self.is_dirty else max(SLIDE_S, self.rest_s))

    def begin(self, now: float) -> None:
        """What is written from here on makes it dirty again."""
        self.begun_at, self.is_dirty = now, False

    def end(self, now: float) -> None:
        self.rest_s = max(RECOMPUTE_S, REST_FACTOR * (now - self.begun_at))


class Live:
    """`renders`: view name → what its frames are made of. Polls only while someone watches.

    `audience`: how many watch the whole process, where there are others like this one.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        renders: Mapping[str, Render],
        meter: Meter,
        audience: Callable[[], int] | None = None,
    ) -> None:
        self.audience = audience or (lambda: self.viewers)
        self._snapshots = snapshots
        self._renders = renders
        self._meter = meter
        self._rooms: dict[Key, Room] = {}
        self._boot = uuid4().hex[:8]
        self._watched = asyncio.Event()
        self._fingerprint: str | None = None
        self._paces: dict[Key, _Pace] = {}

    @property
    def viewers(self) -> int:
        return sum(len(room.viewers) for room in self._rooms.values())

    async def enter(self, scope: Scope, view: str, last_seen_id: str) -> Viewer:
        """A new viewer. Raises TooManyScopes."""
        room = self._rooms.get((scope, view))
        if room is None:
            if len(self._rooms) >= MAX_ROOMS:
                raise TooManyScopes
            room = self._rooms[scope, view] = Room(f"{self._boot}-{uuid4().hex[:6]}")
            self._show((scope, view), await self._snapshots.latest(scope, view))
        viewer = Viewer()
        room.welcome(viewer, last_seen_id)
        self._watched.set()
        self._meter.set("touchline_dashboard_viewers", self.audience())
        return viewer

    def leave(self, scope: Scope, view: str, viewer: Viewer) -> None:
        """Safe to call twice."""
        room = self._rooms.get((scope, view))
        if room is None:
            return
        room.viewers.discard(viewer)
        if not room.viewers:
            del self._rooms[scope, view]
        if not self._rooms:
            self._watched.clear()
        self._meter.set("touchline_dashboard_viewers", self.audience())

    def close(self) -> None:
        """End every stream."""
        for room in self._rooms.values():
            for viewer in room.viewers:
                viewer.close()

    async def run(self) -> None:
        """Until cancelled: poll, recompute what is watched, send what changed."""
        spoken_at = time.monotonic()
        while True:
            await self._watched.wait()
            await asyncio.sleep(POLL_S)
            now = time.monotonic()
            if now - spoken_at >= KEEP_ALIVE_S:
                spoken_at = now
                self._keep_alive()
            self._paces = {key: self._paces.get(key) or _Pace() for key in self._rooms}
            if await self._changed() or self._snapshots.unsettled():
                for pace in self._paces.values():
                    pace.is_dirty = True
            for key, pace in self._paces.items():
                if pace.is_due(time.monotonic()):
                    await self._recompute(key, pace)

    def _keep_alive(self) -> None:
        for room in self._rooms.values():
            for viewer in room.viewers:
                viewer.push(KEEP_ALIVE)

    async def _changed(self) -> bool:
        """Asked before computing, remembered before computing: a write in between is seen at the next poll."""
        try:
            now = await self._snapshots.fingerprint()
        except StoreUnavailable:
            return True  # so that the page says so
        changed, self._fingerprint = now != self._fingerprint, now
        return changed

    async def _recompute(self, key: Key, pace: _Pace) -> None:
        pace.begin(time.monotonic())
        try:
            self._show(key, await self._snapshots.fresh(*key))
        except NotFound:  # what it is about went into another: the page keeps what it had
            pass
        except Exception:  # one page that fails must not end everyone's updates
            _log.exception("a page could not be updated", extra={"window": key[0].window, "view": key[1]})
        pace.end(time.monotonic())

    def _show(self, key: Key, snapshot: Snapshot) -> None:
        room = self._rooms.get(key)
        if room and room.show(self._renders[key[1]](key[0], snapshot)):
            self._meter.inc("touchline_dashboard_frames_total")
