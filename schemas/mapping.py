"""A mapping: how a system that Touchline does not know is understood, as an operator writes it in YAML.

It is data alone: paths, words, conditions. Letter case never counts in what is compared.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from schemas.actions import Action
from schemas.base import Strict
from schemas.errors import shown
from schemas.paths import Path, Template
from schemas.touchpoints import Scalar

MAX_WORDS = 500
MAX_WORD_CHARS = 200
_SLUG = r"^[a-z][a-z0-9_]{0,39}$"
_HEADER = r"^[a-z0-9-]{1,60}$"
_OFFSET = re.compile(r"[+-](\d\d):(\d\d)")
_ONE_NEEDED = "give exactly one of"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _short(field: str) -> BeforeValidator:
    """A text or a list of texts stands for this field."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str | list) else value)


def word_of(value: object) -> str:
    """A word as it is compared: text in lower case; YAML's `true` and a JSON `true` are one word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip().lower()


def _words(value: Any) -> Any:
    return {word_of(key): one for key, one in value.items()} if isinstance(value, dict) else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_listed), Field(max_length=8)]
Word = Annotated[Scalar, BeforeValidator(lambda value: value[:MAX_WORD_CHARS] if isinstance(value, str) else value)]


class ValueRule(Strict):
    """Where a value comes from, and what its words mean. A text alone is a path."""

    path: Paths = Field((), description="where it stands; of several the first that holds something counts")
    constant: Scalar = Field(None, description="the value itself")
    template: Template = Field("", description="a text with paths in it: `{first} {last}`; nothing if a path is empty")
    values: Annotated[dict[str, Word], BeforeValidator(_words)] = Field(
        {}, max_length=MAX_WORDS, description="what the sender's words mean here: `resolved: solved`"
    )
    otherwise: Word = Field(None, description="for a word that `values` does not list; left out: the word as it is")
    default: Word = Field(None, description="if nothing stands there")
    join: str | None = Field(None, max_length=10, description="put between several that are found; left out: the first")

    @model_validator(mode="after")
    def _one_origin(self) -> ValueRule:
        if bool(self.path) + bool(self.template) + (self.constant is not None) != 1:
            raise ValueError(f"{_ONE_NEEDED} `path`, `template` and `constant`")
        return self


Value = Annotated[ValueRule, _short("path")]


class Condition(Strict):
    """One test of a message."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: Path = Field(description="what is looked at; of several found any may do")
    equals: Scalar = Field(None, description="it is this word")
    in_: tuple[Scalar, ...] = Field((), alias="in", max_length=MAX_WORDS, description="it is one of these words")
    exists: bool | None = Field(None, description="whether anything stands there; `null` and empty are nothing")
    matches: str = Field(
        "", max_length=MAX_WORD_CHARS, description="it has this shape: `*` is any text, `?` one character"
    )

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = (self.equals is not None, bool(self.in_), self.exists is not None, bool(self.matches))
        if sum(tests) != 1:
            raise ValueError(f"{_ONE_NEEDED} `equals`, `in`, `exists` and `matches`")
        return self


Conditions = Annotated[tuple[Condition, ...], Field(max_length=20)]


class IdRule(Strict):
    """What makes an event the same event when it is sent again."""

    paths: Paths = Field((), description="the sender's own id of it; several are put together, and all must be there")
    without: tuple[str, ...] = Field(
        (),
        max_length=20,
        description="without `paths` the content is the id: these fields are left out, since a resend changes them",
    )

    @model_validator(mode="after")
    def _one_way(self) -> IdRule:
        if self.paths and self.without:
            raise ValueError(f"{_ONE_NEEDED} `paths` and `without`")
        return self


class TimeRule(Strict):
    """When it happened."""

    path: Paths = Field((), description="where the time stands; of several the first that holds something counts")
    format: str = Field(
        "any",
        max_length=60,
        description="`iso`, `s` or `ms` since 1970, `any` of these, or day by day: `%d/%m/%Y %H:%M`",
    )
    zone: str = Field(
        "UTC", description="zone of a time that names none: `Europe/Amsterdam`, `+01:00`; summer time is known"
    )
    received: bool = Field(False, description="the time of receipt: for senders that tell none")

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        offset = _OFFSET.fullmatch(zone)
        if offset and int(offset[1]) < 15 and int(offset[2]) < 60:
            return zone
        try:
            ZoneInfo(zone)
        except (OSError, ValueError, KeyError):
            raise ValueError(f"no time zone: {shown(zone)}; write `Europe/Amsterdam` or `+01:00`") from None
        return zone

    @field_validator("format")
    @classmethod
    def _is_format(cls, form: str) -> str:
        if form in ("any", "iso", "s", "ms"):
            return form
        written = datetime(2026, 11, 22, 13, 45, 6, 789_000, tzinfo=UTC).strftime(form)
        try:
            found = datetime.strptime(written, form)  # noqa: DTZ007 - only what is in it counts
        except ValueError:
            found = None
        if found is None or (found.year, found.month, found.day) != (2026, 11, 22):
            raise ValueError(f"no time format: {shown(form)}; write iso, s, ms, any, or such as `%d/%m/%Y %H:%M:%S`")
        return form

    @model_validator(mode="after")
    def _one_origin(self) -> TimeRule:
        if bool(self.path) == self.received:
            raise ValueError(f"{_ONE_NEEDED} `path` and `received: true`")
        return self


