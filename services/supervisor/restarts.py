"""Who restarts a service on one machine: this loop, one for each child. When: `restart_policy`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.supervisor.child import Child

EXIT_CONFIGURATION: Final = 78


async def kept_running(child: Child) -> None:
    """Start it, and again whenever it ends, until `stop`; or until a job is done or it refuses its configuration."""
    was_ready = False
    while not child.stopping.is_set():
        await child.until_there_is_space()
        code = await child.live_once()
        ready_for_s = time.monotonic() - child.ready_s if child.ready.is_set() else 0.0
        was_ready = was_ready or child.ready.is_set()
        child.up.clear()
        child.ready.clear()
        if child.stopping.is_set() or _ended_for_good(child, code, was_ready):
            return
        if not child.lacks_space():  # the end of a full disk is no crash: the start waits for space
            await _back_off(child, code, ready_for_s)


def _ended_for_good(child: Child, code: int, was_ready: bool) -> bool:
    if child.spec.job and code == 0:
        child.change("done", f"done {child.age_s:.1f} s")
        child.up.set()
        child.ready.set()
        return True
    if code == EXIT_CONFIGURATION and not was_ready:
        child.change("refused", "refused its configuration")
        return True
    return False


async def _back_off(child: Child, code: int, ready_for_s: float) -> None:
    decision = child.policy.died(time.monotonic(), ready_for_s=ready_for_s)
    child.restarts += 1
    loop = "; crash loop, see " + str(child.log_path) if decision.crash_loop else ""
    child.change("restarting", f"{_ended(code)}; starting again in {decision.delay_s:g} s{loop}")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(decision.delay_s):
            await child.stopping.wait()


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
