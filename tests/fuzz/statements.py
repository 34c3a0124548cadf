"""Statements that a reader might send, made at random: what a chart asks, what an attacker tries, and real ones bent.

`python -m tests.fuzz.statements --minutes 20` runs them against a ClickHouse of its own and reports each finding with
the statement. A finding is an answer that no error of ClickHouse explains, something that a reader must not see or do,
a statement that runs on after its time, or a chart whose numbers are not those of the same question in plain names.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from services.embedded.clickhouse.errors import AMBIGUOUS_IDENTIFIER
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.fuzz.suspects import add_arguments, kept
from tests.fuzz.warehouse import Wait, probing

SECRET: Final = "only-the-owner-reads-this"
LIMIT_S: Final = 3.0
"""What each statement may take; the reader asks for it."""
SLACK_S: Final = 5.0
"""How much later it may end: the engine looks at its clock now and then, and the machine may be busy."""
OURS: Final = frozenset({0, 49, 1002})
"""Codes that no statement may lead to: none at all, a logical error of the engine, an unknown error of our own."""
LATE: Final = "it took"
SUSPECTS: Final = 8
REPEATS: Final = 3
VIEW: Final = "bi.fuzz"
COLUMNS: Final = {"at": "DateTime64(3, 'UTC')", "kind": "String", "n": "Int64", "pain": "Nullable(Float64)"}
_ROOT: Final = Path(__file__).parents[2]


# What is asked


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as a tool writes it, with aliases that hide columns, and the same question in names of its own."""

    sent: str
    plain: str


def chart(rng: random.Random) -> Chart:
    """Keys and measures over the view; a name is the alias in GROUP BY, ORDER BY and HAVING, elsewhere the column."""
    names = rng.sample([*COLUMNS, "bucket", "count", "a b"], k=5)
    keys = [(_key(rng), names.pop()) for _ in range(rng.randint(0, 2))]
    measures = [(_measure(rng), names.pop()) for _ in range(rng.randint(1, 2))]
    where = f" WHERE {_condition(rng)}" if rng.random() < 0.6 else ""
    # a column alone is no repeated expression: where it is also an alias, it is the alias
    repeated = [rng.random() < 0.3 and _COLUMN.fullmatch(key) is None for key, _ in keys]
    having = f"{rng.randint(0, 3)}" if rng.random() < 0.3 else ""
    order = rng.sample(range(len(keys) + len(measures)), k=rng.randint(0, 2) % (len(keys) + len(measures) + 1))
    wrap = rng.choice(["{}", "{}", "SELECT * FROM ({}) AS q", "WITH q AS ({}) SELECT * FROM q", "({}) UNION ALL ({})"])
    texts = []
    for plain in (False, True):
        items = [
            (
                expression.format(**{name: f"fuzz.{name}" if plain else name for name in COLUMNS}),
                f"alias_{at}" if plain else name,
            )
            for at, (expression, name) in enumerate([*keys, *measures])
        ]
        shown = ", ".join(f"{expression} AS {_quoted(name)}" for expression, name in items)
        sql = f"SELECT {shown} FROM {VIEW}" + where.format(
            **{name: f"fuzz.{name}" if plain else name for name in COLUMNS}
        )
        if keys:
            by = (items[at][0] if again else _quoted(items[at][1]) for at, again in enumerate(repeated))
            sql += " GROUP BY " + ", ".join(by)
        if having:
            sql += f" HAVING {_quoted(items[len(keys)][1])} > {having}"
        if order:
            sql += " ORDER BY " + ", ".join(_quoted(items[at][1]) for at in order)
        texts.append(wrap.replace("{}", sql))
    return Chart(*texts)


_COLUMN: Final = re.compile(r"\{\w+\}")


def _key(rng: random.Random) -> str:
    return rng.choice(
        [
            "toStartOfDay({at})", "toDate({at})", "toStartOfHour(toDateTime({at}))", "dateTrunc('MONTH', {at})",
            "toMonth({at})", "{kind}", "upper({kind})", "{n} % 3", "intDiv({n}, 4)", "ifNull({pain}, 0)", "{pain} > 1",
            "if({kind} = 'a', 1, 0)",
        ]
    )  # fmt: skip


def _measure(rng: random.Random) -> str:
    return rng.choice(
        [
            "count()", "sum({n})", "max({n})", "uniqExact({kind})", "countIf({pain} > 1)", "sum({n}) / count()",
            "sum(ifNull({pain}, 0))", "count(DISTINCT {kind})", "sumIf({n}, {kind} = 'a')",
        ]
    )  # fmt: skip


