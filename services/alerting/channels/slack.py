"""Slack incoming webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.

The body is `text` (what notifications show) and `blocks`: a header of at most 150 characters, sections of at most
3,000 with at most 10 fields of 2,000. `&`, `<` and `>` are escaped; success is 200 with the body `ok`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

import orjson

from schemas.incidents import Digest, Evidence, Message
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, posted
from services.alerting.outgoing import Outgoing

_HEADER, _SECTION, _FIELD, _FIELDS, _BLOCKS = 150, 3_000, 2_000, 10, 50


def escaped(text: str) -> str:
    """Text that Slack shows as it is: without links, mentions or formatting of its own."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.translate(_NO_FORMAT)


#: Characters that would format, as ones that look alike and mean nothing.
_NO_FORMAT = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})


def body(message: Message) -> dict[str, Any]:
    """The message as Slack documents it."""
    title = words.title(message)
    fields = [_mrkdwn(f"*{name}*\n{escaped(value)}", _FIELD) for name, value in words.facts(message)]
    evidence = "\n".join(_line(one) for one in message.evidence)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _HEADER), "emoji": False}},
        {"type": "section", "fields": fields[:_FIELDS]},
    ]
    if evidence:
        blocks.append({"type": "section", "text": _mrkdwn(evidence, _SECTION)})
    advice = "\n".join(f"*{name}:* {_linked(value)}" for name, value in words.rest(message))
    blocks.append({"type": "section", "text": _mrkdwn(advice, _SECTION)})
    doing = " · ".join(f"<{link}|{said}>" for said, link in words.acts(message))
    if doing:
        blocks.append({"type": "section", "text": _mrkdwn(doing, _SECTION)})
    blocks.append({"type": "context", "elements": [_mrkdwn(f"incident {message.incident_id}", _FIELD)]})
    return {"text": _cut(escaped(title), _SECTION), "blocks": blocks, "unfurl_links": False}


def digest_body(digest: Digest) -> dict[str, Any]:
    """A digest as Slack documents it."""
    title = " ".join(digest.title.split())
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _HEADER), "emoji": False}}
    ]
    for part in digest.parts:
        lines = (f"<{one.url}|{escaped(one.words)}>" if one.url else escaped(one.words) for one in part.lines)
        blocks += [
            {"type": "section", "text": _mrkdwn(text, _SECTION)}
            for text in _packed([f"*{escaped(part.title)}*", *(f"• {line}" for line in lines)])
        ]
    return {"text": _cut(escaped(title), _SECTION), "blocks": blocks[:_BLOCKS], "unfurl_links": False}


class Slack:
    """One incoming webhook. Its URL is its secret."""

    kind = "slack"

    def __init__(self, name: str, url: str, per_minute: int, outgoing: Outgoing) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._outgoing = url, outgoing

    async def send(self, message: Message) -> Outcome:
        """Post it; a webhook cannot change what it posted, so what grows is a message of its own."""
        return await self._post(body(message))

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """Post it to the room; nobody leaves a room by a link."""
        return await self._post(digest_body(digest))

    async def _post(self, content: dict[str, Any]) -> Outcome:
        headers = {"content-type": "application/json; charset=utf-8"}
        secrets = (self._url, self._url.rpartition("/")[2])
        return await posted(self._outgoing, self._url, orjson.dumps(content), headers, secrets)


def _packed(lines: Sequence[str]) -> Iterator[str]:
    """Lines joined into as few texts as fit a section, no line cut in two unless it is too long alone."""
    text = ""
    for line in lines:
        if text and len(text) + 1 + len(line) > _SECTION:
            yield text
            text = ""
        text = f"{text}\n{line}" if text else line
    yield text


def _line(one: Evidence) -> str:
    text = escaped(one.words)
    return f"• {words.stamp(one.at)}  " + (f"<{one.url}|{text}>" if one.url else text)


def _linked(value: str) -> str:
    return (
        f"<{value}>" if value.startswith(("https://", "http://")) and not set(value) & set("<>| ") else escaped(value)
    )


def _mrkdwn(text: str, limit: int) -> dict[str, str]:
    return {"type": "mrkdwn", "text": _cut(text, limit)}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
