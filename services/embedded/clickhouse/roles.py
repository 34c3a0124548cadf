"""Who may do what: users of the HTTP interface, and the roles of the engine.

chdb knows one user. Its rights are those of its current roles, so a connection that has done `SET ROLE reader` is
held to the reader's grants by ClickHouse itself; the guard keeps a reader from ever sending another `SET ROLE`.
A viewer is a reader from whom the views hide people: they look at `log_comment`, which begins with the role.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from services.common.access import Access
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
    VIEWER = "viewer"

    @property
    def reads(self) -> bool:
        """Whether it is held to the rights and limits of readers."""
        return self is not Role.INTERNAL


@dataclass(frozen=True, slots=True)
class Users:
    """Passwords of the users; `reader` and `default` are the same person.

    Who has a token of the page's (`touchline access`) may give it as a reader's password, and sees what it lets them
    see. Once there is one, nobody sees people without one, unless a reader's password was configured.
    """

    internal_token: str
    reader_password: str = ""
    access: Access | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def role_of(self, headers: Mapping[str, str], params: Mapping[str, str]) -> Role:
        """The role of a request. Raises ClickHouseError 516 when name and password do not fit."""
        user, password = _credentials(headers, params)
        asked = _ROLES.get(user)
        expected = self.internal_token if asked is Role.INTERNAL else self.reader_password
        is_right = hmac.compare_digest(password.encode(), expected.encode())
        if asked is not None and asked.reads:
            if password and self.access and (owner := self.access.owner(password, self.clock())):
                return Role.VIEWER if owner.role == "viewer" else asked
            if is_right and not self.reader_password and self.access and self.access.is_required:
                return Role.VIEWER
        if asked is None or not is_right:
            raise ClickHouseError.made(
                AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, or there is no user with such name",
            )
        return asked

    def caller_of(self, headers: Mapping[str, str], params: Mapping[str, str], address: str) -> str:
        """Who asks, as far as it is known: the owner of the token, else the address that the request came from."""
        _, password = _credentials(headers, params)
        owner = self.access.owner(password, self.clock()) if password and self.access else None
        return f"token {owner.name}" if owner else address


_ROLES: Final = {"internal": Role.INTERNAL, "reader": Role.READER, "default": Role.READER, "viewer": Role.VIEWER}


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
