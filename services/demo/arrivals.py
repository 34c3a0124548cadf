"""With what people came and from where: what a browser's SDK says beside each message. Pure.

Told over messages that stand already, and by dice of its own, so that no message of the story becomes another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from services.demo.cast import Company
from services.demo.script import Message, Moment

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
DESKS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/141.0.0.0",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
)
PHONES = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
)
ON_A_PHONE = {"web": 0.22, "product": 0.06}
ON_A_PHONE_IN_TROUBLE = {"web": 0.7, "product": 0.2}
"""The broken form is broken on small screens above all."""
_TROUBLES = ("Form Error", "Session Ended", "Error Shown")

Way = tuple[str, dict[str, str]]
WAYS: tuple[tuple[int, Way], ...] = (
    (34, ("", {})),
    (26, ("https://www.google.com/", {})),
    (12, ("https://www.google.com/", {"name": "quote-to-cash", "source": "google", "medium": "cpc"})),
    (8, ("https://www.linkedin.com/", {})),
    (9, ("https://www.linkedin.com/", {"name": "journey-benchmark", "source": "linkedin", "medium": "paid-social"})),
    (8, ("", {"name": "monthly-letter", "source": "newsletter", "medium": "email"})),
    (3, ("https://www.capterra.com/", {})),
)
"""(how many of a hundred, (the site before, the campaign)): how a visit of the website begins."""
_OF_CHANNEL = {
    "search": "https://www.google.com/",
    "social": "https://www.linkedin.com/",
    "referral": "https://www.capterra.com/",
}


def arrived(moments: Sequence[Moment], companies: Iterable[Company]) -> tuple[Moment, ...]:
    """The same moments; those of the website and the product say their browser, the first page of a visit how it began.

    A visit is on one device from its first message to its last.
    """
    troubled = {_session(moment.message) for moment in moments if moment.message.get("event") in _TROUBLES} - {""}
    countries = {key: one.country for one in companies for who in one.people for key in (who.anonymous_id, who.user_id)}
    return tuple(_told(moments, troubled, countries))


def _told(moments: Iterable[Moment], troubled: set[str], countries: dict[str, str]) -> Iterator[Moment]:
    begun: set[str] = set()
    for moment in moments:
        context = moment.message.get("context")
        if moment.sender not in ("web", "product") or moment.poison or context is None:
            yield moment
            continue
        who, session = _visitor(moment.message), _session(moment.message)
        more: dict[str, Any] = {"userAgent": _browser(moment.sender, who, session, in_trouble=session in troubled)}
        if moment.sender == "web":
            more |= {"location": {"country": countries[who]}} if who in countries else {}
            more |= _came(moment.message, who, session, is_first=session not in begun)
        begun |= {session} if moment.message["type"] == "page" else set()
        yield replace(moment, message=moment.message | {"context": context | more})


def _browser(sender: str, who: str, session: str, *, in_trouble: bool) -> str:
    """Everybody has one browser at the desk and one on the phone."""
    own = Random(f"browser:{who}")
    desk, phone = own.choice(DESKS), own.choice(PHONES)
    share = (ON_A_PHONE_IN_TROUBLE if in_trouble else ON_A_PHONE)[sender]
    return phone if session and Random(f"device:{who}:{session}").random() < share else desk


def _came(message: Message, who: str, session: str, *, is_first: bool) -> dict[str, Any]:
    page = message["context"].get("page")
    if message["type"] != "page" or page is None:
        return {}
    if not session:
        before = _OF_CHANNEL.get(message["properties"]["channel"], "")
        return {"page": page | {"referrer": before}} if before else {}
    if not is_first:
        return {}
    before, campaign = Random(f"way:{who}:{session}").choices([way for _, way in WAYS], [many for many, _ in WAYS])[0]
    return {"page": page | {"referrer": before}} | ({"campaign": campaign} if campaign else {})


def _visitor(message: Message) -> str:
    return str(message.get("userId") or message.get("anonymousId", ""))


def _session(message: Message) -> str:
    return str(message.get("context", {}).get("sessionId", ""))
