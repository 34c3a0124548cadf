"""The bases of every contract, and the time type they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter


class Contract(BaseModel):
    """Frozen; unknown fields are accepted and dropped, so that a newer writer does not stop an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encoded(self) -> bytes:
        """As JSON: an item of a record. Half the cost of a list of one through the union it belongs to."""
        return self.__pydantic_serializer__.to_json(self)

    def changed(self, **fields: Any) -> Self:
        """The same with other values of these fields, which are not checked."""
        return self.model_copy(update=fields)


class Item:
    """A contract of which there are thousands a second: a frozen dataclass with slots that pydantic reads and writes.

    Reading a field costs a fifth of a model's, and every stage reads hundreds. Made in Python it is not checked: what
    comes from outside goes through `of` or a TypeAdapter; unknown fields are dropped there, as in `Contract`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, fields: object) -> Self:
        """From a mapping. Raises ValidationError."""
        made: Self = _adapter(cls).validate_python(fields)
        return made

    @classmethod
    def decoded(cls, text: str | bytes) -> Self:
        """From JSON. Raises ValidationError."""
        made: Self = _adapter(cls).validate_json(text)
        return made

    def encoded(self) -> bytes:
        """As JSON: an item of a record."""
        return _adapter(type(self)).serializer.to_json(self)

    def changed(self, **fields: Any) -> Self:
        """The same with other values of these fields; a third of what `dataclasses.replace` costs."""
        read, write = _slots(type(self))  # type: ignore[arg-type]
        made = object.__new__(type(self))
        for put, value in zip(write, read(self), strict=True):
            put(made, value)
        for name, value in fields.items():
            object.__setattr__(made, name, value)
        return made

    def completed(self, **fields: Any) -> Self:
        """This very item with these fields set, for who has just made it and gave it to nobody else: no copy."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self


@lru_cache
def _slots(kind: type[Item]) -> tuple[Callable[[Item], tuple[Any, ...]], tuple[Callable[[Item, Any], None], ...]]:
    """What reads all fields of an item at once, and what writes each."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    read = attrgetter(*names) if len(names) > 1 else lambda item: (getattr(item, names[0]),)
    return read, tuple(getattr(kind, name).__set__ for name in names)


_ADAPTERS: dict[type[Item], TypeAdapter[Any]] = {}


def _adapter(kind: type[Item]) -> TypeAdapter[Any]:
    """Made when it is first asked for: before, what its annotations name may not be defined yet."""
    found = _ADAPTERS.get(kind)
    if found is None:
        found = _ADAPTERS[kind] = TypeAdapter(kind)
    return found


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
