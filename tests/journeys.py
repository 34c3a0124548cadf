"""Histories for tests: hypothesis strategies and shorthand for attributed touchpoints."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.base import EPOCH
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint

START = EPOCH + timedelta(days=20_000)
AS_OF = START + timedelta(days=2)


def at(seconds: float) -> datetime:
    """A moment of the test's timeline."""
    return START + timedelta(seconds=seconds)


def touchpoint(event_id: str, seconds: float, action: str = "page_view", **fields: Any) -> CleanTouchpoint:
    """A clean touchpoint `seconds` into the test."""
    base: dict[str, Any] = {
        "event_id": event_id,
        "source": "web",
        "vendor": "segment",
        "vendor_type": action,
        "action": action,
        "occurred_at": at(seconds),
        "received_at": at(seconds),
        "scoped": True,
    }
    return CleanTouchpoint.of(base | fields)


def attributed(event_id: str, seconds: float, action: str = "page_view", **fields: Any) -> AttributedTouchpoint:
    """The same, attributed to `crm:1`; `person` and `knowledge` are the attribution's."""
    person, knowledge = fields.pop("person", "p1"), fields.pop("knowledge", 0)
    account_id = fields.pop("account_id", "crm:1")
    return AttributedTouchpoint(
        touchpoint=touchpoint(event_id, seconds, action, **fields),
        attribution=Attribution(person_id=person, account_id=account_id, method="explicit", confidence=1.0),
        knowledge=knowledge,
    )


_KINDS: list[tuple[str, dict[str, Any]]] = [
    ("page_view", {"page": "/pricing"}),
    ("page_view", {"page": "/blog/a"}),
    ("click", {"page": "/a", "element": "save"}),
    ("click", {"page": "/a", "element": "save"}),
    ("client_error", {"page": "/a", "properties": {"error_type": "E"}}),
    ("form_touched", {"page": "/demo", "subject": "form:demo"}),
    ("form_submitted", {"page": "/demo", "subject": "form:demo"}),
    ("session_end", {}),
    ("ticket_created", {"subject": "ticket:1"}),
    ("ticket_replied_by_agent", {"subject": "ticket:1"}),
    ("ticket_status", {"subject": "ticket:1", "properties": {"previous": "open", "current": "pending"}}),
    ("ticket_status", {"subject": "ticket:1", "properties": {"previous": "pending", "current": "open"}}),
    ("ticket_status", {"subject": "ticket:1", "properties": {"previous": "solved", "current": "open"}}),
    ("survey_answered", {"score": 2, "score_kind": "nps"}),
    ("lifecycle_changed", {"properties": {"value": "customer"}}),
    ("lifecycle_changed", {"properties": {"value": "churned"}}),
    ("deal_stage_changed", {"properties": {"value": "closedlost"}}),
    ("identify", {"person_traits": {"title": "CFO"}}),
    ("identify", {"person_traits": {"title": "Support Engineer"}}),
    ("group", {"account_traits": {"employees": "500", "name": "Acme"}}),
]


@st.composite
def histories(draw: st.DrawFn, max_size: int = 30) -> list[AttributedTouchpoint]:
    """An account's history: equal stamps, bursts, long silences, suspect clocks."""
    items = []
    for index in range(draw(st.integers(1, max_size))):
        action, fields = draw(st.sampled_from(_KINDS))
        seconds = draw(
            st.one_of(
                st.integers(0, 5), st.integers(0, 90_000), st.floats(0, 3, allow_nan=False).map(lambda x: round(x, 1))
            )
        )
        extra: dict[str, Any] = {
            "person": draw(st.sampled_from(["p1", "p2"])),
            "session_id": draw(st.sampled_from(["s", ""])),
        }
        if draw(st.integers(0, 15)) == 0:
            extra |= {"clock_suspect": True, "occurred_at": at(seconds) + timedelta(days=3650)}
        items.append(attributed(f"e{index:03}", seconds, action, **fields, **extra))
    return items
