"""The ways requests come in, as data. services/gateway makes its routes, methods, CORS and answers of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from streams.connectors.content import Content
from streams.connectors.schemes import Scheme

KeyPlace = Literal["bearer", "basic", "query", "body"]
"""`query` and `body`: under one of the call's `key_names`; `basic`: the user of HTTP Basic."""
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
GIF = b"image/gif"


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of an answer; its status is 200 unless the gateway says otherwise."""

    body: bytes = b"OK"
    content_type: bytes = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = ()


SUCCESS = Reply(b'{"success":true}', JSON)
PIXEL = Reply(
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    GIF,
    ((b"cache-control", b"no-cache, no-store, must-revalidate"),),
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the sender takes for success, and how it reads a refusal: JSON with `code` and `message`, or plain text."""

    ok: Reply = Reply()
    refused: Literal["json", "text"] = "json"


@dataclass(frozen=True, slots=True)
class Call:
    """A path of a protocol whose senders are known by a key. Connectors may share one: the key says who speaks.

    `batch`: the body holds several messages. `key_names`: what the key is called in the query and in a JSON body, there
    a dotted path; of an array its first object is asked. `wrapped_in`: the field of a form, or of the query, in which
    old browsers send the JSON, in base64. `keeps_cut`: what came of a body that broke off is kept and dead-lettered,
    since its sender is gone. `ok`: the success of this path, where it is another than the connector's. `always`: what
    is answered whatever happens; the status still tells.
    """

    path: str
    methods: tuple[str, ...] = ("POST",)
    batch: bool = False
    content: Content = "json"
    keys: tuple[KeyPlace, ...] = ("basic", "query", "body")
    key_names: tuple[str, ...] = ("writeKey", "writekey")
    wrapped_in: str = ""
    cors: bool = True
    keeps_cut: bool = False
    ok: Reply | None = None
    always: Reply | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What an SDK loads before it sends: `answer(key, source, base_url)` as JSON, or a Reply as it is.

    `{key}` in the path stands for the key; else it comes as in a call, with `key_names` and `wrapped_in` as there.
    `unknown` is the status for a key nobody has. `names_us`: whether the answer tells the SDK where to send, which
    needs the gateway's own address; for others `base_url` is what is configured.
    """

    path: str
    answer: Callable[[str, str, str], object]
    unknown: int = 401
    methods: tuple[str, ...] = ("GET", "HEAD")
    key_names: tuple[str, ...] = ("writeKey", "writekey")
    wrapped_in: str = ""
    names_us: bool = False


@dataclass(frozen=True, slots=True)
class Sdk:
    """A browser SDK that pages load from the gateway. Its files are the vendor's and come from the operator's copy.

    `entry`: the path that the vendor's snippet names, with `{key}`; it is answered with `file`. `parts`: where that
    loads the rest from, with `{file}`. `renamed`: what stands in `file` for the vendor's own hosts, and what is put
    in its place; of `{base}` and `{host}` the gateway's address is made, with and without its scheme. `folder`: where
    the vendor ships the files, in words.
    """

    entry: str
    file: str
    parts: str
    renamed: tuple[tuple[str, str], ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Keyed:
    """Senders known by a key they send, on paths of their protocol.

    `swallowed` are paths whose calls are answered and dropped. `screen(body, batch)` is the refusal of a whole
    request, as (code, message), where the protocol documents one. `sdk`: what pages load from the gateway itself.
    """

    calls: tuple[Call, ...]
    settings: tuple[Setting, ...] = ()
    swallowed: tuple[str, ...] = ()
    screen: Callable[[object, bool], tuple[str, str] | None] = lambda body, batch: None
    sdk: Sdk | None = None


Where = tuple[Literal["query", "body"], str]
"""A parameter of the query, or the dotted path of a field in a JSON body."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """A call that carries no event: the sender asks whether somebody is there, or wants a challenge back.

    It is one when the method fits and every place in `when` holds that value (empty: any but none). What stands at
    `echo` is sent back as text, or as JSON under `reply_field`; without `echo` the answer is empty. `signed`: only
    after the sender has proved itself, as for every event; others may be told by the method and the query alone.
    `token` is where a call that is not signed carries the secret. Raises ValueError for what cannot be held to that.
    """

    methods: tuple[str, ...] = ("POST",)
    when: tuple[tuple[Where, str], ...] = ()
    echo: Where | None = None
    reply_field: str = ""
    signed: bool = True
    token: Where | None = None

    def __post_init__(self) -> None:
        places = [place for place, _ in self.when] + [place for place in (self.echo, self.token) if place]
        if not self.signed and any(place == "body" for place, _ in places):
            raise ValueError("a body is not read before its sender is known: such a handshake must be signed")
        if "POST" in self.methods and not self.when:
            raise ValueError("a handshake by POST needs `when`: else every event would be one")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose account at the vendor a message is of, where many customers of the vendor could send to one address.

    `place`: a dotted path in the body; a body that has its outermost part must hold there what the source's `tenant`
    says, both as `same` writes them. `what`: what an operator calls it, and finds where. `example`: the sample's.
    """

    place: str
    what: str
    same: Callable[[str], str]
    example: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Calls to `/{connector}/{source}`, proved by `scheme` before anything reads them, and of one `tenant`."""

    scheme: Scheme
    content: Content = "json"
    methods: tuple[str, ...] = ("POST",)
    handshakes: tuple[Handshake, ...] = ()
    tenant: Tenant | None = None


WayIn = Keyed | Webhook
