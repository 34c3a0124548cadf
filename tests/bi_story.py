"""A made-up company's store for the views of analysts: rows as plain dicts, so that a test counts them by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.journey.blueprints import load
from tests import dashboard_seed as seed
from tests.dashboard_seed import Row

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(days=3)
BLUEPRINT = load()
ACCOUNT = "crm:0000"


def told(world: seed.World, seconds: float, action: str, subject: str = "", **more: Any) -> Row:
    """One more touchpoint of `ACCOUNT`, `seconds` into the story."""
    at = START + timedelta(seconds=seconds)
    base = next(kept for kept in world.touchpoints if kept["account_id"] == ACCOUNT)
    number = len(world.touchpoints)
    made = base | {
        "minute": at.replace(second=0), "occurred_at": at, "received_at": at, "event_id": f"t-{number:05d}",
        "action": action, "subject": subject, "has_emotion": 0, "emotion": float("nan"), "friction": 0,
        "friction_rules": [], "pain": 0.0, "on_map": 0, "person_id": f"{ACCOUNT}/p0", "properties": "{}",
    }  # fmt: skip
    properties = more.pop("properties", None)
    made |= more | ({"properties": json.dumps(properties)} if properties else {})
    world.touchpoints.append(made)
    return made


def story() -> seed.World:
    """A company's store, and at one account tickets, deals, a CRM's record, sessions and words."""
    world = seed.world(BLUEPRINT.source, NOW, touchpoints=400, days=40)
    for kept in world.touchpoints:
        kept |= {"session_id": "", "device": "", "subject": ""}
    for seconds, status in ((0, ""), (120, "solved"), (180, "open"), (240, "solved"), (300, "solved")):
        told(world, seconds, "ticket_status" if status else "ticket_created", "ticket:desk:1",
             properties={"current": status} if status else {"status": "new"}, title="Slow")  # fmt: skip
    told(world, 60, "ticket_replied_by_agent", "ticket:desk:1", text="We look into it")
    told(world, 0, "ticket_created", "ticket:crm:2")
    told(world, 100, "ticket_status", "ticket:crm:2", properties={"current": "closed"})
    told(world, 200, "ticket_status", "ticket:crm:2", properties={"current": "open"})
    told(world, 10, "ticket_replied_by_agent", "ticket:desk:3", text="Hello")
    for seconds, stage in ((0, "a"), (50, "b"), (60, "b"), (110, "a")):
        told(world, seconds, "deal_stage_changed", "deal:crm:9", properties={"value": stage})
    for seconds, (name, value) in enumerate(
        [("annualrevenue", "1"), ("annualrevenue", "2500000.50"), ("country", "Belgium"), ("hubspot_owner_id", "77")]
    ):
        told(world, seconds, "crm_record", "company:crm:0000", properties={"property": name, "value": value})
    for seconds, page in ((0, "/a"), (30, "/b"), (90, "/c")):
        told(
            world, seconds, "page_view", session_id="s1", page=page, pain=0.25 if page == "/b" else 0.0, device="mobile"
        )
    told(
        world, 20, "survey_answered", text="It broke twice", on_map=1, has_emotion=1, emotion=-0.8, pain=0.5, friction=1
    )
    return world
