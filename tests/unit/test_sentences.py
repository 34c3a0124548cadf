"""Sentences as keys with parameters: the English stored beside a key is made from it, and from nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.facts import Correction
from schemas.links import AccountClaim, Decision, Declared, Edge, Link, Membership, RecordChange
from streams.friction.compiled import compile_rules
from streams.friction.episodes import Signal
from streams.friction.words import sentence
from streams.identity.recalls import cause_of
from streams.journey.blueprints import load
from streams.journey.causes import Cause, reasons_of
from streams.journey.facts import signal_digest
from streams.sentences import ENGLISH, HOLES, Language, english, listed, rendered, said, unlisted
from tests.journeys import at

DUTCH = Language({"same_person": "{a} en {b} zijn één persoon", "gone": ("{count} weg", "{count} zijn weg")}, {})
BASE: dict[str, Any] = {"link_id": "l", "evidence": "e", "source": "web"}
LINK = BASE | {"since": at(0)}


@pytest.mark.parametrize("key", ENGLISH.sentences)
def test_a_sentence_is_made_from_its_key_and_parameters(key: str) -> None:
    params: dict[str, str | int] = {hole: 3 if hole == "count" else f"<{hole}>" for hole in HOLES[key]}
    coded = said(key, **params)
    template = ENGLISH.sentences[key]
    assert english(coded) == (template if isinstance(template, str) else template[1]).format(**params)
    assert json.loads(listed([coded])) == [[key, params] if params else [key]]
    assert [english(each) for each in unlisted(listed([coded]))] == [english(coded)]


def test_one_and_many_and_what_is_empty() -> None:
    assert english(said("gone", count=1)) == "1 touchpoint gone"
    assert english(said("gone", count=2)) == "2 touchpoints gone"
    assert english(said("segment", now="", before="small")) == "the segment is none, not small"
    assert english(said("decided_unlink", by="", a="a", b="b")) == "somebody decided: a is not b"


def test_another_language_needs_no_other_data() -> None:
    coded = said("no_longer_said", link=said("same_person", a="x", b="y"))
    assert (
        english(coded) == "a newer mapping reads otherwise, and nothing says so any more: x and y are the same person"
    )
    assert rendered(coded, DUTCH).endswith("any more: x en y zijn één persoon"), "what has no words yet stays English"
    assert rendered(said("gone", count=2), DUTCH) == "2 zijn weg"


@pytest.mark.parametrize(
    "text",
    [
        *("moved by hand", "[", "[1]", "[]", "{}", '["no_such_key",{}]', '["gone",{}]', '["gone"]'),
        *('["same_person",{"a":"x"}]', '["same_person",{"a":{},"b":"y"}]', '[["gone"],{}]', "[" * 2_000),
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert english(text) == text
    assert json.loads(listed([text])) == [["text", {"text": text}]]
    assert [english(each) for each in unlisted(listed([text]))] == [text]


def test_a_parameter_is_no_sentence_but_where_it_is_meant() -> None:
    event = '["gone",{"count":1}]'
    assert english(said("decisive", event=event)) == f"decisive: {event}"
    assert english(said("moved_because", to="crm:1", because=event)) == "touchpoints moved to crm:1: 1 touchpoint gone"


@pytest.mark.parametrize("stored", ["", "[", "{}", "null"])
def test_what_is_not_readable_is_nothing(stored: str) -> None:
    assert unlisted(stored) == []


def test_reasons_are_in_the_order_of_their_english() -> None:
    causes = {Cause("links", said("same_person", a="b:1", b="b:2")), Cause("asked", "a wish"), Cause("asked", "c")}
    assert [english(each) for each in reasons_of(causes)] == ["a wish", "b:1 and b:2 are the same person", "c"]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Edge(a="user:web:1", b="email:a@b.nl", **LINK), "user:web:1 and email:a@b.nl are the same person"),
        (AccountClaim(account_id="crm:1", trait="domain", value="", **LINK), "crm:1 claims no domain"),
        (AccountClaim(account_id="crm:1", trait="domain", value="b.nl", **LINK), "crm:1 claims b.nl"),
        (RecordChange(record="crm:1", how="merged", into="crm:2", **LINK), "crm:1 was merged into crm:2"),
        (RecordChange(record="crm:1", how="removed", **LINK), "crm:1 was removed"),
        (Declared(alias="anon:web:1", trait="domain", value="b.nl", **LINK), "anon:web:1 declared b.nl"),
        (Membership(alias="user:web:1", account_id="crm:1", how="left", **LINK), "user:web:1 left crm:1"),
        (Membership(alias="user:web:1", account_id="crm:1", **LINK), "user:web:1 belongs to crm:1"),
        (
            Decision(a="x:1", b="y:2", verdict="not_belongs", by="", decided_at=at(0), **BASE),
            "somebody decided: x:1 does not belong to y:2",
        ),
        (
            Edge(a="a:1", b="b:2", generation=1, retracted=True, **LINK),
            "a newer mapping reads otherwise, and nothing says so any more: a:1 and b:2 are the same person",
        ),
    ],
)
def test_why_touchpoints_move_is_a_sentence_of_its_link(link: Link, words: str) -> None:
    assert english(cause_of(link)) == words
    assert json.loads(cause_of(link))[0] in HOLES


def test_the_code_of_a_correction_says_what_its_english_says() -> None:
    reasons, changed = reasons_of({Cause("links", said("moved", to="crm:2"))}), [said("gone", count=1)]
    line = Correction(
        correction_id="c",
        account_id="crm:1",
        corrected_at=at(0),
        cause="; ".join(map(english, reasons)),
        cause_coded=listed(reasons),
        what=", ".join(map(english, changed)),
        what_coded=listed(changed),
        touchpoints_changed=0,
        touchpoints_removed=1,
        signals_changed=0,
        signals_withdrawn=0,
    )
    assert "; ".join(map(english, unlisted(line.cause_coded))) == line.cause == "touchpoints moved to crm:2"
    assert ", ".join(map(english, unlisted(line.what_coded))) == line.what == "1 touchpoint gone"


def test_every_explanation_of_the_shipped_rules_is_filled_by_its_parameters() -> None:
    values = {"count": 2, "score": 7.0, "waited_s": 3600, "working": False, "fields": ["a"], "parts": ["r"]}
    for way in compile_rules(load("infra/blueprints/default.yaml").source.rules):
        parameters = {name: values.get(name, "x") for name in way.parameters}
        assert "{" not in sentence(way.rule.explanation, parameters)


def test_a_signal_of_before_keeps_its_digest() -> None:
    """The code beside its English is no news: nothing that is stored is written anew because of it."""
    signal = Signal(
        *("s", "slow", 1, "friction", 0.5, "e1", "p", at(0), None, ("e1",), 1, "was slow", "page", "buy"),
        explanation_coded='["slow",{}]',
    )
    assert signal_digest(signal) == signal_digest(signal._replace(explanation_coded=""))
    assert signal_digest(signal) == 17766715962931964378, "as the version before wrote it"
    assert signal_digest(signal) != signal_digest(signal._replace(explanation="is slow"))
