"""A Slack app's bot: one message an incident, which is changed as the incident grows and ends.

https://docs.slack.dev/reference/methods/chat.postMessage and chat.update: JSON with the bot's token as bearer. The
status is 200 whatever happened; the body says `ok`, an `error`, and of a posted message its `ts`, by which it is later
changed. A change rings nobody's bell, so what is new is also said in a short reply below the message.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any, Final

import orjson

from schemas.incidents import Digest, Message
from services.alerting.channels import words
from services.alerting.channels.outcome import Outcome, judged, posted
from services.alerting.channels.slack import body, digest_body, escaped
from services.alerting.outgoing import Answer, Outgoing

_REPLY = 3_000
_FINAL: Final = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_too_long", "no_text", "invalid_arguments"})
_IN_DOUBT: Final = frozenset({"internal_error", "fatal_error", "request_timeout"})
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
"""There is no message to change any more: another takes its place."""
# the answer repeats the message and may be cut; what is asked for stands before that
_OK = re.compile(r'"ok"\s*:\s*true')
_ERROR = re.compile(r'"error"\s*:\s*"(\w+)"')
_TS = re.compile(r'"ts"\s*:\s*"([0-9.]+)"')


def answered(answer: Answer) -> Outcome:
    """What Slack said. What an administrator can mend (a token, an invitation to the room) is tried again."""
    if answer.status != 200:
        return judged(answer)
    if _OK.search(answer.text):
        found = _TS.search(answer.text)
        return Outcome("sent", "ok", ref=found[1] if found else "")
    found = _ERROR.search(answer.text)
    error = found[1] if found else answer.text[:100]
    return Outcome("final" if error in _FINAL else "retry", error, answer.retry_after_s, in_doubt=error in _IN_DOUBT)


class SlackBot:
    """One room, as the bot that was invited to it."""

    kind = "slack_bot"

    def __init__(  # noqa: PLR0913 - a room and how it is reached
        self, name: str, url: str, token: str, room: str, per_minute: int, outgoing: Outgoing
    ) -> None:
        self.name, self.per_minute = name, per_minute
        self._url, self._token, self._room, self._outgoing = url.rstrip("/"), token, room, outgoing

    async def send(self, message: Message) -> Outcome:
        """Post it as a message of its own."""
        return await self._call("chat.postMessage", body(message))

    async def send_on(self, message: Message, ref: str) -> Outcome:
        """Change the incident's message to what is known now, and say below it what is new."""
        if not ref:
            return await self.send(message)
        changed = await self._call("chat.update", {"ts": ref} | body(message))
        if changed.words in _GONE:
            return await self.send(message)
        if changed.kind != "sent":
            return changed
        said = f"{words.title(message)}. {message.remark}".removesuffix(". ")
        reply = {"thread_ts": ref, "text": escaped(said)[:_REPLY]}
        return await self._call("chat.postMessage", reply, ref)

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """Post it to the room; nobody leaves a room by a link."""
        return await self._call("chat.postMessage", digest_body(digest))

    async def _call(self, method: str, given: dict[str, Any], ref: str = "") -> Outcome:
        """`ref`: of the message that goes on being the incident's."""
        headers = {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {self._token}"}
        content = orjson.dumps({"channel": self._room} | given)
        outcome = await posted(
            self._outgoing, f"{self._url}/{method}", content, headers, (self._token,), judge=answered
        )
        return Outcome("sent", outcome.words, ref=ref) if ref and outcome.kind == "sent" else outcome
