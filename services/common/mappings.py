"""Mappings that stand in files of their own: taken into the configuration, with the place of everything in them."""

from __future__ import annotations

from pathlib import Path

from schemas.complaints import Complaint, complaints_of
from schemas.documents import Document, Loc, dotted, parse_document
from schemas.errors import ConfigurationError

KEY = "mapping"
MAX_BYTES = 256 * 1024


def take_in(document: Document, folder: Path) -> list[Complaint]:
    """Put the content of each file that a source names as its `mapping` in the name's place.

    Files lie in `folder`, the configuration's, or below: a configuration opens no other. What cannot be read is left
    out, and said.
    """
    found: list[Complaint] = []
    stated = document.data.get("sources")
    sources = stated if isinstance(stated, list) else []
    for index, source in enumerate(sources):
        loc: Loc = ("sources", index, KEY)
        if isinstance(source, dict) and source.get(KEY) is None:
            document.origins.pop(loc, None)  # `mapping:` with nothing behind it is none
        if isinstance(source, dict) and isinstance(source.get(KEY), str):
            try:
                read = _read(source[KEY], folder)
            except ConfigurationError as error:
                found += _placed(error, document.origin(loc), dotted(loc))
                sources[index] = {key: value for key, value in source.items() if key != KEY}
                continue
            sources[index] = {**source, KEY: read.data}  # not in place: an alias may share the source
            document.origins.update({(*loc, *place): origin for place, origin in read.origins.items() if place})
    return found


def _read(name: str, folder: Path) -> Document:
    file = folder / Path(name).expanduser()
    shown = str(file)
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(f"`{name}` lies outside the configuration's folder; put it beside the configuration")
    if not file.is_file():
        raise ConfigurationError(f"no such file: {shown}")
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigurationError(f"{shown}: larger than {MAX_BYTES // 1024} KiB")
        return parse_document(raw.decode(), shown)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{shown}: cannot be read: {why}") from None


def _placed(error: ConfigurationError, origin: str, field: str) -> list[Complaint]:
    """What is wrong in the file has its place there; that it cannot be read, where it is named."""
    return [one if one.origin else Complaint(origin, field, one.message) for one in complaints_of(error)]
