"""What became of an attempt to send, for any channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from schemas.incidents import Digest, Message
from services.alerting.outgoing import Answer, Away, Outgoing, Refused, Unanswered

_MAX_WORDS = 200
_FINAL = frozenset({400, 405, 410, 413, 415, 422})
"""Answers that the same body would get again. A refused password (401, 403) or a missing page (404) can be mended."""
_IN_DOUBT = frozenset({408, 500, 502, 504})
"""Answers of one that broke on the way, or of a proxy that waited in vain: the message may have been taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`final`: no use to try again. `words`: what the receiver said, for the delivery log.

    in_doubt: the message may have been taken all the same, so that it is not sent again at once. ref: how the receiver
    calls what it took, where later messages of the incident change that.
    """

    kind: Literal["sent", "retry", "final"]
    words: str
    after_s: float | None = None
    in_doubt: bool = False
    ref: str = ""


class Sender(Protocol):
    """A channel. `per_minute` bounds its messages."""

    name: str
    kind: str
    per_minute: int

    async def send(self, message: Message) -> Outcome:
        """Send once, within the time limit. Never raises for what a receiver does."""


@runtime_checkable
class ConversationSender(Sender, Protocol):
    """A channel that changes what it sent as the incident grows."""

    async def send_on(self, message: Message, ref: str) -> Outcome:
        """Send once; `ref`: what the incident's first message was called, empty where there is none."""


@runtime_checkable
class DigestSender(Sender, Protocol):
    """A channel that can carry a digest."""

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        """Send once, to all but those whose marks are in `left`. Never raises for what a receiver does."""


def judged(answer: Answer) -> Outcome:
    """An HTTP answer as an outcome. A redirect is no success: it is not followed."""
    words = f"{answer.status} {answer.text}".strip()[:_MAX_WORDS]
    if 200 <= answer.status < 300:
        return Outcome("sent", words)
    if answer.status in _FINAL:
        return Outcome("final", words)
    return Outcome("retry", words, answer.retry_after_s, in_doubt=answer.status in _IN_DOUBT)


async def posted(  # noqa: PLR0913 - a call
    outgoing: Outgoing,
    url: str,
    body: bytes,
    headers: dict[str, str],
    secrets: Sequence[str] = (),
    *,
    judge: Callable[[Answer], Outcome] = judged,
) -> Outcome:
    """Post a body; secrets that show in what comes back are masked."""
    try:
        outcome = judge(await outgoing.post(url, body, headers))
    except (Away, Refused) as error:
        outcome = Outcome("retry", str(error)[:_MAX_WORDS], in_doubt=isinstance(error, Unanswered))
    return replace(outcome, words=masked(outcome.words, secrets))


def masked(text: str, secrets: Sequence[str]) -> str:
    """The text without secrets that got into it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    return text
