"""Requests to erase, over HTTP: asked here, done by `touchline erase --requested`, whose receipt is shown.

Nothing here repeats whom a request is about: not an answer, not an error, not the audit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.base import EPOCH
from schemas.touchpoints import Alias, AttributedTouchpoint
from services.dashboard.answers import Decide
from services.dashboard.api import WithReader, answer
from services.dashboard.not_found import NotFound
from services.dashboard.params import refuse
from services.dashboard.questions import body_of
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.sessions import Person
from services.dashboard.store import DaysQuery
from streams.connectors.own.naming import ACCOUNT, ACCOUNT_NAMESPACES, alias_of
from streams.identity.learning import actors, owner

router = APIRouter(prefix="/api/privacy", tags=["privacy"])
FIELDS = frozenset({"who", "suppress", "by"})
MAX_BY_CHARS = 80
LOOKED_AT = 20
"""Touchpoints of a person: of a deal that is theirs the first may name the deal alone."""
State = Literal["asked", "under way", "erased"]
_audit = logging.getLogger("touchline.audit")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is safe. `request_id` is the erasure's id, too: its receipt and the ledger name it."""

    request_id: str
    state: State
    suppress: bool
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """`receipt`: as `touchline erase` wrote it, where this process can read it."""

    request_id: str
    state: State
    receipt: dict[str, Any] | None


class Receipts:
    """The receipts that lie in a data folder; none where there is no folder of ours."""

    def __init__(self, data: Path | None = None) -> None:
        self._folder = data / "privacy" / "receipts" if data else None

    def get(self, request_id: UUID) -> dict[str, Any] | None:
        """None until it is written, or where it lies elsewhere."""
        try:
            content = (self._folder / f"{request_id}.json").read_bytes() if self._folder else b""
        except OSError:
            return None
        return dict(orjson.loads(content)) if content else None


@router.post("", response_model=Asked, status_code=202)
async def ask(request: Request, reader: WithReader) -> Response:
    """`{"who": "ann@acme.example", "by": "request 117", "suppress": false}`: an address, an alias, a person's id as the
    pages show it, or an account."""
    fields = _fields(await body_of(request))
    person_id = _person_id(fields)
    who = await _alias_of_person(reader, person_id) if person_id else _who(fields)
    record = {"kind": "erasure", "who": who, "suppress": _suppress(fields), "by": _by(fields)}
    now = reader.clock()
    send: Decide = request.app.state.decide
    request_id = await send({**record, "at": now.isoformat()})
    _audit.info("an erasure was asked for", extra={"by": record["by"], "request_id": request_id})
    return answer(asdict(Asked(request_id, "asked", record["suppress"] is True, str(record["by"]), now)), 202)


@router.get("/{request_id}", response_model=Standing)
async def standing(request_id: str, request: Request, reader: WithReader) -> Response:
    """How far a request is; for operators."""
    person: Person | None = request.scope.get("touchline.person")
    if person is None or not person.may_change:
        return answer({"error": {"kind": "viewer", "message": "a viewer does not see who was erased, nor when"}}, 403)
    try:
        erasure_id = UUID(request_id)
    except ValueError:
        raise NotFound("no such request") from None
    seen, receipt = await reader.store.erasure(str(erasure_id)), request.app.state.receipts.get(erasure_id)
    if not (seen["asked"] or seen["noted"] or receipt):
        raise NotFound("no such request, or it has not come through yet")
    is_done = receipt is not None or (seen["noted"] and not seen["asked"])
    state: State = "erased" if is_done else "under way" if seen["noted"] else "asked"
    return answer(asdict(Standing(str(erasure_id), state, receipt)))


def _fields(body: bytes) -> Mapping[str, object]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        refuse("body", "what was sent", "a JSON object with `who` and `by`")
    if unknown := sorted(map(str, fields.keys() - FIELDS)):
        refuse("body", f"a field `{unknown[0][:40]}`", f"only {', '.join(sorted(FIELDS))}")
    return fields


def _person_id(fields: Mapping[str, object]) -> str:
    """Empty where `who` is something else."""
    try:
        return str(UUID(str(fields.get("who")).strip()))
    except ValueError:
        return ""


async def _alias_of_person(reader: Reader, person_id: str) -> Alias:
    """An id that one of their latest touchpoints is told by; whatever else is theirs is found when it is done."""
    days, _ = await reader.store.days(DaysQuery(Scope(), EPOCH, LOOKED_AT, person_id=person_id))
    for row in days:
        if (found := await reader.store.touchpoint(row["event_id"])) is not None:
            touchpoint = AttributedTouchpoint.decoded(found["payload"]).touchpoint
            if people := actors(touchpoint):
                return owner(touchpoint, people)
    return refuse("who", "a person's id", "the id of somebody of whom a touchpoint is stored, an address or an alias")


def _who(fields: Mapping[str, object]) -> str:
    """As our own dialect names them."""
    who = str(fields.get("who") or "").strip()
    if who.partition(":")[0] in ACCOUNT_NAMESPACES and who.partition(":")[2].strip():
        return ACCOUNT + who
    if alias_of(who) is None:
        refuse(
            "who",
            "what was sent",
            "an e-mail address, a person's id, an alias such as `crm_contact:crm:51`, or an account",
        )
    return who


def _suppress(fields: Mapping[str, object]) -> bool:
    found = fields.get("suppress", False)
    return found if isinstance(found, bool) else refuse("suppress", str(found)[:40], "true or false")


def _by(fields: Mapping[str, object]) -> str:
    by = str(fields.get("by") or "").strip()
    return by if 0 < len(by) <= MAX_BY_CHARS else refuse("by", by[:100], f"who asks, in 1 to {MAX_BY_CHARS} characters")
