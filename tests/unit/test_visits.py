"""How a visitor came to a page: the campaign, the page before, the channel and the type that they tell."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.sink.columns import TABLES
from services.sink.rows import rows_of
from streams.connectors.agents import agent_of
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.connectors.web.visits import kind_of, of_campaign
from streams.friction.views import view_of
from tests.store_facts import touchpoint_fact
from tests.unit.test_ordinary_events import AT, BLUEPRINT, read

HOME = "https://www.acme.example/"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) AppleWebKit/605.1 Version/17.5 Mobile/15E148 Safari/604.1"


def view(referrer: str | None = None, url: str = HOME, **context: Any) -> CleanTouchpoint:
    page = {"url": url, "path": "/"} | ({} if referrer is None else {"referrer": referrer})
    return read({"type": "page", "properties": dict(page), "context": {"page": page, **context}})


@pytest.mark.parametrize(
    ("referrer", "url", "channel", "kind"),
    [
        (None, HOME, "web", "website_visit"),
        ("", HOME, "direct", "website_visit"),
        ("$direct", HOME, "direct", "website_visit"),
        ("https://www.acme.example/blog", HOME, "web", "website_visit"),
        ("https://shop.acme.example/", HOME, "web", "website_visit"),
        ("https://accounts.google.com/signin", HOME, "web", "website_visit"),
        ("https://checkout.stripe.com/c/pay", HOME, "web", "website_visit"),
        ("https://www.google.nl/", HOME, "search", "search_visit"),
        ("https://duckduckgo.com/", HOME, "search", "search_visit"),
        ("android-app://com.google.android.googlequicksearchbox/", HOME, "search", "search_visit"),
        ("https://chatgpt.com/", HOME, "assistant", "search_visit"),
        ("https://l.facebook.com/", HOME, "social", "social_media"),
        ("https://www.linkedin.com/feed", HOME, "social", "social_media"),
        ("https://t.co/abc", HOME, "social", "social_media"),
        ("https://mail.google.com/", HOME, "email", "email_campaign"),
        ("https://www.g2.com/products/acme", HOME, "review_site", "press_mention"),
        ("https://nl.trustpilot.com/review/acme", HOME, "review_site", "press_mention"),
        ("https://partner.example/links", HOME, "referral", "website_visit"),
        ("https://www.google.com/", f"{HOME}?gclid=Cj0", "paid_search", "search_visit"),
        ("https://www.linkedin.com/", f"{HOME}?li_fat_id=1", "paid_social", "social_media"),
        ("https://lm.facebook.com/", f"{HOME}?fbclid=1", "social", "social_media"),
        ("", f"{HOME}?utm_source=newsletter&utm_medium=email&utm_campaign=May", "email", "email_campaign"),
        ("", f"{HOME}?UTM_Source=google&utm_medium=cpc", "paid_search", "search_visit"),
        ("", f"{HOME}?utm_source=linkedin&utm_medium=cpc", "paid_social", "social_media"),
        ("", f"{HOME}?utm_source=dv360&utm_medium=display", "paid", "advertisement"),
        ("", f"{HOME}?utm_source=capterra&utm_medium=referral", "review_site", "press_mention"),
        ("", f"{HOME}?utm_source=flyer", "campaign", "website_visit"),
        (None, f"{HOME}?gad_source=1&gad_campaignid=22", "paid_search", "search_visit"),
        ("", f"{HOME}?rdt_cid=1", "paid_social", "social_media"),
        ("", f"{HOME}?ScCid=1", "paid_social", "social_media"),
        ("", f"{HOME}?fbclid=IwAR", "social", "social_media"),
        (None, f"{HOME}?igsh=MzRl", "social", "social_media"),
        ("", f"{HOME}?mc_cid=1&mc_eid=2", "email", "email_campaign"),
        ("", f"{HOME}?_hsenc=p2ANq&_hsmi=12", "email", "email_campaign"),
        ("https://intranet.partner.example/", f"{HOME}?mkt_tok=abc", "email", "email_campaign"),
        ("https://www.google.com/", f"{HOME}?mc_cid=1", "search", "search_visit"),
        ("https://www.acme.example/", f"{HOME}?mc_cid=1", "web", "website_visit"),
        ("", f"{HOME}?srsltid=Afm", "search", "search_visit"),
        ("", f"{HOME}?irclickid=1", "referral", "website_visit"),
        ("", f"{HOME}?gclid=", "direct", "website_visit"),
        ("", f"{HOME}?utm_source=hs_automation", "email", "email_campaign"),
        ("", f"{HOME}?mtm_source=news&mtm_medium=email&mtm_campaign=x", "email", "email_campaign"),
        ("", f"{HOME}?pk_campaign=x", "campaign", "website_visit"),
        ("", f"{HOME}#utm_source=linkedin&utm_medium=social", "social", "social_media"),
        ("", f"{HOME}#/start?utm_source=linkedin", "social", "social_media"),
        ("https://ideal.ing.nl/", HOME, "web", "website_visit"),
        ("https://www.appwiki.nl/", HOME, "review_site", "press_mention"),
        ("https://www.acme.example/", f"{HOME}?utm_source=banner&utm_medium=cpc", "web", "website_visit"),
    ],
)
def test_the_channel_and_the_type(referrer: str | None, url: str, channel: str, kind: str) -> None:
    found = view(referrer, url)
    assert (found.channel, BLUEPRINT.type_of(found).id) == (channel, kind)


def test_a_page_that_says_more_than_where_its_visitor_came_from_keeps_its_type() -> None:
    page = {"url": f"{HOME}pricing", "path": "/pricing", "referrer": "https://www.google.com/"}
    found = read({"type": "page", "properties": page})
    assert (found.channel, BLUEPRINT.type_of(found).id) == ("search", "pricing_page")


def test_what_the_sender_says_of_the_channel_goes_first() -> None:
    found = read({"type": "page", "properties": {"url": HOME, "referrer": "https://bing.com/", "channel": "Kiosk"}})
    assert found.channel == "kiosk"
    found = read({"type": "page", "channel": "web", "properties": {"url": HOME, "referrer": "https://bing.com/"}})
    assert found.channel == "search"  # RudderStack's `web` says that it is a page


def test_only_a_view_has_the_visits_channel_and_all_have_its_campaign() -> None:
    page = {"url": HOME, "referrer": "https://bing.com/"}
    campaign = {"name": "May", "source": "bing", "medium": "cpc", "term": "valves", "content": "b"}
    found = read({"type": "track", "event": "Quote Requested", "context": {"page": page, "campaign": campaign}})
    assert found.channel == "web"
    assert found.visit == {
        "utm_source": "bing", "utm_medium": "cpc", "utm_campaign": "May", "utm_term": "valves", "utm_content": "b",
        "referrer_host": "bing.com",
    }  # fmt: skip


def test_the_names_of_each_sdk() -> None:
    ga4 = read(
        {
            "type": "track",
            "event": "page_view",
            "properties": {
                "page_location": f"{HOME}?utm_source=x.com&utm_medium=social",
                "page_referrer": "https://t.co/1",
            },
        }
    )
    assert (ga4.page, ga4.url_host, ga4.channel) == ("/", "www.acme.example", "social")
    assert ga4.visit == {"utm_source": "x.com", "utm_medium": "social", "referrer_host": "t.co"}
    properties = {
        "$current_url": HOME, "$referrer": "https://www.google.com/", "utm_source": "google", "utm_medium": "cpc",
        "$browser": "Firefox", "$geoip_country_code": "nl", "$device_id": "d",
    }  # fmt: skip
    hog = posthog(properties)
    assert (hog.channel, hog.visit["utm_medium"], hog.visit["browser"]) == ("paid_search", "cpc", "Firefox")
    assert (hog.visit["country"], hog.visit["referrer_host"]) == ("NL", "www.google.com")
    moved = posthog({**properties, "navigation_type": "pushState"})
    assert moved.channel == "web"
    phone = view("https://www.google.com/", userAgent=PHONE, location={"country": "Netherlands"})
    assert (phone.device, phone.visit["browser"], phone.visit["country"]) == ("mobile", "Safari", "Netherlands")


def posthog(properties: dict[str, Any]) -> CleanTouchpoint:
    body = {"api_key": "k", "batch": [{"event": "$pageview", "distinct_id": "d", "properties": properties}]}
    request = RawRequest(
        request_id="r", source="hog", vendor="posthog", received_at=AT, path="/batch", body=orjson.dumps(body).decode()
    )
    (found,) = CONNECTORS["posthog"].read(request)
    assert isinstance(found, Mapped)
    return found.touchpoint


def test_pages_of_one_path_are_views_of_their_own() -> None:
    """Else who turns the pages of a list would be lost in a loop."""
    found = [posthog({"$current_url": f"{HOME}list?page={n}&utm_source=x", "$device_id": "d"}) for n in (1, 2)]
    assert [view_of(one) for one in found] == ["/list?page=1", "/list?page=2"]
    assert "url" not in posthog({"$current_url": f"{HOME}list", "$device_id": "d"}).properties


SAME_VIEW = [
    ("/x?trk=1&trkCampaign=a", "/x"),
    ("/x?itm_source=menu", "/x"),
    ("/x?sfmc_id=1&_kx=2&__s=3", "/x"),
    ("/x?klaviyo_id=1&nb_klid=2", "/x"),
    ("/x?ts=1769938200", "/x?ts=1769938300"),
    ("/x?rand=0.123", "/x?rand=0.456"),
    ("/x?csrf_token=a1", "/x?csrf_token=b2"),
    ("/x;jsessionid=AAA1", "/x;jsessionid=BBB2"),
    ("/x?fbclid=1#_=_", "/x"),
    ("/x#:~:text=hello", "/x"),
    ("/x#utm_source=letter", "/x"),
    ("/x?q=a+b", "/x?q=a%20b"),
    ("/x/", "/x"),
    ("/x/?b=2&a=1", "/x?a=1&b=2"),
]
OTHER_VIEW = [
    ("/x?page=2", "/x?page=3"),
    ("/x#/settings", "/x#/users"),
    ("/x#!/a", "/x#!/b"),
    ("/x#step=2", "/x#step=3"),
    ("/x?filter[color]=red", "/x?filter[color]=blue"),
    ("/x?state=TX", "/x?state=NY"),
    ("/x?variant=1", "/x?variant=2"),
    ("/", "/x"),
]


@pytest.mark.parametrize(("one", "other", "same"), [(*a, True) for a in SAME_VIEW] + [(*a, False) for a in OTHER_VIEW])
def test_which_addresses_are_one_view(one: str, other: str, same: bool) -> None:
    found = [read({"type": "page", "properties": {"url": f"{HOME}{path[1:]}"}}) for path in (one, other)]
    assert (view_of(found[0]) == view_of(found[1])) is same


def test_addresses_in_a_campaign_are_masked() -> None:
    found = view("", f"{HOME}?utm_source=crm&utm_content=jan%40acme.example")
    assert found.visit["utm_content"] == "[email]"


@pytest.mark.parametrize(
    ("url", "referrer"), [("http://[", "http://["), ("?=&&=", "::"), (7, []), ("x" * 5_000, "y" * 5_000)]
)
def test_what_is_no_address_tells_nothing(url: Any, referrer: Any) -> None:
    found = view(referrer, url)
    assert set(found.visit) <= {"referrer_host"}


@pytest.mark.parametrize(
    ("said", "browser"),
    [
        (PHONE, "Safari"),
        ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox"),
        ("Mozilla/5.0 (Linux; Android 14) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36", "Samsung Internet"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1 CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome"),
        ("curl/8.5.0", ""),
    ],
)
def test_the_family_of_a_browser(said: str, browser: str) -> None:
    assert agent_of(said).browser == browser


@pytest.mark.parametrize(("said", "channel"), [({"gclid": "1"}, "paid_search"), ({"mc_cid": "1"}, "email")])
def test_click_ids_that_an_sdk_sends_as_properties(said: dict[str, Any], channel: str) -> None:
    event: dict[str, Any] = {"event": "$pageview", "distinct_id": "d", "uuid": "u", "timestamp": AT.isoformat()}
    event["properties"] = {"$current_url": HOME, "$referrer": "$direct", "$geoip_country_name": "Chile", **said}
    found = CONNECTORS["posthog"].read(
        RawRequest(
            request_id="r", source="w", vendor="posthog", received_at=AT, path="/e/", body=orjson.dumps(event).decode()
        )
    )[0]
    assert isinstance(found, Mapped) and found.touchpoint.channel == channel
    assert found.touchpoint.visit["country"] == "Chile"
    assert read({"type": "page", "properties": {"path": "/", **said}}).channel == channel


def test_parts_of_a_campaign_in_other_writings() -> None:
    found = view("", f"{HOME}?mtm_source=news&mtm_kwd=crm&mtm_campaign=May#x").visit
    assert found == {"utm_source": "news", "utm_term": "crm", "utm_campaign": "May"}


def test_the_list_is_of_places_and_of_campaigns_sources() -> None:
    assert [kind_of(host) for host in ("google.co.uk", "news.google.com", "mail.google.com", "googleplex.example")] == [
        "search", "search", "email", "",
    ]  # fmt: skip
    assert [of_campaign(*said) for said in (("fb", ""), ("Google", "organic"), ("", "(none)"), ("okta", ""))] == [
        "social", "search", "direct", "campaign",
    ]  # fmt: skip


def test_they_are_columns() -> None:
    """Stored by name, whatever their order; one from before has none of them."""
    found = view("https://www.google.com/", f"{HOME}?utm_source=google&utm_medium=cpc", userAgent=PHONE)
    for told in (found.visit, {}):
        fact = touchpoint_fact(1)
        fact = fact.changed(input=fact.input.changed(touchpoint=found.changed(visit=told)))
        row = rows_of([fact], AT)["touchpoints"][0]
        names = [name for name in TABLES["touchpoints"] if name.startswith("utm_")]
        assert len(names) == 5
        for name in (*names, "referrer_host", "browser", "country"):
            assert row[name] == told.get(name, "")
