"""A pytest plugin: the same tests over and over, each time with another mistake in one of the page's statements.

First every test runs as it is, and what it asks is noted. Then a statement is replaced on its way to ClickHouse, and
the tests that ask it run again, the quickest first, until one fails. The engine is started once for all.

What ClickHouse refuses is no mistake that anybody could make unseen: it is left out. So is a statement that does not
answer alike after sqlglot has read and written it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from clickhouse_connect.driver.client import Client
from sqlglot.errors import SqlglotError

from services.dashboard.clickhouse import ClickHouseStore
from streams.runtime import clickhouse
from tests.mutation.bench import SEED, Mutant, Tally
from tests.mutation.statements import Changed, mutants, written

JUDGES = 8
"""So many of the tests that ask a statement judge it, the quickest first."""


@dataclass
class Asked:
    """What the tests ask, and what is asked instead."""

    by: dict[str, str] = field(default_factory=dict)
    """Statement → the method of the store that sends it."""
    now: dict[str, None] = field(default_factory=dict)
    """Statements of the test that runs, in order."""
    right: str = ""
    wrong: str = ""
    refused: bool = False

    def instead(self, statement: str) -> str:
        """What to send."""
        self.now[statement] = None
        return self.wrong if self.wrong and statement == self.right else statement


FILE = "services/dashboard/queries"
"""Where the statements are; a mutant's function is the method of the store that sends it."""


class Judge:
    """Runs the session's tests for every mutant: `most` of one method of the store, or of them only `these`."""

    def __init__(self, most: int, these: Collection[Mutant] | None = None) -> None:
        self.most = most
        self.these = these
        self.asked = Asked()
        self.tallies: list[Tally] = []
        """What became of the mutants, method by method."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own loop."""
        with _between(self.asked):
            judges = self._as_it_is(session.items)
            methods: dict[str, list[tuple[str, Changed]]] = {}
            for statement in judges:
                some = methods.setdefault(self.asked.by.get(statement, "others"), [])
                some += [(statement, changed) for changed in self._mistakes(statement, judges[statement])]
            for method in sorted(methods):
                self.tallies.append(self._of_method(method, methods[method], judges))
        return True

    def _as_it_is(self, items: Sequence[pytest.Item]) -> dict[str, list[pytest.Item]]:
        """Statement → the tests that ask it, the quickest first. Ends the run when one fails by itself."""
        took: dict[pytest.Item, float] = {}
        judges: dict[str, list[pytest.Item]] = {}
        for item in items:
            started = time.monotonic()
            if self._fails(item):
                raise pytest.UsageError(f"{item.nodeid} fails without any mistake")
            took[item] = time.monotonic() - started
            for statement in self.asked.now:
                judges.setdefault(statement, []).append(item)
        return {statement: sorted(some, key=took.__getitem__)[:JUDGES] for statement, some in judges.items()}

    def _mistakes(self, statement: str, judges: Sequence[pytest.Item]) -> list[Changed]:
        try:
            same = Changed("", "", written(statement))
            found = mutants(statement)
        except SqlglotError:
            return []
        return found if found and not self._noticed(statement, same, judges[:1]) else []

    def _of_method(
        self, method: str, found: list[tuple[str, Changed]], judges: Mapping[str, Sequence[pytest.Item]]
    ) -> Tally:
        tried = noticed = 0
        survived = []
        for statement, changed in random.Random(f"{SEED} {method}").sample(found, min(self.most, len(found))):
            mutant = Mutant(FILE, method, changed.was, changed.became)
            if self.these is not None and mutant not in self.these:
                continue
            is_noticed = self._noticed(statement, changed, judges[statement])
            if self.asked.refused:
                continue
            tried += 1
            noticed += is_noticed
            survived += [] if is_noticed else [mutant]
        print(f"{method}: {noticed} of {tried} noticed", file=sys.__stdout__, flush=True)
        return Tally(FILE, len(found), tried, noticed, tuple(survived), 0)

    def _noticed(self, statement: str, changed: Changed, judges: Sequence[pytest.Item]) -> bool:
        self.asked.right, self.asked.wrong, self.asked.refused = statement, changed.statement, False
        try:
            return any(self._fails(item) for item in judges)
        finally:
            self.asked.wrong = ""

    def _fails(self, item: pytest.Item) -> bool:
        self.asked.now.clear()
        item._initrequest()  # type: ignore[attr-defined] # or it has no fixtures the second time
        # its session comes next, so to say: what lives shorter is put away, and the engine stays
        reports = runtestprotocol(item, log=False, nextitem=item.session)  # type: ignore[arg-type]
        return any(report.failed for report in reports)


@contextmanager
def _between(asked: Asked) -> Iterator[None]:
    """Statements pass by `asked` on their way from the store to the engine."""
    rows, query_rows = ClickHouseStore.rows, clickhouse.query_rows

    def noted(store: ClickHouseStore, statement: str, **parameters: object) -> Any:
        asked.by.setdefault(statement, sys._getframe(1).f_code.co_name)
        return rows(store, statement, **parameters)

    def sent(
        client: Client, statement: str, parameters: Mapping[str, object] | None = None, *, zoned: bool = False
    ) -> Any:
        other = asked.instead(statement)
        try:
            return query_rows(client, other, parameters, zoned=zoned)
        except Exception:
            asked.refused = asked.refused or other != statement
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClickHouseStore, "rows", noted)
        patch.setattr(clickhouse, "query_rows", sent)
        yield