def _condition(rng: random.Random) -> str:
    one = rng.choice(
        [
            "{at} >= '2026-01-02 00:00:00'",
            "{kind} IN ('a', 'b')",
            "{n} > 3",
            "{pain} IS NOT NULL",
            "{n} BETWEEN 1 AND 40",
        ]
    )
    return one if rng.random() < 0.7 else f"({one} OR {_condition(rng)})"


def _quoted(name: str) -> str:
    return f"`{name}`" if " " in name else name


@dataclass(frozen=True, slots=True)
class Words:
    """What the engine knows, and what an attack may aim at."""

    functions: Sequence[str]
    table_functions: Sequence[str]
    settings: Sequence[str]
    formats: Sequence[str]
    tables: Sequence[str]
    aims: Sequence[str]
    real: Sequence[str]


def attack(rng: random.Random, words: Words) -> str:
    """A statement that tries to read, write or set what a reader may not, or just anything."""
    pick = rng.random()
    if pick < 0.3:
        return bent(rng, rng.choice(words.real), words)
    text = _statement(rng, words, depth=0)
    return bent(rng, text, words) if pick < 0.5 else text


_EXPLAINED: Final = ("", "AST", "SYNTAX", "PLAN", "PIPELINE", "QUERY TREE", "ESTIMATE", "TABLE OVERRIDE")
_SHOWN: Final = ("TABLES", "CREATE TABLE", "PROCESSLIST", "GRANTS", "USERS", "COLUMNS", "INDEX")


def _statement(rng: random.Random, words: Words, depth: int) -> str:
    roll = rng.random()
    if roll < 0.62 or depth > 2:
        return _select(rng, words, depth)
    inner = _statement(rng, words, depth + 1)
    table = rng.choice(words.tables)
    return rng.choice(
        [
            f"EXPLAIN {rng.choice(_EXPLAINED)} {inner}",
            f"{inner}; {_statement(rng, words, depth + 1)}",
            f"{inner} INTO OUTFILE {rng.choice(words.aims)}",
            f"{inner} FORMAT {rng.choice(words.formats)}",
            f"{inner} SETTINGS {rng.choice(words.settings)} = {_value(rng, words)}",
            f"SET {rng.choice(words.settings)} = {_value(rng, words)}",
            f"INSERT INTO {table} {inner}",
            f"CREATE {rng.choice(['TABLE', 'VIEW', 'TEMPORARY TABLE'])} bi.z AS {inner}",
            f"DESCRIBE {rng.choice([table, f'({inner})', _table_function(rng, words, depth)])}",
            f"SHOW {rng.choice(_SHOWN)} FROM {table}",
            f"EXISTS {table}",
            f"{rng.choice(['DROP', 'TRUNCATE', 'OPTIMIZE', 'DETACH', 'RENAME', 'ALTER'])} TABLE {table}",
            f"{rng.choice(['SYSTEM', 'KILL', 'GRANT', 'BACKUP', 'USE', 'EXECUTE AS'])} {table}",
            f"WITH x AS ({inner}) SELECT * FROM x",
            f"({inner}) {rng.choice(['UNION ALL', 'UNION DISTINCT', 'INTERSECT', 'EXCEPT'])} ({inner})",
        ]
    )


def _select(rng: random.Random, words: Words, depth: int) -> str:
    text = "SELECT " + ", ".join(_expression(rng, words, depth) for _ in range(rng.randint(1, 3)))
    if rng.random() < 0.7:
        text += f" FROM {_source(rng, words, depth)}"
    if rng.random() < 0.3:
        text += f" WHERE {_expression(rng, words, depth)}"
    if rng.random() < 0.15:
        text += f" GROUP BY {rng.choice(['1', 'ALL', 'kind', 'at'])}"
    if rng.random() < 0.1:
        text += f" LIMIT {rng.choice(['1', '1 BY kind', '1000000'])}"
    return text


def _source(rng: random.Random, words: Words, depth: int) -> str:
    if depth < 2 and rng.random() < 0.3:
        return rng.choice(["({})", "view({})"]).format(_select(rng, words, depth + 1))
    if rng.random() < 0.4:
        return _table_function(rng, words, depth)
    other = rng.choice(words.tables)
    joined = f"{VIEW} {rng.choice(['CROSS JOIN', 'GLOBAL JOIN', 'LEFT JOIN', 'ASOF JOIN'])} {other} ON 1 = 1"
    return rng.choice([other, other, joined, f"`{other}`"])


def _table_function(rng: random.Random, words: Words, depth: int) -> str:
    arguments = ", ".join(_value(rng, words) for _ in range(rng.randint(0, 4)))
    return f"{_spelt(rng, rng.choice(words.table_functions))}({arguments})"


