"""Whether two checkouts come to the same bytes: for changes that shall only cost less.

    python -m tests.same_results BEFORE [--seed 1] [--mutants 100] [--accounts 20]

BEFORE is a folder with the earlier code (`git worktree add`). In each checkout every example of the vendors, and so
many seeded mutants of it, is read; and simulated accounts take in their touchpoints in two orders and are rebuilt. The
first difference is shown, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from schemas.touchpoints import RawRequest
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.facts import account_fact, facts_of, signal_fact, touchpoint_fact
from tests.simulation.score import stories
from tests.simulation.world import Story, delivered

FIXTURES: Final = Path(__file__).parent / "fixtures" / "vendors"
NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
ODD: Final[tuple[Any, ...]] = (
    None, "", 0, 1, -1, True, False, [], {}, 1e20, 4.5, ["a"], {"id": "7"}, 12345678901234567890, "undefined", "0000",
    "a@b.example", "Ann <ann@acme.example>", "info@acme.example", "+31 20 1234567", "x" * 600,
    "+31201234567" + " " * 600,
    "https://www.acme.example/pricing?utm_source=google&gclid=1", "/nl/prijzen?x=1#y", "curl/8", "ios", "bot", "web",
    "Mozilla/5.0 (iPhone) Safari/605", "2026-11-22T11:00:00Z", "1764000000", {"name": "Acme", "domain": "acme.example"},
    " spaced ", "{{user.id}}", "00000000-0000-4000-8000-000000000000", "é" * 300, "page not found",
)  # fmt: skip


def readings(seed: int, mutants: int) -> Iterator[str]:
    """What each example, and each mutant of it, is read as."""
    for path in sorted(FIXTURES.glob("*/*.json")):
        example, connector = json.loads(path.read_text()), CONNECTORS.get(path.parent.name)
        body = "" if example["body"] is None else example["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        if connector is None:
            continue
        rng = random.Random(f"{seed}/{path.parent.name}/{path.name}")
        for changed in (text, *_mutants(text, rng, mutants)):
            request = RawRequest(
                request_id="r", source="web", vendor=path.parent.name, received_at=NOW, path=example["path"],
                query=example["query"], headers=example.get("headers", {}), body=changed,
            )  # fmt: skip
            for found in connector.read(request):
                yield found.touchpoint.encoded().decode() if isinstance(found, Mapped) else repr(found)


def _mutants(text: str, rng: random.Random, number: int) -> Iterator[str]:
    try:
        told = json.loads(text)
    except ValueError:
        return
    pool = [place for place in _places(told) if isinstance(place[1], str)]
    for _ in range(number if pool else 0):
        changed = copy.deepcopy(told)
        for _ in range(rng.randrange(1, 6)):
            if places := list(_places(changed)):
                _change(places, pool, rng)
        yield json.dumps(changed)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (object or array, key or index) inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(inner):
        yield value, key
        yield from _places(below)


def _change(places: list[tuple[Any, Any]], pool: list[tuple[Any, Any]], rng: random.Random) -> None:
    """One value is another, or gone; or a field stands where none was."""
    (place, key), (source, name), chance = rng.choice(places), rng.choice(pool), rng.random()
    if chance < 0.35:
        place[key] = copy.deepcopy(rng.choice(ODD))
    elif chance < 0.7 and isinstance(place, dict):
        place[name] = copy.deepcopy(source[name] if rng.random() < 0.6 else rng.choice(ODD))
    elif chance < 0.85 and isinstance(place, dict):
        del place[key]
    else:
        place[key] = copy.deepcopy(source[name])


def rows(seed: int, accounts: int) -> Iterator[str]:
    """What accounts tell while they take in their touchpoints, in two orders, and when they are rebuilt."""
    rng, blueprint = random.Random(seed), load()
    for story in stories(accounts, seed):
        yield from _told(story, blueprint, rng)


def _told(story: Story, blueprint: CompiledBlueprint, rng: random.Random) -> Iterator[str]:
    items = sorted(delivered(story), key=lambda item: item.touchpoint.received_at)
    for is_shuffled in (False, True):
        account, left = AccountJourney(story.account_id, blueprint), list(items)
        while left:
            number = rng.randrange(1, 6)
            batch, left = left[:number], left[number:]
            if is_shuffled and left:
                batch[0], left[0] = left[0], batch[0]
            as_of = max(item.touchpoint.ordered_at for item in batch)
            changes = account.accept(batch, as_of)
            yield from (fact.encoded().decode() for fact in facts_of(account, changes, as_of))
            yield repr((len(changes.refold), changes.incomplete, changes.cause, _corrected(changes), changes.retold))
            yield account_fact(account, as_of).encoded().decode()
    as_of = max((item.touchpoint.ordered_at for item in items), default=NOW) + timedelta(days=3)
    account, journey = AccountJourney.rebuilt(story.account_id, blueprint, items, as_of)
    yield from (touchpoint_fact(account, placed, 1).encoded().decode() for placed in journey.placed.values())
    yield from (signal_fact(story.account_id, signal, 1).encoded().decode() for signal in journey.signals.values())


def _corrected(changes: Any) -> object:
    """Why rows were corrected from memory; earlier code calls it `mended`."""
    return changes.corrected if hasattr(changes, "corrected") else changes.mended


def main() -> int:
    """0 where both say the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_results", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path, help="the earlier checkout; `-`: write what this one says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=100, help="of each example")
    parser.add_argument("--accounts", type=int, default=20)
    given = parser.parse_args()
    if str(given.before) == "-":
        for said in (*readings(given.seed, given.mutants), *rows(given.seed, given.accounts)):
            print(said)  # noqa: T201
        return 0
    options = [f"--{name}={getattr(given, name)}" for name in ("seed", "mutants", "accounts")]
    with tempfile.TemporaryFile("w+") as before, tempfile.TemporaryFile("w+") as after:
        for tree, file in ((given.before.resolve(), before), (Path(__file__).parents[1], after)):
            environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
            subprocess.run(
                [sys.executable, __file__, "-", *options], cwd=tree, env=environment, stdout=file, check=True
            )
            file.seek(0)
        return _compared(before, after)


def _compared(before: Iterator[str], after: Iterator[str]) -> int:
    number = 0
    for number, (one, other) in enumerate(zip_longest(before, after), 1):
        if one != other:
            print(f"line {number} differs\nbefore: {one}\nnow:    {other}")  # noqa: T201
            return 1
    print(f"{number:,} lines, all the same")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
