"""Fresh secrets for docker-compose.yml: `touchline secrets .secrets`. Nothing that is there is ever replaced.

The folder is closed to other users (0700) and the files in it can be read (0644): Compose mounts each file as it is,
and the users inside the containers are not the one who wrote it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from services.cli.generate.cluster_sources import SECRETS
from services.common.secrets import ensure_secret_file

NAMES = (
    "clickhouse_internal",
    "clickhouse_reader",
    "dashboard_token",
    "erasures",
    "grafana_admin",
    *SECRETS,
)
PASSWORDS = "clickhouse_passwords"
"""What ClickHouse gets instead of the passwords: their hashes, as XML beside its users.xml."""

_PASSWORDS_XML = """<clickhouse><users>
<internal><password_sha256_hex>{internal}</password_sha256_hex></internal>
<reader><password_sha256_hex>{reader}</password_sha256_hex></reader>
</users></clickhouse>
"""


def write_secrets(folder: Path) -> list[Path]:
    """Write what is missing; returns what was written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    paths = [folder / f"{name}.txt" for name in NAMES]
    missing = [path for path in paths if not path.exists()]
    for path in paths:
        ensure_secret_file(path).chmod(0o644)
    return missing + _write_hashes(folder)


def _write_hashes(folder: Path) -> list[Path]:
    """Always what the password files say: one that was rotated by hand is followed."""
    hashes = {user: _sha256(folder / f"clickhouse_{user}.txt") for user in ("internal", "reader")}
    path, text = folder / f"{PASSWORDS}.txt", _PASSWORDS_XML.format(**hashes)
    if path.exists() and path.read_text() == text:
        return []
    path.write_text(text)
    path.chmod(0o644)
    return [path]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().rstrip(b"\r\n")).hexdigest()
