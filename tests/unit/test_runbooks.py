"""Each alert leads to a runbook, and each command in a runbook is one that this version has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from schemas.metrics import METRICS
from services.alerting.prometheus.rules import RULES
from services.cli.main import app

RUNBOOKS = sorted((Path(__file__).parents[2] / "docs/how-to/runbooks").glob("*.md"))
_BLOCK = re.compile(r"^ *```(?:sh|bash)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_WRONG: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
"""Typer brings a click of its own."""
_INLINE = re.compile(r"`(touchline [^`]+)`")


def commands(text: str) -> Iterator[str]:
    """Every `touchline …` of a page, in blocks and in sentences."""
    for block in _BLOCK.findall(text):
        yield from (
            line.partition(" #")[0].strip() for line in block.splitlines() if line.strip().startswith("touchline")
        )
    yield from _INLINE.findall(_BLOCK.sub("", text))


def wrong(line: str) -> str:
    """Why a line is no command of ours; empty: it is one. Its words are read, nothing is run."""
    command: Any = typer.main.get_command(app)
    words, path = shlex.split(line)[1:], "touchline"
    context = command.context_class(command, info_name=path)
    while hasattr(command, "get_command"):
        name = words.pop(0) if words else ""
        command = command.get_command(context, name)
        if command is None:
            return f"no such command: {name}"
        context = command.context_class(command, parent=context, info_name=name)
    try:
        command.make_context(command.name, words, parent=context.parent)
    except _WRONG as error:
        return str(error.format_message())
    return ""


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_its_commands_are_ones_that_this_version_has(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = list(commands(text))
    assert found, "a runbook without a command helps nobody"
    assert [f"{line}: {why}" for line in found if (why := wrong(line))] == []
    assert [name for name in re.findall(r"`(touchline_[a-z_]+)`", text) if name not in METRICS] == []


def test_each_alert_is_in_one_runbook_that_the_troubleshooting_page_names() -> None:
    of = {page.name: page.read_text(encoding="utf-8") for page in RUNBOOKS}
    page = (RUNBOOKS[0].parents[1] / "troubleshooting.md").read_text(encoding="utf-8")
    for rule in RULES:
        (name,) = [name for name, text in of.items() if rule.name in text.partition("\n\n")[2].partition("\n\n")[0]]
        (row,) = [line for line in page.splitlines() if line.startswith("| Touchline") and rule.name in line]
        assert f"](runbooks/{name})" in row, rule.name


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("touchline doctr", "no such command"),
        ("touchline alerts logs", "no such command"),
        ("touchline verify --stores", "No such option"),
        ("touchline dlq show", "letter_ids"),
        ("touchline alerts preview --days many", "--days"),
        ("touchline alerts test", "channel"),
        ("touchline doctor now", "now"),
    ],
)
def test_a_command_that_is_none_is_found(line: str, why: str) -> None:
    """Known bad."""
    assert why in wrong(line)
