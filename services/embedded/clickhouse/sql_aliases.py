"""Aliases that are also columns, written out where the alias is meant. Pure.

`toStartOfDay(occurred_at) AS occurred_at … WHERE occurred_at > x GROUP BY occurred_at`: the WHERE means the column, the
GROUP BY the day, as in standard SQL and as every BI tool has it. ClickHouse takes all of them for the alias, or with
`prefer_column_name_to_alias` all for the column. So the setting stays on, and where an alias is meant its expression
takes its place:

1. a whole item of GROUP BY, ORDER BY or LIMIT BY, and a name in HAVING, is the alias, but for a column that GROUP BY
   itself names;
2. in a grouped query so is a name outside of aggregates and of the keys, for no column could stand there;
3. everything else is the column.

Only the text of these names is changed; all else stays as it was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from services.embedded.clickhouse.parse import parsed
from services.embedded.clickhouse.splice import Splice

# whether a function of this name makes one value of many rows
IsAggregate = Callable[[str], bool]

_WRAPPERS: Final = (exp.Paren, exp.Tuple, exp.Cube, exp.Rollup, exp.GroupingSets)
_CALLS: Final = (exp.Anonymous, exp.AnonymousAggFunc, exp.ParameterizedAgg)


@dataclass(frozen=True, slots=True)
class Written:
    """`text`: the statement with aliases written out. `elsewhere`: aliases of which it is unclear what they mean where
    one of them is also a column: those that are not of a SELECT's list, but defined within an expression or by WITH,
    and named again; and those in a HAVING or ORDER BY that may as well repeat the expression of another alias.
    """

    text: str
    elsewhere: frozenset[str]


def written_out(text: str, is_aggregate: IsAggregate) -> Written:
    """One SELECT in ClickHouse's canonical form. Raises Unreadable when its parts cannot be told from each other."""
    statement, tokens = parsed(text)
    splice = Splice(text, tokens)
    elsewhere: set[str] = set()
    for select in statement.find_all(exp.Select):
        scope = _Scope(select, is_aggregate)
        for column, item in scope.meant():
            splice.put(column.this, item.args["alias"])
        elsewhere.update(scope.elsewhere())
    return Written(splice.text(), frozenset(elsewhere))


