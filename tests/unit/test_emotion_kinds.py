"""Praise of a time that is over, feared trouble that did not come, and what was never so: read right, or not at all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from benchmarks.emotion import Read, kinds, wrong
from streams.emotion.lexicon import Lexicon, lexicon
from streams.emotion.reading import score
from streams.emotion.vocabulary import LANGUAGES, Language

#: Measured: 2 of 16 in each language.
HELD_OUT_WRONG = 3
#: Which feeling came instead is not known: these may be read or not.
MAY_BE_UNREAD = {
    "praise that ended",
    "no longer",
    "feared trouble that did not come",
    "feared trouble that came",
    "true complaint in the same words",
}


def reader(read: Lexicon) -> Read:
    return partial(score, lexicon=read)


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_read_right_or_not_at_all(language: Language) -> None:
    assert wrong(kinds(language, "kinds"), reader(lexicon(language))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_ones_are_seldom_read_wrongly(language: Language) -> None:
    groups = kinds(language, "kinds_held_out")
    assert sum(len(group.texts) for group in groups) >= 16
    assert len(wrong(groups, reader(lexicon(language)))) <= HELD_OUT_WRONG


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_felt_now_is_still_read(language: Language) -> None:
    groups = [group for group in kinds(language, "kinds") if group.label != "unknown"]
    sided = [text for group in groups if group.kind not in MAY_BE_UNREAD for text in group.texts]
    unread = [text for text in sided if score(text, lexicon(language)) is None]
    assert len(sided) >= 15 and unread == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rule", "least"), [("past", 9), ("feared", 2), ("never", 2)])
def test_known_bad_without_each_rule(language: Language, rule: str, least: int) -> None:
    deaf = replace(lexicon(language), **{rule: frozenset()})  # type: ignore[arg-type]
    assert len(wrong(kinds(language, "kinds"), reader(deaf))) >= least


@pytest.mark.parametrize("language", LANGUAGES)
def test_known_bad_without_turns(language: Language) -> None:
    deaf = replace(lexicon(language), turns=replace(lexicon(language).turns, cues=frozenset()))
    assert len(wrong(kinds(language, "kinds"), reader(deaf))) >= 5


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "It was a nightmare until your team took over."),
        ("en", "It was great. Until the last update."),
        ("en", "Until the takeover, everything was excellent."),
        ("en", "Perfect before you changed the price."),
        ("en", "We were thrilled, until you raised the price."),
        ("en", "Back in 2023 support was fantastic."),
        ("en", "We expected downtime and had none."),
        ("en", "I thought the switch would be a disaster."),
        ("en", "The errors have disappeared since the patch."),
        ("en", "Great tool when it works."),
        ("nl", "Het werkte prima totdat jullie de server verhuisden."),
        ("nl", "Voordat jullie overgenomen werden, was alles perfect."),
        ("nl", "We waren heel blij, totdat de prijs omhoog ging."),
        ("nl", "We hadden een ramp verwacht en het werd er geen."),
        ("nl", "Ik dacht dat jullie behulpzaam zouden zijn."),
        ("nl", "Het was fantastisch. Totdat jullie verhuisden."),
        ("nl", "De app crasht niet meer."),
        ("nl", "De fouten zijn verdwenen sinds de patch."),
        ("nl", "Geweldig als het werkt."),
    ],
)
def test_what_is_over_or_only_expected_says_nothing(language: Language, text: str) -> None:
    assert score(text, lexicon(language)) is None


@pytest.mark.parametrize(
    ("language", "text", "sign"),
    [
        ("en", "We are used to your quick replies and very happy.", 1),
        ("en", "I am afraid the invoice is wrong again.", -1),
        ("en", "I never got a good answer.", -1),
        ("en", "It never gets better.", -1),
        ("en", "There was no crash.", 1),
        ("en", "We had no major problems.", 1),
        ("en", "No parcel was damaged.", 1),
        ("en", "I no longer hate this screen.", 1),
        ("en", "It is no useful tool.", -1),
        ("en", "I did not expect such terrible service.", -1),
        ("en", "Until now everything has been perfect.", 1),
        ("en", "Your engineer was friendly and finished before noon.", 1),
        ("en", "Your planner was friendly and left before dark.", 1),
        ("en", "Before you changed the price I hesitated, now I am happy.", 1),
        ("en", "The delivery was much faster than we had expected.", 1),
        ("en", "I thought the training was excellent.", 1),
        ("en", "Since 2019 your service has been excellent.", 1),
        ("en", "Faster than previously.", 1),
        ("en", "We expected the delivery on Monday but it is late again.", -1),
        ("en", "The line does not work until I restart it.", -1),
        ("en", "We can no longer tolerate these errors.", -1),
        ("nl", "Tot onze tevredenheid geleverd, geweldig.", 1),
        ("nl", "De fout was opgelost voordat we het wisten, top.", 1),
        ("nl", "Het ging veel sneller dan ik had verwacht.", 1),
        ("nl", "Zo'n slechte service had ik niet verwacht.", -1),
        ("nl", "Deze fouten accepteren we niet langer.", -1),
        ("nl", "Wij kunnen niet werken tot jullie dit oplossen.", -1),
        ("nl", "Nog geen enkele fout gevonden.", 1),
        ("nl", "We hebben geen onderdelen ontvangen.", -1),
        ("nl", "Minder snel dan vroeger.", -1),
        ("nl", "Wij zijn nooit goed geholpen.", -1),
        ("nl", "Ik ben bang dat de factuur alweer fout is.", -1),
        ("nl", "De training was geweldig.", 1),
    ],
)
def test_what_only_looks_alike_is_read_as_before(language: Language, text: str, sign: int) -> None:
    found = score(text, lexicon(language))
    assert found is not None and found * sign > 0
