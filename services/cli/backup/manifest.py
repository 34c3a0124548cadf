"""`manifest.json`: what a backup holds and who wrote it. It is written last, so a backup that has one is whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from schemas.base import Contract, UtcTime
from schemas.errors import TouchlineError

MANIFEST: Final = "manifest.json"
PARTIAL: Final = "backup.partial"
"""In a folder that a backup is being written to, or that one was broken off in."""
CONTENT: Final = "data"
FORMAT: Final = 1

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class BackupRefused(TouchlineError):
    """The backup cannot be made or used; the message says why and what to do."""


class FileEntry(Contract):
    """One file. `path` is below the data folder, with slashes."""

    path: str
    bytes: int = Field(ge=0)
    sha256: Sha256


class LinkEntry(Contract):
    """One symbolic link to something else in the backup. ClickHouse names its tables by such links."""

    path: str
    target: str


class Versions(Contract):
    """Who wrote what is in the backup."""

    touchline: str = Field(description="of the command that wrote the backup")
    schema_version: int = Field(description="number of the newest migration of ClickHouse's tables")
    kafka: str = Field("", description="of the broker whose files these are")
    engine: str = Field("", description="of the embedded ClickHouse whose files these are, as chdb numbers it")


class Manifest(Contract):
    """The content of a backup."""

    format: int = FORMAT
    kind: Literal["folder", "servers"] = "folder"
    taken_at: UtcTime = Field(description="what was answered with 2xx before this moment is in the backup")
    versions: Versions
    clickhouse_backup: str = Field("", description="what the server calls its part of the backup; kind `servers` only")
    clickhouse_database: str = Field("", description="database that it is of")
    clickhouse_bytes: int = Field(0, description="size of that part, as the server says")
    folders: tuple[str, ...] = ()
    links: tuple[LinkEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @model_validator(mode="after")
    def _stays_inside(self) -> Manifest:
        paths = [*self.folders, *(file.path for file in self.files), *(link.path for link in self.links)]
        for path in paths:
            if not is_inside(path):
                raise ValueError(f"path {path[:80]!r} leads out of the backup")
        for link in self.links:
            if not leads_inside(link):
                raise ValueError(f"link {link.path[:80]!r} leads out of the backup")
        return self


def is_inside(path: str) -> bool:
    """Whether a path of the manifest stays below its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def leads_inside(link: LinkEntry) -> bool:
    """Whether a link stays below the data folder, wherever that is."""
    depth = len(PurePosixPath(link.path).parts) - 1
    for part in PurePosixPath(link.target).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return not link.target.startswith("/")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """In one step, with a checksum of its own."""
    body = manifest.model_dump_json()
    whole = json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "manifest": body})
    partial = folder / f"{MANIFEST}.part"
    partial.write_text(whole)
    partial.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Raises BackupRefused: there is none, it is damaged, or this version does not know its format."""
    if (folder / PARTIAL).exists():
        raise BackupRefused(
            f"{folder} is a backup that was broken off: run `touchline backup {folder}` again, or use another one"
        )
    try:
        whole = json.loads((folder / MANIFEST).read_text())
        body = str(whole["manifest"])
        if hashlib.sha256(body.encode()).hexdigest() != whole["sha256"]:
            raise BackupRefused(f"{folder / MANIFEST} is damaged: its checksum does not match; use another backup")
        found = json.loads(body)
        if isinstance(found, dict) and found.get("format", 0) > FORMAT:
            raise BackupRefused(
                f"{folder} is a backup of format {found['format']}, this version knows {FORMAT}: use the Touchline that"
                f" wrote it, {found.get('versions', {}).get('touchline', 'a newer one')}"
            )
        return Manifest.model_validate(found)
    except FileNotFoundError:
        raise BackupRefused(f"{folder} is no backup: it has no {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise BackupRefused(f"{folder / MANIFEST} cannot be read: {str(error)[:200]}; use another backup") from None
