"""What a source can tell: the words in which connectors say what they bring and rules say what feeds them."""

from __future__ import annotations

from typing import Literal

Capability = Literal[
    "page_view",
    "click",
    "form",
    "client_error",
    "product_event",
    "event",
    "survey",
    "words",
    "ticket",
    "ticket_status",
    "ticket_reply",
    "ticket_answer",
    "deal",
    "lifecycle",
    "person",
    "organisation",
    "erasure",
]

CAPABILITIES: dict[Capability, str] = {
    "page_view": "pages and screens seen",
    "click": "clicks, with what was clicked",
    "form": "forms touched, submitted, failed",
    "client_error": "errors that a visitor was shown",
    "product_event": "named events of a site or product while it is used: `Cart Updated`, `Login Failed`",
    "event": "named events of the business: `Quote Requested`, `Payment Failed`",
    "survey": "scores: NPS, CSAT, CES, ratings",
    "words": "what customers write",
    "ticket": "tickets as they are opened",
    "ticket_status": "each status a ticket passes through",
    "ticket_reply": "who answers on a ticket, and when",
    "ticket_answer": "the answers of agents on a ticket",
    "deal": "deals and their stages",
    "lifecycle": "lifecycle stages of companies and contacts",
    "person": "who somebody is: addresses, title, department",
    "organisation": "which company somebody belongs to, its name and domains",
    "erasure": "that somebody asks to be erased: `touchline erase --requested` does it",
}
