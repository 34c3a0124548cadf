"""Who may use the page and the API: tokens, as a file keeps them. A token itself is kept nowhere."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from schemas.base import Strict, UtcTime

Role = Literal["viewer", "operator"]


class TokenEntry(Strict):
    """One token that was given out."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w .@-]*$", max_length=80, description="whose it is; stands in the audit")
    role: Role = Field(description="viewer: sees no names and texts of people, and changes nothing")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="hash of the token, which is 256 random bits")
    made_at: UtcTime
    expires_at: UtcTime | None = Field(None, description="refused from then on; None: never")

    @property
    def id(self) -> str:
        """Names the token in a session; says nothing about it."""
        return self.sha256[:16]


class AccessFile(Strict):
    """All of the file."""

    tokens: tuple[TokenEntry, ...] = ()

    @field_validator("tokens")
    @classmethod
    def _named_once(cls, tokens: tuple[TokenEntry, ...]) -> tuple[TokenEntry, ...]:
        names = [token.name for token in tokens]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise ValueError(f"two tokens are called `{doubled}`")
        return tokens
