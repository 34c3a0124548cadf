"""What a data folder remembers of its demo, so that a second run tells the same story and not a shifted one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from schemas.base import Strict, UtcTime
from schemas.errors import ConfigurationError
from services.demo.story import history_end

_NAME = "demo.json"


class Memory(Strict):
    """`demo.json`."""

    seed: int = Field(description="what the story was made from")
    days: int = Field(description="its length")
    end: UtcTime = Field(description="where the history ends; every id and time follows from these three")
    sent: bool = Field(False, description="the gateway has acknowledged the whole history")


def recall(data_dir: Path, seed: int | None, days: int | None, now: datetime) -> Memory:
    """The demo of this folder, or a new one that ends now.

    Raises ConfigurationError for a folder that holds something else: made-up customers must never mix with real ones.
    """
    path = data_dir / _NAME
    if not path.exists():
        if (data_dir / "touchline.yaml").exists():
            raise ConfigurationError(f"data folder {data_dir} is not a demo's; give another --data")
        return Memory(seed=7 if seed is None else seed, days=60 if days is None else days, end=history_end(now))
    try:
        known = Memory.model_validate_json(path.read_text())
    except ValidationError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; give another --data") from None
    for flag, asked, has in (("--seed", seed, known.seed), ("--days", days, known.days)):
        if asked is not None and asked != has:
            raise ConfigurationError(
                f"data folder {data_dir} has a demo with {flag} {has}: give another --data, or {flag} {has}"
            )
    return known


def remember(data_dir: Path, memory: Memory) -> None:
    """Write it, in one step."""
    data_dir.mkdir(parents=True, exist_ok=True)
    partial = data_dir / f".{_NAME}.part"
    partial.write_text(memory.model_dump_json())
    partial.replace(data_dir / _NAME)
