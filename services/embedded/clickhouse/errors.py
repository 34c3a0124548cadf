"""Errors as ClickHouse's HTTP interface gives them: a code, a text, and a status that follows from the code."""

from __future__ import annotations

import re
from typing import Final

ACCESS_DENIED: Final = 497
AMBIGUOUS_IDENTIFIER: Final = 207
AUTHENTICATION_FAILED: Final = 516
NOT_ENOUGH_SPACE: Final = 243
NOT_IMPLEMENTED: Final = 48
QUERY_TOO_LARGE: Final = 307
READONLY: Final = 164
SYNTAX_ERROR: Final = 62
TOO_BIG_AST: Final = 168
TOO_MANY_QUERIES: Final = 202
UNKNOWN_EXCEPTION: Final = 1002
UNKNOWN_SETTING: Final = 115
CANNOT_DECOMPRESS: Final = 271
ABORTED: Final = 236
BAD_ARGUMENTS: Final = 36

_NAMES: Final = {
    ABORTED: "ABORTED",
    ACCESS_DENIED: "ACCESS_DENIED",
    AMBIGUOUS_IDENTIFIER: "AMBIGUOUS_IDENTIFIER",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    NOT_ENOUGH_SPACE: "NOT_ENOUGH_SPACE",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    QUERY_TOO_LARGE: "TOO_MANY_BYTES",
    READONLY: "READONLY",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    TOO_BIG_AST: "TOO_BIG_AST",
    TOO_MANY_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    UNKNOWN_EXCEPTION: "UNKNOWN_EXCEPTION",
    UNKNOWN_SETTING: "UNKNOWN_SETTING",
}
# The groups of ClickHouse's own HTTPHandler; a code that is in none of them is answered with 500.
_STATUS: Final[dict[int, int]] = {
    **dict.fromkeys(
        (6, 26, 27, 33, BAD_ARGUMENTS, 38, 41, 53, SYNTAX_ERROR, 70, 72, 117, 130, 131, 164, TOO_BIG_AST), 400
    ),
    **dict.fromkeys((CANNOT_DECOMPRESS, 386, 441, 452, 456), 400),
    **dict.fromkeys((192, 193, ACCESS_DENIED, 512, AUTHENTICATION_FAILED), 403),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 63, 73, 81, UNKNOWN_SETTING, 255), 404),
    159: 408,
    QUERY_TOO_LARGE: 413,
    NOT_IMPLEMENTED: 501,
    # 503 is what clickhouse_connect takes as "come back later"
    TOO_MANY_QUERIES: 503,
    ABORTED: 503,
}
_CODE = re.compile(r"Code: (\d+)\. ")
MOST_CHARS: Final = 16_384
"""Of a message: 255,000 open brackets make one of 6 MB, which names the place of each."""
_ENDS: Final = re.compile(r" \([A-Z0-9_]{1,80}\)\Z")
_MARGIN: Final = 8_192
"""More than the longest path: what a cut may have left half of, and so not hidden, is cut off with it."""


class ClickHouseError(Exception):
    """A statement that was refused or failed. `code` is ClickHouse's; the message is its full text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)

    @classmethod
    def made(cls, code: int, what: str) -> ClickHouseError:
        """An error of this server, in the words and form of ClickHouse's own."""
        return cls(code, f"Code: {code}. DB::Exception: {what}. ({_NAMES[code]})")

    @classmethod
    def from_engine(cls, error: Exception, hidden: re.Pattern[str] | None = None) -> ClickHouseError:
        """What chdb raised; its text starts with `Code: N.`, sometimes behind words of the binding.

        `hidden`: what this reader must not see.
        """
        text = _shown(str(error), hidden)
        found = _CODE.search(text)
        if found is None:
            return cls(UNKNOWN_EXCEPTION, f"Code: {UNKNOWN_EXCEPTION}. DB::Exception: {text}. (UNKNOWN_EXCEPTION)")
        return cls(int(found[1]), text[found.start() :])


def _shown(text: str, hidden: re.Pattern[str] | None) -> str:
    """The beginning of a long text and the name of the error: to look through all of it would hold up everybody."""
    head = text[: MOST_CHARS + _MARGIN]
    shown = hidden.sub("…", head) if hidden else head
    if len(text) <= MOST_CHARS:
        return shown
    ends = _ENDS.search(text[-100:])
    return f"{shown[:-_MARGIN]} …{ends[0] if ends else ''}"


def hidden(*texts: str) -> re.Pattern[str]:
    """What a reader must not see, such as a path with all that follows, or the name of this machine."""
    named = (text for text in texts if text not in ("", "."))
    return re.compile("|".join(rf"(?<!\w){re.escape(text)}(?:/[^\s'\"`)]*)?(?!\w)" for text in named))
