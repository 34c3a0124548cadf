"""A pytest plugin: the same tests over and over, each time with another mistake in one of the page's statements.

First every test runs as it is, and what it asks is recorded (`kept.py`). A mistaken statement is asked alone, of the
databases of the tests that ask it. Where it answers otherwise than the right one, the test runs again on its record,
with this answer. Where it answers alike everywhere, no test can notice.

What ClickHouse refuses is no mistake that anybody could make unseen: it is left out. So is a statement that does not
answer alike after sqlglot has read and written it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from clickhouse_connect.driver.client import Client
from sqlglot.errors import SqlglotError

from services.dashboard.clickhouse import ClickHouseStore
from streams.runtime import clickhouse
from tests.mutation.bench import SEED, Mutant, Tally
from tests.mutation.kept import Kept, keep
from tests.mutation.statements import Changed, mutants, written

JUDGES = 8
"""So many of the tests in which a mistaken statement answers otherwise judge it."""
STATEMENTS = 4
"""So many of the statements that a method sends are tried: they differ by what is filtered, sorted and rolled up."""
VALUES = 12
"""With so many of the values that a test asks with a mistaken statement is asked, from the first to the last."""
TIMES = 10
"""A test that asks so many times what it asked in its first run has lost its way: it pages without end."""
FILE = "services/dashboard/queries"
"""Where the statements are; a mutant's function is the method of the store that sends it."""


class Judge:
    """Runs the session's tests for every mutant: `most` of one method of the store, or of them only `these`."""

    def __init__(self, most: int, these: Collection[Mutant] | None = None) -> None:
        self.most = most
        self.these = these
        self.tallies: list[Tally] = []
        """What became of the mutants, method by method."""
        self.by: dict[str, str] = {}
        """Statement → the method of the store that sends it."""
        self._kept: dict[pytest.Item, Kept] = {}
        self._now = Kept("")
        self._changed: tuple[str, str] | None = None
        """The statement under test, and what is sent instead."""
        self._is_refused = False
        self._asks = 0
        self._ask: Callable[..., Any] = clickhouse.query_rows

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own loop."""
        with self._between():
            judges = self._recorded(session.items)
            methods: dict[str, list[str]] = {}
            for statement in judges:
                methods.setdefault(self.by.get(statement, "others"), []).append(statement)
            for method in sorted(methods):
                self.tallies.append(self._of_method(method, methods[method], judges))
        return True

    def _recorded(self, items: Sequence[pytest.Item]) -> dict[str, list[pytest.Item]]:
        """Statement → the tests that ask it. Ends the run when one fails by itself."""
        judges: dict[str, list[pytest.Item]] = {}
        for number, item in enumerate(items):
            kept = self._kept[item] = Kept(f"{number:012x}")
            if self._fails(item):
                raise pytest.UsageError(f"{item.nodeid} fails without any mistake")
            if self._fails(item) or kept.is_strange:
                _say(f"{item.nodeid} does not pass on its record: it judges nothing")
                continue
            for statement in kept.statements():
                judges.setdefault(statement, []).append(item)
        return {statement: judges[statement] for statement in sorted(judges)}

    def _mistakes(self, statement: str, judges: Sequence[pytest.Item]) -> list[Changed]:
        try:
            same = Changed("", "", written(statement))
            found = mutants(statement)
        except SqlglotError:
            return []
        return found if found and not self._noticed(statement, same, judges[:2]) else []

    def _of_method(self, method: str, sent: list[str], judges: Mapping[str, Sequence[pytest.Item]]) -> Tally:
        chance = random.Random(f"{SEED} {method}")
        some = chance.sample(sent, min(STATEMENTS, len(sent)))
        found = [(one, changed) for one in some for changed in self._mistakes(one, judges[one])]
        tried = noticed = 0
        survived = []
        for statement, changed in chance.sample(found, min(self.most, len(found))):
            mutant = Mutant(FILE, method, changed.was, changed.became)
            if self.these is not None and mutant not in self.these:
                continue
            is_noticed = self._noticed(statement, changed, judges[statement])
            if self._is_refused:
                continue
            tried += 1
            noticed += is_noticed
            if not is_noticed:
                survived.append(mutant)
                _say(f"  {method}\n    - {mutant.was}\n    + {mutant.became}")
        _say(f"{method}: {noticed} of {tried} noticed")
        return Tally(FILE, len(found), tried, noticed, tuple(survived), 0)

    def _noticed(self, statement: str, changed: Changed, judges: Sequence[pytest.Item]) -> bool:
        self._changed, self._is_refused = (statement, changed.statement), False
        try:
            left = JUDGES
            for item in judges:
                if not left or self._is_refused:
                    break
                if self._differs(self._kept[item], statement, changed.statement):
                    left -= 1
                    if self._fails(item):
                        return True
            return False
        finally:
            self._changed = None

    def _differs(self, kept: Kept, right: str, wrong: str) -> bool:
        """Whether a mistaken statement answers otherwise in a test's database, for any of the values."""
        asked = kept.asked(right)
        for answer in asked[:: -(-len(asked) // VALUES) or 1]:
            try:
                rows = self._ask(kept.client, wrong, answer.parameters, zoned=answer.zoned)
            except Exception:
                self._is_refused = True
                return False
            if repr(rows) != repr(answer.rows):
                return True
        return False

    def _fails(self, item: pytest.Item) -> bool:
        self._now, self._asks = self._kept[item], 0
        item._initrequest()  # type: ignore[attr-defined] # or it has no fixtures the second time
        # its session comes next, so to say: what lives shorter is put away, and the engine stays
        reports = runtestprotocol(item, log=False, nextitem=item.session)  # type: ignore[arg-type]
        self._now.rewind()
        return any(report.failed for report in reports)

    def _sent(
        self, client: Client, statement: str, parameters: Mapping[str, object] | None = None, *, zoned: bool = False
    ) -> Any:
        """In the place of `query_rows`."""
        self._asks += 1
        if self._now.is_recorded and self._asks > TIMES * (self._now.asks + 1):
            raise TimeoutError("it asks without end")
        if self._changed is not None and statement == self._changed[0]:
            return self._ask(client, self._changed[1], parameters, zoned=zoned)
        values = dict(parameters or {})
        self._now.client = client  # closed with the store, it dials again
        return self._now.answer(statement, values, zoned, lambda: self._ask(client, statement, values, zoned=zoned))

    @contextmanager
    def _between(self) -> Iterator[None]:
        """Statements pass by here on their way from the store to the engine."""
        rows, self._ask = ClickHouseStore.rows, clickhouse.query_rows

        def noted(store: ClickHouseStore, statement: str, **parameters: object) -> Any:
            caller = sys._getframe(1)
            while caller.f_code.co_name.startswith("<") and caller.f_back:
                caller = caller.f_back
            self.by.setdefault(statement, caller.f_code.co_name)
            return rows(store, statement, **parameters)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ClickHouseStore, "rows", noted)
            patch.setattr(clickhouse, "query_rows", self._sent)
            keep(patch, lambda: self._now)
            yield


def _say(line: str) -> None:
    print(line, file=sys.__stdout__, flush=True)
