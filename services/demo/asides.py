"""Smaller moments beside the story: what happens around a contract, an invoice or a working day. Pure.

Each hangs on a moment of the story, so that it is plausible where it stands; none changes the story's own dice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from services.demo.script import Message, Moment, Script, iso, rounded

_HOUR, _DAY = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Aside:
    """`after_s` after every `every`-th moment called `anchor`: an event, or a page when it begins with `/`."""

    anchor: str
    after_s: float
    what: str
    channel: str = "web"
    every: int = 1


ASIDES = (
    Aside("/blog", -40, "/", "search", every=6),
    Aside("/blog", -35, "/", "social", every=8),
    Aside("/pricing", -300, "/", "referral", every=3),
    Aside("/pricing", 70, "/compare/spreadsheets", every=4),
    Aside("/pricing", 160, "Site Search Performed", every=3),
    Aside("/product", 90, "/customers/logistics", every=3),
    Aside("Whitepaper Downloaded", 3 * _DAY, "Newsletter Opened", "email"),
    Aside("Webinar Attended", 2 * _DAY, "Email Link Clicked", "email"),
    Aside("Sales Call Held", 2 * _HOUR, "Live Chat Message Sent", "chat"),
    Aside("Demo Held", _DAY, "Trial Started", "product", every=2),
    Aside("Demo Held", 2 * _DAY, "Reference Call Held", "phone", every=2),
    Aside("Demo Held", 3 * _DAY, "Partner Consulted", "partner", every=2),
    Aside("Quote Requested", _HOUR, "RFP Clarified", "email"),
    Aside("Quote Sent", _DAY, "Negotiation Held", "meeting"),
    Aside("Contract Signed", _HOUR, "Order Confirmed", "email"),
    Aside("Contract Signed", 5 * _HOUR, "Workspace Delivered", "email"),
    Aside("Onboarding Started", 2 * _HOUR, "Kick-off Held", "meeting"),
    Aside("Onboarding Started", _DAY, "Integration Connected", "product"),
    Aside("Invoice Sent", 12 * _DAY, "Payment Received", "billing"),
    Aside("Signed In", 20, "/changelog", every=40),
    Aside("Signed In", 25, "/status", every=90),
    Aside("Signed In", 45, "/community/routing", every=60),
    Aside("Signed In", 3 * _HOUR, "Check-in Held", "phone", every=50),
    Aside("Signed In", -15, "Password Reset Requested", "product", every=45),
    Aside("Subscription Cancelled", 2 * _DAY, "Exit Survey Answered", "email"),
    Aside("Subscription Cancelled", 14 * _DAY, "Win-back Sent", "email"),
    Aside("Business Review Held", 2 * _DAY, "Upgrade Discussed", "meeting"),
    Aside("Renewal Signed", 4 * _DAY, "Expansion Proposed", "meeting", every=2),
    Aside("Referral Given", 6 * _DAY, "User Group Attended", "event"),
    Aside("Referral Given", 9 * _DAY, "Beta Joined", "product"),
    Aside("NPS Answered", 2 * _DAY, "Complaint Received", "email", every=3),
)


def tell(script: Script) -> None:
    """Add the asides to what the script has been told so far."""
    seen: Counter[Aside] = Counter()
    for moment in sorted(script.moments, key=lambda each: each.occurred_at):
        for aside in _beside(moment):
            seen[aside] += 1
            if seen[aside] % aside.every == 0:
                _add(script, moment, aside)


def _beside(moment: Moment) -> Iterator[Aside]:
    if moment.poison or moment.sender not in ("web", "product"):
        return
    name = str(moment.message.get("event", ""))
    path = str(moment.message.get("context", {}).get("page", {}).get("path", ""))
    yield from (a for a in ASIDES if a.anchor == name or (a.anchor[0] == "/" and path.startswith(a.anchor)))


def _add(script: Script, moment: Moment, aside: Aside) -> None:
    at = rounded(moment.occurred_at + timedelta(seconds=aside.after_s * script.pace))
    stamp = "timestamp" if "timestamp" in moment.message else "originalTimestamp"
    message: Message = {key: moment.message[key] for key in ("anonymousId", "userId") if key in moment.message}
    message |= {"messageId": script.id(), stamp: iso(at), "context": {"library": moment.message["context"]["library"]}}
    if aside.what.startswith("/"):
        message |= {"type": "page", "name": aside.what.strip("/").title() or "Home", "properties": {}}
        message["context"] |= {"page": {"path": aside.what}}
    else:
        message |= {"type": "track", "event": aside.what, "properties": {}}
    message["properties"] |= {"channel": aside.channel}
    script.tell(moment.sender, at, message)
