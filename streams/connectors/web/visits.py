"""How a visitor came to a page: the campaign, the page before, and the channel that they tell.

| told | channel |
|---|---|
| a page of the same site, or one where people sign in or pay | `web`: the visit goes on |
| a click on an advertisement (see `landing`), a medium such as `cpc` | `paid_search`, `paid_social`, else `paid` |
| a medium such as `email`, `social`, `organic`, `affiliate` | `email`, `social`, `search`, `referral` |
| a campaign without such a medium | what its source is (`sources.yaml`), else `campaign` |
| the id of a mailing, a post or a partner in the address, if no page before tells more | what it is of |
| a page of another site | what that is: `search`, `assistant`, `social`, `email`, `review_site`, else `referral` |
| that there was no page before | `direct` |
| nothing | `web` |

A campaign's names are taken from what the SDK says of it, else from the page's own address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from schemas.documents import lists_in
from streams.connectors.reading import first_text, host_of, text
from streams.connectors.web.landing import CLICKS, PARTS, of_address, of_ids
from streams.connectors.web.landing import NOTHING as NO_LANDING
from streams.identity.domains import company_domain

SAME_VISIT: Final = "web"
_MEDIA: Final = {
    **dict.fromkeys(("cpc", "ppc", "sem", "paidsearch", "adwords", "googleads", "paid", "cpa", "cpl"), "paid_search"),
    **dict.fromkeys(("paidsocial", "socialpaid", "socialads", "sponsoredcontent", "sponsored"), "paid_social"),
    **dict.fromkeys(
        ("display", "banner", "cpm", "cpv", "programmatic", "retargeting", "remarketing", "native", "video", "ad",
         "ads", "affiliateads", "interstitial"),
        "paid",
    ),
    **dict.fromkeys(
        ("email", "mail", "newsletter", "nieuwsbrief", "edm", "mailing", "emailcampaign", "drip", "automation"),
        "email",
    ),
    **dict.fromkeys(
        ("social", "socialnetwork", "socialmedia", "sm", "organicsocial", "socialorganic", "post", "story", "dm"),
        "social",
    ),
    **dict.fromkeys(("organic", "search", "seo", "organicsearch"), "search"),
    **dict.fromkeys(("referral", "affiliate", "affiliates", "partner", "partners", "link"), "referral"),
    **dict.fromkeys(("review", "reviews", "reviewsite", "comparison"), "review_site"),
    **dict.fromkeys(("none", "direct"), "direct"),
}  # fmt: skip
_NO_REFERRER: Final = ("$direct", "(direct)", "direct", "none", "null", "undefined")
_MAX_CHARS: Final = 2_000
_SOURCES: Final[dict[str, list[str]]] = lists_in(Path(__file__).parent / "sources.yaml")
_KIND_OF: Final = {name: kind for kind, names in _SOURCES.items() for name in names}

Place = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """`channel`: empty where nothing is told. `told`: `utm_…` and `referrer_host`, those that are not empty."""

    channel: str = ""
    stated: dict[str, str] = field(default_factory=dict)


NOTHING: Final = Visit()
_URLS: Final = ("url", "page_location")
_REFERRERS: Final = ("referrer", "page_referrer")
_OF_CAMPAIGNS: Final = frozenset({f"{mark}_{part}" for mark in ("utm", "campaign") for part in PARTS})
_ASKED: Final = frozenset({*_URLS, *_REFERRERS, "search", *_OF_CAMPAIGNS, *CLICKS})


def of_page(page: Place, properties: Place, context: Place) -> Visit:
    """The same by the names that Segment's SDKs, and GA4's events, have for it."""
    places = (page, properties)
    if "campaign" not in context and all(map(_ASKED.isdisjoint, places)):
        return NOTHING
    referrer = next((place[name] for place in places for name in _REFERRERS if name in place), None)
    campaign = context.get("campaign")
    address = first_text(places, _URLS, _MAX_CHARS)
    if "?" not in address and (query := first_text(places, ("search",), _MAX_CHARS)):
        address += query if query.startswith("?") else f"?{query}"
    return visit(address, referrer, campaign if isinstance(campaign, dict) else {}, properties)


def visit(address: str, referrer: object, campaign: Place, *places: Place) -> Visit:
    """How a visitor came to `address`. `referrer`: None where the sender does not tell; `campaign`: by plain names;
    `places`: where parts of a campaign may stand under the names they have in an address."""
    landing = of_address(address[:_MAX_CHARS]) if "=" in address else NO_LANDING
    click, link = landing.click, landing.link
    if not click and not link:
        click, link = next((found for place in places if any(found := of_ids(place))), ("", ""))
    utm = _stated(campaign, places) or landing.utm
    if referrer is None and not utm and not click and not link:
        return NOTHING
    before = referrer.strip() if isinstance(referrer, str) else ""
    there = "" if before.lower() in _NO_REFERRER else host_of(before)
    is_inside = bool(there) and is_same_site(host_of(address), there)
    stated = {**utm, "referrer_host": there} if there and not is_inside else dict(utm)
    if is_inside or kind_of(there) == "return":
        return Visit(SAME_VISIT, stated)
    if utm or click:
        return Visit(of_campaign(utm.get("utm_source", ""), utm.get("utm_medium", ""), click or link), stated)
    if link and kind_of(there) in ("", "referral"):
        return Visit(link, stated)
    return Visit((kind_of(there) or "referral") if there else "direct", stated)


def circumstances(visit: Visit, browser: str, country: object) -> dict[str, str]:
    """What is kept of a visit, with the browser's family and the country where the sender tells them."""
    where = text(country)[:60]
    if not browser and not where:
        return dict(visit.stated)
    more = {"browser": browser, "country": where.upper() if len(where) == 2 else where}
    return {**visit.stated, **{name: value for name, value in more.items() if value}}


