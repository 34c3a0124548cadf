"""Writes `topics.json.gz`: what a version before ids carried their source left in Kafka, and the map it would show.

Run it from a checkout of commit 9d90df7, with that checkout's packages: `python .../record.py topics.json.gz`. The
pipeline of that version works off most of a small demo and some records of operators, and is stopped in the middle
of the rest: records wait in every topic. What it would have shown in the end is recorded beside them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

END = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
AS_OF = datetime(2027, 1, 1, tzinfo=UTC)
SENDERS = {"web": "segment", "product": "rudderstack", "crm": "hubspot", "support": "zendesk", "operators": "touchline"}


def messages() -> list[tuple[str, datetime, Any]]:
    """(source, time, message): a demo of few companies, and what it has not."""
    told = import_module("services.demo.story").story(7, END, 14, 2)
    found = [(moment.sender, moment.occurred_at, moment.message) for moment in told.moments if not moment.poison]
    crm_id = told.companies[0].crm_id
    return sorted(found + list(extras(str(crm_id))), key=lambda one: one[1])


def extras(crm_id: str) -> Any:
    """Records, decisions, merges and deletions; groups of page and product; things that nobody is known of.

    Nothing in it is read otherwise since: no bare group of a known customer's people, no second name of an account.
    """
    begin = END - timedelta(days=9)
    hubspot = {"portalId": 1, "subscriptionId": 1, "appId": 1, "attemptNumber": 0}

    def crm(minutes: int, **fields: Any) -> Any:
        at = begin + timedelta(minutes=minutes)
        stamp = {"eventId": minutes, "occurredAt": int(at.timestamp() * 1000)}
        return ("crm", at, hubspot | stamp | fields)

    def web(source: str, minutes: int, **fields: Any) -> Any:
        at = begin + timedelta(minutes=minutes)
        return (source, at, {"messageId": f"{source}-{minutes}", "timestamp": at.isoformat()} | fields)

    def desk(minutes: int, kind: str, detail: Any, event: Any = None) -> Any:
        at = begin + timedelta(minutes=minutes)
        told = {"id": f"desk-{minutes}", "time": at.isoformat(), "type": f"zen:event-type:{kind}", "event": event or {}}
        return ("support", at, told | {"detail": detail})

    def own(minutes: int, **fields: Any) -> Any:
        at = begin + timedelta(minutes=minutes)
        return ("operators", at, {"occurred_at": at.isoformat()} | fields)

    yield crm(1, subscriptionType="company.propertyChange", objectId=9001, propertyName="domain",
              propertyValue="nova.example")  # fmt: skip
    yield crm(2, subscriptionType="company.propertyChange", objectId=9001, propertyName="name", propertyValue="Nova")
    yield crm(3, subscriptionType="contact.propertyChange", objectId=51, propertyName="email",
              propertyValue="ann@nova.example")  # fmt: skip
    yield crm(4, subscriptionType="contact.creation", objectId=52)
    yield crm(5, subscriptionType="contact.associationChange", objectId=52, associationType="CONTACT_TO_COMPANY",
              fromObjectId=52, toObjectId=9001, associationRemoved=False)  # fmt: skip
    yield crm(6, subscriptionType="contact.merge", objectId=51, primaryObjectId=51, mergedObjectIds=[53])
    yield crm(7, subscriptionType="deal.creation", objectId=700)
    yield crm(8, subscriptionType="ticket.creation", objectId=800)
    yield crm(9, subscriptionType="company.propertyChange", objectId=9002, propertyName="name", propertyValue="Old")
    yield crm(10, subscriptionType="company.deletion", objectId=9002)
    yield crm(11, subscriptionType="company.merge", objectId=9001, primaryObjectId=9001, mergedObjectIds=[9003])
    yield desk(20, "organization.created", {"id": "7", "external_id": f"crm:{crm_id}"})
    yield desk(
        21, "user.created", {"id": "51", "email": "bob@nova.example", "organization_id": "8", "role": "end-user"}
    )
    yield desk(22, "user.created", {"id": "60", "name": "Nobody's", "role": "end-user", "organization_id": "8"})
    yield desk(23, "ticket.created", {"id": "12", "requester_id": "60", "subject": "It is slow", "status": "NEW"})
    yield desk(24, "ticket.status_changed", {"id": "12", "requester_id": "60", "status": "SOLVED"},
               {"previous": "OPEN", "current": "SOLVED"})  # fmt: skip
    yield desk(25, "messaging_ticket.created", {"id": "13", "status": "NEW"})
    yield web("web", 30, type="group", userId="u-ann", groupId="g-1", traits={"name": "Nova"})
    yield web("web", 31, type="identify", userId="u-ann", anonymousId="a-1", traits={"email": "ann@nova.example"})
    yield web("web", 32, type="page", anonymousId="a-1", context={"page": {"path": "/pricing"}})
    yield web("product", 33, type="track", userId="u-new", event="Report exported", context={"groupId": "g-2"})
    yield web("web", 35, type="page", userId="u-sol", context={"page": {"path": "/app"}})
    yield web("product", 34, type="track", userId="u-cam", event="Login", properties={"crm_account_id": crm_id})
    yield own(40, kind="account", id="9100", name="Filed", domains=["filed.example"])
    yield own(41, kind="contact", id="5100", email="dee@filed.example", account="9100", valid_from=begin.isoformat())
    yield own(42, kind="deal", id="701", account="9100", stage="proposal", amount=10.0, currency="EUR")
    yield own(43, kind="touchpoint", name="Fair", person={"support_user": "60"}, account={"id": "org:8"})
    yield own(44, kind="touchpoint", name="Call", person={"crm_contact": "52"}, subject="deal:700")
    yield own(50, kind="decision", verdict="belongs", a="support_user:60", account="crm:9001", by="ops")
    yield own(51, kind="decision", verdict="link", a="crm_contact:52", b="user:u-sol", by="ops")
    yield own(52, kind="decision", verdict="not_belongs", a="user:u-cam", account=f"crm:{crm_id}", by="ops")
    yield crm(11_000, subscriptionType="deal.propertyChange", objectId=700, propertyName="dealstage",
              propertyValue="closedwon")  # fmt: skip
    yield desk(11_001, "ticket.created", {"id": "14", "requester_id": "51", "subject": "Again", "status": "NEW"})
    yield web("web", 11_002, type="page", anonymousId="a-1", context={"page": {"path": "/docs"}})


def touchpoints() -> list[Any]:
    """Every message through its mapping."""
    vendors = import_module("streams.vendors.registry").VENDORS
    raw, mapped = import_module("schemas.touchpoints").RawRequest, import_module("streams.vendors.base").Mapped
    felt = import_module("streams.emotion.feeling").felt
    found = []
    for number, (source, at, message) in enumerate(messages()):
        request = raw(request_id=str(number), source=source, vendor=SENDERS[source],
                      received_at=at + timedelta(seconds=1), path=f"/v1/{message.get('type', '')}",
                      body=json.dumps(message))  # fmt: skip
        for result in vendors[SENDERS[source]].map(request):
            assert isinstance(result, mapped), result
            found.append(felt(result.touchpoint))
    return found


def shown(pipeline: Any) -> dict[str, Any]:
    """What a reader sees."""
    events = {
        event_id: {
            "account": fact.account_id,
            "person": fact.input.attribution.person_id,
            "method": fact.input.attribution.method,
            "rejected": sorted({candidate.account_id for candidate in fact.input.attribution.rejected}),
            "type": fact.touchpoint_type,
            "phase": fact.phase,
            "persona": fact.persona,
            "segment": fact.segment,
            "friction": sorted(fact.friction_rules),
            "delight": sorted(fact.delight_signals),
            "emotion": fact.emotion,
            "subject": fact.input.touchpoint.subject,
        }
        for event_id, fact in pipeline.store.visible().items()
    }
    accounts = {
        account_id: {
            "phase": fact.phase,
            "people": fact.people,
            "touchpoints": fact.touchpoints,
            "traits": fact.traits,
            "deals": sorted(deal.opportunity_id for deal in fact.opportunities),
        }
        for account_id, fact in pipeline.store.accounts.items()
        if not fact.deleted
    }
    proposals = sorted((p.question, p.a, p.b, p.status) for p in pipeline.links.knowledge.proposals)
    signals = sorted(key[1] for key, fact in pipeline.store.signals.items() if not fact.withdrawn)
    return {"events": events, "accounts": accounts, "proposals": proposals, "signals": signals}


def left(pipeline: Any) -> dict[str, Any]:
    """The topics as they are, and how far each reader is."""
    open_from = dict(reversed(pipeline._unfinished.values()))
    offsets = {slot: open_from.get(slot, read) for slot, read in pipeline._offsets.items()}
    return {
        "logs": [[topic, p, [value.decode() for value in log]] for (topic, p), log in pipeline.topics.logs.items()],
        "offsets": [[topic, partition, offset] for (topic, partition), offset in offsets.items()],
        "stored": list(pipeline.progress.applied),
        "sent": pipeline.links.knowledge.position if not pipeline.links.recalls else 0,
    }


async def main(target: Path) -> None:
    module, blueprint = import_module("tests.pipeline"), import_module("streams.journey.blueprints").load()
    setattr(import_module("streams.agents.journey"), "ROWS_EVERY_S", 0.0)  # noqa: B010
    told = touchpoints()
    cut = int(len(told) * 0.85)
    pipeline = module.Pipeline(blueprint, AS_OF, 1)
    await pipeline.feed(told[:cut])
    await pipeline.run()
    for start, end in pairwise(range(cut, len(told) + 12, 12)):
        await pipeline.feed(told[start:end])
        for move in (pipeline._consume, pipeline._consume, pipeline._consume, pipeline._recall, pipeline._breathe):
            await move()
    found = left(pipeline)
    await pipeline.run()
    await pipeline.close()
    result = {"end": END.isoformat(), "as_of": AS_OF.isoformat(), **found, "shown": shown(pipeline)}
    target.write_bytes(gzip.compress(json.dumps(result, separators=(",", ":")).encode(), 9, mtime=0))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
