"""What a reader's statement weighs: a query that a WITH names counts wherever it is read."""

from __future__ import annotations

import pytest

from services.embedded.clickhouse.sql_check import MAX_PARTS
from services.embedded.clickhouse.statement_cost import COLUMNS, MANY, PARTS, weight
from services.embedded.clickhouse.tree import tree

SELECT, TABLE = PARTS["SelectQuery"], PARTS["TableIdentifier"]


def query(*tables: str, depth: int = 0, of: str = "") -> str:
    """As EXPLAIN AST tells `WITH … SELECT x FROM table UNION ALL SELECT x FROM table …`; `of`: what it names before."""
    lines = ["SelectWithUnionQuery (children 1)", f" ExpressionList (children {len(tables)})"]
    for number, table in enumerate(tables):
        lines += [f"  SelectQuery (children {3 if of and not number else 2})"]
        lines += [of] if of and not number else []
        lines += ["   ExpressionList (children 1)", "    Identifier x", "   TablesInSelectQuery (children 1)"]
        lines += ["    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)"]
        lines += [f"      TableIdentifier {table}" + (" (alias k)" if number else "")]
    return "\n".join(" " * depth + line for line in "\n".join(lines).splitlines())


def named(*queries: str) -> str:
    """The list of what a WITH names."""
    each = (f"    WithElement (children 1)\n     Subquery (children 1)\n{told}" for told in queries)
    return f"   ExpressionList (children {len(queries)})\n" + "\n".join(each)


ONE = 9 - 2 + SELECT + TABLE
"""SELECT x FROM y, with its two lines of a union."""
MORE = ONE - 2


def doubled(lines: int, name: str = "c{}") -> tuple[str, str]:
    """Each line reads the one before twice; the text as ClickHouse formats it, and the tree."""
    names = [name.format(number) for number in range(lines + 1)]
    parts = [query("y", depth=6)]
    parts += [query(one, one, depth=6) for one in names[:-1]]
    text = f"WITH {names[0]} AS (SELECT x FROM y), "
    text += ", ".join(
        f"{now} AS (SELECT x FROM {before} UNION ALL SELECT x FROM {before} AS k)"
        for before, now in zip(names, names[1:], strict=False)
    )
    plain = [one.strip('`"') for one in names]
    told = query(names[-1], of=named(*parts))
    for quoted, bare in zip(names, plain, strict=True):
        told = told.replace(f"TableIdentifier {quoted}", f"TableIdentifier {bare}")
    return f"{text} SELECT x FROM {names[-1]}", told


def weights(lines: int) -> list[int]:
    """Of each name that `doubled` gives."""
    each = [2 + ONE]
    for _ in range(lines):
        each.append(2 + ONE + MORE + 2 * each[-1])
    return each


def weighed(canonical: str, told: str) -> int:
    return weight(list(tree(told)), canonical)


def test_a_statement_without_with_weighs_its_parts() -> None:
    assert weighed("SELECT x FROM y", query("y")) == ONE
    assert weighed("SELECT x FROM y UNION ALL SELECT x FROM z AS k", query("y", "z")) == ONE + MORE


@pytest.mark.parametrize(
    "name",
    [
        "c{}",
        "`c {}`",
        '"C {}"',
    ],
    ids=["word", "quoted", "double"],
)
def test_what_a_with_names_counts_wherever_it_is_read(name: str) -> None:
    each = weights(3)
    assert weighed(*doubled(3, name)) == sum(each) + each[-1] + ONE + 1


def test_doubling_is_far_beyond_the_bound_and_takes_no_time_to_find() -> None:
    assert weighed(*doubled(9)) > MAX_PARTS > weighed(*doubled(5))
    assert weighed(*doubled(200)) == MANY


