"""Children by fork are what children of their own interpreter would be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from services.supervisor.folder import birth
from services.supervisor.forks import Forked, Forks
from tests.processes import parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")


def run(scene: Callable[[Forks], Awaitable[Any]], *modules: str) -> Any:
    async def scenario() -> Any:
        forks = Forks(modules)
        try:
            return await asyncio.wait_for(scene(forks), 20)
        finally:
            await forks.close()

    return asyncio.run(scenario())


async def begin(forks: Forks, *arguments: str, loads: str = "wave", **env: str) -> Forked:
    env = {"TOUCHLINE_OPS_PORT": "0", "PATH": os.environ["PATH"], **env}
    return await forks.fork(
        {"module": "tests.integration.forked", "arguments": list(arguments), "loads": loads, "env": env}
    )


async def told(child: Forked) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(await child.stdout.read())
    assert await child.wait() == 0
    return said


def test_a_child_has_its_arguments_environment_modules_and_session() -> None:
    async def scene(forks: Forks) -> None:
        first = await begin(forks, "a", "b c", T_ONE="1")
        said = await told(first)
        assert said == {"arguments": ["a", "b c"], "env": {"T_ONE": "1"}, "loaded": ["wave"], "session": first.pid}
        second = await told(await begin(forks, "d", loads="colorsys", T_TWO="2"))
        assert (second["arguments"], second["env"]) == (["d"], {"T_TWO": "2"})
        assert second["loaded"] == ["wave", "colorsys"]

    run(scene)


def test_it_is_called_what_it_runs() -> None:
    async def scene(forks: Forks) -> None:
        child = await begin(forks, "serve")
        wanted = f"{sys.executable} -m tests.integration.forked serve"
        while Path(f"/proc/{child.pid}/cmdline").read_bytes().rstrip(b"\0").decode() != wanted:
            await asyncio.sleep(0.01)

    run(scene)


@pytest.mark.parametrize("code", [0, 3, 78])
def test_its_exit_code_arrives(code: int) -> None:
    async def scene(forks: Forks) -> int:
        return await (await begin(forks, "end", str(code))).wait()

    assert run(scene) == code


def test_a_crash_is_told_in_its_own_output() -> None:
    async def scene(forks: Forks) -> None:
        child = await begin(forks, "raise")
        assert b"RuntimeError: this is what went wrong" in await child.stdout.read()
        assert await child.wait() == 1

    run(scene)


def test_a_signal_that_ends_it_arrives_as_a_negative_code() -> None:
    async def scene(forks: Forks) -> None:
        child = await begin(forks, "serve")
        assert child.returncode is None
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == -signal.SIGTERM
        assert child.returncode == -signal.SIGTERM

    run(scene)


def test_many_at_once_are_not_taken_for_one_another() -> None:
    async def scene(forks: Forks) -> None:
        children = await asyncio.gather(*(begin(forks, "end", str(code)) for code in range(40)))
        assert await asyncio.gather(*(child.wait() for child in children)) == list(range(40))

    run(scene)


def test_a_module_that_cannot_be_loaded_is_its_childs_trouble_alone() -> None:
    async def scene(forks: Forks) -> None:
        lost = await forks.fork({"module": "tests.no_such", "arguments": [], "loads": "tests.nor_this", "env": {}})
        assert b"No module named 'tests.no_such'" in await lost.stdout.read()
        assert await lost.wait() == 1
        assert (await told(await begin(forks, "a")))["arguments"] == ["a"]

    run(scene, "tests.not_there_either")


def test_with_the_server_go_its_children_and_the_next_one_comes_from_a_new_server() -> None:
    async def scene(forks: Forks) -> None:
        child = await begin(forks, "serve")
        started, server = birth(child.pid), parent(child.pid)
        os.kill(server, signal.SIGKILL)
        assert await child.wait() == -signal.SIGKILL
        while birth(child.pid) == started:
            await asyncio.sleep(0.01)
        assert parent((await begin(forks, "serve")).pid) != server

    run(scene)


def test_who_asks_while_the_server_ends_is_told_so() -> None:
    async def scene(forks: Forks) -> None:
        server = parent((await begin(forks, "serve")).pid)
        os.kill(server, signal.SIGSTOP)
        asked = asyncio.create_task(begin(forks, "serve"))
        await asyncio.sleep(0.05)
        os.kill(server, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            await asked
        assert (await begin(forks, "serve")).pid

    run(scene)


def test_nothing_is_left_after_close() -> None:
    async def scene(forks: Forks) -> tuple[int, int]:
        child = await begin(forks, "serve")
        return child.pid, birth(child.pid)

    pid, started = run(scene)
    deadline = time.monotonic() + 5
    while birth(pid) == started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
