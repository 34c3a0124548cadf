"""The bases of every contract, and the time type they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict, force_setattr, replace
from pydantic import BaseModel, BeforeValidator, ConfigDict

T = TypeVar("T")


class Contract(BaseModel):
    """Frozen; unknown fields are accepted and dropped, so that a newer writer does not stop an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encoded(self) -> bytes:
        """As JSON: an item of a record. Half the cost of a list of one through the union it belongs to."""
        return self.__pydantic_serializer__.to_json(self)

    def changed(self, **fields: Any) -> Self:
        """The same with other values of these fields, which are not checked."""
        return self.model_copy(update=fields)


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contract of which there are thousands a second: msgspec reads and writes it, an eighth of what pydantic costs.

    In JSON a field that has its default is left out, and a reader fills it in; so two equal items may be written
    differently, and what compares or orders items does so by their values, never by their bytes. Made in Python it is
    not checked: what comes from outside goes through `of` or a Codec; unknown fields are dropped there, as in
    `Contract`. No item refers back to what holds it, so the garbage collector need not look at any.
    """

    @classmethod
    def of(cls, fields: object) -> Self:
        """From a mapping. Raises ValueError."""
        made: Self = msgspec.convert(fields, type=cls)
        return made

    @classmethod
    def decoded(cls, text: str | bytes) -> Self:
        """From JSON. Raises ValueError."""
        made: Self = _read(_decoder(cls), text)
        return made

    def encoded(self) -> bytes:
        """As JSON, without what has its default: an item of a record."""
        return _ENCODER.encode(self)

    def fields(self) -> dict[str, Any]:
        """All of it as JSON has it, with what has its default: for people, and for who does not know the contract."""
        return {name: _told(value) for name, value in asdict(self).items()}

    def changed(self, **fields: Any) -> Self:
        """The same with other values of these fields."""
        return replace(self, **fields)

    def completed(self, **fields: Any) -> Self:
        """This very item with these fields set, for who has just made it and gave it to nobody else: no copy."""
        for name, value in fields.items():
            force_setattr(self, name, value)
        return self


class Timed(Item, frozen=True, kw_only=True):
    """One with times of its own: they are in UTC, however it was made; one without a zone is taken for it."""

    def __post_init__(self) -> None:
        for name in _times(type(self)):
            at = getattr(self, name)
            if at is not None and at.tzinfo is not UTC:
                force_setattr(self, name, _to_utc(at))


class Lists(Protocol[T]):
    """What reads and writes a record of some contract: a `Codec`, or a TypeAdapter where there are models in it."""

    def validate_json(self, data: str | bytes, /) -> list[T]: ...


class Codec(Generic[T]):
    """Reads and writes records of items; of several kinds, if each has a tag. Its methods are named as pydantic's."""

    def __init__(self, item: Any) -> None:
        self._decoder: Decoder[list[T]] = Decoder(list[item])

    def validate_json(self, data: str | bytes, /) -> list[T]:
        """Raises ValueError, also for what is nested too deep."""
        return _read(self._decoder, data)

    def dump_json(self, items: Sequence[T], /) -> bytes:
        """A JSON array."""
        return _ENCODER.encode(items)


_ENCODER = Encoder()
_decoder = lru_cache(maxsize=None)(Decoder)
"""By kind of item: made when it is first asked for, when all that its annotations name is defined."""


def _read(decoder: Decoder[T], text: str | bytes) -> T:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except OverflowError as error:  # a time at the end of the calendar, in a zone
        raise ValueError(str(error)) from None


@cache
def _times(kind: type[Timed]) -> tuple[str, ...]:
    """The fields of an item that hold times."""
    return tuple(name for name, hint in get_type_hints(kind).items() if datetime in (hint, *get_args(hint)))


def _told(value: Any) -> Any:
    if isinstance(value, Item):
        return value.fields()
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    return msgspec.to_builtins(value)


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
