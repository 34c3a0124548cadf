"""Stores that stay filled: a test fills its database once, and is run again and again on what it read there.

The first run of a test is recorded: what its own client did, and what the pages' statements answered. In a run after
that nothing is written and nothing else is asked; only the statement under test goes to the database, as it was left.
A test that reads, writes and reads again may not pass on such a record. Then it judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from clickhouse_connect.driver.client import Client

if TYPE_CHECKING:
    from tests.clickhouse_fixture import ClickHouse

Rows = list[dict[str, object]]
Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement answered in the first run: rows, or an error."""

    parameters: Parameters
    zoned: bool
    rows: Rows
    error: Exception | None = None

    def again(self) -> Rows:
        """The same once more; the rows may be changed."""
        if self.error is not None:
            raise self.error
        return deepcopy(self.rows)


@dataclass
class Kept:
    """The record of one test, and its database."""

    name: str
    results: list[Any] = field(default_factory=list)
    """Of the commands of the test's own client, in order."""
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By statement and values."""
    asks: int = 0
    """How often the first run asked."""
    is_recorded: bool = False
    is_strange: bool = False
    """Whether a run asked something that the first run had not asked."""
    client: Client | None = None
    """The store's, which reads the database."""
    _place: int = 0

    def rewind(self) -> None:
        """From now on nothing is recorded: the next run begins."""
        self.is_recorded, self.is_strange, self._place = True, False, 0

    def command(self, call: Callable[[], Any]) -> Any:
        """Run it and note what it returned; in a later run only return it."""
        if not self.is_recorded:
            self.results.append(call())
            return self.results[-1]
        self._place += 1
        return self.results[self._place - 1]

    def answer(self, statement: str, parameters: Parameters, zoned: bool, ask: Callable[[], Rows]) -> Rows:
        """Ask and note the answer; in a later run only the answer."""
        key = (statement, repr(parameters))
        if self.is_recorded:
            if key in self.answers:
                return self.answers[key].again()
            self.is_strange = True
            return ask()
        self.asks += 1
        try:
            rows = ask()
        except Exception as error:
            self.answers[key] = Answer(parameters, zoned, [], error)
            raise
        self.answers[key] = Answer(parameters, zoned, deepcopy(rows))
        return rows

    def asked(self, statement: str) -> list[Answer]:
        """What the statement answered to all values."""
        return [answer for (one, _), answer in self.answers.items() if one == statement and answer.error is None]

    def statements(self) -> set[str]:
        """All that were asked."""
        return {statement for statement, _ in self.answers}


class Hand:
    """The client of a test: what it does is recorded. No database is dropped."""

    def __init__(self, kept: Kept, client: Client | None, database: str) -> None:
        self._kept = kept
        self._client: Any = client
        self.database = database

    def command(self, statement: str, *values: Any, **options: Any) -> Any:
        """As of a client."""
        if statement.startswith("DROP DATABASE"):
            return None
        return self._kept.command(lambda: self._client.command(statement, *values, **options))

    def insert(self, table: str, rows: Sequence[Any], *values: Any, **options: Any) -> Any:
        """As of a client."""
        return self._kept.command(lambda: self._client.insert(table, rows, *values, **options))

    def query(self, *values: Any, **options: Any) -> Any:
        """As of a client."""
        return self._kept.command(lambda: self._client.query(*values, **options))

    def close(self) -> None:
        """As of a client."""
        if self._client is not None:
            self._client.close()


def keep(patch: pytest.MonkeyPatch, current: Callable[[], Kept]) -> None:
    """Tests get a `Hand` for a client, and the same database in every run."""
    from tests import clickhouse_fixture  # not before pytest has taken it up

    dial = clickhouse_fixture.ClickHouse.client

    def client(self: ClickHouse, database: str = "default") -> Any:
        kept = current()
        return Hand(kept, None if kept.is_recorded else dial(self, database), database)

    patch.setattr(clickhouse_fixture.ClickHouse, "client", client)
    patch.setattr(clickhouse_fixture, "new_name", lambda: f"test_{current().name}")
