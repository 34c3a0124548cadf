"""What happened, in our words: the verbs vendor mappings translate to and rules watch."""

from __future__ import annotations

from typing import Literal, get_args

Action = Literal[
    "page_view",
    "click",
    "form_touched",
    "form_submitted",
    "form_failed",
    "client_error",
    "custom",  # a tracked event of the sender's own naming
    "identify",
    "group",
    "alias",
    "session_end",
    "ticket_created",
    "ticket_replied_by_agent",
    "ticket_replied_by_customer",
    "ticket_status",  # properties: current, previous (open, pending, hold, solved, closed)
    "ticket_changed",
    "survey_answered",  # score, score_kind
    "lifecycle_changed",  # properties: value
    "deal_stage_changed",  # properties: value (the stage), outcome (open, won, lost)
    "deal_created",
    "crm_record",  # a record appeared, changed, was linked: knowledge, not a contact
    "crm_removed",
    "support_record",
    "decision",  # someone says who is who; properties: verdict, by, note
]

ACTIONS: tuple[str, ...] = get_args(Action)
