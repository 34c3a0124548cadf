"""How a web event came about: on which host, by what agent, and what its sender says of it beside the event itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.touchpoints import RawRequest
from schemas.traffic import Consent, Flag

#: What browsers say when they load a page before anybody asked for it.
PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-moz")
#: Names by which senders call an event a test, or its sender a program.
_TESTS = ("is_test", "isTest", "test_mode", "testMode")
_BOTS = ("is_bot", "isBot", "$is_bot", "$browser_type")
_EITHER = frozenset({*_TESTS, *_BOTS})


def said_of(
    request: RawRequest, *places: dict[str, Any], test: bool = False, consent: Consent | None = None
) -> tuple[Flag, ...]:
    """What the sender says, in `places` or by its headers, in a fixed order."""
    marked = [place for place in places if not _EITHER.isdisjoint(place)]  # hardly any event has one that does
    if not marked and not request.headers and not test and not consent:
        return ()
    return tuple(_flags(request, marked, test=test, consent=consent))


def _flags(request: RawRequest, places: list[dict[str, Any]], *, test: bool, consent: Consent | None) -> Iterator[Flag]:
    if _any_says(places, _BOTS):
        yield "bot"
    if request.headers:
        stated = " ".join(request.headers.get(name, "") for name in PREFETCH_HEADERS).lower()
        if "prefetch" in stated or "prerender" in stated:
            yield "prefetch"
    if test or _any_says(places, _TESTS):
        yield "test"
    if consent:
        yield consent


def _any_says(places: list[dict[str, Any]], names: tuple[str, ...]) -> bool:
    return any(_says(place.get(name)) for place in places for name in names)


def _says(value: object) -> bool:
    return is_true(value) or (isinstance(value, str) and value.strip().lower() == "bot")


def consent_of(context: dict[str, Any]) -> Consent | None:
    """What Segment's `context.consent` says: declined, where every purpose that it lists is refused."""
    consent = context.get("consent")
    listed = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not isinstance(listed, dict) or not listed:
        return None
    return "consented" if any(map(is_true, listed.values())) else "declined"


def is_true(value: object) -> bool:
    """Whether a switch is on; some send it as text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