@lru_cache(maxsize=4096)
def of_campaign(source: str, medium: str, click: str = "") -> str:
    """The channel of a campaign. `click`: the channel that an advertisement's id on the page tells, or empty."""
    kind = kind_of(source.lower().strip())
    by_medium = _MEDIA.get("".join(char for char in medium.lower() if char.isalnum()), "")
    if by_medium == "paid_search":
        return {"social": "paid_social", "search": "paid_search", "": "paid_search"}.get(kind, "paid")
    if by_medium in ("referral", "direct") and kind and kind != "return":
        return kind
    return by_medium or click or (kind if kind != "return" else "") or "campaign"


@lru_cache(maxsize=8192)
def kind_of(host: str) -> str:
    """The kind of place that a host, or a campaign's source, is; empty when the list does not know it."""
    host = host.removeprefix("www.").removeprefix("m.").removeprefix("l.").removeprefix("lm.")
    labels = host.split(".")
    for start in range(len(labels) - 1):
        if found := _KIND_OF.get(".".join(labels[start:])):
            return found
    company = company_domain(host).partition(".")[0] if len(labels) > 1 else host
    return _KIND_OF.get(company, "")


@lru_cache(maxsize=8192)
def is_same_site(here: str, there: str) -> bool:
    """Whether two hosts are one company's."""
    return here == there or (bool(company_domain(here)) and company_domain(here) == company_domain(there))


def _stated(campaign: Place, places: tuple[Place, ...]) -> dict[str, str]:
    """What the SDK says of the campaign: `context.campaign`, or properties such as `utm_source`."""
    found: dict[str, str] = {}
    named = [place for place in places if not place.keys().isdisjoint(_OF_CAMPAIGNS)]
    if not campaign and not named:
        return found
    for part in PARTS:
        said = text(campaign.get(part)) or (text(campaign.get("name")) if part == "campaign" else "")
        said = said or first_text(tuple(named), (f"utm_{part}", f"campaign_{part}"))
        if said:
            found[f"utm_{part}"] = said
    return found
