"""SQL that reads a stored AttributedTouchpoint, column `payload` of table `histories`, by key.

A field that has its default is not in the JSON, and JSONExtract of what is not there is 0, '' or false. Where that is
the default nothing needs to be done; for the other fields these expressions fill it in, also in rows of before.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import fields

from schemas.base import Item
from schemas.touchpoints import Attribution, CleanTouchpoint


def _version(part: str, contract: type[Item], name: str) -> str:
    """Versions begin with their default, so what is absent is the least of them."""
    (first,) = (int(str(field.default)) for field in fields(contract) if field.name == name)
    return f"greatest(JSONExtractUInt(payload, '{part}', '{name}'), {first})"


MAPPING: Final = _version("touchpoint", CleanTouchpoint, "mapping")
"""The version of the mapping that read it."""
RULES: Final = _version("attribution", Attribution, "rule_version")
"""The version of the rules that attributed it."""
