"""dbt's own commands over a project; `tests/integration/test_dbt.py` starts it. Needs dbt and none of Touchline's.

Arguments: the project's folder, and the file for what came of each command, as JSON: command → `{"is_success": …,
"results": [[node, status], …], "nodes": [[kind, name], …], "rows": [row, …], "error": text}`; `rows` of `show` alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

COMMANDS = ("debug", "parse", "list", "source freshness", "compile", "test", "show", "run", "docs generate")
MORE = {
    "list": ["--output", "json", "--output-keys", "resource_type", "unique_id"],
    "show": ["--select", "by_phase", "--limit", "100"],
    "test": ["--select", "source:touchline"],
}


def _told(found: Any) -> dict[str, Any]:
    result, nodes, results, rows = found.result, [], [], []
    if isinstance(result, list):
        listed = [json.loads(line) for line in result if str(line).startswith("{")]
        nodes = [[each["resource_type"], each["unique_id"].partition(".")[2]] for each in listed]
    for each in getattr(result, "results", None) or []:
        if hasattr(each, "node"):
            results.append([each.node.unique_id, str(each.status), str(getattr(each, "message", ""))[:400]])
            if (table := getattr(each, "agate_table", None)) is not None:
                rows += [[str(value) for value in row] for row in table.rows]
    return {
        "is_success": bool(found.success),
        "error": str(found.exception or ""),
        "nodes": nodes,
        "rows": rows,
        "results": [[name, status] if not message or status == "pass" else [name, status, message]
                    for name, status, message in results],
    }  # fmt: skip


def main(project: str, answers: str) -> int:
    """Ask, write."""
    runner, place = dbtRunner(), ["--project-dir", project, "--profiles-dir", project]
    said = {name: _told(runner.invoke([*name.split(), *place, *MORE.get(name, ())])) for name in COMMANDS}
    Path(answers).write_text(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
