"""Who may do what: two users of the HTTP interface, two roles of the engine.

chdb knows one user. Its rights are those of its current roles, so a connection that has done `SET ROLE reader` is
held to the reader's grants by ClickHouse itself; the guard keeps a reader from ever sending another `SET ROLE`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.embedded.clickhouse.errors import AUTHENTICATION_FAILED, ClickHouseError

USERS_XML: Final = """<clickhouse>
<profiles><default/></profiles><quotas><default/></quotas>
<roles>
<internal><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></internal>
<reader><grants><query>GRANT SELECT ON {bi}.*</query></grants></reader>
</roles>
<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants><query>GRANT internal, reader</query></grants></default></users>
</clickhouse>
"""


class Role(StrEnum):
    """What the engine holds a connection to."""

    INTERNAL = "internal"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class Users:
    """Passwords of the users; `reader` and `default` are the same person."""

    internal_token: str
    reader_password: str = ""

    def role_of(self, headers: Mapping[str, str], params: Mapping[str, str]) -> Role:
        """The role of a request. Raises ClickHouseError 516 when name and password do not fit."""
        user, password = _credentials(headers, params)
        expected = {"internal": self.internal_token}.get(user, self.reader_password)
        known = user in ("internal", "reader", "default")
        if not hmac.compare_digest(password.encode(), expected.encode()) or not known:
            raise ClickHouseError.made(
                AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, or there is no user with such name",
            )
        return Role.INTERNAL if user == "internal" else Role.READER


def _credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> tuple[str, str]:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:  # no base64, or no UTF-8 in it
            raise ClickHouseError.made(AUTHENTICATION_FAILED, "Invalid Basic authentication") from None
        return user or "default", password
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    return params.get("user", "default"), params.get("password", "")
