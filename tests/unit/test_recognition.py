"""Which type a touchpoint is: as a plain reading of the matches says; and which matches nothing would tell apart."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import EPOCH
from schemas.blueprint import TouchpointType
from schemas.matching import Match
from schemas.touchpoints import CleanTouchpoint
from streams.journey.blueprints import load
from streams.journey.overlap import common, overlap
from streams.matching.conditions import specificity
from streams.matching.recognition import Recognition

BLUEPRINT = load()
PAGES = ("", "/", "/a", "/pricing", "/Pricing/x", "/pr", "/app/1", "page")
NAMES = ("track:quote sent", "track:Quote", "conversation.creation", "page:", "x", "touchline:fair visit")
GLOBS = ("*", "/p*", "/pricing*", "/pri?ing*", "*x", "/[ap]*", "track:*", "*:quote*", "conversation.*", "TRACK:quote*")


def touchpoint(action: str, vendor: str, vendor_type: str, page: str, about: str) -> CleanTouchpoint:
    """A touchpoint; one about something has a title."""
    return CleanTouchpoint(
        event_id="e",
        source="s",
        vendor=vendor,
        vendor_type=vendor_type,
        action=action,
        occurred_at=EPOCH,
        received_at=EPOCH,
        page=page,
        title="Home page" if about else "",
        properties={"about": about} if about else {},
    )


touchpoints = st.builds(
    touchpoint,
    st.sampled_from(("page_view", "custom", "click")),
    st.sampled_from(("segment", "hubspot")),
    st.sampled_from(NAMES),
    st.sampled_from(PAGES),
    st.sampled_from(("", "demo", "Quote")),
)
matches = st.builds(
    Match,
    action=st.sampled_from(("", "page_view", "custom")),
    vendor=st.sampled_from(("", "segment")),
    vendor_type=st.sampled_from(("", *GLOBS)),
    page=st.sampled_from(("", *GLOBS, *PAGES)),
    name=st.sampled_from(((), ("Quote sent",), ("fair-visit", "quote"))),
    title=st.sampled_from(("", "Home*")),
    properties=st.sampled_from(({}, {"about": ("demo",)}, {"about": ("quote", "demo")})),
)
catalogues = st.lists(st.lists(matches, max_size=4), min_size=1, max_size=5).map(
    lambda kinds: [
        TouchpointType(id=f"t{index}", name="", phase="p", match=tuple(found)) for index, found in enumerate(kinds)
    ]
)


def plainly(match: Match, one: CleanTouchpoint) -> bool:
    """The conditions as the documentation says them."""
    return (
        match.action in ("", one.action)
        and match.vendor in ("", one.vendor)
        and (not match.vendor_type or fnmatchcase(one.vendor_type.lower(), match.vendor_type.lower()))
        and (not match.page or fnmatchcase(one.page.lower(), match.page.lower()))
        and (not match.name or spelt(one.vendor_type) in map(spelt, match.name))
        and (not match.title or fnmatchcase(one.title.lower(), match.title.lower()))
        and all(str(one.properties.get(name, "")).lower() in values for name, values in match.properties.items())
    )


def spelt(name: str) -> str:
    return "".join(letter for letter in name.lower().split(":", 1)[-1] if letter.isalnum())


def naive(types: list[TouchpointType], one: CleanTouchpoint) -> str:
    holding = [(specificity(match), kind.id) for kind in types for match in kind.match if plainly(match, one)]
    return max(holding)[1] if holding else "unmapped"


@given(catalogues, st.lists(touchpoints, min_size=1, max_size=8))
def test_the_index_answers_as_a_plain_reading_would(types: list[TouchpointType], ones: list[CleanTouchpoint]) -> None:
    recognition = Recognition(types)
    assert [recognition.type_of(one).id for one in ones] == [naive(types, one) for one in ones]


@given(matches, matches, touchpoints)
def test_what_both_match_is_an_overlap(one: Match, other: Match, moment: CleanTouchpoint) -> None:
    """No false peace: whenever a touchpoint meets both, the two are said to overlap."""
    if plainly(one, moment) and plainly(other, moment):
        assert overlap(one, other) is not None


@given(st.text("ab*?[]!", max_size=6), st.text("ab*?[]!", max_size=6))
def test_the_common_text_of_two_globs_is_matched_by_both(one: str, other: str) -> None:
    """No false alarm: the example that is named is one, whichever comes first."""
    found = common(one, other)
    assert found is None or (fnmatchcase(found, one) and fnmatchcase(found, other))
    assert (found is None) == (common(other, one) is None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/blog*", "/blog/x", "/blog/x"),
        ("track:*downloaded", "track:sales call*", "track:sales calldownloaded"),
        ("/pricing*", "/product*", None),
        ("a?c", "abc", "abc"),
        ("[!a]*", "a*", None),
        ("*", "*", ""),
    ],
)
def test_overlaps_of_globs(one: str, other: str, expected: str | None) -> None:
    assert common(one, other) == expected


@pytest.mark.parametrize(
    ("vendor", "vendor_type", "fields", "expected"),
    [
        ("segment", "page:Home", {"action": "page_view", "page": "/"}, "website_visit"),
        ("segment", "page:Home", {"action": "page_view", "page": "/", "channel": "search"}, "search_visit"),
        ("segment", "page:Prices", {"action": "page_view", "page": "/Pricing/enterprise"}, "pricing_page"),
        ("segment", "track:Quote Requested", {"action": "custom"}, "quote_request"),
        ("segment", "track:Quote Sent", {"action": "custom"}, "quote"),
        ("rudderstack", "track:Order Completed", {"action": "custom"}, "order"),
        ("rudderstack", "track:Payment Failed", {"action": "custom"}, "payment"),
        ("rudderstack", "track:Products Searched", {"action": "custom"}, "site_search"),
        ("segment", "track:Live Chat Message Sent", {"action": "custom"}, "chat"),
        ("segment", "track:NPS Answered", {"action": "survey_answered"}, "nps_survey"),
        ("hubspot", "conversation.newMessage", {"action": "crm_record"}, "chat"),
        ("hubspot", "contact.propertyChange:hs_email_last_open_date", {"action": "crm_record"}, "email_campaign"),
        ("hubspot", "contact.propertyChange:hs_email_domain", {"action": "crm_record"}, "crm_record"),
        ("hubspot", "contact.propertyChange:recent_conversion_event_name", {"action": "crm_record"}, "web_form"),
        ("hubspot", "object_0-48.creation", {"action": "crm_record"}, "sales_call"),
        ("hubspot", "object_0-14.creation", {"action": "crm_record"}, "quote"),
        ("hubspot", "ticket.creation", {"action": "ticket_created"}, "support_ticket"),
        ("hubspot", "deal.propertyChange:dealstage", {"action": "deal_stage_changed"}, "deal_stage"),
        ("zendesk", "ticket.comment_added", {"action": "ticket_replied_by_agent"}, "support_ticket"),
        ("zendesk", "ticket.csat_received", {"action": "survey_answered"}, "support_ticket"),
        ("zendesk", "messaging_ticket.message_added", {"action": "ticket_changed"}, "chat"),
        ("zendesk", "article.comment_created", {"action": "support_record"}, "knowledge_base"),
        ("zendesk", "community_post.created", {"action": "support_record"}, "community"),
        ("zendesk", "user.created", {"action": "support_record"}, "support_record"),
        ("touchline", "touchline:Fair visit", {"action": "custom", "channel": "offline"}, "trade_fair"),
        ("touchline", "touchline:site visit", {"action": "survey_answered"}, "site_visit"),
        ("touchline", "touchline:site_visit", {"action": "custom"}, "site_visit"),
        ("touchline", "touchline:interview_note", {"action": "custom"}, "customer_note"),
        ("rudderstack", "track:quote_requested", {"action": "custom"}, "quote_request"),
        ("rudderstack", "track:business-review-held", {"action": "custom"}, "business_review"),
        ("touchline", "touchline:call", {"action": "custom"}, "sales_call"),
        ("touchline", "touchline:diary note", {"action": "custom"}, "customer_note"),
        ("touchline", "touchline:interview note", {"action": "custom"}, "customer_note"),
        ("touchline", "contact", {"action": "crm_record"}, "crm_record"),
        ("segment", "track:Something Odd", {"action": "custom"}, "unmapped"),
    ],
)
def test_every_vendors_own_words_have_their_place(
    vendor: str, vendor_type: str, fields: dict[str, str], expected: str
) -> None:
    base = touchpoint(fields["action"], vendor, vendor_type, fields.get("page", ""), "")
    found = BLUEPRINT.type_of(base.changed(**fields))
    assert found.id == expected
