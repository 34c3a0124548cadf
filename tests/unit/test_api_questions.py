"""No question to the API or the pages ends in a 500, whatever it says; what is refused is refused with words."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.dashboard.api import STREAMS
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_access import routes_of
from tests.unit.test_dashboard_app import app_on

STORE = FakeStore(world(BLUEPRINT, NOW, touchpoints=6, days=1))
APP = app_on(STORE)
PATHS = sorted(path for path, methods in routes_of(APP) if "GET" in methods and path not in STREAMS)
NAMES = (
    "window", "compare", "persona", "segment", "owner", "channel", "tier", "account", "subject", "before", "traffic",
    "limit", "cursor", "q", "sort", "phase", "identified", "polarity", "account_id", "status", "state", "severity",
    "explain", "part", "days", "policy", "number", "value", "next", "token", "view",
)  # fmt: skip
WORDS = st.sampled_from(
    ["", "7d", "all", "1", "0", "-1", "9" * 30, "unknown", "all/all", "crm:0001", "purchase/contract", "%", "\x00", "é",
     "\u202e", "//evil.example", "WyIxIiwiYSJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTkiLCJhIl0", "'; DROP TABLE x", "{{7*7}}"]
)  # fmt: skip


@st.composite
def addresses(draw: st.DrawFn) -> str:
    words = WORDS | st.text(max_size=12)
    path = draw(st.sampled_from(PATHS))
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + quote(draw(words), safe="") + rest.partition("}")[2]
    asked = draw(st.dictionaries(st.sampled_from(NAMES), words, max_size=3))
    return f"{path}?{httpx.QueryParams(asked)}"


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_no_question_ends_in_a_500(accept: str) -> None:
    client = browser_of(APP, accept=accept)
    found: list[str] = []

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(address=addresses())
    def collect(address: str) -> None:
        found.append(address)

    collect()
    for address in dict.fromkeys(found):
        answer = await client.get(address)
        assert answer.status_code < 500, (address, answer.text[:300])
        if answer.status_code >= 400 and address.startswith("/api/v1/"):
            assert answer.headers["content-type"] == "application/problem+json", address


async def test_what_openapi_says_is_there() -> None:
    """Every path of the document is a route, and each question of the API has a sentence."""
    document = (await browser_of(APP).get("/openapi.json")).json()
    routes = {path.replace(":path}", "}") for path, _ in routes_of(APP)}
    assert document["paths"].keys() <= routes and len(document["paths"]) > 10
    for path, methods in document["paths"].items():
        assert all(told.get("description") for told in methods.values()), path
