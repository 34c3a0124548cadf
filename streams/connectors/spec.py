"""A connector: everything Touchline knows of one vendor, as one frozen value of data and pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.capabilities import Capability
from schemas.documents import Loc
from schemas.errors import MalformedPayload, PermanentError, shown
from schemas.mapping import Mapping
from schemas.touchpoints import CleanTouchpoint, RawRequest, Scalar
from streams.connectors.content import Content, opened, original
from streams.connectors.masking import hidden
from streams.connectors.results import Ignored, Mapped, Message, Refused, Result
from streams.connectors.schemes import proof_headers
from streams.connectors.ways import Answers, Keyed, WayIn, Webhook

MAX_KEPT_HEADERS = 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SECRET = re.compile(r"authori[sz]ation|cookie|secret|token|signature|api-?key|password|hmac|^x-forwarded-for$|-ip$")

Map = Callable[[Message, Message, RawRequest], CleanTouchpoint | tuple[CleanTouchpoint, ...] | Ignored]
"""(message, the envelope around it, request) → what it means; raises PermanentError for what it refuses.

A message that tells of two things, such as a reply that reopens a ticket, gives a tuple; each with an id of its own.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The id spaces a vendor speaks: kinds of `account_refs`, kinds of aliases of people, and of its records.

    E-mail, phone, `user` and `anonymous` are everybody's and not listed.
    """

    accounts: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Docs:
    """What an operator must know; shown in docs/reference/connectors. `setup`: the steps at the vendor, in order.

    `reads`: what becomes of its events, whose they are, and how the blueprint calls them.
    """

    title: str
    setup: tuple[str, ...]
    subscribe: str = ""
    settings: str = ""
    limits: str = ""
    reads: str = ""


@dataclass(frozen=True, slots=True)
class Erasures:
    """Which events ask to erase whom they are about, by the vendor's own names of them.

    `doubt`: why a source must first be allowed to ask (`erases: true`); empty: whoever can send it may ask.
    """

    types: tuple[str, ...]
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One valid request, without its proof: the gateway's `samples` adds it. `path` is empty for a webhook's own."""

    body: str
    path: str = ""
    method: str = "POST"
    query: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fresh:
    """The source that a fresh configuration names: its name, what its comment says, and whose records its ids are."""

    source: str
    hint: str
    directory: str = ""


Told = list[tuple[Loc, str]]
"""Places in a mapping, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A connector that each source's mapping says anew (schemas/mapping.py).

    `connector(source, mapping)`: its value for one source. `problems`: all that is wrong in a mapping whose fields are
    sound; only without any may the others be called. `failures`: which of its examples come out otherwise.
    """

    connector: Callable[[str, Mapping], Connector]
    problems: Callable[[Mapping], Told]
    failures: Callable[[Mapping], Told]


def is_secret(header: str) -> bool:
    """Whether a header of this name may hold a credential or an address; such a one is never kept."""
    return _SECRET.search(header) is not None


def nowhere(message: Message, envelope: Message) -> str:
    """The address of senders that tell none."""
    return ""


#: What begins a wait → what of its end a source must tell, or the wait says nothing.
_ENDS: dict[str, tuple[Capability, ...]] = {
    "ticket_created": ("ticket_answer", "ticket_status"),
}


def _silences(feeds: tuple[Capability, ...]) -> dict[str, dict[str, Scalar]]:
    """Action → properties that say what a source does not show, such as `shows_ticket_answer: false`."""
    found = {action: {f"shows_{end}": False for end in ends if end not in feeds} for action, ends in _ENDS.items()}
    return {action: dict[str, Scalar](silences) for action, silences in found.items() if silences}


