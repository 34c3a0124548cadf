"""What stands for words that are not kept, and which words tell nothing of anybody."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from streams.friction.labels import is_of_known_words
from streams.friction.topics import words_of

_WORDLESS: Final = re.compile(r"[\W\d_]*")
_LETTERS: Final = "abcdefghijklmnop"


def token_of(kind: str, words: str) -> str:
    """`[title-gkafe-4711]`: the same for the same words.

    Letters first, for the words that make a topic, so that it reads as words where topics are compared; then digits,
    for all else that differs. Who can guess the words can check the guess.
    """
    about = words_of(words)
    token = f"{kind}-{letters_of(about or words.casefold())}"
    return f"[{token}]" if about in ("", words) else f"[{token}-{_digits(words)}]"


def letters_of(words: str) -> str:
    """Five letters that words always come to."""
    return "".join(_LETTERS[byte & 15] for byte in sha256(words.encode()).digest()[:5])


def _digits(words: str) -> str:
    return str(int.from_bytes(sha256(words.encode()).digest()[:4]) % 10_000)


def is_control(words: str) -> bool:
    """Whether it is what stands on a control such as `+` or Next: rules spare those, and they tell nothing."""
    return bool(words) and (is_of_known_words(words) or _WORDLESS.fullmatch(words) is not None)


def names_nothing(words: str) -> bool:
    """Whether it is a subject such as Question or Other, which stands over everything."""
    return not words_of(words) and not re.search(r"\d", words)


def is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
