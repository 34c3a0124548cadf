"""No request that the API's own description allows, or forbids, is answered by an error of ours.

A few of each question here; many with `.venv/bin/pytest -m slow tests/unit/test_api_fuzzed.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

pytestmark = pytest.mark.filterwarnings("ignore::Warning")
ALLOWED = (GenerationMode.POSITIVE,)
"""What is forbidden is slow to find: most parameters are texts, which nothing forbids."""
STREAM = r"/stream$"
"""Its answer never ends."""


async def nothing(*_: Any) -> str:
    return "done"


def site() -> FastAPI:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))
    return app_on(store, allowed_hosts=["testserver"], act=nothing, decide=nothing)


def failures(app: FastAPI, examples: int, paths: str = "", *, modes: Sequence[GenerationMode]) -> tuple[int, list[str]]:
    """How many questions were asked, and what went wrong with which."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app).exclude(path_regex=STREAM).include(path_regex=paths)
    found: list[str] = []
    described: Any = schema.get_all_operations()
    operations = [each.ok() for each in described]
    for operation in operations:
        for mode in modes:
            _asked(operation, mode, examples, found)
    return len(operations), found


def _asked(operation: Any, mode: GenerationMode, examples: int, found: list[str]) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        try:
            case.call_and_validate(checks=[not_a_server_error], headers={"origin": "http://testserver"})
        except Exception as error:
            found.append(f"{operation.label} ({mode.value}): {error}"[:400])

    try:
        ask()
    except Exception as error:  # such as: nothing about it can be wrong
        if "Unsatisfiable" not in type(error).__name__:
            found.append(f"{operation.label}: {error!r}"[:400])


def test_no_question_that_is_described_ends_in_an_error_of_ours() -> None:
    asked, found = failures(site(), 2, "^/api/v1/", modes=ALLOWED)
    assert asked > 15 and found == []


def test_an_error_of_ours_would_be_seen() -> None:
    app = FastAPI()

    @app.get("/broken")
    async def broken(number: int) -> None:
        raise ZeroDivisionError

    assert any("/broken" in each for each in failures(app, 1, modes=ALLOWED)[1])


@pytest.mark.slow
def test_no_question_of_many_ends_in_an_error_of_ours() -> None:
    assert failures(site(), 25, modes=list(GenerationMode))[1] == []
