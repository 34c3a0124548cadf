"""Signatures: published vectors, an independent oracle, and everything an attacker would try."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from services.gateway import access, signatures
from services.gateway.signatures import SCHEMES, Signed, hubspot_url, sign, verify

MS = 1_795_290_000_000
NOW = datetime.fromtimestamp(MS / 1000, UTC)
URL = b"https://gw.example/hubspot?x=1"
BODY = b'{"a":1}'


def hubspot(signature: bytes, stamp: bytes = str(MS).encode(), *, body: bytes = BODY, url: bytes = URL) -> Signed:
    headers = {b"x-hubspot-signature-v3": signature, b"x-hubspot-request-timestamp": stamp}
    return Signed(b"POST", (url,), headers, body)


def zendesk(stamp: str, secret: bytes = b"Z", body: bytes = BODY) -> Signed:
    unsigned = Signed(b"POST", (b"",), {}, body)
    signature = sign(SCHEMES["zendesk"], secret, unsigned, stamp.encode())
    headers = {
        b"x-zendesk-webhook-signature": signature,
        b"x-zendesk-webhook-signature-timestamp": stamp.encode(),
    }
    return Signed(b"POST", (b"",), headers, body)


GOOD = b"K1/kBFYKKczZeYj/UiD/yvcaddbrsMdFduBlFIpdWFg="


def problem(signed: Signed, *, secrets: Iterable[bytes] = (b"secret",), now: datetime = NOW) -> str:
    return verify(SCHEMES["hubspot"], secrets, signed, now)


def test_hubspot_vector() -> None:
    assert problem(hubspot(GOOD)) == ""


def test_hubspot_agrees_with_its_own_client() -> None:
    from hubspot.utils.signature import Signature  # type: ignore[attr-defined,unused-ignore]

    body = '[{"objectId":5,"propertyValue":"Größe"}]'
    theirs = Signature.get_signature(
        client_secret="s3cret",
        request_body=body,
        signature_version="v3",
        http_uri=URL.decode(),
        http_method="POST",
        timestamp=str(MS),
    )
    assert problem(hubspot(theirs.encode(), body=body.encode()), secrets=(b"s3cret",)) == ""


def test_standard_webhooks_vector() -> None:
    headers = {
        b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
        b"webhook-timestamp": b"1614265330",
        b"webhook-signature": b"v1a,nonsense v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    signed = Signed(b"POST", (b"",), headers, b'{"test": 2432232314}')
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    assert verify(SCHEMES["standard_webhooks"], (secret,), signed, at) == ""
    assert verify(SCHEMES["standard_webhooks"], (b"whsec_!not base64",), signed, at) != ""


def test_stripe_vector() -> None:
    value = b"t=1795290000,v1=00ff,v1=e061c6007a265544941ed5cb73389b803554985fc0b02e0a88fd4a126dcea83f,v0=x"
    signed = Signed(b"POST", (b"",), {b"stripe-signature": value}, BODY)
    assert verify(SCHEMES["stripe"], (b"whsec_x",), signed, NOW) == ""
    assert verify(SCHEMES["stripe"], (b"whsec_x",), signed, NOW + timedelta(seconds=301)) != ""


@pytest.mark.parametrize(
    "signed",
    [
        hubspot(b""),
        hubspot(GOOD[:-1]),
        hubspot(GOOD[:-2] + b"A="),
        hubspot(GOOD.lower()),
        hubspot(b"\xff\xfe\x00"),
        hubspot("é".encode()),
        hubspot(GOOD, body=b'{"a": 1}'),
        hubspot(GOOD, url=b"https://gw.example/hubspot?x=2"),
        hubspot(GOOD, stamp=b""),
        hubspot(GOOD, stamp=b"\xff"),
        hubspot(GOOD, stamp=b"99999999999999999999999"),
        hubspot(GOOD, stamp=b"-1"),
        hubspot(GOOD, stamp="١٧٩٥٢٩٠٠٠٠٠٠٠".encode()),
        Signed(b"GET", (URL,), dict(hubspot(GOOD).headers), BODY),
        Signed(b"POST", (URL,), {}, BODY),
    ],
)
def test_a_bad_signature_is_refused_and_nothing_is_raised(signed: Signed) -> None:
    assert problem(signed) != ""


def test_another_sources_secret_is_refused() -> None:
    assert problem(hubspot(GOOD), secrets=(b"other",)) != ""
    assert problem(hubspot(GOOD), secrets=()) != ""


def test_both_secrets_count_while_rotating() -> None:
    assert problem(hubspot(GOOD), secrets=(b"new", b"secret")) == ""


@pytest.mark.parametrize("offset_s", [-300, 0, 300])
def test_the_edge_of_the_tolerance_is_inside(offset_s: int) -> None:
    assert problem(hubspot(GOOD), now=NOW + timedelta(seconds=offset_s)) == ""


@pytest.mark.parametrize("offset_s", [-300.001, 300.001, 86_400])
def test_stale_and_future_stamps_are_refused(offset_s: float) -> None:
    assert "off" in problem(hubspot(GOOD), now=NOW + timedelta(seconds=offset_s))


@pytest.mark.parametrize("stamp", ["2026-11-21T19:40:00Z", "2026-11-21T20:40:00+01:00", "2026-11-21T19:40:00"])
def test_zendesk_stamps_are_iso(stamp: str) -> None:
    assert verify(SCHEMES["zendesk"], (b"Z",), zendesk(stamp), NOW) == ""


@pytest.mark.parametrize("stamp", ["", "yesterday", "1795290000", "2026-11-21T19:34:59Z", "2026-11-21T19:45:01Z"])
def test_zendesk_refuses_other_stamps(stamp: str) -> None:
    assert verify(SCHEMES["zendesk"], (b"Z",), zendesk(stamp), NOW) != ""


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_every_scheme_accepts_its_own_signature_and_no_other(name: str) -> None:
    scheme = SCHEMES[name]
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    stamp = {"": b"", "ms": str(MS).encode(), "s": str(MS // 1000).encode(), "iso": NOW.isoformat().encode()}
    given = stamp[scheme.timestamp]
    base = {scheme.id_header: b"id", scheme.timestamp_header: given}
    value = scheme.prefix + sign(scheme, secret, Signed(b"POST", (URL,), base, BODY), given)
    value = b"t=" + given + b"," + value if scheme.layout == "fields" else value
    for body, good in ((BODY, True), (BODY + b" ", False)):
        signed = Signed(b"POST", (URL,), {**base, scheme.header: value}, body)
        assert (verify(scheme, (secret,), signed, NOW) == "") is good


def test_the_url_is_decoded_as_hubspot_does() -> None:
    assert hubspot_url("https://gw.example/", b"/hubspot/crm", b"a=%3A%2f%40%20&b=%41") == (
        b"https://gw.example/hubspot/crm?a=:/@%20&b=%41"
    )


@pytest.mark.parametrize("module", [signatures, access])
def test_secrets_are_compared_in_constant_time(module: object) -> None:
    """No `==` on bytes: every comparison in these modules is with a literal or of names that hold no secret."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    names = {child.id for node in compared for child in ast.walk(node) if isinstance(child, ast.Name)}
    assert not names & {"secret", "key", "given", "expected", "one"}
    assert "compare_digest" in inspect.getsource(module)  # type: ignore[arg-type]
