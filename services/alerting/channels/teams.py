"""Microsoft Teams through a workflow ("When a Teams webhook request is received"), with an adaptive card.

https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using: a `message`
with one attachment of `application/vnd.microsoft.card.adaptive`; at most 28 KB; 202 is success. Words from outside
stand in text runs, which format nothing: https://adaptivecards.io/explorer/TextRun.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import orjson

from schemas.incidents import Digest, Message
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

MAX_BYTES = 28_000
_RUN = 1_000
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_CARD = "application/vnd.microsoft.card.adaptive"


def body(message: Message) -> dict[str, Any]:
    """The message as a card: what, the facts, the evidence, what to do, and buttons that open links."""
    blocks = [_text(words.title(message), size="Large", weight="Bolder")]
    blocks += [_named(name, value) for name, value in words.facts(message)]
    for one in message.evidence:
        blocks.append(_text(f"• {words.stamp(one.at)}  {one.words}"))
    blocks += [_named(name, value) for name, value in words.rest(message)]
    links = [*words.acts(message), *((("Look at it", message.link),) if message.link else ())]
    return _message(blocks, links)


def digest_body(digest: Digest) -> dict[str, Any]:
    """A digest as a card, cut where it would be too large."""
    blocks = [_text(digest.title, size="Large", weight="Bolder")]
    for part in digest.parts:
        blocks.append(_text(part.title, weight="Bolder"))
        blocks += [_text(f"• {one.words}") for one in part.lines]
    while len(orjson.dumps(_message(blocks, ()))) > MAX_BYTES - 200:
        blocks = [*blocks[:-2], _text("… and more")]
    return _message(blocks, ())


class Teams:
    """One workflow. Its URL is its secret."""

    kind = "teams"

    def __init__(self, name: str, url: str, per_minute: int, outgoing: Outgoing) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._outgoing = url, outgoing

    async def send(self, message: Message) -> Outcome:
        """Post a card; a workflow cannot change what it posted."""
        return await self._post(body(message))

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """Post it to the channel; nobody leaves a channel by a link."""
        return await self._post(digest_body(digest))

    async def _post(self, content: dict[str, Any]) -> Outcome:
        secrets = (self._url, self._url.partition("?")[2])
        headers = {"content-type": "application/json"}
        return await posted(self._outgoing, self._url, orjson.dumps(content), headers, secrets)


def _message(blocks: list[dict[str, Any]], links: Iterable[tuple[str, str]]) -> dict[str, Any]:
    card: dict[str, Any] = {"$schema": _SCHEMA, "type": "AdaptiveCard", "version": "1.4", "body": blocks}
    card["actions"] = [{"type": "Action.OpenUrl", "title": said, "url": link} for said, link in links]
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


def _text(text: str, **look: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _cut(text), **look}]}


def _named(name: str, value: str) -> dict[str, Any]:
    runs = [{"type": "TextRun", "text": f"{name}: ", "weight": "Bolder"}, {"type": "TextRun", "text": _cut(value)}]
    return {"type": "RichTextBlock", "inlines": runs}


def _cut(text: str) -> str:
    return text if len(text) <= _RUN else text[: _RUN - 1] + "…"
