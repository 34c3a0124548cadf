"""Signatures: published vectors, an independent oracle, and everything an attacker would try."""

from __future__ import annotations

import ast
import base64
import inspect
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from services.gateway import access, signatures
from services.gateway.signatures import Problem, Signed, prove, query_proof, sign, signed_url, verify
from streams.connectors.crm import hubspot as hubspot_connector
from streams.connectors.registry import CONNECTORS
from streams.connectors.schemes import SCHEMES, Basic, Hmac, Scheme
from streams.connectors.support import zendesk as zendesk_connector

MS = 1_795_290_000_000
NOW = datetime.fromtimestamp(MS / 1000, UTC)
URL = b"https://gw.example/hubspot?x=1"
BODY = b'{"a":1}'


def hubspot(signature: bytes, stamp: bytes = str(MS).encode(), *, body: bytes = BODY, url: bytes = URL) -> Signed:
    headers = {b"x-hubspot-signature-v3": signature, b"x-hubspot-request-timestamp": stamp}
    return Signed(b"POST", (url,), headers, body)


def zendesk(stamp: str, secret: bytes = b"Z", body: bytes = BODY) -> Signed:
    unsigned = Signed(b"POST", (b"",), {}, body)
    signature = sign(zendesk_connector.SCHEME, secret, unsigned, stamp.encode())
    headers = {
        b"x-zendesk-webhook-signature": signature,
        b"x-zendesk-webhook-signature-timestamp": stamp.encode(),
    }
    return Signed(b"POST", (b"",), headers, body)


GOOD = b"K1/kBFYKKczZeYj/UiD/yvcaddbrsMdFduBlFIpdWFg="


def problem(signed: Signed, *, secrets: Iterable[bytes] = (b"secret",), now: datetime = NOW) -> Problem | None:
    return verify(hubspot_connector.SCHEME, secrets, signed, now)


def test_hubspot_vector() -> None:
    assert problem(hubspot(GOOD)) is None


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
    assert problem(hubspot(theirs.encode(), body=body.encode()), secrets=(b"s3cret",)) is None


