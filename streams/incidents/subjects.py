"""What a desk is about: an account, or something that no account is, a source or a touchpoint type. Pure."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "source:"
TYPE: Final = "type:"
"""Before the name of a source or a type, where the desk of an account has the account's id."""


def is_account(account_id: str) -> bool:
    """Whether a desk is about an account."""
    return not account_id.startswith((SOURCE, TYPE))
