"""What an answer is made with: one desk for operators, one for viewers whose store masks people."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from services.dashboard.live import Live
from services.dashboard.reader import Reader
from services.dashboard.sessions import Person
from services.dashboard.snapshots import Snapshots


@dataclass(frozen=True)
class Desk:
    """`sees_people`: names and texts are shown, and what is shown may be changed."""

    reader: Reader
    snapshots: Snapshots
    live: Live
    sees_people: bool


def desk_of(request: Request) -> Desk:
    """The desk of whoever asks; of somebody unknown, the one that shows less."""
    person: Person | None = request.scope.get("touchline.person")
    desk: Desk = request.app.state.desk if person and person.may_change else request.app.state.viewers_desk
    return desk
