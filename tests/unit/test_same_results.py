"""What is left out because it cannot matter, or remembered because it comes again, changes no result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.touchpoints import CleanTouchpoint
from streams.connectors.web.dialect import _known
from streams.friction.rule_book import RuleBook, Watch
from streams.identity.aliases import alias, ordered, placeholder_among
from streams.ids import named_id
from streams.journey import signals
from streams.journey.blueprints import load
from streams.journey.fold import Journey, fold
from tests import same_results
from tests.journeys import AS_OF
from tests.simulation.score import stories
from tests.simulation.world import Story

BLUEPRINT = load()
STORIES = list(stories(8, seed=5))


def told(story: Story) -> tuple[object, ...]:
    journey: Journey = fold(story.items, BLUEPRINT, AS_OF)
    return journey.placed, journey.signals


def asked_of_everything(book: RuleBook, touchpoint: CleanTouchpoint) -> tuple[Watch, ...]:
    return tuple(replace(watch, asks=frozenset()) for watch in _WATCHES(book, touchpoint))


_WATCHES = RuleBook.watches


def test_rules_find_the_same_when_they_are_asked_of_every_event() -> None:
    before = [told(story) for story in STORIES]
    assert sum(len(story.items) for story in STORIES) > 1_000
    with patch.object(RuleBook, "watches", asked_of_everything):
        assert [told(story) for story in STORIES] == before
    with patch.object(signals, "told_by", lambda touchpoint: touchpoint.properties):  # as if nobody felt anything
        assert [told(story) for story in STORIES] != before


IDS = st.sampled_from(["", "u-7", "undefined", "0000", "ann@acme.example", "info@acme.example", " x ", "y" * 512])


@given(IDS, IDS, st.lists(IDS, max_size=2), st.lists(st.sampled_from(["+31201234567", "12"]), max_size=2))
def test_what_is_remembered_of_a_persons_ids_is_what_each_says(
    anonymous_id: str, user_id: str, emails: list[str], phones: list[str]
) -> None:
    found = [alias("anonymous", anonymous_id), alias("user", user_id)]
    found += [alias("email", user_id) if "@" in user_id else None]
    found += [*(alias("email", one) for one in emails), *(alias("phone", one) for one in phones)]
    known = _known(anonymous_id, user_id, tuple(emails), tuple(phones))
    assert known == (ordered(found), placeholder_among(anonymous_id, user_id))


@given(st.text())
def test_an_id_of_a_name_is_its_uuid(name: str) -> None:
    assert named_id(NAMESPACE_URL, name) == str(uuid5(NAMESPACE_URL, name))


def test_two_checkouts_are_compared_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    def lines(*told: str) -> Iterator[str]:
        return iter(told)

    assert same_results._compared(lines("a", "b"), lines("a", "b")) == 0
    assert same_results._compared(lines("a", "b"), lines("a", "c")) == 1
    assert same_results._compared(lines("a", "b"), lines("a")) == 1, "one said less"
    assert "line 2 differs" in capsys.readouterr().out


def test_every_vendor_is_read_and_accounts_are_told() -> None:
    assert {path.parent.name for path in Path(same_results.FIXTURES).glob("*/*.json")} >= {"segment", "posthog"}
    assert len(list(same_results.readings(1, mutants=1))) > 200
    assert any('"kind":"signal"' in line for line in same_results.rows(1, accounts=0))
