"""The delivery log: what was sent, to whom, what the receiver answered, and what reached nobody."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final, Literal

from schemas.alerting import LOG
from schemas.config import KafkaConfig
from schemas.incidents import Delivery, Message, Notice
from schemas.topics import TopicName
from streams.runtime.metrics import Meter

TOPIC: Final[TopicName] = "alerts.deliveries.v1"
_log = logging.getLogger("touchline.alerts")


class Deliveries:
    """Writes the log; a line is in Kafka before the state that follows from it is."""

    def __init__(self, kafka: KafkaConfig, producer: Any, meter: Meter) -> None:
        self._topic = kafka.topic_prefix + TOPIC
        self._producer = producer
        self._meter = meter

    async def noticed(self, notice: Notice, now: datetime) -> None:
        """A notice was made: it stands in the log of the process, and where no channel wants it, it reaches nobody."""
        message = notice.message
        _log.warning(
            "%s: %s",
            message.kind,
            message.headline,
            extra={
                "channel": LOG,
                "level": message.level,
                "account": message.account_id,
                "incident": message.incident_id,
                "policy": message.policy,
                "channels": ", ".join(sending.channel for sending in notice.sendings) or "none: nobody is told",
            },
        )
        if not notice.sendings:
            self._meter.inc("touchline_alerts_nobody_told_total", channel="none")
            await self._write(message, "", "nobody", now, 0, "no channel is to take it")

    async def attempted(  # noqa: PLR0913 - a line of the log
        self,
        message: Message,
        channel: str,
        outcome: Literal["sent", "retry", "gave_up"],
        now: datetime,
        attempt: int,
        answer: str,
    ) -> None:
        """A channel was tried. The first refusal of a message is written, and then only what becomes of it."""
        self._meter.inc("touchline_alerts_sendings_total", channel=channel, outcome=outcome)
        if outcome == "gave_up":
            self._meter.inc("touchline_alerts_nobody_told_total", channel=channel)
            _log.error("given up: %s", message.headline, extra={"channel": channel, "answer": answer})
        if outcome != "retry" or attempt == 1:
            await self._write(message, channel, outcome, now, attempt, answer)

    async def _write(  # noqa: PLR0913 - as above
        self, message: Message, channel: str, outcome: Any, now: datetime, attempt: int, answer: str
    ) -> None:
        line = Delivery(
            notice_id=message.notice_id,
            incident_id=message.incident_id,
            account_id=message.account_id,
            policy=message.policy,
            kind=message.kind,
            level=message.level,
            channel=channel,
            at=now,
            outcome=outcome,
            attempt=attempt,
            answer=answer,
        )
        value = b"[" + line.encoded() + b"]"
        await self._producer.send_and_wait(self._topic, value, key=message.notice_id.encode(), partition=0)