class _Scope:
    """One SELECT, without those inside it. No node is looked at often: there may be 50,000."""

    def __init__(self, select: exp.Select, is_aggregate: IsAggregate) -> None:
        self._select = select
        self._is_aggregate = is_aggregate
        self._items = {item.alias: item for item in select.expressions if isinstance(item, exp.Alias)}
        with_aggregates = [item for item in select.expressions if any(map(self._makes_one, _own(item)))]
        self._is_grouped = bool(select.args.get("group") or with_aggregates)
        windows = (item for item in select.expressions if any(isinstance(node, exp.Window) for node in _own(item)))
        self._no_keys = {id(item) for item in (*with_aggregates, *windows)}
        self._keys = set(self._group_keys())
        self._named = set(self._named_keys())
        self._unclear: set[str] = set()

    def meant(self) -> Iterator[tuple[exp.Column, exp.Alias]]:
        """The names that mean an alias, each with the item of the SELECT that it means."""
        for node in _whole(_clause(self._select, "group")):
            if isinstance(node, exp.Column) and (item := self._key_item(node)):
                yield node, item
        for node in _whole([*_clause(self._select, "order"), *_clause(self._select, "limit_by")]):
            if isinstance(node, exp.Column) and (item := self._item(node)):
                yield node, item
            elif self._is_grouped:
                yield from self._free(node, after=True)
        for clause in ("having", "qualify"):
            for node in _clause(self._select, clause):
                yield from self._free(node, after=True)
        if self._is_grouped:
            for node in self._select.expressions:
                yield from self._free(node)

    def elsewhere(self) -> Iterator[str]:
        """See `Written`; after `meant`."""
        yield from self._unclear
        with_ = self._select.args.get("with_")
        definitions = [cte for cte in (with_.expressions if with_ else []) if cte.args.get("scalar")]
        definitions += [node for node in _own(self._select) if self._is_inner(node)]
        if definitions:
            named = Counter(column.name for column in self._select.find_all(exp.Column) if not column.table)
            for definition in definitions:
                within = sum(column.name == definition.alias for column in definition.find_all(exp.Column))
                if named[definition.alias] > within:
                    yield definition.alias

    def _is_inner(self, node: exp.Expr) -> bool:
        """Whether it is an alias that stands neither in the SELECT's list nor behind ARRAY JOIN."""
        return isinstance(node, exp.Alias) and not isinstance(node.parent, (exp.Select, exp.Join))

    def _item(self, node: exp.Expr) -> exp.Alias | None:
        """The item that a name without a table stands for."""
        return self._items.get(node.name) if isinstance(node, exp.Column) and not node.table else None

    def _key_item(self, node: exp.Expr) -> exp.Alias | None:
        """The same in GROUP BY, where an aggregate cannot be meant."""
        item = self._item(node)
        return None if id(item) in self._no_keys else item

    def _group_keys(self) -> Iterator[exp.Expr]:
        group = self._select.args.get("group")
        if group is not None and group.args.get("all"):
            yield from (item.unalias() for item in self._select.expressions if id(item) not in self._no_keys)
        for node in _whole(_clause(self._select, "group")):
            item = self._key_item(node)
            yield item.unalias() if item else self._at_position(node)

    def _named_keys(self) -> Iterator[exp.Expr]:
        """Those that stand in GROUP BY as they are, not by an alias or a position."""
        for node in _whole(_clause(self._select, "group")):
            if not self._key_item(node):
                yield node

    def _others(self, key: exp.Expr) -> set[str]:
        """Aliases of other items that have the names of columns in a key: where the key seems to be repeated, they may
        be meant. What GROUP BY itself names is repeated."""
        if key in self._named:
            return set()
        items = (self._item(node) for node in _own(key))
        return {item.alias for item in items if item is not None and item.unalias() != key}

    def _at_position(self, node: exp.Expr) -> exp.Expr:
        """The item that `GROUP BY 2` names; for all else the node itself."""
        items = self._select.expressions
        if isinstance(node, exp.Literal) and node.is_int and 0 < int(node.this) <= len(items):
            found: exp.Expr = items[int(node.this) - 1].unalias()
            return found
        return node

    def _free(self, node: exp.Expr, *, after: bool = False) -> Iterator[tuple[exp.Column, exp.Alias]]:
        """The names below `node` that are in no key, aggregate or other query, and not in their own definition.

        `after`: in a clause that follows the SELECT's list, where an alias is meant before a column.
        """

        def is_closed(inner: exp.Expr) -> bool:
            return isinstance(inner, exp.Query) or inner in self._keys or self._makes_one(inner)

        for inner in node.dfs(prune=is_closed):
            item = self._item(inner)
            if inner in self._keys:
                others = self._others(inner) if after else set()
                if isinstance(inner, exp.Column) and item is not None and others:
                    yield inner, item
                else:
                    self._unclear |= others
            elif isinstance(inner, exp.Column) and item is not None and item is not node:
                yield inner, item

    def _makes_one(self, node: exp.Expr) -> bool:
        above = node.parent.parent if isinstance(node.parent, (exp.IgnoreNulls, exp.RespectNulls)) else node.parent
        return isinstance(node, _CALLS) and not isinstance(above, exp.Window) and self._is_aggregate(node.name)


def _clause(select: exp.Select, name: str) -> list[exp.Expr]:
    clause = select.args.get(name)
    if clause is None:
        return []
    if name in ("having", "qualify"):
        return [clause.this]
    parts = [clause.expressions, *(clause.args.get(part) for part in ("cube", "rollup", "grouping_sets"))]
    return [node for part in parts if isinstance(part, list) for node in part]


def _whole(nodes: list[exp.Expr]) -> Iterator[exp.Expr]:
    """The items of a list, without what only holds them together."""
    for node in nodes:
        if isinstance(node, exp.Ordered):
            yield from _whole([node.this])
        elif isinstance(node, _WRAPPERS):
            yield from _whole(list(node.iter_expressions()))
        else:
            yield node


def _own(node: exp.Expr) -> Iterator[exp.Expr]:
    """`node` and all below it that is not of another query."""
    return node.dfs(prune=lambda inner: inner is not node and isinstance(inner, (exp.Query, exp.CTE)))
