"""Scenes on the website, as its Segment source tells them: reading, comparing, asking. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.demo.cast import Company, Person
from services.demo.script import Message, Script, iso, rounded

BLOG = (
    "/blog/handover-costs", "/blog/first-answer-time", "/blog/quote-to-cash", "/resources/journey-benchmark",
    "/blog/renewals-without-drama", "/blog/self-service-that-serves",
)  # fmt: skip
COMPARE = ("/pricing", "/product/routing", "/features/integrations", "/pricing/enterprise", "/product/analytics", "/")


def call(script: Script, kind: str, anonymous_id: str, at: datetime, session: str) -> Message:
    """A message of the website without content."""
    return {
        "type": kind,
        "messageId": script.id(),
        "anonymousId": anonymous_id,
        "timestamp": iso(at),
        "context": {"sessionId": session, "library": {"name": "analytics.js", "version": "next-1.84.0"}},
    }


def page(script: Script, anonymous_id: str, at: datetime, path: str, session: str) -> None:
    """One page view."""
    message = call(script, "page", anonymous_id, at, session)
    title = path.rpartition("/")[2].replace("-", " ").title() or "Home"
    message["name"] = title
    message["context"]["page"] = {"path": path, "url": f"https://www.touchline-demo.example{path}", "title": title}
    script.tell("web", at, message)


def track(script: Script, anonymous_id: str, at: datetime, event: str, properties: dict[str, Any]) -> None:
    """One event of the site or of the sales tools behind it; `path` among the properties is the page."""
    message = call(script, "track", anonymous_id, at, str(properties.get("session_id", "")))
    script.tell("web", at, message | {"event": event, "properties": properties})


def identify(script: Script, person: Person, company: Company, at: datetime, session: str) -> None:
    """The visitor says who they are: from now on the earlier anonymous visits are theirs."""
    message = call(script, "identify", person.anonymous_id, at, session)
    traits = {"email": person.email, "firstName": person.first, "lastName": person.last, "title": person.title}
    script.tell("web", at, message | {"traits": traits | {"company": {"name": company.name}}})


def visit(script: Script, anonymous_id: str, at: datetime, paths: Sequence[str]) -> tuple[datetime, str]:
    """Pages one after another; returns when the last was left and the session."""
    session = script.session()
    for path in paths:
        page(script, anonymous_id, at, path, session)
        at = script.later(at, 15, 110)
    return at, session


def read(script: Script, anonymous_id: str, at: datetime) -> datetime:
    """Somebody reads the blog."""
    paths = script.rng.sample(BLOG, script.rng.randint(1, 3))
    at, session = visit(script, anonymous_id, at, ["/", *paths] if script.chance(0.4) else paths)
    if script.chance(0.15):
        about = {"element": "a.subscribe", "path": paths[-1], "session_id": session}
        track(script, anonymous_id, at, "Element Clicked", about)
    return at


def compare(script: Script, anonymous_id: str, at: datetime) -> datetime:
    """Somebody looks at prices and features."""
    return visit(script, anonymous_id, at, script.rng.sample(COMPARE, script.rng.randint(2, 5)))[0]


def rage(script: Script, anonymous_id: str, at: datetime, place: tuple[str, str, str]) -> datetime:
    """Clicks on what does not answer; `place` is (path, element, session)."""
    path, element, session = place
    for _ in range(script.rng.randint(3, 6)):
        track(script, anonymous_id, at, "Element Clicked", {"element": element, "path": path, "session_id": session})
        at = rounded(at + timedelta(milliseconds=script.rng.randint(180, 650)))
    return at


def form(script: Script, person: Person, at: datetime, name: str, *, sent: bool) -> tuple[datetime, str]:
    """A form is begun, and sent or left; returns the end and the session."""
    path = f"/{name}"
    at, session = visit(script, person.anonymous_id, at, [path])
    about = {"form": name, "path": path, "session_id": session}
    for field in ("company", "phone")[: script.rng.randint(1, 2)]:
        track(script, person.anonymous_id, at, "Form Started", about | {"field": field})
        at = script.later(at, 5, 40)
    if sent:
        track(script, person.anonymous_id, at, "Form Submitted", about)
        return at, session
    if script.chance(0.4):
        at = rage(script, person.anonymous_id, at, (path, "button.send", session))
        track(script, person.anonymous_id, at, "Form Error", about | {"reason": "phone number not accepted"})
    at = script.later(at, 10, 60)
    track(script, person.anonymous_id, at, "Session Ended", {"path": path, "session_id": session})
    return at, session


def csat(script: Script, person: Person, at: datetime, about: str, score: int) -> None:
    """The question after a meeting, a quote, a signature: by mail, so from the site's survey page."""
    track(script, person.anonymous_id, at, "CSAT Answered", {"score": score, "about": about, "channel": "email"})


def sales(script: Script, person: Person, at: datetime, event: str, channel: str, **more: Any) -> None:
    """What sales, legal or success did together with a person, from the tool they did it in."""
    track(script, person.anonymous_id, at, event, {"channel": channel, **more})
