"""SQL in ClickHouse's dialect as a tree, by sqlglot, within bounds: texts are of a stranger's choosing.

Only the places of names are of use here, so that no function is taken apart: what it is called and what it is given
stay as they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import SqlglotError
from sqlglot.parsers.clickhouse import ClickHouseParser
from sqlglot.tokenizer_core import Token, TokenType

MAX_CHARS: Final = 128 << 10
MAX_TOKENS: Final = 20_000
# A place that can be read in two ways is read twice, and one within it four times: `tuple(tuple(tuple(…`.
MAX_STEPS_A_TOKEN: Final = 5


class Unreadable(Exception):
    """The text is not one SELECT that can be told apart into its clauses; the message says why."""


class _Parser(ClickHouseParser):
    FUNCTIONS = {}
    FUNCTION_PARSERS = {
        name: parser for name, parser in ClickHouseParser.FUNCTION_PARSERS.items() if name in ("VIEW", "COLUMNS")
    }
    # both `LIMIT n BY x` and `LIMIT n` in one query
    QUERY_MODIFIER_PARSERS = {
        **ClickHouseParser.QUERY_MODIFIER_PARSERS,
        TokenType.LIMIT: lambda self: _limit(self._parse_limit()),
    }

    _steps_left = 0

    def parse(self, raw_tokens: list[Token], sql: str) -> list[exp.Expr | None]:
        self._steps_left = MAX_STEPS_A_TOKEN * (len(raw_tokens) + 10)
        return super().parse(raw_tokens, sql)

    def _advance(self, times: int = 1) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Unreadable("it can be read in too many ways")
        super()._advance(times)

    @classmethod
    def _resolve_clickhouse_agg(cls, name: str) -> tuple[str, Sequence[str]] | None:
        return name, ()  # any function may be one of `f(parameters)(arguments)`


def parsed(text: str) -> tuple[exp.Expr, list[Token]]:
    """The one statement in `text`, and its tokens with their places. Raises Unreadable."""
    if len(text) > MAX_CHARS:
        raise Unreadable(f"it is longer than {MAX_CHARS} characters")
    dialect = ClickHouse()
    try:
        tokens = dialect.tokenize(text)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"it has more than {MAX_TOKENS} words and signs")
        found = _Parser(dialect=dialect).parse(tokens, text)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except SqlglotError as error:
        raise Unreadable(str(error).partition(". Line")[0][:200]) from None
    except Unreadable:
        raise
    except (
        Exception
    ):  # `{:}` ends in an AttributeError: what a stranger's text sets off in the library is no mistake of ours
        raise Unreadable("it cannot be parted into its clauses") from None
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise Unreadable("it is not one SELECT")
    return found[0], tokens


def _limit(limit: exp.Expr | None) -> tuple[str, exp.Expr | None]:
    return ("limit_by" if limit is not None and limit.expressions else "limit"), limit
