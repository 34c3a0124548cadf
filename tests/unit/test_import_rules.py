"""Each import rule of pyproject.toml notices the import that it forbids."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract

RULES = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {rule["name"]: rule for rule in RULES["contracts"]}
TYPES: dict[str, type[LayersContract | ForbiddenContract | IndependenceContract]] = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
}
configure()  # what a contract is checked with: its clock, its output

#: Rule, who imports, and what it may not.
BROKEN = [
    ("imports run services -> streams -> schemas", "streams.runtime.writer", "services.gateway.app"),
    ("imports run services -> streams -> schemas", "schemas.config", "streams.ids"),
    ("services do not import one another", "services.dashboard.main", "services.gateway.app"),
    ("no service imports what starts it", "services.gateway.app", "services.cli.main"),
    ("no service imports what starts it", "services.common", "services.supervisor.plan"),
    (
        "a type is matched before its friction is found, and that before the journey is told",
        "streams.friction.rule_book",
        "streams.journey.fold",
    ),
    (
        "a type is matched before its friction is found, and that before the journey is told",
        "streams.matching.conditions",
        "streams.friction.fields",
    ),
    ("the pure core knows no transport", "streams.journey.fold", "asyncio"),
    ("the pure core knows no transport", "streams.identity.graph", "streams.runtime.decode"),
    ("what a touchpoint means does not depend on who sent it", "streams.friction.views", "streams.connectors.registry"),
    ("connectors are data and pure functions", "streams.connectors.crm.hubspot", "streams.matching.conditions"),
]


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*RULES["root_packages"], include_external_packages=True)


def is_kept(rule: dict[str, Any], graph: grimp.ImportGraph) -> bool:
    options = {name: value for name, value in rule.items() if name not in ("name", "type")}
    session = {name: value for name, value in RULES.items() if name != "contracts"}
    contract = TYPES[rule["type"]](rule["name"], session, options)
    return bool(contract.check(deepcopy(graph), verbose=False).kept)


@pytest.mark.parametrize(("rule", "importer", "imported"), BROKEN)
def test_a_forbidden_import_is_noticed(rule: str, importer: str, imported: str) -> None:
    graph = deepcopy(imports())
    graph.add_import(importer=importer, imported=imported)
    assert is_kept(CONTRACTS[rule], imports())
    assert not is_kept(CONTRACTS[rule], graph)


def test_each_rule_is_shown_to_notice_something() -> None:
    assert {rule for rule, _, _ in BROKEN} == CONTRACTS.keys()
