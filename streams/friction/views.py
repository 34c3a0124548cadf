"""What a visitor looked at: the page with what of its query and fragment makes it another one.

`?page=2`, a refined search and `#/settings` are other views; where a visitor came from and who they are is none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from schemas.touchpoints import CleanTouchpoint

#: Properties that hold an address as a page reports itself, the fullest first.
ADDRESSES: Final = ("tab_url", "url", "current_url", "href")
_PARTS: Final = (("search", "?"), ("query", "?"), ("hash", "#"))
ASKED: Final = frozenset({*ADDRESSES, *(name for name, _ in _PARTS)})
_BEGIN: Final = (
    "utm_", "mtm_", "matomo_", "pk_", "piwik_", "hsa_", "hsctatracking", "_hs", "__hs", "mc_", "oly_", "vero_", "mkt_",
    "gad_", "itm_", "int_cmp", "intcmp", "trk", "sfmc_", "klaviyo", "nb_klid", "ml_subscriber", "ss_email", "vgo_",
    "dm_i", "li_did", "csrf", "xsrf", "at_campaign", "at_medium", "aspsession", "__cf", "cf_chl",
)  # fmt: skip
"""How parameters of campaigns and sessions begin. What may be a page's own (`ref`, `cid`) is left to it."""
_NAMES: Final = frozenset(
    {
        # clicks on advertisements and letters
        "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid",
        "ysclid", "igshid", "igsh", "epik", "srsltid", "rdt_cid", "sscid", "s_cid", "irclickid", "irgwc", "awc",
        "tduid", "cjevent", "_openstat", "ck_subscriber_id", "elqtrackid", "elqtrack", "_bta_tid", "_ke", "zanpid",
        # measuring across domains, and sessions
        "_ga", "_gl", "_gac", "sid", "sessid", "sessionid", "session_id", "phpsessid", "jsessionid", "cfid", "cftoken",
        "zenid", "oscsid", "ph_session_id",
        # against caches
        "_", "cb", "nocache", "cachebuster", "ts", "_ts", "_t", "timestamp", "rand", "random", "rnd",
        # for one form, or for one letter
        "nonce", "authenticity_token", "__requestverificationtoken", "sessiontoken", "_kx", "__s", "wickedid",
        "trafficsource", "traffic_source",
    }
)  # fmt: skip
_EMPTY_FRAGMENTS: Final = frozenset({"_=_", "!", "/", "!/"})
"""What sign-in services and routers leave behind a `#`."""
_SESSION: Final = re.compile(r";(?:jsessionid|phpsessid|sid|aspsession\w*)=[^/;]*", re.I)
_MAX_CHARS: Final = 300


def view_of(touchpoint: CleanTouchpoint) -> str:
    """`/products?page=2#top`: the page, its parameters by name without those that say nothing, its fragment."""
    known = touchpoint.properties
    if ASKED.isdisjoint(known):  # of nearly all events
        return _page(touchpoint.page)
    address = next((found for name in ADDRESSES if isinstance(found := known.get(name), str) and found), "")
    for name, mark in _PARTS:
        if mark not in address and isinstance(part := known.get(name), str) and part:
            address += part if part.startswith(mark) else f"{mark}{part}"
    return _page(touchpoint.page) + beside(address) if address else _page(touchpoint.page)


def page_of(view: str) -> str:
    """The page of a view."""
    return view.partition("#")[0].partition("?")[0]


@lru_cache(maxsize=4096)
def beside(address: str) -> str:
    """What of an address's query and fragment makes its page another view."""
    try:
        parts = urlsplit(address)
    except ValueError:  # no address at all: an unclosed bracket
        return ""
    query, fragment = _distinct(parts.query), parts.fragment.partition(":~:")[0]
    if fragment in _EMPTY_FRAGMENTS:
        fragment = ""
    if "=" in fragment and fragment[0] not in "/!":  # some write a campaign behind the `#`
        fragment = _distinct(fragment)
    return ((f"?{query}" if query else "") + (f"#{fragment}" if fragment else ""))[:_MAX_CHARS]


@lru_cache(maxsize=4096)
def _page(page: str) -> str:
    """`/products/` is `/products`, and the session that a server wrote behind its path is no part of it."""
    return _SESSION.sub("", page).rstrip("/") or page


def _distinct(query: str) -> str:
    """The parameters that say something of the page, in one order and spelling."""
    return "&".join(sorted(unquote_plus(pair) for pair in query.split("&") if pair and _is_distinct(pair)))


def _is_distinct(pair: str) -> bool:
    name = pair.partition("=")[0].lower()
    return name not in _NAMES and not name.startswith(_BEGIN)