@dataclass(frozen=True, slots=True)
class Connector:
    """One vendor. Raises ValueError for what cannot be: a connector is checked where it is made.

    `versions`: of the vendor's protocol, as tested. `keep_headers`: names of headers that say something of the event
    (its topic, its delivery's id); at most eight, lower case, never one that proves who is sending. `batch_key`: see
    `content`. `address`: where a visitor sat, if the sender tells. `feeds`: what its events can tell rules. `mapping`
    counts up with each change by which a stored request would be read otherwise than before. `erasures`: which of its
    events ask to erase, if any do. `declared`: only if each source has a mapping that says what it is; the value made
    of it has that `source`, and reads no other.
    """

    name: str
    versions: tuple[str, ...]
    ways_in: tuple[WayIn, ...]
    map: Map
    feeds: tuple[Capability, ...]
    ids: Scope
    docs: Docs
    sample: Callable[[datetime], Sample]
    keep_headers: tuple[str, ...] = ()
    batch_key: str = ""
    answers: Answers = Answers()
    address: Callable[[Message, Message], str] = nowhere
    fresh: Fresh | None = None
    mapping: int = 1
    source: str = ""
    declared: Declared | None = None
    erasures: Erasures | None = None
    _contents: dict[str, Content] = field(init=False, repr=False, compare=False)
    _silences: dict[str, dict[str, Scalar]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a connector's name is lower_snake_case, not {self.name!r}")
        proofs = {name for way in self.ways_in if isinstance(way, Webhook) for name in proof_headers(way.scheme)}
        for name in self.keep_headers:
            if name != name.lower() or name in proofs or is_secret(name):
                raise ValueError(f"{self.name}: the header `{name}` must be lower case and no secret")
        if (self.erasures is None) is ("erasure" in self.feeds):
            raise ValueError(f"{self.name}: who tells of erasures says in `erasures` by which events")
        if len(self.keep_headers) > MAX_KEPT_HEADERS:
            raise ValueError(f"{self.name}: at most {MAX_KEPT_HEADERS} headers are kept")
        contents = {call.path: call.content for way in self.ways_in if isinstance(way, Keyed) for call in way.calls}
        object.__setattr__(self, "_contents", contents)
        object.__setattr__(self, "_silences", _silences(self.feeds))

    @property
    def key(self) -> str:
        """Its key among connectors: the name, and the source it is of, if it is one source's own."""
        return f"{self.name}/{self.source}" if self.source else self.name

    @property
    def keyed(self) -> Keyed | None:
        """Its way in by a key, if it has one."""
        return next((way for way in self.ways_in if isinstance(way, Keyed)), None)

    @property
    def webhook(self) -> Webhook | None:
        """Its way in by a webhook, if it has one."""
        return next((way for way in self.ways_in if isinstance(way, Webhook)), None)

    def content_of(self, path: str) -> Content:
        """What a request to this path holds."""
        found = self._contents.get(path.rstrip("/"))
        return found or (self.webhook.content if self.webhook else "json")

    def read(self, request: RawRequest) -> list[Result]:
        """Every message of the request, in order. Never raises, and a refusal does not touch its neighbours."""
        content = self.content_of(request.path)
        text = request.query if content == "query" else request.body
        try:
            envelope, messages = opened(content, text, self.batch_key)
        except PermanentError as error:
            return [Refused(error.reason, str(error), text, 0)]
        found: list[Result] = []
        for index, message in enumerate(messages):
            try:
                found += self._one(index, message, envelope, request)
            except PermanentError as error:
                whole = original(content, text, self.batch_key, index)
                found.append(Refused(error.reason, str(error), whole, index))
            except Exception as error:  # our own mistake must cost one message, not the stream
                whole = original(content, text, self.batch_key, index)
                found.append(Refused("mapping_failed", f"{type(error).__name__}: {error}"[:300], whole, index))
        return found

    def original(self, request: RawRequest, index: int) -> str:
        """The exact text of one message of the request."""
        content = self.content_of(request.path)
        return original(content, request.query if content == "query" else request.body, self.batch_key, index)

    def _with_silences(self, touchpoint: CleanTouchpoint) -> CleanTouchpoint:
        """What waits for an answer, saying whether its source could show one."""
        silences = self._silences.get(touchpoint.action)
        return touchpoint.changed(properties=touchpoint.properties | silences) if silences else touchpoint

    def _one(self, index: int, message: object, envelope: Message, request: RawRequest) -> list[Result]:
        if isinstance(message, PermanentError):
            raise message
        if not isinstance(message, dict):
            raise MalformedPayload(f"a message must be an object, not {shown(message)}", "wrong_type")
        found = self.map(message, envelope, request)
        if isinstance(found, Ignored):
            return [found]
        stated = found if isinstance(found, tuple) else (found,)
        if not stated:
            raise ValueError("a mapping gives a touchpoint, or says why it gives none")
        address = self.address(message, envelope)
        return [Mapped(self._completed(one, request), address, index) for one in stated]

    def _completed(self, touchpoint: CleanTouchpoint, request: RawRequest) -> CleanTouchpoint:
        """What a mapping made, with what no mapping need know of: what is masked, and which version of it this is."""
        done = hidden(self._with_silences(touchpoint))
        return (
            done.completed(mapping=self.mapping, read_anew=request.mapping < self.mapping) if self.mapping > 1 else done
        )
