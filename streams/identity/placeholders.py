"""What code, templates and people write in the place of an id that they do not have. It names nobody.

| written | example |
|---|---|
| what code makes of nothing, once or joined to a name | `undefined`, `null_null`, `NaN`, `[object Object]` |
| the name of the id itself | `anonymousId`, `user_id`, `your-user-id` |
| a hole of a template that nobody filled in, however it was escaped | `{{user.id}}`, `[USER_ID]`, `%(id)s` |
| nobody, in the languages of the sites | `guest`, `niet ingelogd`, `Gast`, `opt-out`, `[redacted]` |
| logins that everybody has | `admin`, `system`, `demo` |
| numbers and UUIDs that nobody drew | `0`, `1111`, `123456789`, `00000000-0000-4000-8000-000000000000` |
| the hash of nothing | MD5, SHA-1 and SHA-256 of an empty text, of `null`, of `undefined` |
"""

from __future__ import annotations

import hashlib
import re
from html import unescape
from itertools import product
from typing import Final
from urllib.parse import unquote

# fmt: off
_NOTHINGS: Final = ("null", "undefined", "none", "nil", "nan", "nul", "void", "unknown", "empty", "false", "true")
#: Words an id is called by: alone, or joined to one another or to nothing, they are no id.
_CALLED: Final = frozenset(
    {
        *_NOTHINGS, "anonymous", "anonymousid", "anon", "anonid", "user", "userid", "username", "uid", "visitor",
        "visitorid", "client", "clientid", "device", "deviceid", "session", "sessionid", "distinct", "distinctid",
        "guest", "id", "ids", "uuid", "guid", "key", "your", "my", "no", "not", "of", "the", "a", "person", "contact",
        "customer", "account", "member", "identity", "string", "value", "placeholder", "idfa", "gaid", "idfv",
    }
)
_NAMED: Final = frozenset({*_CALLED} - {"ids", "key", "of", "the", "a", "value", "void"})
_WORDS: Final = frozenset(
    {
        "n/a", "na", "n.a.", "n.v.t.", "nvt", "test", "(null)", "(none)", "(not set)", "not set", "not-set", "notset",
        "unset", "(empty)", "(unknown)", "(direct)", "no value", "missing", "todo", "tbd", "n.n.", "xxx", "xxxx",
        "nobody", "niemand", "not_logged_in", "not logged in", "not-logged-in", "notloggedin", "logged_out",
        "logged out", "loggedout", "signed_out", "nouser", "noid", "not_authenticated", "unauthenticated",
        "unidentified", "anonymousid()", "infinity", "-infinity", "\\n", "object",
    }
)
#: What only an id that is nobody's is, though a person's mailbox may be called so.
_NOT_IDS: Final = frozenset(
    {
        "geen", "leeg", "onbekend", "gast", "gastgebruiker", "anoniem", "bezoeker", "niet ingelogd", "niet-ingelogd",
        "niet_ingelogd", "unbekannt", "anonym", "besucher", "nicht angemeldet", "inconnu", "invité", "invite",
        "anonyme", "visiteur", "non connecté", "desconocido", "anonimo", "anónimo", "invitado", "sconosciuto",
        "ospite", "deleted", "deleted user", "removed", "redacted", "[deleted]", "[redacted]", "masked",
        "hidden", "opt-out", "optout", "opt_out", "opted out", "opted_out", "denied", "declined", "no-consent",
        "no_consent", "consent_denied", "consent-denied", "cookieless", "default", "system", "admin", "administrator",
        "root", "public", "everyone", "bot", "demo", "example", "sample", "dummy", "asdf", "qwerty", "abc", "abc123",
        "lorem", "foobar", "123456789", "1234567890", "0123456789", "0.0", "-1", "123e4567-e89b-12d3-a456-426614174000",
        "550e8400-e29b-41d4-a716-446655440000", "12345678-1234-1234-1234-123456789012",
        "12345678-1234-5678-1234-567812345678",
    }
)
#: Local parts of an address that somebody typed to be left alone.
_NO_MAILBOXES: Final = frozenset(
    {
        "noemail", "no-email", "no_email", "nomail", "no-mail", "geenmail", "geenemail", "geen-email", "geen.email",
        "niet@", "yourname", "your.name", "your-name", "youremail", "your.email", "firstname.lastname",
        "voornaam.achternaam", "jouwnaam", "uwnaam", "name.surname", "keinemail", "noreply-fake", "fake", "asdf",
        "asdfasdf", "qwerty",
    }
)
#: What would be no id, and may be the mailbox of somebody, or of several.
_MAILBOXES: Final = frozenset(
    {"person", "contact", "customer", "account", "member", "identity", "client", "device", "session", "visitor"}
)
# fmt: on
_TEMPLATE: Final = re.compile(
    r"(?is)\{\{.*|[$#]\{.*\}|\{[a-z_. ]+(?:\|\|.*)?\}|\{![\w.]+\}|\{\d\}|\{%.*%\}|%+\w+%+|%(?:\(\w+\))?[sd]|<.*>|"
    r"\[\[.*\]\]|\[%?[a-z_. ]+%?\]|\*\|.*\|\*|__[a-z]\w*__|([#@!~|^])\1?\w[\w. ]*\1+|\$[a-z_]+|\$\d|:[a-z_]+|"
    r"@(?:model|viewbag|user|context|item)\..*|process\.env\..*|"
    r"\[object \w+( \w+)?\]|promise \{.*|(?:async )?function\b.*|\(.*\) ?=>.*|symbol\(.*\)|\w+\(\)"
)
_REPEATED: Final = re.compile(rf"(?:{'|'.join(_NOTHINGS[:6])})+")
_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
_LEAST_ZEROS: Final = 28
"""Of a UUID's 32 digits: `00000000-0000-4000-8000-000000000000` has 30, a drawn one two."""
_HASHES: Final = frozenset(
    hashlib.new(kind, text.encode(), usedforsecurity=False).hexdigest()
    for kind, text in product(
        ("md5", "sha1", "sha256"), ("", "null", "undefined", "None", "none", "NaN", "0", "anonymous")
    )
)


