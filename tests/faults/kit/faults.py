"""Every fault by its name. To add one: a function here or beside, one line in FAULTS, and the page tells of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults.kit import aside, disks, floods
from tests.faults.kit.campaign import COMPONENTS, Campaign, Sent, campaign
from tests.faults.kit.report import Report
from tests.faults.kit.system import SERVICES, SUPERVISOR, System

FREEZABLE = (*SERVICES, SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Options:
    """How often, how long, how fast; `components` empty: all that the fault knows."""

    runs: int
    seed: int
    rate_per_s: float = 120.0
    components: tuple[str, ...] = ()
    freeze_s: float = 60.0
    flood_s: float = 30.0


@dataclass(slots=True)
class Ground:
    """Where faults happen: one system for those that may share it, started when first asked for."""

    folder: Path
    sent: Sent = field(default_factory=Sent)
    _shared: System | None = None

    def shared(self) -> System:
        """The system that has been through everything so far."""
        if self._shared is None:
            self._shared = System(self.folder / "shared")
            self._shared.start()
        return self._shared

    def close(self) -> None:
        """Stop it."""
        if self._shared is not None:
            self._shared.stop()


@dataclass(frozen=True, slots=True)
class Fault:
    """`does`: what is done, for the page. `runs`: how often each, unless told otherwise."""

    does: str
    run: Callable[[Ground, Options], Iterator[Report]]
    runs: int = 1
    components: tuple[str, ...] = ()


def _kill(ground: Ground, options: Options) -> Iterator[Report]:
    for component in options.components:
        plan = Campaign((component,), options.runs, options.seed, options.rate_per_s)
        yield campaign(ground.shared(), ground.sent, plan)


def _freeze(ground: Ground, options: Options) -> Iterator[Report]:
    def harm(system: System, component: str) -> float:
        with system.frozen(component), contextlib.ExitStack() as beside:
            if component == "kafka":
                grown.append(beside.enter_context(floods.memory(system, "gateway")))
            time.sleep(options.freeze_s)
        return time.monotonic()

    grown: list[list[float]] = []
    for component in options.components:
        plan = Campaign(
            (component,), options.runs, options.seed, options.rate_per_s / 3, "sigstop", options.freeze_s + 6
        )
        done = campaign(ground.shared(), ground.sent, plan, harm)
        growth_mb = max((max(seen) - seen[0] for seen in grown if seen), default=0.0)
        said = f"; the gateway grew by {growth_mb:.0f} MB in {options.freeze_s:.0f} s without Kafka"
        yield replace(done, said=done.said + said) if component == "kafka" else done


def _noisy(ground: Ground, options: Options) -> Iterator[Report]:
    yield floods.noisy_source(ground.shared(), ground.sent, options.seed, options.rate_per_s, options.flood_s)


def _aside(ground: Ground, options: Options) -> Iterator[Report]:
    yield aside.set_aside(ground.shared(), ground.sent, options.seed, options.rate_per_s / 2, requests=500)


def _hot(ground: Ground, options: Options) -> Iterator[Report]:
    yield floods.hot_account(ground.shared(), ground.sent, options.seed, options.rate_per_s, options.flood_s)


def _burst(ground: Ground, options: Options) -> Iterator[Report]:
    yield floods.burst(ground.folder / f"burst-{options.seed}", options.seed, options.flood_s)


def _truncated(ground: Ground, options: Options) -> Iterator[Report]:
    yield disks.truncated_log(ground.folder / f"truncated-{options.seed}", options.seed, options.rate_per_s)


def _full(ground: Ground, options: Options) -> Iterator[Report]:
    yield disks.full_disk(ground.folder / f"full-{options.seed}", options.seed, options.rate_per_s, options.flood_s)


FAULTS: dict[str, Fault] = {
    "kill": Fault(
        "SIGKILL to one process at a random moment; “everything” is the whole tree at once, started again.",
        _kill,
        runs=10,
        components=COMPONENTS,
    ),
    "sigstop": Fault(
        "SIGSTOP to one process (the broker with its JVM) for 60 s, then SIGCONT: it comes back believing that no time "
        "has passed.",
        _freeze,
        components=FREEZABLE,
    ),
    "disk-full": Fault(
        "The data folder is a small tmpfs that is filled to the last byte for 30 s and then freed.", _full
    ),
    "truncated-log": Fault(
        "Everything is killed, the last third of every log of Kafka is cut off, and everything is started again.",
        _truncated,
    ),
    "burst": Fault(
        "Three times as many events a second as the pipeline had just taken in, for 30 s, by as many connections as it "
        "takes; in the last third Kafka stands still, and the gateway may hold 4 MiB.",
        _burst,
    ),
    "noisy-source": Fault(
        "One source sends only what is refused (no JSON, a wrong key, too large, nothing that can be understood) for "
        "30 s while its neighbours go on; the recovery is how long an event of a neighbour takes to the map meanwhile.",
        _noisy,
    ),
    "set-aside": Fault(
        "Most of what one source sends is refused, so it is set aside; it sends on, and is resumed by hand. "
        "`attribute` is killed while it sets aside and while it reads what waited; the recovery is how long an event "
        "of a neighbour takes to the map after the first kill.",
        _aside,
        runs=3,
    ),
    "hot-account": Fault(
        "Half of all people belong to one account; the recovery is how long an event of somebody else takes meanwhile.",
        _hot,
    ),
}


def reports(ground: Ground, name: str, options: Options) -> Iterator[Report]:
    """Run one fault as often as told. A floodlike one runs anew with each seed, a harm N times under one load."""
    fault = FAULTS[name]
    if fault.components:
        chosen = tuple(each for each in options.components or fault.components if each in fault.components)
        yield from fault.run(ground, replace(options, components=chosen, runs=options.runs or fault.runs))
        return
    for seed in range(options.seed, options.seed + (options.runs or fault.runs)):
        yield from fault.run(ground, replace(options, seed=seed))
