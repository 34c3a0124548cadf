"""E-mail addresses and tokens in what is stored of an event: masked by one rule, whichever connector read it.

| found | where | becomes |
|---|---|---|
| an e-mail address, also `jan%40acme.com` | everywhere | `[email]` |
| a signed token (`eyJ….….…`), a key of a known form (`sk_live_…`) | everywhere | `[token-3f2a]` |
| an address in base64 or hex, a name and password before a host | addresses and paths | the same |
| what a parameter called like a secret holds (`?token=`, `#sig=`, `?email=`) | addresses and paths | the same |
| a part that looks drawn at random, what follows `reset`, `invite` and the like | addresses and paths | the same |

Four digits of its hash stay of a token, so that two pages remain two; of an address nothing does. Ids of records (a
number, a UUID, 24 digits of hex) stay, except behind such a word: they open nothing.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Final

from schemas.actions import Action
from schemas.touchpoints import CleanTouchpoint, Scalar
from streams.connectors.reading import MAX_VALUE_CHARS, is_sensitive

EMAIL: Final = "[email]"
#: Properties of records that say who is meant: they tie people together, and are no text that a page reported.
_WHO: Final = frozenset({"given_up", "account", "contacts", "merged", "by", "owner", "proposal", "verdict"})
_RECORDS: Final[frozenset[Action]] = frozenset(
    {"alias", "decision", "crm_record", "crm_removed", "deal_created", "deal_stage_changed", "lifecycle_changed"}
)
_HINT = re.compile(
    r"@|%(?:25)?40|eyJ|[_-](?:live|test)_|gh[a-z]_|xox|AKIA|glpat-|whsec|sk-|sk_|_pat_|npm_|AIza|SG\.|ya29\.|hf_|"
    r"dop_v1|shp[a-z]{2}_|[Bb]earer |[Bb]asic |\bST-\d"
)
_AT = re.compile(r"@|%(?:25)?40")
_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24}", re.I)
_DOMAIN = re.compile(r"(?![1-9]x\.)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
#: At the end of a text that was cut there.
_CUT_DOMAIN = re.compile(r"[\w.-]{0,250}\Z")
#: What stands before the part of an address that comes before its `@`, also as an address bar writes it.
_BEFORE = (
    *" \t\n\r/?#&=<>\"'(),;:[]{}|\\@",
    "%20",
    "%2f",
    "%2F",
    "%3f",
    "%3F",
    "%3d",
    "%3D",
    "%26",
    "%3a",
    "%3A",
    "%40",
)
_MAX_LOCAL_CHARS: Final = 192
_KEY = re.compile(
    r"eyJ[\w-]{8,2000}\.[\w-]{2,2000}(?:\.[\w-]{0,2000})?|eyJ[\w-]{40,2000}\Z|"
    r"\b(?:sk|rk|pk|whsec)[_-](?:live_|test_)?[A-Za-z0-9]{16,200}|\bgh[pousr]_[A-Za-z0-9]{20,200}|"
    r"\bxox[a-z]-[\w-]{10,200}|\bAKIA[A-Z0-9]{16}\b|\bglpat-[\w-]{16,200}|\bgithub_pat_\w{16,200}|"
    r"\bnpm_[A-Za-z0-9]{30,60}|\bAIza[\w-]{30,60}|\bSG\.[\w-]{10,60}\.[\w-]{20,80}|\bya29\.[\w-]{10,400}|"
    r"\bsk-[a-z]{2,8}-[\w-]{16,200}|\bhf_[A-Za-z0-9]{20,60}|\bdop_v1_[0-9a-f]{20,80}|\bshp[a-z]{2}_[0-9a-f]{20,60}|"
    r"\b(?:rzp_live|rzp_test)_\w{10,40}|\bST-\d+-[\w-]{10,80}|"
    r"(?<=[Bb]earer )[\w.~+/-]{16,2000}=*|(?<=[Bb]asic )(?=\S{0,200}[\d=])[A-Za-z0-9+/]{10,400}=*"
)
#: The name and the password that an address may carry before its host.
_LOGIN = re.compile(r"(?<=://)[^/?#\s@:]{0,200}:[^/?#\s@]{0,200}(?=@)")
#: What may be an address written in base64 or in hex.
_ENCODED = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{12,300}={0,2}")
#: An address or a path, alone or among words.
_ADDRESS = re.compile(r"(?:(?:(?<![a-z0-9])[a-z][a-z0-9+.-]{1,19}://|www\.)|(?<![^\s(\"'<])[/?#&])[^\s<>\"]+", re.I)
_PARAMETER = re.compile(r"([?&#;])([^=&#;?/\s]{1,60})=([^&#;\s]+)")
_ALSO = re.compile(
    r"(?:^|_)(?:auth\w*|sig|signature|otp|jwt|sid|session|sess|access|credential|invite|invitation|nonce)$|"
    r"^(?:php|j|asp)?sess(?:ion)?_?id$|^cftoken$|^saml\w*$|^relaystate$|^magic\w*$|^access_?key$|^pin$"
)
#: What a sign-in service leaves in the address it sends back to.
_ANSWER = re.compile(r"[?&#](?:session_)?state=|/(?:oauth2?|sso|oidc|callback)(?![\w-])", re.I)
_DIGIT = re.compile(r"\d")
_OPENING: Final = frozenset(
    {
        "reset", "invite", "invites", "invitation", "invitations", "verify", "verification", "confirm", "confirmation",
        "activate", "activation", "magic", "unsubscribe", "token", "tokens", "share", "shared", "uitnodiging",
        "bevestig", "bevestigen", "bevestiging", "activeer", "activeren", "afmelden", "uitschrijven", "herstel",
        "herstellen", "password", "wachtwoord", "uitnodigingen", "deel", "delen", "gedeeld", "join", "recover",
        "recovery", "einladung", "bestaetigen", "bestätigen", "bestaetigung", "aktivieren", "aktivierung", "passwort",
        "zuruecksetzen", "zurücksetzen", "passe", "reinitialiser", "réinitialiser", "confirmer", "partage",
        "desabonner",
    }
)  # fmt: skip
"""Words of a path behind which a token stands."""
_OPENS = re.compile(r"[^\s\[%@]{6,300}")
_PART = re.compile(r"[A-Za-z0-9_~-]{18,300}")
_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_OBJECT_ID_CHARS: Final = 24
_LEAST_CHARS: Final = 18


def hidden(touchpoint: CleanTouchpoint) -> CleanTouchpoint:
    """The touchpoint, which nobody else has yet, with the addresses and tokens in its words and pages masked."""
    found: dict[str, object] = {}
    for name, value in zip(_WORDS, _words_of(touchpoint), strict=True):
        if value and (clear := masked(value)) != value:
            found[name] = clear
    exempt = _WHO if touchpoint.action in _RECORDS else ()
    if touchpoint.properties and (changed := _changed(touchpoint.properties, exempt)):
        found["properties"] = touchpoint.properties | changed
    if touchpoint.visit and (changed := _changed(touchpoint.visit)):
        found["visit"] = touchpoint.visit | changed
    return touchpoint.completed(**found) if found else touchpoint


_WORDS: Final = ("page", "title", "element", "text", "vendor_type")
_words_of = attrgetter(*_WORDS)


def _changed(values: Mapping[str, Scalar], exempt: Collection[str] = ()) -> dict[str, Scalar]:
    return {
        key: clear
        for key, value in values.items()
        if isinstance(value, str) and value and key not in exempt and (clear := masked(value)) != value
    }


def masked(text: str) -> str:
    """A text, an address or a path with what it must not tell replaced. The same again gives the same."""
    return _masked(text) if len(text) <= _REMEMBERED_CHARS else _hide(text)


_REMEMBERED_CHARS: Final = 300


@lru_cache(maxsize=8192)
def _masked(text: str) -> str:
    """Paths, titles and labels repeat."""
    return _hide(text)


def _hide(text: str) -> str:
    if "/" in text or "=" in text:
        text = _ADDRESS.sub(_address, _LOGIN.sub(_token_of, text))
    if _HINT.search(text) is None:
        return text
    return _without_mail(_KEY.sub(_token_of, text))


def _without_mail(text: str) -> str:
    """Looks at each `@` and what is around it, so that a long text costs no more than its length."""
    found, done = "", 0
    is_cut = len(text) >= MAX_VALUE_CHARS
    for at in _AT.finditer(text):
        domain = _DOMAIN.match(text, at.end()) or (_CUT_DOMAIN.match(text, at.end()) if is_cut else None)
        if domain is None:
            continue
        start = _start_of_local(text, max(done, at.start() - _MAX_LOCAL_CHARS), at.start())
        if start < at.start():
            found += text[done:start] + EMAIL
            done = domain.end()
    return found + text[done:]


def _start_of_local(text: str, first: int, at: int) -> int:
    before = text[first:at]
    return first + max(before.rfind(mark) + len(mark) if mark in before else 0 for mark in _BEFORE)


def _address(found: re.Match[str]) -> str:
    text = found[0]
    if "=" in text:
        is_answer = _ANSWER.search(text) is not None
        text = _PARAMETER.sub(lambda one: _parameter(one, is_answer=is_answer), text)
    text = _ENCODED.sub(_encoded, text)
    return _PART.sub(_random, _behind(text)) if _DIGIT.search(text) else text


def _encoded(found: re.Match[str]) -> str:
    """An address that was written in base64 or in hex, as links to unsubscribe do."""
    part = found[0].rstrip("=")
    try:
        read = bytes.fromhex(part) if _HEX.fullmatch(part) else urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return EMAIL if _MAIL.fullmatch(read.decode("ascii")) else found[0]
    except ValueError:
        return found[0]


def _parameter(found: re.Match[str], *, is_answer: bool) -> str:
    name = found[2].lower().replace("-", "_")
    if found[3].startswith("["):
        return found[0]
    if "mail" in name:
        return f"{found[1]}{found[2]}={EMAIL}"
    is_secret = is_sensitive(name) or _ALSO.search(name) or (is_answer and name == "code")
    return f"{found[1]}{found[2]}={_token(found[3])}" if is_secret else found[0]


def _behind(text: str) -> str:
    """What comes after such a word opens something if it has a digit; `/reset/password` does not."""
    path, mark, rest = re.split(r"([?#])", text, maxsplit=1) if re.search(r"[?#]", text) else (text, "", "")
    parts = path.split("/")
    for place in range(1, len(parts)):
        before, part = re.split(r"[-_]", parts[place - 1].lower()), parts[place]
        if not _OPENING.isdisjoint(before) and _opens(part):
            parts[place] = _token(part)
    return "/".join(parts) + mark + rest


def _opens(part: str) -> bool:
    if _UUID.fullmatch(part):
        return True
    return _OPENS.fullmatch(part) is not None and _DIGIT.search(part) is not None and not _is_words(part)


def _random(found: re.Match[str]) -> str:
    return _token(found[0]) if _is_random(found[0]) else found[0]


def _is_random(part: str) -> bool:
    """Whether letters and digits alternate as in what a machine drew. Words, dates and ids of records do not."""
    runs = _RUNS.findall(part)
    chars = sum(map(len, runs))
    digits = sum(len(run) for run in runs if run.isdigit())
    if chars < _LEAST_CHARS or digits < 2 or _UUID.search(part) or _is_words(part):
        return False
    if _HEX.fullmatch(part):
        return len(part) > _OBJECT_ID_CHARS and len(runs) * 5 >= chars
    is_mixed = any(char.isupper() for char in part) and any(char.islower() for char in part)
    return len(runs) * 3 >= chars if is_mixed else chars > _OBJECT_ID_CHARS and len(runs) * 4 >= chars and digits >= 4


def _is_words(part: str) -> bool:
    """Whether most of what its dashes set apart is letters alone or digits alone: `windows-11-pro`."""
    pieces = [piece for piece in re.split(r"[-_~]+", part) if piece]
    return len(pieces) > 1 and 2 * sum(piece.isalpha() or piece.isdigit() for piece in pieces) > len(pieces)


def _token_of(found: re.Match[str]) -> str:
    return _token(found[0])


def _token(value: str) -> str:
    return f"[token-{sha256(value.encode()).hexdigest()[:4]}]"
