"""Live updates: whole first, then only what changed; slow viewers cost nothing; one encoding for all."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from services.dashboard import live as live_module
from services.dashboard.frames import GREETING, GZIP_HEADER, KEEP_ALIVE, Frame
from services.dashboard.live import QUEUE_LENGTH, Live, Room, TooManyScopes, Viewer
from services.dashboard.scope import Scope
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on


def data_of(frame: Frame | None) -> Any:
    assert frame is not None
    return orjson.loads(frame.plain.split(b"data: ")[1])


def kind_of(frame: Frame | None) -> str:
    assert frame is not None
    return frame.plain.split(b"\n")[0].decode().removeprefix("event: ")


async def test_first_the_whole_then_what_changed() -> None:
    room, viewer = Room("r"), Viewer()
    room.show({"a": b"1", "b": b"2"})
    room.welcome(viewer, "")
    first = await viewer.next()
    assert (kind_of(first), data_of(first)) == ("snapshot", {"a": 1, "b": 2})
    assert not room.show({"a": b"1", "b": b"2"}), "nothing changed, nothing sent"
    room.show({"a": b"1", "b": b"3"})
    second = await viewer.next()
    assert (kind_of(second), data_of(second)) == ("patch", {"b": 3})


async def test_a_viewer_who_has_this_version_is_not_sent_it_again() -> None:
    room = Room("r")
    room.show({"a": b"1"})
    back, other = Viewer(), Viewer()
    room.welcome(back, room.frame_id)
    room.welcome(other, "another-boot-1")
    assert data_of(await back.next()) == {}
    assert data_of(await other.next()) == {"a": 1}


async def test_a_slow_viewer_is_bounded_and_made_whole() -> None:
    room, viewer = Room("r"), Viewer()
    room.show({"a": b"0", "b": b"0"})
    room.welcome(viewer, "")
    for number in range(1, 50):
        room.show({"a": str(number).encode(), "b": b"0"})
        assert len(viewer._frames) <= QUEUE_LENGTH
    seen: dict[str, int] = {}
    while viewer._frames:
        seen |= data_of(await viewer.next())
    assert seen == {"a": 49, "b": 0}, "a lost patch must not leave the page wrong"


async def test_a_frame_is_encoded_once_for_all() -> None:
    room = Room("r")
    viewers = [Viewer() for _ in range(10)]
    room.show({"a": b"1"})
    for viewer in viewers:
        room.welcome(viewer, "")
    frames = {id(await viewer.next()) for viewer in viewers}
    assert len(frames) == 1


def test_deflated_frames_fit_any_stream() -> None:
    frames = [
        GREETING,
        Frame("patch", "1", b'{"a":1}'),
        KEEP_ALIVE,
        Frame("patch", "9", b'{"b":"' + b"x" * 9000 + b'"}'),
    ]
    for chosen in (frames, frames[1:], frames[::-1], frames[3:]):
        stream = GZIP_HEADER + b"".join(frame.deflated for frame in chosen)
        assert zlib.decompressobj(31).decompress(stream) == b"".join(frame.plain for frame in chosen)


class Watcher:
    """One open stream, read straight from the application."""

    def __init__(self, app: FastAPI, query: str, **headers: str) -> None:
        self.text = b""
        self.headers: dict[bytes, bytes] = {}
        self._left = asyncio.Event()
        sent = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
        self._scope = {
            "type": "http", "method": "GET", "path": "/api/stream", "raw_path": b"/api/stream", "root_path": "",
            "query_string": query.encode(), "headers": sent, "scheme": "http", "http_version": "1.1",
            "server": ("127.0.0.1", 8090), "client": ("127.0.0.1", 1), "app": app,
        }  # fmt: skip
        self.task = asyncio.create_task(app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not hasattr(self, "_asked"):
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
        self.text += message.get("body", b"")

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(5):
            while text not in self.text:
                await asyncio.sleep(0.01)

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self.task, 5)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(world(BLUEPRINT, NOW, touchpoints=120, days=1))


@pytest.fixture
async def app(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    monkeypatch.setattr(live_module, "POLL_S", 0.02)
    monkeypatch.setattr(live_module, "RECOMPUTE_S", 0.04)
    monkeypatch.setattr(live_module, "REST_FACTOR", 0)
    app = app_on(store)
    polling = asyncio.create_task(app.state.desk.live.run())
    yield app
    polling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await polling


async def test_what_is_written_reaches_the_viewer(app: FastAPI, store: FakeStore) -> None:
    watcher = Watcher(app, "view=today&window=24h")
    await watcher.until(b"event: snapshot")
    assert watcher.text.startswith(b"retry: 2000\n\n")
    assert watcher.headers[b"cache-control"] == b"no-store"
    assert b"content-security-policy" in watcher.headers
    written = dict(store.world.touchpoints[0]) | {
        "event_id": "new",
        "minute": NOW.replace(second=0),
        "occurred_at": NOW,
        "has_emotion": 1,
        "emotion": -1.0,
    }
    said = sum(row["has_emotion"] for row in store.world.touchpoints)
    store.world.touchpoints.append(written)
    await watcher.until(b"event: patch")
    patch = orjson.loads(watcher.text.split(b"event: patch")[1].split(b"data: ")[1].split(b"\n")[0])
    assert f"{said + 1} statements" in patch["figures"]
    assert not set(patch) & {"nav", "notice", "now"}, "unchanged parts are not sent"
    await watcher.leave()


async def test_json_view_and_gzip(app: FastAPI) -> None:
    watcher = Watcher(app, "view=json", **{"accept-encoding": "gzip, br"})
    await asyncio.sleep(0.2)
    await watcher.leave()
    assert watcher.headers[b"content-encoding"] == b"gzip"
    plain = zlib.decompressobj(31).decompress(watcher.text)
    assert orjson.loads(plain.split(b"data: ")[1].split(b"\n")[0])["map"]["totals"]["touchpoints"] > 0


async def test_nobody_watching_nothing_asked(app: FastAPI, store: FakeStore) -> None:
    watcher = Watcher(app, "view=today")
    await watcher.until(b"event: snapshot")
    assert app.state.desk.live.viewers == 1
    await watcher.leave()
    await asyncio.sleep(0.1)
    assert app.state.desk.live.viewers == 0
    store.asked.clear()
    await asyncio.sleep(0.2)
    assert not store.asked


async def test_nothing_written_nothing_computed(app: FastAPI, store: FakeStore) -> None:
    watcher = Watcher(app, "view=today")
    await watcher.until(b"event: snapshot")
    await asyncio.sleep(0.2)
    store.asked.clear()
    await asyncio.sleep(0.3)
    assert set(store.asked) == {"fingerprint"}
    await watcher.leave()


async def test_a_store_that_goes_away_and_returns_is_told(app: FastAPI, store: FakeStore) -> None:
    watcher = Watcher(app, "view=today")
    await watcher.until(b"event: snapshot")
    store.away = True
    await watcher.until(b"Waiting for clickhouse")
    store.away = False
    seen = len(watcher.text)
    async with asyncio.timeout(5):
        while b'aria-label=\\"Notices\\" hidden' not in watcher.text[seen:]:
            await asyncio.sleep(0.01)
    await watcher.leave()


async def test_only_so_many_different_pages_are_kept_live(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MAX_ROOMS", 1)
    live: Live = app.state.desk.live
    viewer = await live.enter(Scope(), "json", "")
    await live.enter(Scope(), "json", "")
    with pytest.raises(TooManyScopes):
        await live.enter(Scope("1h"), "json", "")
    live.leave(Scope(), "json", viewer)
    live.leave(Scope(), "json", viewer)
    assert live.viewers == 1


def test_a_costly_window_rests_longer_and_a_write_during_it_is_not_lost() -> None:
    pace = live_module._Pace(is_dirty=True, begun_at=0.0)
    assert pace.is_due(live_module.RECOMPUTE_S)
    pace.begin(10.0)
    pace.is_dirty = True  # written while it was computed
    pace.end(12.0)
    assert not pace.is_due(17.9)
    assert pace.is_due(18.0)
    cheap = live_module._Pace(is_dirty=False, begun_at=0.0)
    assert not cheap.is_due(live_module.SLIDE_S - 0.1), "nothing written, nothing computed"
    assert cheap.is_due(live_module.SLIDE_S)