def test_standard_webhooks_vector() -> None:
    headers = {
        b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
        b"webhook-timestamp": b"1614265330",
        b"webhook-signature": b"v1a,nonsense v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    signed = Signed(b"POST", (b"",), headers, b'{"test": 2432232314}')
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    assert verify(SCHEMES["standard_webhooks"], (secret,), signed, at) is None
    assert verify(SCHEMES["standard_webhooks"], (b"whsec_!not base64",), signed, at) is not None


def test_stripe_vector() -> None:
    value = b"t=1795290000,v1=00ff,v1=e061c6007a265544941ed5cb73389b803554985fc0b02e0a88fd4a126dcea83f,v0=x"
    signed = Signed(b"POST", (b"",), {b"stripe-signature": value}, BODY)
    assert verify(SCHEMES["stripe"], (b"whsec_x",), signed, NOW) is None
    assert verify(SCHEMES["stripe"], (b"whsec_x",), signed, NOW + timedelta(seconds=301)) is not None


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
    assert problem(signed) is not None


def test_another_sources_secret_is_refused() -> None:
    assert problem(hubspot(GOOD), secrets=(b"other",)) is not None
    assert problem(hubspot(GOOD), secrets=()) is not None


def test_both_secrets_count_while_rotating() -> None:
    assert problem(hubspot(GOOD), secrets=(b"new", b"secret")) is None


@pytest.mark.parametrize("offset_s", [-300, 0, 300])
def test_the_edge_of_the_tolerance_is_inside(offset_s: int) -> None:
    assert problem(hubspot(GOOD), now=NOW + timedelta(seconds=offset_s)) is None


@pytest.mark.parametrize("offset_s", [-300.001, 300.001, 86_400])
def test_stale_and_future_stamps_are_refused(offset_s: float) -> None:
    found = problem(hubspot(GOOD), now=NOW + timedelta(seconds=offset_s))
    assert found is not None and found.code == "stale_signature" and str(int(abs(offset_s) + 0.999)) in found.words


@pytest.mark.parametrize("stamp", ["2026-11-21T19:40:00Z", "2026-11-21T20:40:00+01:00", "2026-11-21T19:40:00"])
def test_zendesk_stamps_are_iso(stamp: str) -> None:
    assert verify(zendesk_connector.SCHEME, (b"Z",), zendesk(stamp), NOW) is None


@pytest.mark.parametrize("stamp", ["", "yesterday", "1795290000", "2026-11-21T19:34:59Z", "2026-11-21T19:45:01Z"])
def test_zendesk_refuses_other_stamps(stamp: str) -> None:
    assert verify(zendesk_connector.SCHEME, (b"Z",), zendesk(stamp), NOW) is not None


ALL: dict[str, Scheme] = {
    **SCHEMES,
    **{name: one.webhook.scheme for name, one in CONNECTORS.items() if one.webhook is not None},
}
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_scheme_accepts_its_own_proof_and_no_other(name: str) -> None:
    scheme = ALL[name]
    base = {b"webhook-id": b"id"}
    proof = prove(scheme, SECRET, Signed(b"POST", (URL,), base, BODY), NOW)

    def problem_of(
        headers: dict[bytes, bytes], query: str = query_proof(scheme, SECRET), secret: bytes = SECRET
    ) -> Problem | None:
        return verify(scheme, (secret,), Signed(b"POST", (URL,), headers, BODY, query), NOW)

    assert problem_of({**base, **proof}) is None
    assert problem_of({**base, **proof}, secret=b"whsec_b3RoZXI=") is not None
    for header in proof:
        assert problem_of({name: value for name, value in {**base, **proof}.items() if name != header}) is not None
        for changed in (b"", b"x" + proof[header], proof[header][:-2] + b"\xff\xfe", proof[header][:-3]):
            assert problem_of({**base, **proof, header: changed}) is not None
    if not proof:
        assert problem_of(base, query="") is not None
        assert problem_of(base, query=query_proof(scheme, SECRET) + "x") is not None


@pytest.mark.parametrize("name", sorted(name for name, scheme in ALL.items() if isinstance(scheme, Hmac)))
def test_a_signature_covers_the_body(name: str) -> None:
    base = {b"webhook-id": b"id"}
    proof = prove(ALL[name], SECRET, Signed(b"POST", (URL,), base, BODY), NOW)
    assert verify(ALL[name], (SECRET,), Signed(b"POST", (URL,), {**base, **proof}, BODY + b" "), NOW) is not None


@pytest.mark.parametrize(
    ("secret", "pair", "good"),
    [
        (b"pass", b"anybody:pass", True),
        (b"ann:pass", b"ann:pass", True),
        (b"ann:pass", b"bob:pass", False),
        (b"pass", b"pass", True),
        (b"pass", b"pass:", False),
        (b"pass", b":", False),
        (b"", b"ann:", False),
    ],
)
def test_basic_is_user_and_password_or_the_password_alone(secret: bytes, pair: bytes, good: bool) -> None:
    headers = {b"authorization": b"basic  " + base64.b64encode(pair)}
    signed = Signed(b"POST", (b"",), headers, BODY)
    assert (verify(Basic(), (secret,), signed, NOW) is None) is good


@pytest.mark.parametrize("value", [b"Basic", b"Basic \xff", b"Bearer cGFzcw==", b"Basic cGFzcw", b"basic:cGFzcw=="])
def test_what_is_no_basic_is_refused(value: bytes) -> None:
    assert verify(Basic(), (b"pass",), Signed(b"POST", (b"",), {b"authorization": value}, BODY), NOW) is not None


@pytest.mark.parametrize(
    ("value", "good"),
    [(b"Bearer T", True), (b"bearer T", True), (b"Bearer  T", True), (b"T", False), (b"Bearer", False)],
)
def test_a_token_stands_behind_its_prefix(value: bytes, good: bool) -> None:
    signed = Signed(b"POST", (b"",), {b"authorization": value}, BODY)
    assert (verify(SCHEMES["bearer"], (b"T",), signed, NOW) is None) is good


def test_the_url_is_decoded_as_hubspot_does() -> None:
    found = signed_url(hubspot_connector.SCHEME, "https://gw.example/", b"/hubspot/crm", b"a=%3A%2f%40%20&b=%41")
    assert found == b"https://gw.example/hubspot/crm?a=:/@%20&b=%41"


@pytest.mark.parametrize("module", [signatures, access])
def test_secrets_are_compared_in_constant_time(module: object) -> None:
    """No `==` on bytes: every comparison in these modules is with a literal or of names that hold no secret."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    names = {child.id for node in compared for child in ast.walk(node) if isinstance(child, ast.Name)}
    assert not names & {"secret", "key", "given", "expected", "one"}
    assert "compare_digest" in inspect.getsource(module)  # type: ignore[arg-type]
