"""What of an address makes it another view, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.friction.views import page_of, view_of
from tests.journeys import touchpoint


def viewed(page: str, **told: str) -> str:
    return view_of(touchpoint("e", 0, "page_view", page=page, properties=told))


@pytest.mark.parametrize(
    ("told", "view"),
    [
        ({}, "/list"),
        ({"url": "https://x.nl/list"}, "/list"),
        ({"url": "https://x.nl/list?page=2"}, "/list?page=2"),
        ({"url": "https://x.nl/list?b=1&a=2"}, "/list?a=2&b=1"),
        ({"search": "?page=2"}, "/list?page=2"),
        ({"url": "https://x.nl/list", "search": "page=2", "hash": "top"}, "/list?page=2#top"),
        ({"url": "https://x.nl/list?page=2", "search": "?page=2"}, "/list?page=2"),
        ({"url": "https://x.nl/list#/users/7"}, "/list#/users/7"),
        ({"tab_url": "https://x.nl/list#/a", "url": "https://x.nl/list"}, "/list#/a"),
        ({"url": "/list?utm_source=a&UTM_Medium=b&gclid=c&page=3&_ga=1&PHPSESSID=x"}, "/list?page=3"),
        ({"url": "/list?ref=main&cid=7"}, "/list?cid=7&ref=main"),
        ({"url": "http://[broken?page=2"}, "/list"),
        ({"url": "https://x.nl/list?"}, "/list"),
    ],
)
def test_a_view_is_the_page_and_what_of_its_address_matters(told: dict[str, str], view: str) -> None:
    assert viewed("/list", **told) == view
    assert page_of(view) == "/list"


@given(st.text(max_size=80), st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_whatever_a_page_reports_it_has_a_view(address: str, query: str) -> None:
    assert len(viewed("/a", url=address, search=query)) <= 302
