"""A message in words, the same in every channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schemas.incidents import Digest, Message

MARKS = {"severe": "▲▲", "high": "▲", "watch": "◆"}
_KINDS = {
    "opened": "",
    "grown": "Worse: ",
    "returned": "Again: ",
    "reminder": "Still open: ",
    "closed": "Over: ",
    "withdrawn": "Withdrawn: ",
    "test": "Test: ",
}


def title(message: Message) -> str:
    """One line: how bad, what, where. Names come from outside: no line breaks get in."""
    return " ".join(f"{MARKS[message.level]} {_KINDS[message.kind]}{message.headline}".split())


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def facts(message: Message) -> Iterator[tuple[str, str]]:
    """What a reader asks first, as (name, value)."""
    yield "How bad", message.level
    yield "Account", f"{message.account} ({message.tier})" if message.tier else message.account
    if message.crm_owner:
        yield "Account owner", message.crm_owner
    if message.people:
        yield "Whom", ", ".join(message.people)
    yield "Since", stamp(message.since)
    if message.touchpoint:
        yield "Where", f"{message.touchpoint}, {message.phase}" + (", a moment of truth" * message.moment_of_truth)
    if message.department:
        yield "Owner", ", ".join((message.department, *message.owners))
    if message.renewal_at is not None:
        yield "Renewal", message.renewal_at.strftime("%Y-%m-%d")
    yield "Taken by", message.taken_by or "nobody yet"
    if message.remark:
        yield "Note", message.remark


def rest(message: Message) -> Iterator[tuple[str, str]]:
    """What to do about it."""
    if message.excellent:
        yield "Excellent would be", message.excellent
    if message.runbook:
        yield "What to do", message.runbook
    yield "More", message.where


def plain_digest(digest: Digest) -> str:
    """A whole digest as plain text."""
    lines = [digest.title]
    for part in digest.parts:
        lines += ["", part.title, *(f"- {one.words}" + (f"\n  {one.url}" if one.url else "") for one in part.lines)]
    return "\n".join(lines) + "\n"


def acts(message: Message) -> Iterator[tuple[str, str]]:
    """What can be done from the message, as (words, link)."""
    if message.act:
        for verb, said in (("take", "I take it"), ("silence", "Silence it"), ("done", "It is done")):
            yield said, f"{message.act}?do={verb}"


def plain(message: Message) -> str:
    """The whole message as plain text."""
    lines = [title(message), "", *(f"{name}: {value}" for name, value in facts(message)), ""]
    for one in message.evidence:
        lines.append(f"- {stamp(one.at)}  {one.words}" + (f"\n  {one.url}" if one.url else f"  [{one.event_id}]"))
    if message.evidence_count > len(message.evidence):
        lines.append(f"- and {message.evidence_count - len(message.evidence)} more")
    lines += ["", *(f"{name}: {value}" for name, value in rest(message))]
    lines += [f"{said}: {link}" for said, link in acts(message)]
    return "\n".join(lines) + "\n"
