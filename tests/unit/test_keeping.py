"""What a source does not keep is in nothing that is stored, and what was computed from it is as before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.errors import ConfigurationError
from schemas.friction_rules import GoldenTest
from schemas.keeping import Keep, Keeping
from schemas.topics import TOPICS
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, RawRequest
from services.common.config import load_config
from services.sink.explain import _feeling
from streams.emotion.feeling import FELT_BY, VERSION, felt
from streams.journey.blueprints import load
from streams.journey.fold import fold
from streams.journey.golden import START, events_of, with_targets
from streams.minimising.asked import asked_by
from streams.minimising.kept import Kept, keeping_of
from streams.processors.main import _kept
from streams.processors.mapper import Mapper
from streams.runtime.topics_admin import settings_of
from tests.journeys import touchpoint

BLUEPRINT = load()
ASKED = asked_by(BLUEPRINT.source)
SECRET = "Zandkasteelmoord"


def all_at(keep: Keep) -> Keeping:
    return Keeping(text=keep, title=keep, page=keep, properties=keep)


def kept(keeping: Keeping, source: str = "web") -> Kept:
    return Kept({source: keeping}, ASKED)


def signals_of(items: Sequence[AttributedTouchpoint], test: GoldenTest) -> list[tuple[str, datetime, float]]:
    stage = with_targets(BLUEPRINT, tuple(sorted(test.targets.items())))
    journey = fold(list(items), stage, START + timedelta(seconds=test.as_of_s))
    return sorted((found.rule, found.opened_at, found.severity) for found in journey.signals.values())


GOLDEN = [test for rule in BLUEPRINT.source.rules for test in rule.tests]


def less_of(test: GoldenTest, keeping: Keeping) -> list[tuple[AttributedTouchpoint, AttributedTouchpoint]]:
    items = events_of(test)
    of = {item.touchpoint.source: keeping for item in items}
    return [(item, item.changed(touchpoint=Kept(of, ASKED).reduced(item.touchpoint))) for item in items]


def test_every_rule_finds_in_masked_events_what_it_finds_in_whole_ones() -> None:
    for test in GOLDEN:
        both = less_of(test, all_at("masked"))
        assert signals_of([one for one, _ in both], test) == signals_of([less for _, less in both], test), test.name


def test_every_type_is_known_whatever_is_kept() -> None:
    for test in GOLDEN:
        for keep in ("masked", "dropped"):
            for whole, less in less_of(test, all_at(keep)):
                found = [BLUEPRINT.type_of(item.touchpoint).id for item in (whole, less)]
                assert found[0] == found[1], (test.name, keep)


def test_masking_without_the_blueprints_words_would_lose_types() -> None:
    """Known bad: what the blueprint asks must stay."""
    seen = touchpoint("e", 0, page="/pricing/acme")
    blind = Kept({"web": all_at("masked")}).reduced(seen)
    assert BLUEPRINT.type_of(blind).id != BLUEPRINT.type_of(seen).id


WORDS = st.sampled_from(
    [SECRET, f"{SECRET} and more", f"Re: {SECRET.upper()} 12", f"/pricing/{SECRET}", f"/nl/{SECRET}/"]
)


@settings(max_examples=60)
@given(
    keep=st.sampled_from(["masked", "dropped"]),
    action=st.sampled_from(["page_view", "click", "custom", "ticket_created", "survey_answered", "client_error"]),
    words=st.fixed_dictionaries(dict.fromkeys(("text", "title", "page"), WORDS)),
    properties=st.dictionaries(
        st.sampled_from(["comment", "topic", "url", "search", "label", "question", "plan", "title", "name", "type"]),
        WORDS,
    ),
)
@example(keep="masked", action="page_view", words={"title": SECRET}, properties={"url": f"https://x.nl/?q={SECRET}"})
def test_the_words_are_nowhere(keep: Keep, action: str, words: dict[str, str], properties: dict[str, Any]) -> None:
    told = f"page:{words['title']}"
    whole = touchpoint("e", 0, action, vendor_type=told, properties=properties, **words)
    less = kept(all_at(keep)).reduced(whole)
    assert SECRET.lower() not in less.encoded().decode().lower()
    assert less == kept(all_at(keep)).reduced(whole), "the same event always loses the same"


def test_a_source_that_keeps_all_loses_nothing() -> None:
    """Known bad for the test above: it can fail."""
    whole = touchpoint("e", 0, text=SECRET)
    assert kept(all_at("dropped"), "other").reduced(whole) is whole
    assert keeping_of([("web", Keeping()), ("chat", Keeping(text="dropped"))]).keys() == {"chat"}


def test_what_a_field_repeats_of_a_dropped_one_goes_with_it() -> None:
    """Only the text is dropped; senders put its beginning among the properties, too."""
    text = "The import fails and I am furious about it. " * 9
    whole = touchpoint("e", 0, "survey_answered", text=text, properties={"comment": text[:200], "plan": "pro"})
    less = kept(Keeping(text="dropped")).reduced(whole)
    assert (less.text, less.properties) == ("", {"comment": "", "plan": "pro"})


@pytest.mark.parametrize("keep", ["masked", "dropped"])
def test_a_text_is_felt_before_it_goes_and_says_by_which_version(keep: Keep) -> None:
    whole = touchpoint("e", 0, "survey_answered", text="This is terrible, I am very angry and disappointed.")
    read = felt(whole)
    less = kept(Keeping(text=keep)).reduced(read, is_felt=read is not whole)
    assert less.sentiment == read.sentiment is not None and less.properties == {FELT_BY: VERSION}
    assert felt(less) == less, "what is left is not read again"
    old = {"language": "en", "properties": {FELT_BY: 1}}
    assert _feeling(old, -0.5).endswith("version 1") and _feeling({"language": "en"}, -0.5).endswith(
        f"version {VERSION}"
    )


def test_records_of_the_crm_stay_the_directory() -> None:
    deal = touchpoint(
        "e", 0, "deal_stage_changed", title="Contract for Ann", subject="deal:1",
        properties={"property": "dealstage", "value": "contractsent", "name": "Contract for Ann", "contacts": "51"},
    )  # fmt: skip
    less = kept(all_at("dropped")).reduced(deal)
    assert less.properties == {"property": "dealstage", "value": "contractsent", "name": "", "contacts": "51"}
    assert less.title == ""


def test_two_questions_of_one_survey_stay_two() -> None:
    answers = [touchpoint(e, 0, "survey_answered", title=title) for e, title in (("a", "Easy?"), ("b", "Again?"))]
    first, second = [kept(all_at("dropped")).reduced(one).title for one in answers]
    assert first != second and first.startswith("[title-")


def _mapped(keeping: Keeping) -> CleanTouchpoint:
    body = orjson.dumps(
        {
            "type": "track", "event": "Survey Answered", "messageId": "m1", "userId": "u1",
            "timestamp": "2026-11-30T10:00:00Z",
            "properties": {"comment": f"Awful, I hate this {SECRET}", "score": 2},
        }
    ).decode()  # fmt: skip
    request = RawRequest(
        request_id="r", source="web", vendor="segment", received_at=datetime(2026, 11, 30, 10, tzinfo=UTC),
        method="POST", path="/v1/track", body=body,
    )  # fmt: skip
    reading = Mapper(kept=kept(keeping)).read(request, ("touchpoints.raw.v1", 0, 0), 0)
    return CleanTouchpoint.decoded(reading.touchpoints[0].encoded())


def test_a_request_becomes_a_touchpoint_without_the_words() -> None:
    whole, less = _mapped(Keeping()), _mapped(Keeping(text="dropped"))
    assert SECRET in whole.text and SECRET not in less.encoded().decode()
    assert whole.sentiment == less.sentiment is not None and whole.event_id == less.event_id


def _sources(tmp_path: Path, keep: str, more: str = "") -> Config:
    path = tmp_path / "touchline.yaml"
    path.write_text(
        f"sources:\n  - name: web\n    vendor: segment\n    secrets: [{{env: KEY}}]\n    keep: {keep}\n{more}"
    )
    return load_config(path)


def test_normalise_reads_by_what_sources_keep(tmp_path: Path) -> None:
    made = _kept(_sources(tmp_path, "{text: dropped}"))
    assert made.of == {"web": Keeping(text="dropped")} and made.asked == ASKED
    assert _kept(Config()) == Kept()


def test_a_source_that_keeps_less_shortens_the_log_of_requests(tmp_path: Path) -> None:
    raw = TOPICS["touchpoints.raw.v1"]
    hours = {
        "{}": 168,
        "{text: kept}": 168,
        "{text: dropped}": 24,
        "{page: masked}": 24,
    }
    for keep, expected in hours.items():
        kafka = _sources(tmp_path, keep).kafka
        assert kafka.hours_of("touchpoints.raw.v1") == expected and kafka.hours_of("touchpoints.attributed.v1") == 168
        assert settings_of(raw, kafka)["retention.ms"] == str(expected * 3_600_000)
    said = "kafka:\n  retention_hours_of: {touchpoints.raw.v1: 2}\n"
    assert _sources(tmp_path, "{text: dropped}", said).kafka.hours_of("touchpoints.raw.v1") == 2


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ("{text: droped}", "touchline.yaml:5:12: sources.0.keep.text: .*did you mean `dropped`"),
        ("{txt: dropped}", "touchline.yaml:5:12: sources.0.keep.txt: unknown key; did you mean `text`"),
    ],
)
def test_a_wrong_word_is_refused_at_the_start_with_its_place(tmp_path: Path, keep: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        _sources(tmp_path, keep)
