"""The map draws what hurts whole, what is calm in a line, and what nobody measured hollow; surveys stand apart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.matching import Match
from services.dashboard.catalogue import Catalogue
from services.dashboard.pages.map.query import ask
from services.dashboard.pages.map.view import MapPage
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import World, world
from tests.unit.test_dashboard_app import app_on

SURVEYED = BLUEPRINT.model_copy(
    update={
        "types": tuple(
            kind.model_copy(update={"match": (Match(action="survey_answered"),)}) if kind.id == "webinar" else kind
            for kind in BLUEPRINT.types
        )
    }
)


def made() -> World:
    found = world(BLUEPRINT, NOW, touchpoints=400, days=5)
    for row in found.touchpoints:
        row["phase"] = row["home_phase"]
        if row["touchpoint_type"] == "website_visit":
            row |= {"friction": 0, "pain": 0.0, "has_emotion": 0, "friction_rules": []}
        elif row["touchpoint_type"] == "webinar":
            row |= {"friction": 1, "pain": 0.9, "has_emotion": 1, "emotion": -1.0}
    return found


@pytest.fixture
async def page() -> MapPage:
    return await ask(Reader(FakeStore(made()), Catalogue(SURVEYED), lambda: NOW), Scope("7d"))


async def test_each_cell_stands_in_exactly_one_lane(page: MapPage) -> None:
    awareness, purchase = page.phases[:2]
    assert [line.id for line in awareness.unmeasured] == ["website_visit"], "seen often, and nothing tells how it went"
    assert [line.id for line in awareness.verdicts] == ["webinar"]
    assert not awareness.painful, "the worst survey ranks nowhere"
    assert {cell.id for cell in purchase.painful} == {"contract", "security_review"}
    weights = [cell.burden.weight for cell in purchase.painful]
    assert weights == sorted(weights, reverse=True) and weights[-1] > 0
    assert page.worst is purchase
    assert page.owner and 0 < page.owner[1] <= 1


async def test_what_to_improve_is_sorted_by_what_it_weighs_and_has_no_survey(page: MapPage) -> None:
    boxed = [each for box in page.boxes for each in box.cells]
    assert {each.id for each in boxed} == {"contract", "security_review"}
    contract = next(cell for cell in page.phases[1].painful if cell.id == "contract")
    assert next(each.impact for each in boxed if each.id == "contract") == contract.burden.weight


async def test_the_page_says_the_worst_phase_and_an_earlier_window_changes_the_change() -> None:
    found = made()
    for row in list(found.touchpoints):
        at = row["occurred_at"] - timedelta(days=7)
        early = {"event_id": f"early-{row['event_id']}", "occurred_at": at, "minute": at.replace(second=0)}
        found.touchpoints.append(row | early)
    text = (await browser_of(app_on(FakeStore(found))).get("/map?window=7d")).text
    assert ">Awareness</a> hurts most" in text, "the most pain of a column; the weight only ranks its cells"
    assert "as before" in text
    assert "new" not in text.partition('<div class="map">')[2].partition("</section>\n</div>")[0].split(">")
