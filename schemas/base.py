"""The one base of every contract model, and the time type they share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Contract(BaseModel):
    """Frozen; unknown fields are accepted and dropped, so that a newer writer does not stop an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encoded(self) -> bytes:
        """As JSON: an item of a record. Half the cost of a list of one through the union it belongs to."""
        return self.__pydantic_serializer__.to_json(self)


class Strict(BaseModel):
    """Frozen; unknown fields are refused. For what people write: configuration and blueprints."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _to_utc(value: Any) -> Any:
    """ISO 8601 and datetimes, in UTC; anything else is left to pydantic, which is five times as slow with a zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if not isinstance(value, datetime) or value.tzinfo is UTC:
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


UtcTime = Annotated[datetime, BeforeValidator(_to_utc)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
