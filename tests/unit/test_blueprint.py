"""The default blueprint: what is wrong in a blueprint is named."""

from __future__ import annotations

import pytest

from schemas.errors import ConfigurationError
from streams.journey.blueprints import DEFAULT, parse

TYPES = (DEFAULT.parent / "touchpoints.yaml").read_text(encoding="utf-8")
TEXT = DEFAULT.read_text(encoding="utf-8").replace("[touchpoints.yaml, ", "[") + TYPES


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
