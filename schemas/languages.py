"""Names and texts that a blueprint gives in one language or several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema, model_validator

from schemas.base import Strict

DEFAULT: Final = "en"
"""The language of what stands without one: of every text of before, of BI, and of pages that have no other."""
_CODE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")

Text = Annotated[
    str,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": {"type": "string"}, "required": [DEFAULT]},
            ]
        }
    ),
]
"""A text as code sees it: the English one; people may write one for each language."""


def by_language(given: Any, field: str, others: str) -> Any:
    """What was read, with `field` as its English text; where it was given per language, all of them are in `others`.

    Raises ValueError where a language, or the English, is not as it should be.
    """
    texts = given.get(field) if isinstance(given, Mapping) else None
    if not isinstance(texts, Mapping):
        return given
    for language, text in texts.items():
        if not isinstance(language, str) or _CODE.fullmatch(language) is None:
            raise ValueError(f"`{field}` is given for `{str(language)[:80]}`; write languages as `en`, `nl` or `pt-BR`")
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"`{field}` in `{language}` is no text: write it, or leave `{language}` out")
    if DEFAULT not in texts:
        raise ValueError(f"`{field}` is given per language, without `{DEFAULT}`, which BI and other pages show; add it")
    return {**given, field: texts[DEFAULT], others: dict(texts)}


class Named(Strict):
    """What has a name that people see: one text, or one for each language."""

    name: Text = Field(description="shown name; or one for each language: `{en: …, nl: …}`")
    names: dict[str, str] = Field({}, description="language → `name`, where that is given per language")

    @model_validator(mode="before")
    @classmethod
    def _by_language(cls, given: Any) -> Any:
        return by_language(given, "name", "names")

    def name_in(self, language: str) -> str:
        """The name in that language, else in English."""
        return self.names.get(language, self.name)
