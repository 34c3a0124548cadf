"""Each channel against a receiver that checks what it gets: shapes as documented, signatures, secrets masked."""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from schemas.alerting import AlertsConfig, EmailChannel, Route, SlackChannel, WebhookChannel
from schemas.config import Config
from schemas.errors import ConfigurationError
from schemas.incidents import Evidence, Message
from schemas.settings import SecretRef
from services.alerting.channels.alertmanager import Alertmanager
from services.alerting.channels.email import Email, composed
from services.alerting.channels.outcome import masked
from services.alerting.channels.registry import KINDS, senders
from services.alerting.channels.slack import Slack, body, escaped
from services.alerting.channels.webhook import Webhook, key_of
from services.alerting.outgoing import Outgoing
from services.alerting.routing import fits, router
from tests.incident_kit import NOW, ago
from tests.receivers import OK, Answer, receiver

CALLS = Outgoing(("127.0.0.1", "::1"))
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


def message(**fields: Any) -> Message:
    base: dict[str, Any] = {
        "notice_id": "n-1",
        "incident_id": "i-1",
        "kind": "opened",
        "policy": "moment_of_truth_failed",
        "headline": "A moment of truth failed at <Acme & Söhne>",
        "level": "severe",
        "account_id": "crm:51",
        "account": "<Acme & Söhne>",
        "tier": "strategic",
        "people": ("champion", "one more"),
        "touchpoint": "Support ticket",
        "touchpoint_type": "support_ticket",
        "phase": "enablement",
        "moment_of_truth": True,
        "since": ago(minutes=9),
        "at": NOW,
        "evidence": (
            Evidence(
                words="Support ticket: reopened *again*", at=ago(minutes=9), event_id="e1", url="https://t.example/x"
            ),
        ),
        "evidence_count": 3,
        "excellent": "Solved at the first contact",
        "runbook": "https://wiki.example/support",
        "department": "Support",
        "owners": ("Support lead",),
        "taken_by": "Ann",
        "where": "https://t.example/accounts/crm:51",
    }
    return Message(**(base | fields))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for below in value.values():
            yield from texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts(below)
    elif isinstance(value, str):
        yield value


