"""The default blueprint: its golden tests hold, they can fail, and what is wrong in a blueprint is named."""

from __future__ import annotations

import pytest

from schemas.errors import ConfigurationError
from streams.friction import golden
from streams.journey.blueprints import DEFAULT, load, parse

TYPES = (DEFAULT.parent / "touchpoints.yaml").read_text(encoding="utf-8")
TEXT = DEFAULT.read_text(encoding="utf-8").replace("[touchpoints.yaml, ", "[") + TYPES
RULES = (DEFAULT.parent / "friction.yaml").read_text(encoding="utf-8")


def test_every_golden_test_of_the_default_blueprint_holds() -> None:
    blueprint = load()
    count, failures = golden.run_all(blueprint)
    assert failures == [] and count >= 30
    assert all(len(rule.tests) >= 2 for rule in blueprint.source.rules)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("count: 3\n    within_s: 1.0", "count: 2\n    within_s: 1.0"),
        ("count: 3\n    within_s: 1.0", "count: 3\n    within_s: 1.1"),
        ("within_s: 14400", "within_s: 14401"),
        ("score_kind: nps, at_most: 6", "score_kind: nps, at_most: 7"),
        ("severity: {base: 0.6, step: 0.1}", "severity: {base: 0.6, step: 0.2}"),
        ("    pauses: [{action: ticket_status, properties: {current: [pending]}}]\n", ""),
        ("    restarts: true\n", ""),
    ],
)
def test_a_moved_boundary_fails_a_golden_test(before: str, after: str) -> None:
    """Known bad: each boundary is held by a test on either side."""
    assert before in RULES
    own = RULES.replace(before, after)
    assert golden.run_all(parse(TEXT.replace("include: [friction.yaml]", own)))[1]


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("initial_phase: awareness", "initial_phase: awarness", "unknown phase `awarness`"),
        ("id: pricing_page\n", "id: blog_article\n", "`blog_article` stands twice"),
        ("{persona: champion, role: [champion]}", "{persona: champ, role: [champion]}", "unknown persona `champ`"),
        ("match: [{action: page_view}]", "match: [{action: pageview}]", "unknown action `pageview`"),
        ('{action: page_view, page: "/pricing*"}', "{action: page_view}", "weigh the same"),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, names: str) -> None:
    assert before in TEXT
    with pytest.raises(ConfigurationError, match=names):
        parse(TEXT.replace(before, after, 1))
