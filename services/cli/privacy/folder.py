"""What an erasure keeps beside the stores: the ledger, which outlives a restore, and receipts; and logs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.errors import ConfigurationError
from schemas.links import Erasure

FOLDER: Final = "privacy"
#: What is shorter, such as a number, stands in a text for many other things.
SHORTEST_NAME: Final = 6
_LEDGER: Final = "ledger.jsonl"
_ERASURE: TypeAdapter[Erasure] = TypeAdapter(Erasure)


class PrivacyFolder:
    """`privacy` in the data folder. A backup holds it, and a restore adds to it: it never takes a line away."""

    def __init__(self, data: Path) -> None:
        self.path, self._logs = data / FOLDER, data / "logs"

    def ledger(self, path: Path | None = None) -> Iterator[Erasure]:
        """Every erasure that was made from here, or stands in another such file.

        Raises ConfigurationError for a line that is none, and another file that is not there.
        """
        if path is not None and not path.exists():
            raise ConfigurationError(f"{path} is not there: it is `privacy/{_LEDGER}` of another data folder")
        path = path or self.path / _LEDGER
        for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
            try:
                yield _ERASURE.validate_json(line)
            except ValidationError:
                raise ConfigurationError(
                    f"{path}:{number}: is no erasure; restore the file, nobody may edit it"
                ) from None

    def add(self, erasures: Iterable[Erasure]) -> int:
        """Note those that are not noted yet, such as another file's; how many. Raises as `ledger` does."""
        here = {one.link_id for one in self.ledger()}
        lacking = [one for one in erasures if one.link_id not in here]
        if lacking:
            self.note(lacking)
        return len(lacking)

    def note(self, erasures: Iterable[Erasure]) -> None:
        """Add erasures before anything is told of them: what is in the file is done in the end."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path / _LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            for erasure in erasures:
                file.write(erasure.encoded() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def keep(self, receipt: dict[str, object], words: str) -> Path:
        """Write a receipt, as JSON and in words; returns the latter's place."""
        folder = self.path / "receipts"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / f"{receipt['erasure_id']}.json").write_bytes(orjson.dumps(receipt, option=orjson.OPT_INDENT_2))
        path = folder / f"{receipt['erasure_id']}.txt"
        path.write_text(words, encoding="utf-8")
        return path

    def blank_logs(self, names: Iterable[str]) -> int:
        """Overwrite ids in the logs of services; returns how many places that were.

        Byte by byte where they stand: who writes to a log keeps its place.
        """
        values = {name.partition(":")[2].encode() for name in names}
        wanted = sorted((value for value in values if len(value) >= SHORTEST_NAME), key=len, reverse=True)
        return sum(_blank(path, wanted) for path in sorted(self._logs.glob("*")) if path.is_file())


def _blank(path: Path, wanted: list[bytes]) -> int:
    content, count = path.read_bytes(), 0
    with path.open("r+b") as file:
        for value in wanted:
            at = content.find(value)
            while at >= 0:
                file.seek(at)
                file.write(b"x" * len(value))
                count += 1
                at = content.find(value, at + len(value))
    return count
