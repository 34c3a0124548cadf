"""The file of tokens: read by the page at every request that shows one, written by `touchline access`."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from schemas.access import AccessFile, Role, TokenEntry
from schemas.base import EPOCH
from schemas.errors import ConfigurationError

_log = logging.getLogger(__name__)
PREFIX = "tl_"
"""So that a token is known for one wherever it turns up."""


class Access:
    """Who a token belongs to. `fixed`: entries that stand in no file, such as the configured `dashboard.token`."""

    def __init__(self, path: Path | None, fixed: Iterable[TokenEntry] = ()) -> None:
        """Raises ConfigurationError for a file that cannot be read."""
        self._path = path
        self._fixed = tuple(fixed)
        self._stamp: tuple[int, int, int] | None = None
        self._entries: tuple[TokenEntry, ...] = ()
        self._was_used = False
        if path is not None:
            self._stamp = _stamp(path)
            self._take(read_access(path).tokens)

    def with_fixed(self, token: bytes, name: str = "dashboard.token") -> Access:
        """The same, and an operator's token that the configuration names."""
        text = token.decode("utf-8", "replace")
        entry = TokenEntry(name=name, role="operator", sha256=hash_of(text), made_at=EPOCH)
        return Access(self._path, (*self._fixed, entry))

    @property
    def is_required(self) -> bool:
        """Whether a token is asked for at all: one was given out since this process began."""
        self._refresh()
        return bool(self._fixed) or self._was_used

    def owner(self, token: str, now: datetime) -> TokenEntry | None:
        """Whose token it is; None: nobody's, or over."""
        return self._found(hash_of(token), now, whole=True)

    def by_id(self, token_id: str, now: datetime) -> TokenEntry | None:
        """The entry a session was opened with; None: taken back since, or over."""
        return self._found(token_id, now, whole=False)

    def _found(self, wanted: str, now: datetime, *, whole: bool) -> TokenEntry | None:
        self._refresh()
        found = None
        for entry in (*self._fixed, *self._entries):  # all of them, so that it takes as long for each
            known = entry.sha256 if whole else entry.id
            if hmac.compare_digest(known.encode(), wanted.encode("utf-8", "replace")):
                found = entry
        return found if found and (found.expires_at is None or now < found.expires_at) else None

    def _refresh(self) -> None:
        """What was given out or taken back counts at once. A file that cannot be read any more lets nobody in."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(read_access(self._path).tokens)
        except ConfigurationError as error:
            self._take(())
            self._was_used = True
            _log.error("the file of tokens cannot be read: nobody is let in by it", extra={"why": str(error)})

    def _take(self, entries: tuple[TokenEntry, ...]) -> None:
        self._entries = entries
        self._was_used = self._was_used or bool(entries)


def read_access(path: Path) -> AccessFile:
    """An absent file holds no tokens. Raises ConfigurationError."""
    try:
        return AccessFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return AccessFile()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ConfigurationError(
            f"{path}: {place}: {first['msg']}; `touchline access add` writes this file, put an older copy back"
        ) from None


def add_token(path: Path, name: str, role: Role, now: datetime, expires_at: datetime | None = None) -> str:
    """A fresh token for `name`; only its hash is kept. Raises ConfigurationError for a name that has one."""
    known = read_access(path)
    token = PREFIX + secrets.token_urlsafe(32)
    try:
        entry = TokenEntry(name=name, role=role, sha256=hash_of(token), made_at=now, expires_at=expires_at)
        made = AccessFile(tokens=(*known.tokens, entry))
    except ValidationError as error:
        raise ConfigurationError(f"`{name[:80]}` cannot have a token: {error.errors()[0]['msg']}") from None
    _write(path, made)
    return token


def remove_token(path: Path, name: str) -> bool:
    """Whether there was one. Its sessions end at once. Raises ConfigurationError."""
    known = read_access(path)
    left = tuple(token for token in known.tokens if token.name != name)
    if len(left) == len(known.tokens):
        return False
    _write(path, AccessFile(tokens=left))
    return True


def hash_of(token: str) -> str:
    """A token has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _write(path: Path, content: AccessFile) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(content.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
