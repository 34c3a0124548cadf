"""How much of an event's words a source keeps."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from schemas.base import Strict

Keep = Literal["kept", "masked", "dropped"]
"""`masked`: a token stands for the words, the same for the same words. `dropped`: nothing of them is kept."""

RAW_HOURS: Final = 24
"""So long requests are kept as they came once any source keeps less than all, unless another time is configured."""


class Keeping(Strict):
    """What of its events a source keeps, once all that is computed from them is computed."""

    text: Keep = Field("kept", description="what people wrote; its feeling is computed before it goes")
    title: Keep = Field("kept", description="subjects of tickets, titles of pages and deals")
    page: Keep = Field("kept", description="paths of pages; parts that the blueprint names stay")
    properties: Keep = Field(
        "kept", description="what else an event says; numbers, and what the blueprint or a case's state needs, stay"
    )

    @property
    def is_whole(self) -> bool:
        """Whether all is kept."""
        return {self.text, self.title, self.page, self.properties} == {"kept"}
