"""Names of events and hosts that mean the same in several spellings."""

from __future__ import annotations

import re
from unicodedata import normalize

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


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
