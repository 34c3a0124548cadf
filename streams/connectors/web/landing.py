"""What the address of a page says of how a visitor came there: the campaign, and the ids that senders of links add.

| in the address | told |
|---|---|
| `utm_source=…`, Matomo's `mtm_…`, `pk_…` and `piwik_…`, in the query or behind the `#` | the parts of a campaign |
| `gclid`, `msclkid`, `li_fat_id`, … | a click on an advertisement, and on what kind |
| `fbclid`, `mc_cid`, `mkt_tok`, `irclickid`, … | a link of a post, a mailing or a partner |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from streams.connectors.reading import text

PARTS: Final = ("source", "medium", "campaign", "term", "content")
_CLICKS: Final = {
    **dict.fromkeys(
        ("gclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "gclsrc", "msclkid", "yclid", "ysclid"),
        "paid_search",
    ),
    **dict.fromkeys(("dclid", "obclid", "dicbo", "tblci", "ob_click_id"), "paid"),
    **dict.fromkeys(("li_fat_id", "ttclid", "twclid", "rdt_cid", "epik", "sccid", "qclid"), "paid_social"),
}
_LINKS: Final = {
    **dict.fromkeys(("fbclid", "igshid", "igsh"), "social"),
    **dict.fromkeys(("srsltid",), "search"),
    **dict.fromkeys(
        ("mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "vero_id", "vero_conv", "_kx", "_ke", "vgo_ee", "elqtrackid",
         "elqtrack", "ck_subscriber_id", "ml_subscriber", "sib_id", "oly_enc_id", "oly_anon_id", "dm_i"),
        "email",
    ),
    **dict.fromkeys(
        ("irclickid", "irgwc", "awc", "tduid", "cjevent", "cjdata", "ranmid", "ransiteid"),
        "referral",
    ),
}  # fmt: skip
CLICKS: Final = frozenset({*_CLICKS, *_LINKS})
"""Names of all ids; SDKs also send some of them as properties."""
_WRITINGS: Final = ("utm", "mtm", "pk", "piwik")
_KEYWORDS: Final = ("kwd", "keyword")


class Landing(NamedTuple):
    """`utm`: the parts of a campaign, not to be changed. `click`, `link`: the channel that an id tells, or empty."""

    utm: Mapping[str, str]
    click: str = ""
    link: str = ""


NOTHING: Final = Landing({})


@lru_cache(maxsize=4096)
def of_address(address: str) -> Landing:
    """What stands in an address's query, and in its fragment where that is a query or a route with one."""
    try:
        found = urlsplit(address)
    except ValueError:  # no address at all: an unclosed bracket
        return NOTHING
    query = found.query if "=" not in found.fragment else f"{found.query}&{found.fragment.rpartition('?')[2]}"
    pairs = {name.lower(): value for name, value in reversed(parse_qsl(query)[:60])}
    utm = {f"utm_{part}": said for part in PARTS if (said := _part(pairs, part))}
    return Landing(utm, *of_ids(pairs))


def of_ids(pairs: Mapping[str, Any]) -> tuple[str, str]:
    """(the channel of an advertisement's click, that of another link) by ids in an address or among properties."""
    if pairs.keys().isdisjoint(CLICKS):
        return "", ""
    return _first(_CLICKS, pairs), _first(_LINKS, pairs)


def _first(kinds: Mapping[str, str], pairs: Mapping[str, Any]) -> str:
    return next((kind for name, kind in kinds.items() if _is_id(pairs.get(name))), "")


def _is_id(value: object) -> bool:
    return value not in (None, "", 0, False)


def _part(pairs: Mapping[str, str], part: str) -> str:
    names = [f"{writing}_{part}" for writing in _WRITINGS]
    if part == "term":
        names += [f"{writing}_{word}" for writing in _WRITINGS[1:] for word in _KEYWORDS]
    return next((said for name in names if (said := text(pairs.get(name)))), "")
