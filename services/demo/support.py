"""Scenes at the helpdesk, as Zendesk's webhooks tell them: who asks, who answers when, what comes back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.demo.cast import Company, Person
from services.demo.script import Message, Script, iso

ACCOUNT_ID = 22_129_848
AGENTS = (("9001", "Noor"), ("9002", "Sam"), ("9003", "Elif"))
Subject = tuple[str, tuple[str, ...]]
"""A title, and the words with which people ask, by the number of the ticket."""
SUBJECTS: tuple[Subject, ...] = (
    (
        "Export stops at 10,000 rows",
        (
            "The file ends early and nothing says why.",
            "Half of our customers are missing in the file, and our board meets tomorrow.",
            "I exported three times, and each time something else is missing.",
        ),
    ),
    (
        "Routing rule sends to the wrong team",
        (
            "Since yesterday all invoices land with support.",
            "The rule is right and still the wrong people get it. Nobody here understands why.",
            "Our customers wait two days because their messages go to a team that cannot help them.",
        ),
    ),
    (
        "How do I add a second brand?",
        (
            "We merged; where do I set this up?",
            "The manual describes a page that I cannot find.",
            "A colleague says that it needs a second contract. Is that so?",
        ),
    ),
    (
        "Rapport klopt niet met het dashboard",
        (
            "Het totaal wijkt 4% af van vorige week.",
            "Twee schermen, twee getallen. Welke moet ik de directie geven?",
            "Dit is de derde maand dat de cijfers niet kloppen.",
        ),
    ),
    (
        "API answers 429 at night",
        (
            "Our import runs at two and stops.",
            "We stay below the limit of the documentation and are refused all the same.",
            "Every morning somebody has to start the import by hand.",
        ),
    ),
    (
        "Gebruiker kan niet inloggen",
        (
            "Na de naamswijziging herkent het systeem haar niet.",
            "Zij krijgt de mail om het wachtwoord te wijzigen niet.",
            "Sinds maandag kan ons halve team er niet in.",
        ),
    ),
)
SSO_SUBJECT: Subject = (
    "Nobody can sign in through SSO",
    (
        "All our users see an expired assertion. We are standing still.",
        "Nobody of us can work since this morning. This is unacceptable.",
        "Signing in fails for everybody again. When is it repaired?",
        "Two hundred people wait for this. Please call me.",
    ),
)
_REOPENINGS = (
    (
        "It is back, exactly as before.",
        "This is the second time; please do not close it before it works.",
        "Sadly not. The same error, an hour after your mail.",
        "It worked for a day. Now we are where we were.",
    ),
    (
        "Opgelost bij mij, maar niet bij mijn collega's.",
        "Helaas, het is er weer.",
        "Dit is niet opgelost. Ik word hier moedeloos van.",
        "Bij ons nog steeds hetzelfde probleem.",
    ),
    (
        "Still broken.",
        "I am disappointed: nothing has changed on our side.",
        "It fails again, and now I cannot even see the history.",
        "No. We have lost a whole day with this.",
    ),
)


@dataclass(frozen=True, slots=True)
class Handling:
    """How a ticket went. `answer_s`: to the first human answer; `score`: 1–5 when they were asked and answered."""

    answer_s: float
    reopened: bool
    score: int | None
    subject: Subject


def event(script: Script, at: datetime, kind: str, subject: str, detail: dict[str, Any], what: dict[str, Any]) -> None:
    """One webhook call; `kind` as in `ticket.created`."""
    message: Message = {
        "account_id": ACCOUNT_ID,
        "id": script.id(),
        "subject": f"zen:{subject}",
        "time": iso(at),
        "type": f"zen:event-type:{kind}",
        "zendesk_event_version": "2022-11-06",
        "detail": detail,
        "event": what,
    }
    script.tell("support", at, message)


def organization(script: Script, company: Company, at: datetime) -> None:
    """The company appears at the helpdesk."""
    detail = {"id": company.org_id, "name": company.name, "domain_names": [company.domain]}
    event(script, at, "organization.created", f"organization:{company.org_id}", detail, {})


def user(script: Script, company: Company, person: Person, at: datetime) -> None:
    """A person appears at the helpdesk; `external_id` is the product's own user id."""
    detail = {
        "id": person.support_id,
        "email": person.email,
        "external_id": person.user_id,
        "name": person.name,
        "organization_id": company.org_id,
    }
    event(script, at, "user.created", f"user:{person.support_id}", detail, {})


@dataclass(slots=True)
class _Ticket:
    script: Script
    detail: dict[str, Any]

    def one_of(self, words: tuple[str, ...]) -> str:
        return words[int(self.detail["id"]) % len(words)]

    def tell(self, at: datetime, change: str, what: dict[str, Any]) -> None:
        subject = f"ticket:{self.detail['id']}"
        event(self.script, at, f"ticket.{change}", subject, dict(self.detail), what)

    def status(self, at: datetime, current: str) -> None:
        previous, self.detail["status"] = self.detail["status"], current
        self.tell(at, "status_changed", {"current": current, "previous": previous})

    def comment(self, at: datetime, author: tuple[str, str], body: str, *, staff: bool) -> None:
        what = {"id": str(self.script.number()), "body": body, "is_public": True}
        self.tell(
            at, "comment_added", {"comment": what | {"author": {"id": author[0], "name": author[1], "is_staff": staff}}}
        )


def ticket(script: Script, company: Company, person: Person, at: datetime, handling: Handling) -> datetime:
    """A ticket from the question to the end; returns when it ended."""
    agent, customer = script.rng.choice(AGENTS), (person.support_id, person.name)
    opened = _Ticket(script, _detail(script, company, person, handling.subject))
    opened.tell(at, "created", {})
    at += timedelta(seconds=handling.answer_s)
    opened.comment(at, agent, "Thank you for telling us. I am looking into it.", staff=True)
    if script.chance(0.5):
        at = script.later(at, 600, 7_200)
        opened.comment(at, customer, "Here is a screenshot.", staff=False)
    at = script.later(at, 1_800, 14_400)
    opened.comment(at, agent, "This should be fixed now.", staff=True)
    opened.status(at + timedelta(seconds=1), "SOLVED")
    if handling.reopened:
        at = script.later(at, 3_600, 40_000)
        opened.status(at, "OPEN")
        opened.comment(at + timedelta(seconds=1), customer, opened.one_of(script.rng.choice(_REOPENINGS)), staff=False)
        at = script.later(at, 7_200, 60_000)
        opened.comment(at, agent, "Found the real cause; it is repaired.", staff=True)
        opened.status(at + timedelta(seconds=1), "SOLVED")
    if handling.score is not None:
        at = script.later(at, 600, 20_000)
        opened.tell(at, "csat_received", {"rating": handling.score})
    return at


def _detail(script: Script, company: Company, person: Person, subject: Subject) -> dict[str, Any]:
    title, words = subject
    number = script.case()
    return {
        "id": str(number),
        "subject": title,
        "description": words[number % len(words)],
        "status": "NEW",
        "priority": script.rng.choice(("NORMAL", "NORMAL", "HIGH", "LOW")),
        "type": "INCIDENT",
        "requester_id": person.support_id,
        "organization_id": company.org_id,
        "via": {"channel": script.rng.choice(("web", "email"))},
    }
