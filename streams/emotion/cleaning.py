"""The part of a message its writer wrote now: no quoted history, no signature, no addresses. Linear in its length."""

from __future__ import annotations

import re
from typing import Final

#: What is read of a text: enough for what a message is about, and a bound on what one costs.
MAX_CHARS: Final = 600
#: The same for a text of very short words, each of which costs as much as a long one; ordinary prose has some 110.
MAX_WORDS: Final = 130
_READ_CHARS = 2_000

_CLOSINGS = (
    "best|kind regards|best regards|warm regards|regards|best wishes|sincerely|yours sincerely|yours faithfully|cheers|"
    "(?:met )?(?:vriendelijke |hartelijke )?groet(?:en|jes)?|hoogachtend|mvg"
)
_SENT_FROM = "sent from my |get outlook for |verstuurd vanaf mijn |verzonden vanaf mijn "
_HISTORY = "original message|oorspronkelijk bericht|forwarded message|doorgestuurd bericht|type your reply above"
#: From the first of these lines on, it is history or signature.
_END = re.compile(
    rf"^[ \t]*(?:"
    rf"--[ \t]*$|_{{5,}}[ \t]*$|>|[-# ]{{2,10}}[^\n]{{0,40}}(?:{_HISTORY})|"
    rf"(?:on|op) [^\n]{{1,160}}(?:wrote|schreef)[^\n]{{0,80}}:[ \t]*$|"
    rf"(?:from|van): [^\n]{{1,160}}\n[ \t]*(?:sent|to|date|verzonden|aan|datum): |"
    rf"(?:{_SENT_FROM})|(?:{_CLOSINGS})[ \t]*[,.!]?[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_SALUTATION = re.compile(r"\A\s*(?:dear|beste|geachte|hi|hello|hey|hallo|hoi)\b[^\n,.!?:]{0,60}[,\n:]", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S{1,400}|\S{1,80}@\S{1,200}|<[^<>\n]{1,200}>|\[(?:email|token-\w{4})\]")


def own_words(text: str) -> str:
    """At most MAX_CHARS and MAX_WORDS of what the writer says here, whole words; empty when nothing is left."""
    text = text[:_READ_CHARS].replace("\r", "\n").replace("\x00", " ")
    if end := _END.search(text):
        text = text[: end.start()]
    text = _ADDRESS.sub(" ", _SALUTATION.sub("", text, count=1)).strip()
    text = text if len(text) <= MAX_CHARS else text[:MAX_CHARS].rpartition(" ")[0] or text[:MAX_CHARS]
    rest = text.split(maxsplit=MAX_WORDS)[MAX_WORDS:]
    return text[: -len(rest[0])] if rest else text
