"""`touchline generate`: what is written by code, and whether what is committed is what the code writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from services.alerts import board, rules

ROOT = Path(__file__).parents[2]

#: What → (file, the text it must have).
GENERATED: dict[str, tuple[Path, Callable[[], str]]] = {
    "rules": (Path("infra/prometheus/rules/touchline.yml"), rules.rendered),
    "dashboards": (Path("infra/grafana/dashboards/operations.json"), board.rendered),
}


def generate(what: str, *, check: bool, root: Path = ROOT) -> list[Path]:
    """Files that differed; they are written, unless `check`. `what` is one of GENERATED."""
    place, text = GENERATED[what]
    path, wanted = root / place, text()
    if path.exists() and path.read_text(encoding="utf-8") == wanted:
        return []
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    return [path]