def is_placeholder(text: str) -> bool:
    """Whether an id is what is written where there is none."""
    bare = _bare(text)
    return bare in _NOT_IDS or bare in _HASHES or is_nothing(bare)


def is_no_mailbox(local: str) -> bool:
    """The same of what stands before the `@` of an address."""
    return local not in _MAILBOXES and (local in _NO_MAILBOXES or is_nothing(local))


def is_nothing(text: str) -> bool:
    """Whether a text, lower case, says that there is nothing, or how it would be called."""
    if text in _WORDS or _TEMPLATE.fullmatch(text) or _REPEATED.fullmatch(text):
        return True
    words = re.findall(r"[^\W_]+", text)
    return not words or (_CALLED.issuperset(words) and not _NAMED.isdisjoint(words)) or _is_undrawn(text)


def _bare(text: str) -> str:
    """Lower case, out of its quotes, and as it was before an address bar or a page wrote it."""
    bare = text.strip().lower()
    if "%7b" in bare or "%5b" in bare or "%3c" in bare:
        bare = unquote(bare)
    return unescape(bare).strip(_QUOTES).strip()


def _is_undrawn(text: str) -> bool:
    """`0`, `1111`, the nil UUID and those next to it, `ffffffff-ffff-…`."""
    digits = text.replace("-", "")
    if len(digits) == 32 and digits.count("0") >= _LEAST_ZEROS:
        return True
    if len(set(digits)) != 1:
        return False
    return (
        len(digits) > 2 or digits[0] == "0"
        if digits.isdigit()
        else len(digits) == 32 or (digits[0] == "x" and len(digits) > 2)
    )