def _expression(rng: random.Random, words: Words, depth: int) -> str:
    roll = rng.random()
    if roll < 0.2 or depth > 3:
        return rng.choice([*COLUMNS, "*", "1", _value(rng, words)])
    name = _spelt(rng, rng.choice(words.functions))
    inner = _expression(rng, words, depth + 1)
    return rng.choice(
        [
            f"{name}({', '.join(_value(rng, words) for _ in range(rng.randint(0, 4)))})",
            f"{name}({inner})",
            f"arrayMap({name}, [{_value(rng, words)}])",
            f"arrayMap(x -> {name}(x), [{_value(rng, words)}])",
            f"* APPLY {name}",
            f"COLUMNS('.*') APPLY(x -> {name}(x, {_value(rng, words)}))",
            f"{_value(rng, words)} IN {rng.choice(words.tables)}",
            f"in({_value(rng, words)}, {rng.choice(words.tables)})",
            f"({_select(rng, words, depth + 2)})",
            f"exists({_select(rng, words, depth + 2)})",
            f"{inner} AS {rng.choice([*COLUMNS, 'x'])}",
        ]
    )


def _value(rng: random.Random, words: Words) -> str:
    plain = [
        "0",
        "1",
        "-1",
        "1e400",
        "NULL",
        "''",
        "[]",
        "('a', 1)",
        "'a String'",
        "'LineAsString'",
        "toIntervalDay(1)",
    ]
    return rng.choice([*plain, *words.aims, *words.aims])


def _spelt(rng: random.Random, name: str) -> str:
    """The same name otherwise: in other letters, quoted, or with what a parser may take off."""
    return rng.choice(
        [
            name,
            name,
            name,
            name.upper(),
            f"`{name}`",
            f'"{name}"',
            f"{name} /* */ ",
            f"`\\x{ord(name[0]):02x}{name[1:]}`",
        ]
    )


_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|\w+|\s+|[^\w\s]")


def bent(rng: random.Random, sql: str, words: Words) -> str:
    """The statement with some of its words lost, doubled, changed or put elsewhere; or grown out of all measure."""
    tokens = _TOKEN.findall(sql) or [sql]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(tokens))
        if rng.random() < 0.25:
            other = rng.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            tokens[at] = rng.choice(_BENDS)(rng, tokens[at], words)
    return "".join(tokens)[:300_000]


def _deep(rng: random.Random, token: str, words: Words) -> str:
    deep = rng.choice([3, 30, 300, 3_000])
    return "(" * deep + token + ")" * deep


def _long(rng: random.Random, token: str, words: Words) -> str:
    many = rng.choice([10, 1_000, 20_000])
    return rng.choice([",", " AND ", " + ", ", a AS a", " UNION ALL SELECT "]).join([token] * many)


def _named(rng: random.Random, token: str, words: Words) -> str:
    return rng.choice([*words.functions, *words.table_functions, *words.tables, *words.aims])


def _broken(rng: random.Random, token: str, words: Words) -> str:
    return rng.choice(["\x00", "\\", "'", "`", "/*", "--", ";", "\ud7ff", "(", ")", "{a:Identifier}", "\n#"])


def _ended(rng: random.Random, token: str, words: Words) -> str:
    ends = (" FORMAT Null", " SETTINGS readonly = 0", f" INTO OUTFILE {words.aims[0]}", "; SELECT 1")
    return token + rng.choice(ends)


_BENDS: Final[Sequence[Callable[[random.Random, str, Words], str]]] = (
    lambda rng, token, words: "",
    lambda rng, token, words: f"{token} {token}",
    lambda rng, token, words: token.swapcase(),
    _deep,
    _long,
    _named,
    _broken,
    _ended,
)


