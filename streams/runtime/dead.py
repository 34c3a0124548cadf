"""Dead letters: what can never be processed, with its original bytes, why, and where it came from."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL

from schemas.touchpoints import DeadLetter
from streams.ids import named_id

STAGE: Final = "attribute"
Origin = tuple[str, int, int]
"""(topic, partition, offset) of the record."""


_IDS_OF: Final = (("touchpoints.raw.v1", "normalise"), ("touchpoints.parked.v1", "normalise"))
"""Topic → the stage of before that read it, which ids go on to name: what was read before and is read again after an
upgrade has one letter."""


def letter(
    stage: str, original: bytes, reason: str, message: str, origin: Origin, index: int, **about: str
) -> DeadLetter:
    """The letter for one item; the same item of the same record has the same id, however often it fails."""
    topic, partition, offset = origin
    try:
        text, encoding = original.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(original).decode(), "base64"
    return DeadLetter.model_validate(
        about
        | {
            "letter_id": named_id(NAMESPACE_URL, f"{_named(stage, topic)}/{topic}/{partition}/{offset}/{index}"),
            "stage": stage,
            "reason": reason,
            "message": message[:500],
            "original": text,
            "encoding": encoding,
            "origin_topic": topic,
            "origin_partition": partition,
            "origin_offset": offset,
            "origin_index": index,
            "failed_at": datetime.now(UTC),
        }
    )


def _named(stage: str, topic: str) -> str:
    return next((former for name, former in _IDS_OF if topic.endswith(name)), "resolve") if stage == STAGE else stage