class PersonRule(Strict):
    """Who it was. One message must carry the ids of one person: two would be taken for one."""

    ids: dict[str, Value] = Field(
        {}, max_length=10, description="by kind: `email`, `phone`, `user`, `support_user`, `crm_contact`, …"
    )
    traits: dict[str, Value] = Field(
        {}, max_length=20, description="`name`, `title`, `department`, `role` and whatever else describes the person"
    )


class AccountRule(Strict):
    """Which company it was."""

    refs: dict[str, Value] = Field(
        {}, max_length=4, description="its ids by kind, the best first: `crm`, `group`, `org`, `domain`"
    )
    traits: dict[str, Value] = Field({}, max_length=20, description="`name`, `domain` and whatever else describes it")


class Telling(Strict):
    """What a message says, field by field."""

    id: Annotated[IdRule, _short("paths")] = Field(IdRule(), description="its identity; left out: its content")
    time: Annotated[TimeRule | None, _short("path")] = Field(None, description="when it happened")
    person: PersonRule = Field(PersonRule(), description="who")
    account: AccountRule = Field(AccountRule(), description="which company")
    channel: Template = Field("", description="`support`, `crm`, `survey`, `email`, …; left out: by the action")
    session: Value | None = Field(None, description="id of the visit it belongs to")
    page: Value | None = Field(None, description="URL or path of the page; its query is dropped")
    element: Value | None = Field(None, description="what was clicked or touched")
    subject: Template = Field("", description="the case it is about: `ticket:{ticket.id}`, `deal:{id}`, `form:signup`")
    title: Value | None = Field(None, description="headline")
    text: Value | None = Field(None, description="what the customer wrote")
    score: Value | None = Field(None, description="a stated score")
    score_kind: Literal["", "nps", "csat", "ces", "rating"] = Field(
        "", description="scale of the score: nps 0–10, csat and rating 1–5, ces 1–7"
    )
    scale: tuple[float, float] | None = Field(None, description="lowest and highest score of the sender, if others")
    properties: dict[str, Value] = Field({}, max_length=30, description="anything else, flat")

    @field_validator("scale")
    @classmethod
    def _goes_up(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and not scale[0] < scale[1]:
            raise ValueError(f"the lowest score comes first, got {shown(scale)}")
        return scale


class EventRule(Telling):
    """One kind of event: which messages are one, and what they say. What `shared` says holds here, too."""

    name: Template = Field(
        min_length=1, description="the sender's word for it, e.g. `ticket.created`; blueprints match it"
    )
    action: Action = Field(description="what happened in our words")
    when: Conditions = Field((), description="all must hold; empty: every message that nothing above has taken")
    unless: Conditions = Field((), description="none may hold")


class IgnoreRule(Strict):
    """Messages that concern no customer."""

    reason: str = Field(pattern=_SLUG, description="why, in a word such as `ping`; they are counted under it")
    when: Conditions = Field(min_length=1, description="all must hold")


class NamedScheme(Strict):
    """A scheme that several senders share."""

    kind: Literal["named"] = "named"
    name: str = Field(description="its name, see docs/how-to/webhook-mappings.md")


class HmacScheme(Strict):
    """A keyed hash of the request."""

    kind: Literal["hmac"]
    header: str = Field(pattern=_HEADER, description="the header that holds the signature, in lower case")
    message: tuple[Literal["method", "url", "body", "timestamp", "id", ".", ":"], ...] = Field(
        ("body",), max_length=12, description="what is signed, part by part"
    )
    digest: Literal["sha256", "sha1"] = Field("sha256", description="hash function")
    encoding: Literal["base64", "hex"] = Field("base64", description="how the signature is written")
    prefix: str = Field("", max_length=20, description="what stands before it, e.g. `sha256=`")
    layout: Literal["plain", "spaced", "fields"] = Field(
        "plain", description="`plain`: one; `spaced`: several, by blanks; `fields`: `t=…,v1=…` with the stamp in it"
    )
    secret: Literal["text", "whsec"] = Field("text", description="`whsec`: base64 after `whsec_`")
    timestamp: Literal["", "ms", "s", "iso"] = Field("", description="how the stamp is written, if there is one")
    timestamp_header: str = Field("", pattern=r"^[a-z0-9-]{0,60}$", description="the header that holds the stamp")
    id_header: str = Field("", pattern=r"^[a-z0-9-]{0,60}$", description="the header that holds the delivery's id")
    tolerance_s: int = Field(300, ge=30, le=3600, description="how far off a stamp may be, in seconds")

    @model_validator(mode="after")
    def _is_whole(self) -> HmacScheme:
        if "body" not in self.message:
            raise ValueError("`message` must hold `body`: else anybody could change what is sent")
        if bool(self.timestamp) != ("timestamp" in self.message):
            raise ValueError("`timestamp` says how the stamp is written; `message` must then hold it, and only then")
        if self.timestamp and (self.layout == "fields") == bool(self.timestamp_header):
            raise ValueError("the stamp stands in `timestamp_header`, or in the signature with `layout: fields`")
        if ("id" in self.message) != bool(self.id_header):
            raise ValueError("`id_header` names where the `id` of `message` stands; give both or neither")
        return self


class TokenScheme(Strict):
    """The secret itself, in a header."""

    kind: Literal["token"]
    header: str = Field(pattern=_HEADER, description="the header that holds it, in lower case")
    prefix: str = Field("", max_length=20, description="what stands before it, e.g. `Bearer `")


class BasicScheme(Strict):
    """HTTP Basic: the secret is `user:password`, or the password alone."""

    kind: Literal["basic"]


SchemeRule = Annotated[
    Annotated[NamedScheme | HmacScheme | TokenScheme | BasicScheme, Field(discriminator="kind")],
    BeforeValidator(lambda value: {"kind": "named", "name": value} if isinstance(value, str) else value),
]


class HandshakeRule(Strict):
    """A call that carries no event: somebody asks whether we are there, or wants a challenge back."""

    methods: tuple[Literal["GET", "HEAD", "POST"], ...] = Field(("POST",), min_length=1, description="HTTP methods")
    when: dict[str, str] = Field(
        {}, max_length=8, description="what must stand where: `$query.mode: subscribe`, `type: verify`; empty: anything"
    )
    echo: str = Field("", description="what is sent back: `$query.challenge`, or a path in the body")
    reply_field: str = Field("", max_length=60, description="send it back as JSON, under this name")
    signed: bool = Field(True, description="only after the sender has proved itself")
    proof: str = Field("", description="where a call that is not signed carries the secret, e.g. `$query.verify_token`")


class ReceiveRule(Strict):
    """How requests come in and prove who sends them."""

    scheme: SchemeRule = Field(description="a name such as `standard_webhooks`, or its parts: `{kind: hmac, …}`")
    content: Literal["json", "form", "xml", "text", "query"] = Field("json", description="what the body is")
    methods: tuple[Literal["POST", "PUT", "GET"], ...] = Field(("POST",), min_length=1, description="HTTP methods")
    each: str = Field(
        "",
        pattern=r'^$|^[^."\[\]*]{1,60}(\.[^."\[\]*]{1,60}){0,7}$',
        description="dotted path of the list that holds the messages; left out: the body is one, or a list of them",
    )
    handshakes: tuple[HandshakeRule, ...] = Field((), max_length=8, description="calls that carry no event")
    answer: str = Field("OK", max_length=1_000, description="what the sender takes for success; JSON is sent as such")


class ExampleRequest(Strict):
    """A request as the sender would make it."""

    body: Any = Field(None, description="JSON as YAML, or the text of any other content")
    headers: dict[str, str] = Field({}, description="those that paths look at")
    query: str = Field("", description="query string")


class Example(Strict):
    """A request, and what must come of it; `touchline validate` runs it."""

    name: str = Field("", description="what it shows")
    request: ExampleRequest = Field(description="the request")
    expect: tuple[dict[str, Any], ...] = Field(
        description="of each message: fields of its touchpoint, `{ignored: reason}`, or `{refused: reason}`"
    )


class Mapping(Strict):
    """How one system's requests are read."""

    version: int = Field(ge=1, le=1_000_000, description="counts up whenever stored requests would be read otherwise")
    title: str = Field("", max_length=80, description="the system's name")
    receive: ReceiveRule = Field(description="how requests come in")
    ignore: tuple[IgnoreRule, ...] = Field((), max_length=100, description="messages that concern no customer")
    shared: Telling = Field(Telling(), description="what all events have; an event's own field wins")
    events: tuple[EventRule, ...] = Field(min_length=1, max_length=200, description="the first that fits counts")
    unmatched: Literal["refuse", "ignore"] = Field(
        "refuse", description="what becomes of a message that nothing fits: a dead letter, or it is counted and dropped"
    )
    examples: tuple[Example, ...] = Field((), max_length=200, description="requests, and what must come of them")
