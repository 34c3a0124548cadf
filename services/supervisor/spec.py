"""What a child is: how it is started, what it waits for, how one sees that it is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

EDGE, PROCESSORS, STORES = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process.

    `after`: names that must be ready before. `spawn_after`: names that may come first, for some seconds.
    `space`: it cannot start with less than so many bytes free where this folder is; it is waited for, not tried.
    `probe_port`: GET /healthz there answers 200 when it is ready; None takes the port it is given for /healthz and
    /metrics; 0 means that it prints `{"ready": true, …}` on stdout. A `job` ends with 0 and is ready from then on.
    """

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    spawn_after: tuple[str, ...] = ()
    job: bool = False
    probe_port: int | None = None
    probe_host: str = "127.0.0.1"
    stop_wave: int = PROCESSORS
    space: tuple[Path, int] | None = None
    env: dict[str, str] = field(default_factory=dict)


def checked(specs: Sequence[ChildSpec]) -> tuple[ChildSpec, ...]:
    """The specs, if every name they wait for stands before them; so nothing can wait in a circle."""
    seen: set[str] = set()
    for spec in specs:
        unknown = {*spec.after, *spec.spawn_after} - seen
        if unknown or spec.name in seen:
            raise ValueError(f"{spec.name}: named twice, or waits for {sorted(unknown)} which does not stand before it")
        seen.add(spec.name)
    return tuple(specs)