# What is found


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the statement that shows it."""

    what: str
    sql: str


@dataclass
class Ground:
    """A store with a secret, and eyes on everything that no reader may do."""

    target: ClickHouse
    folder: Path
    words: Words
    listener: socket.socket
    before: str = ""
    slowest: tuple[float, str] = (0.0, "")
    stalls: list[tuple[float, str]] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    charts: Counter[str] = field(default_factory=Counter)
    asked: int = 0

    def try_one(self, sql: str) -> Finding | None:
        """Send it as a reader; what of the answer must not be."""
        begun = time.monotonic()
        try:
            reply = self.ask(sql)
        except httpx.RemoteProtocolError:
            reply = None  # an answer that had begun broke off: allowed, and the next statement shows whether it lives
        except httpx.HTTPError as error:
            return Finding(f"no answer: {error!r}", sql)
        took_s = time.monotonic() - begun
        self.asked += 1
        self.slowest = max(self.slowest, (took_s, sql))
        if took_s > LIMIT_S + SLACK_S:
            return Finding(f"{LATE} {took_s:.1f} s of {LIMIT_S:g} s", sql)
        if reply is None or reply.status_code == 200:
            self.codes[0] += 1
            return self._seen(reply.text, sql) if reply is not None else None
        code = int(reply.headers.get("x-clickhouse-exception-code", "0"))
        self.codes[code] += 1
        if code in OURS:
            return Finding(f"{reply.status_code}, code {code}: {reply.text[:300]}", sql)
        return self._seen(reply.text, sql)

    def try_chart(self, asked: Chart, **settings: str) -> Finding | None:
        """A chart shows what the same question in plain names shows, or fails and says which name to change."""
        sent, plain = self.rows(asked.sent, "reader", **settings), self.rows(asked.plain, "internal")
        self.asked += 1
        outcome = "refused" if isinstance(sent, int) else "drawn"
        self.charts[f"{outcome}, {sent}" if isinstance(sent, int) else outcome] += 1
        if sent in (plain, AMBIGUOUS_IDENTIFIER):
            return None
        if isinstance(plain, int):
            return None if isinstance(sent, int) else Finding(f"an answer where plain names give {plain}", asked.sent)
        return Finding(
            f"not what plain names show ({asked.plain}): {str(sent)[:200]} for {str(plain)[:200]}", asked.sent
        )

    def rows(self, sql: str, user: str, **settings: str) -> list[str] | int:
        """The rows, sorted; or the code of the error."""
        reply = self.ask(sql, user, default_format="JSONCompactEachRow", **settings)
        if reply.status_code != 200:
            return int(reply.headers.get("x-clickhouse-exception-code", "0"))
        return sorted(reply.text.splitlines())

    def ask(self, sql: str, user: str = "reader", **params: str) -> httpx.Response:
        password = self.target.token if user == "internal" else ""
        params |= {"max_execution_time": f"{LIMIT_S:g}", "wait_end_of_query": "1", "max_result_rows": "2000"}
        body = _bytes(sql)
        return httpx.post(self.target.base_url, params=params, content=body, auth=(user, password), timeout=60)

    def harm(self) -> Finding | None:
        """What was changed, written or called since the beginning."""
        if (now := self.state()) != self.before:
            return Finding(f"something was changed: {now} for {self.before}", "")
        if list((self.folder / "out").iterdir()):
            return Finding("a file was written", "")
        self.listener.settimeout(0)
        try:
            self.listener.accept()
        except BlockingIOError:
            return None
        return Finding("somebody was called", "")

    def state(self) -> str:
        """Of all that a statement might change."""
        return self.ask(
            "SELECT (SELECT count() FROM vault.t), (SELECT arraySort(groupArray((database, name))) FROM system.tables"
            " WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')),"
            " (SELECT arraySort(groupArray(name)) FROM system.users),"
            " (SELECT groupArray((name, value)) FROM system.settings WHERE name IN ('readonly', 'max_threads'))",
            "internal",
        ).text

    def _seen(self, text: str, sql: str) -> Finding | None:
        marks = {"the secret": SECRET, "the token": self.target.token, "the folder": str(self.target.data_dir)}
        found = next((name for name, mark in marks.items() if mark in text and mark not in sql), None)
        return Finding(f"{found} is shown: {text[:300]}", sql) if found else None

    def waited(self, waits: Sequence[Wait], sql: str) -> None:
        """How long others waited while it ran."""
        if waits:
            self.stalls.append((max(wait.for_s for wait in waits), sql))
            self.stalls = sorted(self.stalls, reverse=True)[:SUSPECTS]

    def confirmed(self) -> list[tuple[float, str]]:
        """The statements beside which others waited longest, each again alone: the wait that comes back each time."""
        found = []
        with probing(self.target) as waits:
            for _, sql in self.stalls:
                longest = []
                for _ in range(REPEATS):
                    drained(waits)
                    with suppress(httpx.HTTPError):
                        self.ask(sql)
                    time.sleep(0.1)
                    longest.append(max((wait.for_s for wait in drained(waits)), default=0.0))
                found.append((median(longest), sql))
        return sorted(found, reverse=True)

    def is_slow(self, sql: str) -> bool:
        """Whether it runs on after its time again and again, so that it is not the machine that was busy."""
        return all((found := self.try_one(sql)) is not None and LATE in found.what for _ in range(REPEATS))


@contextmanager
def ground(target: ClickHouse, folder: Path) -> Iterator[Ground]:
    """The tables, the secret and the words of this engine; all of it is gone afterwards."""
    (folder / "secret.tsv").write_text(SECRET)
    (folder / "out").mkdir(exist_ok=True)
    client = target.client()
    for sql in (
        "CREATE DATABASE IF NOT EXISTS vault",
        "CREATE TABLE vault.t (a String) ENGINE = MergeTree ORDER BY a",
        f"INSERT INTO vault.t VALUES ('{SECRET}')",
        f"CREATE TABLE vault.fuzz ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
        " ENGINE = MergeTree ORDER BY at",
        "INSERT INTO vault.fuzz SELECT toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number * 5000,"
        " ['a', 'b', 'c'][number % 3 + 1], number % 50, if(number % 4 = 0, NULL, number % 8 / 4) FROM numbers(300)",
        f"CREATE OR REPLACE VIEW {VIEW} AS SELECT * FROM vault.fuzz",
    ):
        client.command(sql)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Ground(target, folder, _words(client, folder, listener.getsockname()[1]), listener)
        made.before = made.state()
        try:
            yield made
        finally:
            client.command(f"DROP VIEW IF EXISTS {VIEW}")
            client.command("DROP DATABASE vault")
            client.close()


_SYSTEM: Final = ("processes", "query_log", "tables", "one", "settings", "numbers", "stack_trace")


def _words(client: object, folder: Path, port: int) -> Words:
    def named(what: str) -> list[str]:
        found = client.query(f"SELECT name FROM system.{what} ORDER BY name").result_rows  # type: ignore[attr-defined]
        return [str(row[0]) for row in found]

    page = (_ROOT / "docs" / "how-to" / "questions.md").read_text(encoding="utf-8")
    tools = (_ROOT / "tests" / "fixtures" / "statements").glob("*.json")
    real = [sql for path in sorted(tools) for sql in json.loads(path.read_text())["statements"].values()]
    aims = (folder / "secret.tsv", folder / "out" / "x", "/etc/passwd", "vault.t", f"http://127.0.0.1:{port}/")
    return Words(
        functions=named("functions"),
        table_functions=named("table_functions"),
        settings=named("settings"),
        formats=named("formats"),
        tables=[
            VIEW,
            "fuzz",
            "vault.t",
            "default.x",
            "information_schema.tables",
            *(f"system.{name}" for name in _SYSTEM),
        ],
        aims=[f"'{aim}'" for aim in aims],
        real=[*real, *re.findall(r"```sql\n(.*?)```", page, re.S)],
    )


def _bytes(sql: str) -> bytes:
    return sql.encode("utf-8", "surrogatepass")


def drained(waits: Connection) -> list[Wait]:
    """What the probes have reported since the last time."""
    found = list[Wait]()
    while waits.poll():
        found.append(waits.recv())
    return found


def fuzz(ground: Ground, rng: random.Random, until: float) -> Iterator[Finding]:
    """Until then: charts and attacks in turn, and now and then a look at what must not change."""
    with probing(ground.target) as waits:
        while time.monotonic() < until:
            found = [ground.try_chart(chart(rng))]
            for sql in (attack(rng, ground.words) for _ in range(4)):
                drained(waits)
                found.append(ground.try_one(sql))
                ground.waited(drained(waits), sql)
            if ground.asked % 50 < 5:
                found.append(ground.harm())
            yield from (
                each for each in found if each is not None and (LATE not in each.what or ground.is_slow(each.sql))
            )
        if (harm := ground.harm()) is not None:
            yield harm


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 when something was found."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.statements", description=(__doc__ or "").splitlines()[0])
    add_arguments(parser, minutes=20)
    asked = parser.parse_args(argv)
    findings = 0
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder) / "data") as (running, _):
        (Path(folder) / "ground").mkdir()
        with ground(running, Path(folder) / "ground") as made:
            until = time.monotonic() + 60 * asked.minutes
            for finding in fuzz(made, random.Random(asked.seed), until):
                findings += 1
                print(json.dumps({"what": finding.what, "sql": kept(asked.keep, _bytes(finding.sql))}), flush=True)
            stalls = made.confirmed()
            took_s, sql = made.slowest
    print(f"{made.asked} statements, seed {asked.seed}: {findings} findings; slowest {took_s:.2f} s")
    print(f"  {kept(asked.keep, _bytes(sql))}")
    print(f"charts {dict(made.charts)}; codes {made.codes.most_common(12)}")
    for wait_s, stalling in stalls:
        print(f"again alone, median of {REPEATS}: {wait_s * 1000:6.0f} ms  {kept(asked.keep, _bytes(stalling))}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
