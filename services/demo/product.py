"""Scenes in the product, as its RudderStack source tells them: work, trouble, and what people say about it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.demo.cast import Company, Person
from services.demo.script import Message, Script, iso, rounded

PAGES = ("/app/inbox", "/app/accounts", "/app/reports", "/app/routing", "/app/dashboards", "/app/settings")
BUTTONS = ("button.save", "button.assign", "button.filter", "button.export", "link.next")
FEATURES = ("Report Exported", "Report Shared", "Feature Used", "Report Scheduled")


def call(script: Script, kind: str, person: Person, at: datetime, session: str = "") -> Message:
    """A message of the product without content."""
    context: dict[str, Any] = {"library": {"name": "RudderLabs JavaScript SDK", "version": "3.34.1"}}
    if session:
        context["sessionId"] = session
    return {
        "type": kind,
        "messageId": script.id(),
        "userId": person.user_id,
        "originalTimestamp": iso(at),
        "channel": "web",
        "context": context,
    }


def page(script: Script, person: Person, at: datetime, path: str, session: str) -> None:
    """One screen of the product, or of its help."""
    message = call(script, "page", person, at, session)
    message["context"]["page"] = {"path": path}
    script.tell("product", at, message | {"name": path.rpartition("/")[2].title(), "properties": {"path": path}})


def track(script: Script, person: Person, at: datetime, event: str, **properties: Any) -> None:
    """One event."""
    message = call(script, "track", person, at, str(properties.pop("session", "")))
    script.tell("product", at, message | {"event": event, "properties": properties})


def sign_up(script: Script, company: Company, person: Person, at: datetime) -> None:
    """The person gets a login in the company's workspace."""
    traits = {"email": person.email, "name": person.name, "title": person.title}
    script.tell("product", at, call(script, "identify", person, at) | {"traits": traits})
    group = {"groupId": f"workspace-{company.crm_id}", "traits": {"name": company.name, "domain": company.domain}}
    script.tell("product", at + timedelta(seconds=2), call(script, "group", person, at + timedelta(seconds=2)) | group)


def work(script: Script, person: Person, at: datetime) -> datetime:
    """Somebody does their job with it."""
    session = script.session()
    track(script, person, at, "Signed In", session=session)
    for _ in range(script.rng.randint(2, 5)):
        at = script.later(at, 15, 150)
        path = script.rng.choice(PAGES)
        page(script, person, at, path, session)
        if script.chance(0.5):
            at = script.later(at, 4, 30)
            track(script, person, at, "Element Clicked", element=script.rng.choice(BUTTONS), path=path, session=session)
    if script.chance(0.35):
        at = script.later(at, 10, 60)
        track(script, person, at, script.rng.choice(FEATURES), session=session)
    if script.chance(0.12):
        at = script.later(at, 10, 60)
        page(script, person, at, script.rng.choice(("/help/routing-rules", "/docs/api", "/help/exports")), session)
    return at


def stumble(script: Script, person: Person, at: datetime, path: str, error: str) -> datetime:
    """Something does not work: an error, and clicks that ask again."""
    session = script.session()
    page(script, person, at, path, session)
    at = script.later(at, 5, 25)
    if script.chance(0.6):
        for _ in range(script.rng.randint(3, 6)):
            track(script, person, at, "Element Clicked", element="button.retry", path=path, session=session)
            at = rounded(at + timedelta(milliseconds=script.rng.randint(200, 700)))
    track(script, person, at, "Error Shown", path=path, error_type=error, reason=error, session=session)
    return script.later(at, 20, 90)


def sso_outage(script: Script, person: Person, at: datetime) -> datetime:
    """The week in which signing in through the identity provider failed."""
    error = script.rng.choice(("SAML assertion expired", "Signature of the identity provider not valid"))
    at = stumble(script, person, at, "/settings/sso", error)
    if script.chance(0.5):
        page(script, person, at, "/help/sso-setup", script.session())
        at = script.later(at, 30, 200)
    return at


def nps(script: Script, person: Person, at: datetime, score: int) -> None:
    """The question after some weeks of use."""
    track(script, person, at, "NPS Answered", score=score, channel="in-app")


def csat(script: Script, person: Person, at: datetime, about: str, score: int) -> None:
    """The question after a milestone."""
    track(script, person, at, "CSAT Answered", score=score, about=about, channel="in-app")
