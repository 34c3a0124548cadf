"""Company names, so that "Acme Inc." and "ACME" compare equal. Equal names are a question, never an answer."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from cleanco import basename

_NOT_WORD = re.compile(r"[^\w&+]+")
#: Legal forms the package leaves; "company" and "the" are no part of what a company is called.
_LEFT_OVERS = frozenset({"co", "company", "the", "ug", "haftungsbeschränkt", "cie"})
_MIN_CHARS = 2


@lru_cache(maxsize=16_384)
def company_name(text: str) -> str:
    """The name without its legal forms, accents and punctuation, lower case; empty when nothing is left to compare."""
    plain = basename(text.strip()[:200]) or text
    bare = unicodedata.normalize("NFKC", plain).casefold().replace(".", "").replace("'", "")
    words = _NOT_WORD.sub(" ", bare).split()
    kept = [word for word in words if word not in _LEFT_OVERS] or words
    found = "".join(c for c in unicodedata.normalize("NFKD", " ".join(kept)) if not unicodedata.combining(c))
    return found if len(found) >= _MIN_CHARS else ""
