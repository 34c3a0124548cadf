"""Names of events and hosts that mean the same in several spellings."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


_LANGUAGES = (
    "ar bg bs ca cs cy da de el en es et eu fi fr ga gl he hr hu it ja ko "
    "lt lv mt nb nl nn no pl pt ro ru sk sl sq sr sv th tr uk vi zh"
)
"""ISO 639-1 codes that sites begin their paths with, without those that are likelier another word: `my`, `id`, `to`."""
_LANGUAGE = re.compile(rf"/(?:[a-z]{{2}}[/_-])?(?:{'|'.join(_LANGUAGES.split())})(?:[_-][a-z]{{2,4}})?(?=/|$)")


@lru_cache(maxsize=16_384)
def without_language(page: str) -> str:
    """A path in lower case without the language it begins with: `/nl/prijzen`, `/be/nl/prijzen`, `/en-us/prijzen`."""
    return page[found.end() :] or "/" if (found := _LANGUAGE.match(page)) else page


def spaced(name: str) -> str:
    """A name with blanks where its capitals stand for them: `DemoRequested` and `demoRequested` are two words."""
    return _HUMPS.sub(" ", name)


def readable_host(host: str) -> str:
    """A host in the letters of its language: `xn--mller-kva.de` and `müller.de` are one company."""
    if host.isascii() and "xn--" not in host:
        return host
    return normalize("NFC", ".".join(_label(label) for label in host.split(".")))


def _label(label: str) -> str:
    # Not the codec `idna`: it is of 2003 and writes `straße.de` as another company's domain.
    if not label.startswith("xn--"):
        return label
    try:
        found = label[4:].encode().decode("punycode").lower()
    except UnicodeError:
        return label
    return found if re.fullmatch(r"[\w-]+", found) else label
