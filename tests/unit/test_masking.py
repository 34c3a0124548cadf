"""E-mail addresses and tokens are masked in all that is stored of an event, and nothing else is."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors import masking, spec
from streams.connectors.masking import EMAIL, masked
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.emotion.cleaning import own_words
from tests.journeys import AS_OF

ADDRESS = "jan.de-vries+news@acme.example"
ENCODED = "jan.de-vries%2Bnews%40acme.example"
SIGNED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
DRAWN = "pX7kQ2mZ9vL4tR8wB3nY6cJ1"
ORDER = str(UUID(int=7 << 100 | 12345))

HIDDEN = {
    f"/users/{ADDRESS}/edit": f"/users/{EMAIL}/edit",
    f"/users/{ENCODED}": f"/users/{EMAIL}",
    f"/users/{ENCODED.replace('%', '%25')}/edit": f"/users/{EMAIL}/edit",
    f"https://a.example/thanks?email={ENCODED}&page=2": f"https://a.example/thanks?email={EMAIL}&page=2",
    "/thanks?e_mail=jan": f"/thanks?e_mail={EMAIL}",
    f"redirect=%2Fu%3Fwho%3D{ENCODED}": f"redirect=%2Fu%3Fwho%3D{EMAIL}",
    f"Invoice for {ADDRESS}, please": f"Invoice for {EMAIL}, please",
    f"<{ADDRESS}>;bo@acme.example": f"<{EMAIL}>;{EMAIL}",
    "Mail an jürgen@müller.example": f"Mail an {EMAIL}",
    "x" * 190 + " jan@acme.": "x" * 190 + f" {EMAIL}",
    "/profile/JAN@ACME.EXAMPLE/": f"/profile/{EMAIL}/",
    "/u/jan@acme.example:443": f"/u/{EMAIL}:443",
    "/unsubscribe/jan%40acme.example/list-2": f"/unsubscribe/{EMAIL}/list-2",
    "/track?e=amFuQGFjbWUuZXhhbXBsZQ==&n=2": f"/track?e={EMAIL}&n=2",
    "/u/amFuQGFjbWUuZXhhbXBsZQ": f"/u/{EMAIL}",
    "/u/6a616e4061636d652e6578616d706c65": f"/u/{EMAIL}",
}
TOKENS = (
    f"/welcome/{DRAWN}",
    f"/s/{DRAWN.lower()}{DRAWN[::-1].lower()}",
    "/s/bc129ee93816793eb712ed94d5257a76",
    "/password-reset/3f9a8c7b",
    "/en/invite/" + ORDER,
    "/uitnodiging/a1b2c3d4",
    "/callback#access_token=short&state=1",
    "/checkout?sig=0a1b",
    "/basket;jsessionid=1A530637289A03B0",
    f"Signed in with {SIGNED}",
    "Key sk_live_4f9a8c7b6d5e4f3a",
    # links that open something, in other languages and with shorter tokens
    "/password/reset/8f3a2c", "/bevestig-email/abc123", "/nieuw-wachtwoord/abc123", "/e-mail-bevestigen/abc123",
    "/aktivieren/abc123", "/einladung/abc123", "/mot-de-passe/abc123", "/deel/Ab12Cd34Ef", "/join/Ab12Cd34Ef56Gh78",
    "/download/Ab12Cd34Ef56Gh78Ij90",
    # what a sign-in service leaves, and other names of secrets
    "/auth/callback?code=4/0AX4XfWh", "/signed-in?code=SplxlOBeZQQY&state=x", "/saml?SAMLResponse=PHNhbWw",
    "/r?wachtwoord=geheim", "/r?accessKey=abc", "/thanks?telefoon=0612345678", "/thanks?tel=%2B31612345678",
    "/r?pin=1234",
    "/login?ticket=ST-1856339-aA5Yuvrxzpv8Tau1cYQ7", "https://user:secret@host.example/x",
    # keys of other makers, in words
    "key AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "SG.abcdefghijklmnop.qrstuvwxyz0123456789ABCDEF",
    "token github_pat_11ABCDEFG0abcdefghijkl_abcdef", "hf_abcdefghijklmnopqrstuvwxyzabcd",
    "shpat_abcdef0123456789abcdef0123456789", "Authorization: Bearer abcdef0123456789abcdef", "ya29.a0AfH6SMBx-abcdef",
)  # fmt: skip
KEPT = (
    "/orders/" + ORDER,
    "/orders/507f1f77bcf86cd799439011",
    "/reset/password",
    "/share/annual-report-2024",
    "/blog/how-to-upgrade-from-windows-10-to-windows-11-in-2024",
    "/product/5410041234567-gloves-size-10",
    "/p/ProductPage2024SpringSale",
    "/docs/v2.14.3/api_reference_2024_q3",
    "/@scope/package",
    "/img/logo@2x.png",
    "/search?q=ball+valve&page=2#top",
    "?sort=price",
    "/shop?code=SPRING24&page=2",
    "/password/step2",
    "/wachtwoord/wijzigen",
    "/join/webinar-2024",
    "Basic membership for 12 people",
    "The bearer of this letter",
    "/p/GuidesForEverybodyInTheHouse",
    "/u/YWJjZGVmZ2hpamts",
    "https://host.example:8080/x@2",
    "vue@3.2.1 is out",
    "6 valves @ 3.50 each",
    "see you @ the fair",
    "",
)


@pytest.mark.parametrize("text", HIDDEN, ids=range(len(HIDDEN)))
def test_addresses_are_hidden_wherever_they_stand(text: str) -> None:
    assert masked(text) == HIDDEN[text]


@pytest.mark.parametrize("text", TOKENS, ids=range(len(TOKENS)))
def test_tokens_are_hidden(text: str) -> None:
    found = masked(text)
    assert "[token-" in found and len(found) <= len(text) + 12
    assert masked(found) == found


@pytest.mark.parametrize("text", KEPT, ids=range(len(KEPT)))
def test_pages_records_and_words_are_kept(text: str) -> None:
    assert masked(text) == text


def test_two_tokens_are_two_pages_and_one_is_one() -> None:
    one, other = masked("/invite/a1b2c3d4"), masked("/invite/a1b2c3d5")
    assert one != other and one == masked("/invite/a1b2c3d4")


def test_most_of_what_machines_draw_is_seen() -> None:
    long = [masked(f"/s/{secrets.token_urlsafe(32)}") for _ in range(400)]
    hexes = [masked(f"/s/{secrets.token_hex(16)}") for _ in range(400)]
    assert sum("[token-" in one for one in long) > 350 and sum("[token-" in one for one in hexes) > 390


@settings(max_examples=150)
@given(st.text(alphabet="ab1.-_@%40/?=&# é[]", max_size=260))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert masked(masked(text)) == masked(text)


# -- through the connectors

WORDS = f"Mail {ADDRESS} or see /r?token={DRAWN} {SIGNED}"
PATH = f"/users/{ENCODED}/reset/{DRAWN}"
URL = f"https://shop.example{PATH}?email={ENCODED}&token={DRAWN}&page=2"
SECRETS = (ADDRESS, ENCODED, DRAWN, SIGNED, "jan.de-vries")


def _web(kind: str, **more: Any) -> dict[str, Any]:
    page = {"path": PATH, "url": URL, "referrer": URL, "search": f"?email={ENCODED}", "title": WORDS}
    return {
        "type": kind,
        "anonymousId": "a-1",
        "properties": {**page, "label": WORDS},
        "context": {"page": page},
        **more,
    }


def _posthog() -> dict[str, Any]:
    told = {
        "$current_url": URL,
        "$pathname": PATH,
        "title": WORDS,
        "label": WORDS,
        "$el_text": WORDS,
        "$device_id": "d",
    }
    return {"api_key": "k", "batch": [{"event": "$pageview", "distinct_id": "d", "properties": told}]}


def _zendesk() -> dict[str, Any]:
    ticket = {"id": "7", "requester_id": "9", "subject": WORDS, "description": WORDS, "status": WORDS}
    return {"type": "zen:event-type:ticket.created", "id": "e", "time": "2026-01-05T10:00:00Z", "detail": ticket}


def _own() -> dict[str, Any]:
    told = {"name": f"Call about {ADDRESS}", "title": WORDS, "text": WORDS, "properties": {"link": URL}}
    return {"records": [{"kind": "touchpoint", "occurred_at": "2024-10-05", "person": {"email": ADDRESS}, **told}]}


def _deal() -> dict[str, Any]:
    return {"subscriptionType": "deal.propertyChange", "objectId": 1, "occurredAt": 1_760_000_000_000, "eventId": 1}


SENT = {
    "segment": {"batch": [_web("page"), _web("track", event=f"Invited {ADDRESS}"), _web("screen", name=WORDS)]},
    "rudderstack": {"batch": [_web("page"), _web("track", event="Form Submitted")]},
    "posthog": _posthog(),
    "zendesk": _zendesk(),
    "touchline": _own(),
    "hubspot": [{**_deal(), "propertyName": "next_step", "propertyValue": WORDS}],
}


def request(vendor: str, body: object) -> RawRequest:
    path = {"posthog": "/batch", "touchline": "/v1/touchline"}.get(vendor, "/v1/batch")
    text = orjson.dumps(body).decode()
    return RawRequest(request_id="r", source="it", vendor=vendor, received_at=AS_OF, path=path, body=text, mapping=99)


def read(vendor: str, body: object) -> list[CleanTouchpoint]:
    found = CONNECTORS[vendor].read(request(vendor, body))
    assert found and all(isinstance(one, Mapped) for one in found), found
    return [one.touchpoint for one in found if isinstance(one, Mapped)]


def told(touchpoint: CleanTouchpoint) -> str:
    """All that is stored of it as words; whose it is stays clear, for people are known by it."""
    return touchpoint.changed(aliases=(), person_traits={}).encoded().decode()


@pytest.mark.parametrize("vendor", SENT)
def test_nothing_is_stored_readable(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for touchpoint in read(vendor, SENT[vendor]):
        assert not [secret for secret in SECRETS if secret in told(touchpoint)], told(touchpoint)
    monkeypatch.setattr(spec, "hidden", lambda touchpoint: touchpoint)  # the test sees what is not masked
    assert any(secret in told(one) for one in read(vendor, SENT[vendor]) for secret in SECRETS)


def test_who_is_meant_stays() -> None:
    records: list[dict[str, Any]] = [
        {"kind": "contact", "id": "1", "email": ADDRESS, "account": "7"},
        {"kind": "deal", "id": "2", "stage": "won", "contacts": [ADDRESS], "owner": ADDRESS},
        {"kind": "decision", "verdict": "link", "a": ADDRESS, "b": "user:5", "by": ADDRESS},
    ]
    contact, deal, decision = read("touchline", {"records": records})
    assert f"email:{ADDRESS}" in contact.aliases and f"email:{ADDRESS}" in decision.aliases
    assert (deal.properties["contacts"], deal.properties["owner"], decision.properties["by"]) == (ADDRESS,) * 3
    (merged,) = read("segment", {"batch": [_web("alias", userId="u2", previousId=ADDRESS)]})
    assert f"email:{ADDRESS}" in merged.aliases


def test_what_was_stored_before_is_read_anew_masked() -> None:
    """`touchline remap` asks each connector again; its newer mapping replaces what the older one read."""
    old = request("segment", SENT["segment"]).changed(mapping=3)
    found = CONNECTORS["segment"].read(old)
    assert all(isinstance(one, Mapped) and one.touchpoint.read_anew for one in found)
    before = [one.event_id for one in read("segment", SENT["segment"])]
    assert [one.touchpoint.event_id for one in found if isinstance(one, Mapped)] == before


def test_a_mask_is_no_word_of_its_writer() -> None:
    assert own_words(masked(f"Call {ADDRESS} please {SIGNED}")).split() == ["Call", "please"]


def test_a_hostile_text_costs_no_more_than_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in looks around an `@`, not in time: none where no domain follows."""
    looks: list[int] = []
    look = masking._start_of_local

    def counted(text: str, first: int, at: int) -> int:
        looks.append(at)
        return look(text, first, at)

    monkeypatch.setattr(masking, "_start_of_local", counted)
    masking._hide("@" * 2_000 + "a@" * 1_000)
    assert len(looks) <= 1
