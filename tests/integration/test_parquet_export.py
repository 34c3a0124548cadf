"""The nightly files: every view, the same rows, one schema, and only what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from schemas.errors import StoreUnavailable
from services.cli.console import UsageError
from services.cli.exporting import parquet
from services.cli.exporting.parquet import Export
from services.cli.exporting.plan import MANIFEST
from services.sink.blueprints import TABLE, TYPES, row
from services.sink.hiding import VIEWER
from services.sink.views import load_views
from streams.runtime.clickhouse import Store
from tests import dashboard_seed as seed
from tests.bi_story import BLUEPRINT, NOW
from tests.clickhouse_fixture import ClickHouse
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse
#: ClickHouse's type → that of the files.
ARROW = {
    "String": "string", "LowCardinality(String)": "string", "Bool": "bool", "Int64": "int64", "Float64": "double",
    "Date": "date32[day]", "DateTime64(3, 'UTC')": "timestamp[ms, tz=UTC]",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(clickhouse_url: ClickHouse) -> Iterator[Store]:
    name = f"files_{uuid4().hex[:8]}"
    with fresh_store(clickhouse_url, name) as (made, _):
        yield made
    client = clickhouse_url.client()
    client.command(f"DROP DATABASE {name}")
    client.close()


def export(store: Store, folder: Path, *views: str, days: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    run = Export(store.client, f"bi_{store.client.database}", folder, days)
    return list(run.run(views, lambda line: None))


def schema(folder: Path, view: str) -> dict[str, str]:
    """Of every file of a view; they must be the same."""
    found = {str(pq.read_schema(path)) for path in sorted((folder / view).glob("**/*.parquet"))}
    assert len(found) == 1, view
    first = next((folder / view).glob("**/*.parquet"))
    return {field.name: str(field.type) for field in pq.read_schema(first)}


def expected(kind: str) -> str:
    kind = kind.removeprefix("Nullable(").removesuffix(")") if kind.startswith("Nullable(") else kind
    if kind.startswith("Decimal("):
        return f"decimal128{kind.removeprefix('Decimal')}"
    return ARROW[kind]


def test_every_view_is_there_whole_and_is_written_once(store: Store, tmp_path: Path) -> None:
    bi = f"bi_{store.client.database}"
    export(store, tmp_path, "accounts", "person_names")
    empty = {view: schema(tmp_path, view) for view in ("accounts", "person_names")}
    store.insert(TABLE, TYPES, row(BLUEPRINT, NOW))
    world = seed.world(BLUEPRINT.source, NOW, touchpoints=80, days=3)
    seed.store(store.client, world)
    wrote = export(store, tmp_path)
    assert all(str(line["wrote"]).endswith("data.parquet") for line in wrote)
    for view in (each.name for each in load_views()):
        types = store.rows(f"SELECT name, type FROM system.columns WHERE database = '{bi}' AND table = '{view}'")
        files = list((tmp_path / view).glob("**/*.parquet"))
        (there,) = store.rows(f"SELECT count() AS n FROM {bi}.{view}")
        assert sum(pq.read_metadata(path).num_rows for path in files) == there["n"], view
        if files:
            told = schema(tmp_path, view)
            assert told == {str(one["name"]): expected(str(one["type"])) for one in types}, view
            assert empty.get(view, told) == told, "rows change no type"
    (one,) = store.rows(f"SELECT toString(max(event_date)) AS day, sum(pain) AS p, count() AS n FROM {bi}.touchpoints"
                        f" WHERE event_date = (SELECT max(event_date) FROM {bi}.touchpoints)")  # fmt: skip
    table = pq.read_table(tmp_path / "touchpoints" / f"day={one['day']}" / "data.parquet", partitioning=None)
    assert (table.num_rows, sum(table["pain"].to_pylist())) == (one["n"], pytest.approx(one["p"]))

    assert export(store, tmp_path, "touchpoints", "signals", "pain_daily") == [], "what is there is left alone"
    late = world.touchpoints[0]
    seed.store(store.client, seed.World(touchpoints=[late | {"revision": 2 << 32, "title": "late"}]))
    changed = export(store, tmp_path, "touchpoints")
    assert [line["wrote"] for line in changed] == [
        str(tmp_path / f"touchpoints/day={late['occurred_at'].date()}/data.parquet")
    ]
    _goes_on(store, tmp_path, str(one["day"]))
    _forgets(store, tmp_path, world)


def _goes_on(store: Store, folder: Path, day: str) -> None:
    """What was broken off, lost or is of other columns is written again, and nothing else."""
    file = folder / "touchpoints" / f"day={day}" / "data.parquet"
    file.unlink()
    (file.parent / "data.parquet.part").write_bytes(b"PAR1 half")
    assert [line["wrote"] for line in export(store, folder, "touchpoints")] == [str(file)]
    assert not list(folder.glob("**/*.part"))
    assert export(store, folder, "touchpoints", days=(day,)) == []
    days = len(list((folder / "signals").glob("day=*")))
    manifest = folder / "signals" / MANIFEST
    manifest.write_text(manifest.read_text().replace("explanation String", "explained String"))
    assert len(export(store, folder, "signals")) == days


def _forgets(store: Store, folder: Path, world: seed.World) -> None:
    """A day without rows has no file any more."""
    first = min(world.signals, key=lambda signal: signal["opened_at"])
    day = first["opened_at"].date()
    same_day = [one | {"revision": 9, "is_deleted": 1} for one in world.signals if one["opened_at"].date() == day]
    seed.store(store.client, seed.World(signals=same_day, touchpoints=world.touchpoints[:1]))
    assert export(store, folder, "signals") == [{"removed": str(folder / f"signals/day={day}/data.parquet")}]
    assert not (folder / "signals" / f"day={day}").exists()
    assert export(store, folder, "signals") == []


def test_files_may_hide_people(store: Store, tmp_path: Path) -> None:
    """In a folder that held them the whole is written anew, day by day."""
    seed.store(store.client, seed.world(BLUEPRINT.source, NOW, touchpoints=20, days=2))
    for asker, names in (("", False), (VIEWER, True)):
        run = Export(store.client, f"bi_{store.client.database}", tmp_path, asker=asker)
        assert all("wrote" in line for line in run.run(("people", "touchpoints"), lambda line: None))
        for view in ("people", "touchpoints"):
            people = pq.read_table(tmp_path / view, columns=["person_id"])["person_id"].to_pylist()
            told = {person.startswith("person:") for person in people if person}
            assert told == {names}, view


def test_an_answer_that_breaks_off_leaves_the_file_of_before(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    export(store, tmp_path, "phases")
    file = tmp_path / "phases" / "data.parquet"
    before = file.read_bytes()
    monkeypatch.setattr(parquet, "_MAGIC", b"PAR2")
    with pytest.raises(StoreUnavailable, match="phases/data.parquet"):
        export(store, tmp_path, "phases")
    assert file.read_bytes() == before


def test_a_view_that_is_none_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="touchpoints"):
        export(store, tmp_path, "touchpoint")
