"""Secrets: read from a file or the environment at start, never shown."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from schemas.config import Config, SecretRef
from schemas.errors import ConfigurationError
from streams.identity.erasures import LEAST_KEY_BYTES

_log = logging.getLogger(__name__)


def read_secret(ref: SecretRef, env: Mapping[str, str] = os.environ) -> bytes:
    """The secret's bytes, without the newline an editor leaves.

    Raises ConfigurationError when it is missing or empty. A file that other users can read is
    used, with a warning: refusing it would break mounted Kubernetes secrets.
    """
    value = _from_env(ref.env, env) if ref.env is not None else _from_file(Path(str(ref.file)))
    if not value:
        raise ConfigurationError(f"{shown_place(ref)} is empty; put the secret there")
    return value


def clickhouse_password(config: Config) -> str:
    """The password of the configured ClickHouse user; empty when there is none. Raises ConfigurationError."""
    secret = config.clickhouse.password
    return read_secret(secret).decode() if secret else ""


def erasure_key(config: Config) -> bytes:
    """The key of the ledger of erasures; empty where none is configured. Raises ConfigurationError."""
    secret = config.privacy.key
    key = read_secret(secret) if secret else b""
    if secret and len(key) < LEAST_KEY_BYTES:
        raise ConfigurationError(
            f"privacy.key: {shown_place(secret)} holds {len(key)} bytes, at least {LEAST_KEY_BYTES} are needed; "
            "e.g. from `openssl rand -base64 32`"
        )
    return key


def shown_place(ref: SecretRef) -> str:
    """Where the secret is, for messages."""
    return f"environment variable {ref.env}" if ref.env is not None else f"secret file {ref.file}"


def _from_env(name: str, env: Mapping[str, str]) -> bytes:
    if name not in env:
        raise ConfigurationError(f"environment variable {name} holds a secret of the configuration but is not set")
    return env[name].encode()


def _from_file(path: Path) -> bytes:
    try:
        value = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"secret file {path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        _log.warning("secret file is readable by other users; chmod 600", extra={"path": str(path)})
    return value.rstrip(b"\r\n")


def ensure_secret_file(path: Path, *, length_bytes: int = 24) -> Path:
    """Write a fresh random secret (0600) unless the file is there already; safe with several callers."""
    write_secret_file(path, secrets.token_urlsafe(length_bytes))
    return path


def write_secret_file(path: Path, value: str) -> bool:
    """Write `value` (0600) and say so; False: the file is there already, and stays as it is. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file:
        file.write(value + "\n")
    return True