def test_what_cannot_be_told_is_beyond_the_bound() -> None:
    """A text that is not formatted as we know it, and names that read each other."""
    text, told = doubled(2)
    assert weighed(text.replace("c1 AS (", "c1 , ("), told) == MANY
    assert weighed(text, told.replace("TableIdentifier c0", "TableIdentifier c2")) == MANY


def test_a_query_that_is_named_like_the_table_it_reads() -> None:
    text, told = doubled(0)
    shadowing = weighed(text.replace("y", "c0"), told.replace("TableIdentifier y", "TableIdentifier c0"))
    assert weighed(text, told) <= shadowing < 2 * weighed(text, told)


def test_a_name_in_a_string_is_none() -> None:
    text, told = doubled(3)
    assert weighed(f"{text} WHERE x = 'z AS (SELECT 1'", told) == weighed(text, told)


def test_the_right_side_of_in_reads_what_is_named() -> None:
    in_ = "   Function in (children 1)\n    ExpressionList (children 2)\n     Literal UInt64_1\n     Identifier {}"
    column = in_.replace("Function in", "Function plus")
    text, told = doubled(3)
    plain = weighed(text, f"{told}\n{column.format('c3')}")
    assert weighed(text, f"{told}\n{in_.format('c3')}") == plain + weights(3)[-1]
    assert weighed(text, f"{told}\n{in_.format('other')}") == plain


def test_a_lambda_counts_wherever_it_is_called_or_handed_on_whatever_comes_first() -> None:
    lambda_ = "\n".join(
        [
            "Function lambda (alias f{}) (children 1)",
            " ExpressionList (children 2)",
            "  Identifier x",
            "  Function plus (children 1)",
            "   ExpressionList (children 2)",
            "    Function f{} (children 1)",
            "    Function f{} (children 1)",
        ]
    )
    told = ["\n".join(" " + line for line in lambda_.format(n + 1, n, n).splitlines()) for n in reversed(range(30))]
    tree_of = "\n".join(["SelectQuery (children 1)", *told, " Function {}", " Function arrayMap (children 1)"])
    called = weighed("", tree_of.format("f3"))
    assert called - weighed("", tree_of.format("other")) == 7 * (1 + 2 + 4)
    handed = "\n".join([tree_of.format("f3"), "  ExpressionList (children 2)", "   Identifier f2"])
    assert weighed("", handed) - called == 2 + 7 * (1 + 2)
    assert weighed("", tree_of.format("f30")) > MAX_PARTS


def stars(levels: int, *shown: str) -> str:
    """SELECT … FROM (SELECT … FROM (…)), each with these stars."""
    lines = [" " * (3 * n) + "SelectQuery (children 2)" for n in range(levels)]
    for n in reversed(range(levels)):
        inside = [" " * (3 * n + 1) + "ExpressionList (children 1)"]
        inside += [" " * (3 * n + 2) + line for one in shown for line in one.splitlines()]
        lines[n + 1 : n + 1] = inside
    return "\n".join(lines)


def test_a_star_counts_the_columns_of_the_stars_that_it_reads() -> None:
    of_a, of_b = (f"QualifiedAsterisk (children 1)\n Identifier {name}" for name in "ab")
    assert weighed("", stars(1, "Asterisk")) == SELECT + 1 + COLUMNS
    assert weighed("", stars(20, "Asterisk")) == 20 * (SELECT + 1 + COLUMNS)
    assert weighed("", stars(20, of_a, of_b)) == 20 * (SELECT + 1 + 2 * (COLUMNS + 1))
    assert weighed("", stars(1, "Asterisk", "Asterisk")) == SELECT + 1 + 2 * 2 * COLUMNS
    for twice in (("Asterisk", "Asterisk"), (of_a, of_a), ("Asterisk", of_a)):
        assert weighed("", stars(9, *twice)) > MAX_PARTS
    counted = "Function count (children 1)\n ExpressionList (children 1)\n  Asterisk"
    assert weighed("", stars(20, "Asterisk", counted)) < MAX_PARTS
