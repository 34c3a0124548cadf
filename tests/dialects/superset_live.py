"""Superset itself against a running Touchline: imports `infra/superset` and asks for charts through its own API.

Needs Superset's packages and none of Touchline's; `tests/integration/test_superset.py` starts it. Arguments: the
address of the SQL endpoint, a folder to work in, the folder of the bundle, and a file of charts as JSON: name →
`{"dataset": view, "queries": [query, …]}`. Prints as JSON `{"columns": {view: {column: type}}, "charts": {name:
{"rows": […], "query": text, "error": text}}}`, the charts of the bundle among them.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

FEATURES = "WTF_CSRF_ENABLED = False\nRATELIMIT_ENABLED = False\nTALISMAN_ENABLED = False\nROW_LIMIT = 100_000\n"


def _app(home: Path) -> Any:
    config = home / "superset_config.py"
    config.write_text(f"SECRET_KEY = 'only here'\nSQLALCHEMY_DATABASE_URI = 'sqlite:///{home}/superset.db'\n{FEATURES}")
    os.environ |= {"SUPERSET_HOME": str(home), "SUPERSET_CONFIG_PATH": str(config)}
    from superset.app import create_app

    return create_app()


def _furnish(app: Any) -> None:
    """Tables, roles, and somebody who may do everything."""
    from flask_appbuilder import Model
    from superset import db

    Model.metadata.create_all(db.engine)
    app.appbuilder.add_permissions(update_perms=True)
    manager = app.appbuilder.sm
    manager.sync_role_definitions()
    manager.add_user("analyst", "A", "B", "a@example.com", manager.find_role("Admin"), password="only here")


def _client(app: Any) -> Any:
    """That user, logged in. Not to be used within the app's context: it would keep who asked last."""
    client = app.test_client()
    login = {"username": "analyst", "password": "only here", "provider": "db"}
    token = client.post("/api/v1/security/login", json=login).json["access_token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def _bundle(folder: Path, uri: str) -> io.BytesIO:
    """The bundle as it is uploaded, with the address of this Touchline in it, as its user would write it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted(folder.rglob("*.yaml")):
            lines = path.read_text().splitlines()
            text = "\n".join(f"sqlalchemy_uri: {uri}" if line.startswith("sqlalchemy_uri:") else line for line in lines)
            archive.writestr(f"superset/{path.relative_to(folder)}", text + "\n")
    made.seek(0)
    return made


def _imported(client: Any, folder: Path, uri: str) -> None:
    # the kind that metadata.yaml names
    kind = "dashboard" if "Dashboard" in (folder / "metadata.yaml").read_text() else "dataset"
    form = {
        "formData": (_bundle(folder, uri), "touchline.zip"),
        "overwrite": "true",
    }
    reply = client.post(f"/api/v1/{kind}/import/", data=form, content_type="multipart/form-data")
    assert reply.status_code == 200, reply.text


def _known() -> tuple[dict[str, int], dict[str, dict[str, str]], dict[str, dict[str, Any]]]:
    """What was imported: datasets by view, how Superset types their columns (0 number, 1 text, 2 time, 3 yes or no),
    and the charts."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.slice import Slice

    sets = {dataset.table_name: dataset for dataset in db.session.query(SqlaTable).all()}
    columns = {
        name: {column["column_name"]: str(column["type_generic"]) for column in dataset.external_metadata()}
        for name, dataset in sets.items()
    }
    charts = {
        chart.slice_name: {"dataset": chart.table.table_name, **json.loads(chart.query_context)}
        for chart in db.session.query(Slice).all()
    }
    return {name: dataset.id for name, dataset in sets.items()}, columns, charts


def _drawn(client: Any, dataset: int, chart: dict[str, Any]) -> dict[str, Any]:
    body = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": chart["queries"],
        "result_format": "json",
        "result_type": "full",
        "force": True,
    }
    reply = client.post("/api/v1/chart/data", json=body)
    if reply.status_code != 200:
        return {"rows": [], "query": "", "error": reply.text}
    found = reply.json["result"][0]
    return {"rows": found["data"], "query": found["query"], "error": found["error"] or ""}


def main(url: str, home: str, bundle: str, charts: str) -> int:
    """Import, ask, print."""
    app = _app(Path(home))
    with app.app_context():
        _furnish(app)
    client = _client(app)
    _imported(client, Path(bundle), f"clickhousedb://reader@{url.removeprefix('http://')}/bi")
    with app.app_context():
        datasets, columns, of_bundle = _known()
    asked = json.loads(Path(charts).read_text()) | of_bundle
    drawn = {name: _drawn(client, datasets[chart["dataset"]], chart) for name, chart in asked.items()}
    (Path(home) / "drawn.json").write_text(
        json.dumps({"columns": columns, "charts": drawn, "bundle": list(of_bundle)}, default=str)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
