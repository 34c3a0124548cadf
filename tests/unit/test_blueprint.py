"""The default blueprint holds the full checklist, and what is wrong in a blueprint is named."""

from __future__ import annotations

import pytest

from schemas.base import EPOCH
from schemas.errors import ConfigurationError
from schemas.matching import Match
from schemas.touchpoints import CleanTouchpoint
from streams.journey.blueprints import DEFAULT, load, parse
from streams.journey.checks import below

TYPES = (DEFAULT.parent / "touchpoints.yaml").read_text(encoding="utf-8")
TEXT = DEFAULT.read_text(encoding="utf-8").replace("[touchpoints.yaml, ", "[") + TYPES
CATALOGUE = load().source


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("initial_phase: awareness", "initial_phase: awarness", "unknown phase `awarness`"),
        ("id: pricing_page\n", "id: blog_article\n", "`blog_article` stands twice"),
        ("{persona: champion, role: [champion]}", "{persona: champ, role: [champion]}", "unknown persona `champ`"),
        ("      - {action: page_view}\n", "      - {action: pageview}\n", "unknown action `pageview`"),
        ('{action: page_view, page: "/pricing*"}', "{action: page_view}", "weigh the same"),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, names: str) -> None:
    assert before in TEXT
    with pytest.raises(ConfigurationError, match=names):
        parse(TEXT.replace(before, after, 1))


def test_the_default_blueprint_holds_the_full_checklist() -> None:
    """Every kind of contact moment says all that journey mapping asks; every persona and phase, too."""
    kinds = [kind for kind in CATALOGUE.types if kind.on_map]
    assert len(kinds) >= 40
    for kind in kinds:
        said = (kind.channel, kind.goal, kind.excellent, kind.terrible, kind.if_it_fails, kind.effort, kind.match)
        assert all(said), kind.id
        assert kind.owner is not None and kind.owner.department and kind.owner.people and kind.owner.technology, kind.id
        assert kind.desired_emotion is not None, kind.id
    for persona in CATALOGUE.personas:
        told = (persona.title, persona.department, persona.motivation, persona.frustration, persona.goal)
        assert all(told) or persona.id == "unknown"
    assert all(phase.goal and phase.questions for phase in CATALOGUE.phases)
    assert [phase.id for phase in CATALOGUE.phases] == [
        "awareness", "consideration", "purchase", "initiate", "enablement", "advocacy", "lapsed"
    ]  # fmt: skip


def test_the_catalogue_covers_the_whole_relationship() -> None:
    """Both kinds of everything, and the two moments of truth there must be."""
    kinds = [kind for kind in CATALOGUE.types if kind.on_map]
    assert {kind.contact for kind in kinds} == {"direct", "indirect"}
    assert {kind.setting for kind in kinds} == {"online", "offline"}
    assert {kind.started_by for kind in kinds} == {"customer", "company"}
    assert {kind.effort for kind in kinds} == {"quick", "medium", "long"}
    truths = {kind.id for kind in kinds if kind.moment_of_truth}
    assert {"demo_request", "contract"} <= truths, "the need is recognised; the supplier is chosen"
    assert all(kind.importance >= 4 for kind in kinds if kind.moment_of_truth)
    wanted = (
        "website_visit search_visit social_media email_campaign trade_fair webinar content_download chat sales_call "
        "product_demo rfq quote negotiation contract security_review order delivery first_invoice payment onboarding "
        "training product_use knowledge_base support_ticket complaint business_review nps_survey renewal upsell "
        "referral public_review user_group site_visit customer_note"
    )
    assert set(wanted.split()) <= {kind.id for kind in kinds}


@pytest.mark.parametrize("phase", ["awareness", "consideration", "purchase", "initiate", "enablement", "advocacy"])
def test_every_phase_has_contact_moments_to_look_at(phase: str) -> None:
    assert sum(kind.phase == phase and kind.on_map for kind in CATALOGUE.types) >= 5


def test_what_rules_watch_by_name_has_its_place_in_the_catalogue() -> None:
    """A signal on an unmapped touchpoint would stand on no card of the map."""
    blueprint = load()
    ways = [way for rule in blueprint.source.rules for way in rule.ways()]
    names = {name for way in ways for _, match in below(way, Match) for name in match.name}
    placeless = {name for name in names if blueprint.type_of(tracked(name)).id == "unmapped"}
    assert len(names) > 50 and placeless == set()
    assert blueprint.type_of(tracked("something else")).id == "unmapped"


def tracked(name: str) -> CleanTouchpoint:
    return CleanTouchpoint(
        event_id="e",
        source="web",
        vendor="segment",
        vendor_type=f"track:{name.title()}",
        action="custom",
        occurred_at=EPOCH,
        received_at=EPOCH,
    )
