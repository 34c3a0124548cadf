"""The page behind a message's link: it asks first, and only its form does anything.

Mail filters and chat previews open links and send none of their forms, so that opening one changes nothing. Who has
the link may act; the name is what its holder says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qs
from uuid import NAMESPACE_URL

from schemas.incidents import IncidentAction, Verb
from schemas.topics import TopicName
from services.gateway.answers import Answer, Header
from services.gateway.request import Request
from streams.ids import named_id
from streams.incidents.links import LEAVE, ActionLink, LinkError, read

TOPIC: Final[TopicName] = "incidents.actions.v1"
WORDS: Final[Mapping[str, str]] = {"take": "I take it", "silence": "Silence it", "done": "It is done"}
HOURS: Final[Mapping[str, str]] = {"4": "4 hours", "24": "a day", "72": "3 days", "168": "a week"}
_SAID: Final[Mapping[str, str]] = {"take": "takes care of it", "silence": "silenced it", "done": "called it done"}
_NAME_CHARS, _TEXT_CHARS = 80, 500
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;"
    "color:#1a1c20;background:#fff}label{display:block;margin:0 0 1rem}"
    "input,select{font:inherit;display:block;width:100%;box-sizing:border-box;padding:.4rem}"
    "button{font:inherit;padding:.5rem 1rem;margin:0 .5rem .5rem 0}"
)
_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
Keep = Callable[[TopicName, str, bytes], Awaitable[None]]
"""Returns once Kafka has it. Raises Refusal 503."""


class Acting:
    """Answers for links that these keys signed. `page`: where the incidents are to be seen."""

    def __init__(self, keys: Sequence[bytes], page: str, clock: Callable[[], datetime]) -> None:
        self._keys, self._page, self._clock = tuple(keys), page, clock

    async def answer(self, request: Request, token: str, keep: Keep) -> Answer:
        """The page for whoever looks, the deed for whoever sends its form. Raises Refusal 503 when Kafka is away."""
        now = self._clock()
        try:
            link = read(token, self._keys, now)
        except LinkError as error:
            return self._refused(error)
        if request.method != "POST":
            return self._asked(link, _first(parse_qs(request.query, max_num_fields=20), "do"))
        try:
            form = parse_qs(request.body.decode(), max_num_fields=20)
            action = _action(link, token, form, now)
        except (ValueError, UnicodeDecodeError) as error:
            problem = str(error) if isinstance(error, _Lacking) else "The form cannot be read. Try again."
            return self._asked(link, "", problem, 400)
        await keep(TOPIC, action.action_id, action.encoded())
        what = f"{escape(action.by)} {_SAID[action.verb]}."
        return _page(link.what, f"<p role='status'>{what}</p>{self._elsewhere()}")

    async def leave(self, request: Request, token: str, keep: Keep) -> Answer:
        """Leaves a digest, or comes back to it: with the page's form, or a mail program's one click (RFC 8058)."""
        now = self._clock()
        try:
            link = read(token, self._keys, now, LEAVE)
        except LinkError as error:
            return self._refused(error)
        if request.method != "POST":
            return _page("No more of these mails?", _choice("leave", "I want no more of them"))
        is_back = request.body == b"do=again"
        action = IncidentAction(
            action_id=named_id(NAMESPACE_URL, f"touchline:leave:{link.events[0]}"),
            at=now,
            by="the owner of the address",
            verb="subscribe" if is_back else "unsubscribe",
            events=link.events,
        )
        await keep(TOPIC, action.action_id, action.encoded())
        if is_back:
            return _page("You get them again", _choice("leave", "I want no more of them"))
        return _page("You get no more of them", _choice("again", "Send them to me again"))

    def _asked(self, link: ActionLink, chosen: str, problem: str = "", status: int = 200) -> Answer:
        trouble = f"<p role='alert'><strong>{escape(problem)}</strong></p>" if problem else ""
        until = f"{link.until:%Y-%m-%d %H:%M} UTC"
        head = f"Incident {escape(link.incident_id[:8])}. Nothing has been done yet; this link works until {until}."
        return _page(link.what, f"<p>{head}</p>{trouble}{_form(chosen)}{self._elsewhere()}", status)

    def _refused(self, error: LinkError) -> Answer:
        if error.kind == "expired":
            return _page("This link has expired", f"<p>Nothing was done.</p>{self._elsewhere()}", 410)
        words = "<p>It is not whole, or was not made here. Copy it from the message once more.</p>"
        return _page("This link is not valid", words + self._elsewhere(), 404)

    def _elsewhere(self) -> str:
        return f"<p><a href='{escape(self._page)}'>All incidents</a></p>"


def _choice(value: str, words: str) -> str:
    return f"<form method='post'><button name='do' value='{value}'>{words}</button></form>"


def _form(chosen: str) -> str:
    verbs = [chosen] if chosen in WORDS else list(WORDS)
    hours = "".join(f"<option value='{key}'>{value}</option>" for key, value in HOURS.items())
    parts = [f"<label>Your name<input name='by' required maxlength='{_NAME_CHARS}' autocomplete='name'></label>"]
    parts += [f"<label>Silence for<select name='hours'>{hours}</select></label>"] if "silence" in verbs else []
    parts += [f"<label>A word to the others (optional)<input name='text' maxlength='{_TEXT_CHARS}'></label>"]
    parts += [f"<button name='do' value='{verb}'>{WORDS[verb]}</button>" for verb in verbs]
    others = "" if len(verbs) > 1 else "<p><a href='?'>Do something else</a></p>"
    return f"<form method='post'>{''.join(parts)}</form>{others}"


class _Lacking(ValueError):
    """What the form does not say, in words for people."""


def _action(link: ActionLink, token: str, form: Mapping[str, list[str]], now: datetime) -> IncidentAction:
    verb, by = _first(form, "do"), " ".join(_first(form, "by").split())[:_NAME_CHARS]
    if verb not in WORDS:
        raise _Lacking("Choose what is to be done.")
    if not by:
        raise _Lacking("Say your name, so that the others know whom to ask.")
    hours = _first(form, "hours") or "24"
    if hours not in HOURS:
        raise _Lacking("Choose for how long.")
    said: Verb = "take" if verb == "take" else "silence" if verb == "silence" else "done"
    return IncidentAction(
        action_id=named_id(NAMESPACE_URL, f"touchline:act:{token}:{said}:{by}:{hours}"),  # sent twice it is one
        at=now,
        by=by,
        verb=said,
        events=link.events,
        until=now + timedelta(hours=int(hours)) if said == "silence" else None,
        text=_first(form, "text")[:_TEXT_CHARS],
    )


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _page(title: str, body: str, status: int = 200) -> Answer:
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    main = f"<main><h1>{escape(title)}</h1>{body}</main>"
    text = f"<!doctype html><html lang='en'><head>{head}<style>{_STYLE}</style></head><body>{main}</body></html>"
    return Answer(status, text.encode(), b"text/html; charset=utf-8", _HEADERS)
