"""The one base of every contract model, and the time type they share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Contract(BaseModel):
    """Frozen; unknown fields are accepted and dropped, so that a newer writer does not stop an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Strict(BaseModel):
    """Frozen; unknown fields are refused. For what people write: configuration and blueprints."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


UtcTime = Annotated[datetime, AfterValidator(_to_utc)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