def is_slack(sent: dict[str, Any]) -> bool:
    """The limits of Block Kit, and what a message needs."""
    assert isinstance(sent["text"], str)
    assert 0 < len(sent["blocks"]) <= 50
    for block in sent["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert len(block["text"]["text"]) <= 150
        elif block["type"] == "section":
            assert "text" in block or 0 < len(block["fields"]) <= 10
            parts = block.get("fields", []) + ([block["text"]] if "text" in block else [])
            assert all(part["type"] == "mrkdwn" for part in parts)
            assert all(0 < len(part["text"]) <= (2_000 if "fields" in block else 3_000) for part in parts)
        else:
            assert block["type"] == "context"
            assert 0 < len(block["elements"]) <= 10
    return True


@pytest.mark.parametrize(
    "given", [message(), message(headline="x" * 400, runbook="y" * 9_000, evidence=(), people=(), taken_by="")]
)
def test_slack_gets_blocks_within_its_limits(given: Message) -> None:
    assert is_slack(body(given))


def test_what_comes_from_outside_formats_nothing_in_slack() -> None:
    sent = body(message())
    told = "\n".join(texts(sent["blocks"][1:]))
    assert "&lt;Acme &amp; Söhne&gt;" in told
    assert "*again*" not in told
    assert "<https://t.example/x|Support ticket: reopened" in told
    assert escaped("<!channel>") == "&lt;!channel&gt;"


def test_a_message_says_what_people_ask() -> None:
    told = "\n".join(texts(body(message(remark="it was high"))))
    for words in ("severe", "champion, one more", "Support, Support lead", "Ann", "it was high", "Solved at the first"):
        assert words in told
    for words in ("UTC", "moment of truth", "https://wiki.example/support", "▲▲"):
        assert words in told


@pytest.mark.parametrize(
    ("given", "kind", "after_s"),
    [
        (OK, "sent", None),
        ((500, {}, b"oops"), "retry", None),
        ((429, {"retry-after": "30"}, b""), "retry", 30),
        ((302, {"location": "http://127.0.0.1/"}, b""), "retry", None),
        ((404, {}, b"no_service"), "retry", None),
        ((400, {}, b"invalid_blocks"), "final", None),
        ((410, {}, b"gone"), "final", None),
    ],
)
async def test_what_an_answer_means(given: Answer, kind: str, after_s: float | None) -> None:
    async with receiver(given) as slack:
        outcome = await Slack("s", f"{slack.url}/services/T/B/secret", 20, CALLS).send(message())
    assert (outcome.kind, outcome.after_s) == (kind, after_s)
    assert is_slack(orjson.loads(slack.got[0].body))


async def test_the_secret_of_a_webhook_is_in_no_answer() -> None:
    async with receiver((500, {}, b"cannot post to /services/T/B/secret")) as slack:
        outcome = await Slack("s", f"{slack.url}/services/T/B/secret", 20, CALLS).send(message())
    assert "secret" not in outcome.words
    gone = await Slack("s", f"{slack.url}/services/T/B/secret", 20, CALLS).send(message())
    assert gone.kind == "retry"
    assert "secret" not in gone.words
    assert masked("a b", ("", "b")) == "a …"


def is_signed(secret: str, headers: dict[str, str], content: bytes) -> bool:
    """As a receiver checks it, by the specification."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    expected = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    given = [one.partition(",")[2] for one in headers["webhook-signature"].split(" ") if one.startswith("v1,")]
    return any(hmac.compare_digest(base64.b64decode(one), expected) for one in given)


async def test_a_webhook_is_signed_for_each_secret_and_a_changed_byte_shows() -> None:
    async with receiver() as hook:
        outcome = await Webhook("w", hook.url, [SECRET, OTHER], 20, CALLS, clock=lambda: 1_700_000_000.5).send(
            message()
        )
    (request,) = hook.got
    assert outcome.kind == "sent"
    assert request.headers["webhook-id"] == "n-1"
    assert request.headers["webhook-timestamp"] == "1700000000"
    assert is_signed(SECRET, request.headers, request.body)
    assert is_signed(OTHER, request.headers, request.body)
    assert not is_signed(SECRET, request.headers, request.body + b" ")
    assert not is_signed("whsec_" + base64.b64encode(b"z" * 32).decode(), request.headers, request.body)
    sent = orjson.loads(request.body)
    assert (sent["type"], sent["data"]["incident_id"]) == ("incident.opened", "i-1")
    assert sent["timestamp"] == "2024-10-04T12:00:00Z"


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_?", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="no signing secret"):
        key_of(secret)


async def test_alertmanagers_are_all_told_and_every_alert_ends() -> None:
    async with receiver() as one, receiver((500, {}, b"")) as other:
        sender = Alertmanager("am", [one.url, other.url], 20, 60, CALLS, clock=lambda: NOW)
        opened = await sender.send(message())
        grown = await sender.send(message(kind="grown"))
        closed = await sender.send(message(kind="closed"))
        refreshed = await sender.refresh([message(), message(incident_id="i-2")])
    assert [outcome.kind for outcome in (opened, grown, closed, refreshed)] == ["sent"] * 4
    assert "1 of 2" in opened.words
    assert len(one.got) == len(other.got) == 4
    assert {request.path for request in one.got} == {"/api/v2/alerts"}
    first, worse, last, again = (orjson.loads(request.body) for request in one.got)
    assert first[0]["endsAt"] == (NOW + timedelta(seconds=180)).isoformat()
    assert first[0]["labels"] == last[0]["labels"]
    assert last[0]["endsAt"] == NOW.isoformat()
    assert {alert["labels"]["severity"]: alert["endsAt"] == NOW.isoformat() for alert in worse} == {
        "severe": False,
        "watch": True,
        "high": True,
    }
    assert len(again) == 2
    assert all(name.isidentifier() for alert in first for name in alert["labels"])


async def test_an_alertmanager_that_is_away_is_tried_again() -> None:
    async with receiver((503, {"retry-after": "5"}, b"")) as away:
        outcome = await Alertmanager("am", [away.url], 20, 60, CALLS).send(message())
    assert (outcome.kind, outcome.after_s) == ("retry", 5)


class Mailbox:
    """What an SMTP server got. `said`: its answer to the content."""

    def __init__(self, said: str = "250 taken") -> None:
        self.got: list[Envelope] = []
        self.said = said

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.got.append(envelope)
        return self.said


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for mail.example, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail.example"]
    command += ["-addext", "subjectAltName=DNS:mail.example", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


@asynccontextmanager
async def mail_server(box: Mailbox, certificate: tuple[Path, Path] | None, **options: Any) -> AsyncIterator[int]:
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate[1], certificate[0])
        options |= {"tls_context": context, "require_starttls": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.example", **options), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


def channel(port: int, **fields: Any) -> EmailChannel:
    base: dict[str, Any] = {
        "name": "mail",
        "host": "mail.example",
        "port": port,
        "sender": "alerts@touchline.example",
        "to": ("a@example.com", "b@example.com"),
    }
    return EmailChannel(**(base | fields))


@pytest.fixture
async def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """mail.example and other.example are this machine."""

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


def trusting(certificate: tuple[Path, Path]) -> Outgoing:
    return Outgoing(("127.0.0.1",), timeout_s=2, tls=ssl.create_default_context(cafile=certificate[1]))


@pytest.mark.usefixtures("named")
async def test_mail_goes_by_starttls_with_text_and_html(certificate: tuple[Path, Path]) -> None:
    box = Mailbox()
    async with mail_server(box, certificate) as port:
        outcome = await Email(channel(port), "", trusting(certificate)).send(message())
    assert outcome.kind == "sent", outcome.words
    (envelope,) = box.got
    assert envelope.rcpt_tos == ["a@example.com", "b@example.com"]
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert mail["Subject"] == "▲▲ A moment of truth failed at <Acme & Söhne>"
    assert mail["Message-ID"] == "<n-1@touchline.example>"
    assert mail["References"] == "<incident.i-1@touchline.example>"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "Whom: champion, one more" in text
    assert "- and 2 more" in text
    assert "&lt;Acme &amp; Söhne&gt;" in html
    assert '<a href="https://t.example/x">' in html
    assert "<Acme" not in html


@pytest.mark.usefixtures("named")
async def test_a_server_that_is_not_who_it_says_gets_nothing(certificate: tuple[Path, Path]) -> None:
    """The connection goes to a checked address, and TLS still asks for the name of the configuration."""
    box = Mailbox()
    async with mail_server(box, certificate) as port:
        wrong = await Email(channel(port, host="other.example"), "", trusting(certificate)).send(message())
        unknown = await Email(channel(port), "", Outgoing(("127.0.0.1",), timeout_s=5)).send(message())
    assert (wrong.kind, unknown.kind, box.got) == ("retry", "retry", [])


@pytest.mark.usefixtures("named")
async def test_without_starttls_nothing_is_sent(certificate: tuple[Path, Path]) -> None:
    box = Mailbox()
    async with mail_server(box, None) as port:
        outcome = await Email(channel(port), "", trusting(certificate)).send(message())
        plain = await Email(channel(port, security="none"), "", trusting(certificate)).send(message())
    assert outcome.kind == "retry"
    assert plain.kind == "sent"
    assert len(box.got) == 1


@pytest.mark.usefixtures("named")
async def test_a_password_is_sent_under_tls_and_shown_nowhere(certificate: tuple[Path, Path]) -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"right" and session.ssl is not None)

    box = Mailbox()
    async with mail_server(box, certificate, authenticator=check, auth_required=True) as port:
        ref = SecretRef(file=None, env="X")
        right = await Email(channel(port, user="u", password=ref), "right", trusting(certificate)).send(message())
        wrong = await Email(channel(port, user="u", password=ref), "wrong", trusting(certificate)).send(message())
    assert right.kind == "sent", right.words
    assert wrong.kind == "retry"
    assert "wrong" not in wrong.words
    assert len(box.got) == 1


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(("said", "kind"), [("250 taken", "sent"), ("452 full", "retry"), ("554 no", "final")])
async def test_what_a_mail_server_says_of_the_content(certificate: tuple[Path, Path], said: str, kind: str) -> None:
    async with mail_server(Mailbox(said), certificate) as port:
        assert (await Email(channel(port), "", trusting(certificate)).send(message())).kind == kind


async def test_private_mail_servers_are_not_called() -> None:
    box = Mailbox()
    async with mail_server(box, None) as port:
        for host in ("127.0.0.1", "localhost"):
            outcome = await Email(channel(port, host=host), "", Outgoing()).send(message())
            assert outcome.kind == "retry"
            assert "allow_private" in outcome.words
    assert box.got == []


def test_a_name_with_a_line_break_makes_no_header() -> None:
    mail = composed(message(headline="x\r\nBcc: all@example.com"), channel(25))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "▲▲ x Bcc: all@example.com"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"security": "none", "user": "u", "password": {"env": "X"}}, "in the open"),
        ({"user": "u"}, "belong together"),
        ({"to": ["a"]}, "no e-mail address"),
        ({"to": []}, "at least 1"),
    ],
)
def test_mail_that_cannot_be_right_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        channel(25, **given)


def configured(**fields: Any) -> AlertsConfig:
    slack = SlackChannel(name="team", url=SecretRef(file=None, env="SLACK_URL"))
    hook = WebhookChannel(name="hook", url="https://hook.example", secrets=(SecretRef(file=None, env="HOOK"),))
    return AlertsConfig(**({"slack": (slack,), "webhooks": (hook,)} | fields))


def test_routes_ask_for_all_their_conditions() -> None:
    route = Route(
        channels=("team",), departments=("support",), people=("support lead",), policies=("moment_of_truth_failed",),
        tiers=("Strategic",), at_least="high",
    )  # fmt: skip
    assert fits(route, message())
    for change in (
        {"department": "Sales"}, {"owners": ("CFO",)}, {"policy": "burst"}, {"tier": "key"}, {"level": "watch"}
    ):  # fmt: skip
        assert not fits(route, message(**change))


def test_a_message_goes_to_every_route_that_fits_and_without_routes_to_everyone() -> None:
    sales, severe = Route(channels=("hook",), departments=("Sales",)), Route(channels=("team",), at_least="severe")
    assert router(configured(routes=(sales, severe)))(message()) == ("team",)
    assert router(configured(routes=(sales, severe)))(message(department="Sales")) == ("hook", "team")
    assert router(configured(routes=(sales,)))(message()) == ()
    assert router(configured())(message()) == ("team", "hook")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"routes": ({"channels": ("taem",)},)}, "did you mean `team`"),
        ({"slack": ({"name": "hook", "url": {"env": "X"}},)}, "names must be unique"),
        ({"slack": ({"name": "log", "url": {"env": "X"}},)}, "`log` and `none` are taken"),
        ({"allow_private": ("10.0.0.1/8",)}, "no address range"),
        ({"public_url": "touchline"}, "no address"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        configured(**given)


def test_channels_are_made_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.example/services/x")
    monkeypatch.setenv("HOOK", SECRET)
    made = senders(configured(), CALLS)
    assert {name: sender.kind for name, sender in made.items()} == {"team": "slack", "hook": "webhook"}
    monkeypatch.setenv("HOOK", "weak")
    with pytest.raises(ConfigurationError, match="channel `hook`: is no signing secret"):
        senders(configured(), CALLS)
    monkeypatch.setenv("SLACK_URL", "hooks.slack.example")
    with pytest.raises(ConfigurationError, match="channel `team`: environment variable SLACK_URL holds no URL"):
        senders(configured(), CALLS)


def test_every_kind_of_channel_is_in_the_registry() -> None:
    lists = {name for name, info in AlertsConfig.model_fields.items() if "Channel" in str(info.annotation)}
    assert len(lists) == len(KINDS) == 8
    assert Config().alerts.channels == ()
