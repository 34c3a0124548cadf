"""Mistakes in a statement of SQL, one at a time: a condition left out, `<` that becomes `<=`, a sum that counts.

sqlglot reads the statement and writes each mistaken one; what it cannot read has no mutants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from os.path import commonprefix
from typing import Final

import sqlglot
from sqlglot import exp

DIALECT: Final = "clickhouse"
BESIDE: Final = 40
"""Characters of the statement that are shown before a mistake and after it."""

Mistake = Callable[[exp.Expr], Iterator[exp.Expr]]
"""A part of a statement → what may stand in its place, made of copies."""

_EDGES: Final[Mapping[type[exp.Expr], tuple[type[exp.Binary], ...]]] = {
    exp.LT: (exp.LTE,),
    exp.LTE: (exp.LT,),
    exp.GT: (exp.GTE,),
    exp.GTE: (exp.GT,),
    exp.EQ: (exp.NEQ,),
    exp.NEQ: (exp.EQ,),
    exp.Add: (exp.Sub,),
    exp.Sub: (exp.Add,),
    exp.Mul: (exp.Div,),
    exp.And: (exp.Or,),
}
_CALLS: Final[Mapping[str, str]] = {
    "sum": "max",
    "max": "min",
    "min": "max",
    "argMax": "argMin",
    "argMin": "argMax",
    "uniqExact": "count",
    "any": "max",
    "sumIf": "maxIf",
    "sumForEach": "maxForEach",
    "uniqExactArray": "sumArray",
    "greatest": "least",
    "least": "greatest",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """One mistaken statement: the part before and after, and the whole of it."""

    was: str
    became: str
    statement: str


def mutants(statement: str) -> list[Changed]:
    """Every mistake of the kinds below, in the order of the statement. Raises sqlglot's ParseError."""
    tree = sqlglot.parse_one(statement, read=DIALECT)
    right = tree.sql(DIALECT)
    wrong = dict.fromkeys(_with(tree, part, other) for part in list(tree.walk()) for other in _mistakes(part))
    return [Changed(*difference(right, text), text) for text in wrong if text != right]


def written(statement: str) -> str:
    """The statement as sqlglot writes it, without a mistake."""
    return sqlglot.parse_one(statement, read=DIALECT).sql(DIALECT)


def difference(right: str, wrong: str) -> tuple[str, str]:
    """What differs, with some of what stands around it."""
    before = len(commonprefix((right, wrong)))
    after = len(commonprefix((right[before:][::-1], wrong[before:][::-1])))
    start = max(0, before - BESIDE)
    return right[start : len(right) - after + BESIDE], wrong[start : len(wrong) - after + BESIDE]


def _mistakes(part: exp.Expr) -> Iterator[exp.Expr]:
    for kind in _KINDS:
        yield from kind(part)


def _with(tree: exp.Expr, part: exp.Expr, other: exp.Expr) -> str:
    """The statement with `other` in the place of `part`, which is put back."""
    if part is tree:
        return other.sql(DIALECT)
    put = part.replace(other)
    text = tree.sql(DIALECT)
    put.replace(part)
    return text


def _one_condition_less(part: exp.Expr) -> Iterator[exp.Expr]:
    """Of `a AND b AND c`, and of `a OR b`: without each."""
    kind = type(part)
    if isinstance(part, exp.And | exp.Or) and not isinstance(part.parent, kind):
        every = list(part.flatten(unnest=False))
        for left_out in every:
            rest = [condition.copy() for condition in every if condition is not left_out]
            yield reduce(lambda one, other: kind(this=one, expression=other), rest)


def _another_operator(part: exp.Expr) -> Iterator[exp.Expr]:
    for other in _EDGES.get(type(part), ()):
        yield other(this=part.this.copy(), expression=part.expression.copy())


def _another_call(part: exp.Expr) -> Iterator[exp.Expr]:
    text = part.sql(DIALECT)
    name, bracket, rest = text.partition("(")
    if isinstance(part, exp.Func) and bracket and name in _CALLS:
        yield sqlglot.parse_one(f"{_CALLS[name]}({rest}", read=DIALECT)


def _other_branch(part: exp.Expr) -> Iterator[exp.Expr]:
    """`if(c, a, b)` becomes `if(c, b, a)`."""
    if isinstance(part, exp.If) and part.args.get("true") and part.args.get("false"):
        yield exp.If(this=part.this.copy(), true=part.args["false"].copy(), false=part.args["true"].copy())


def _one_source_less(part: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(part, exp.Union):
        yield part.left.copy()
        yield part.right.copy()


def _left_out(part: exp.Expr) -> Iterator[exp.Expr]:
    """Without FINAL, HAVING, DISTINCT or an order."""
    if isinstance(part, exp.Final):
        yield part.this.copy()
    for name in ("having", "distinct", "order") if isinstance(part, exp.Select) else ():
        if part.args.get(name):
            copy = part.copy()
            copy.set(name, None)
            yield copy


def _other_way_round(part: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(part, exp.Ordered):
        copy = part.copy()
        copy.set("desc", not part.args.get("desc"))
        yield copy


def _one_more(part: exp.Expr) -> Iterator[exp.Expr]:
    """A number, but not one of a type (`DateTime64(3)`), nor of a limit that only keeps an answer short."""
    if part.is_int and isinstance(part, exp.Literal) and not part.find_ancestor(exp.DataType, exp.Limit):
        yield exp.Literal.number(int(part.this) + 1)


def _another_join(part: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(part, exp.Join) and part.side == "LEFT":
        copy = part.copy()
        copy.set("side", None)
        yield copy


_KINDS: Final[tuple[Mistake, ...]] = (
    _one_condition_less,
    _another_operator,
    _another_call,
    _other_branch,
    _one_source_less,
    _left_out,
    _other_way_round,
    _one_more,
    _another_join,
)
