"""Links in messages that act: only whole ones, only for a while, and never by being opened."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml

from schemas.alerting import AlertsConfig
from schemas.config import Config
from schemas.errors import ConfigurationError, TransientError
from schemas.incidents import Desk, IncidentAction, Message
from schemas.topics import TopicName
from services.alerting.channels import slack, words
from services.alerting.channels.email import composed
from services.alerting.main import places_of
from services.common.config import read_config
from services.common.link_keys import link_keys
from services.common.secrets_check import secret_complaints
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from streams.incidents.links import PATH, ActionLink, LinkError, read, signed
from streams.incidents.threads import judged
from streams.runtime.writer import Position
from tests.gateway_kit import NOW, SECRETS, client, config
from tests.incident_kit import part, view
from tests.unit.test_alert_channels import channel, message

KEY, OLD = b"k" * 32, b"o" * 32
LINK = ActionLink("incident-1", "A <b>complaint</b>", ("e1", "e2"), NOW + timedelta(hours=1))
GATEWAY = "https://in.example.com"


class Actions:
    """Kafka that keeps people's actions, or is away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.kept: list[IncidentAction] = []

    def put(self, topic: TopicName, key: str, item: bytes) -> asyncio.Future[Position]:
        if self.is_away:
            raise TransientError("Kafka is away")
        assert topic == "incidents.actions.v1"
        self.kept.append(IncidentAction.model_validate(orjson.loads(item)))
        assert key == self.kept[-1].action_id
        done: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        done.set_result((0, len(self.kept)))
        return done


def app(actions: Actions, now: datetime = NOW) -> Gateway:
    given = config().model_copy(update={"alerts": AlertsConfig(public_url="https://journey.example.com")})
    return build(given, secrets=SECRETS, writer=actions, clock=lambda: now, act_keys=(KEY, OLD))


async def sent(actions: Actions, method: str, token: str, *, now: datetime = NOW, **request: Any) -> httpx.Response:
    async with client(app(actions, now)) as http:
        return await http.request(method, PATH + token, **request)


def test_a_link_says_what_it_was_made_of() -> None:
    assert read(signed(LINK, KEY), [OLD, KEY], NOW) == LINK
    with pytest.raises(LinkError, match="expired"):
        read(signed(LINK, KEY), [KEY], LINK.until)


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_character_is_a_forgery(place: int) -> None:
    token = signed(LINK, KEY)
    place = place % len(token)
    other = "A" if token[place] != "A" else "B"
    for forged in (token[:place] + other + token[place + 1 :], token.partition(".")[0], "", ".", "\ud800.x"):
        with pytest.raises(LinkError, match="forged"):
            read(forged, [KEY], NOW)
    with pytest.raises(LinkError, match="forged"):
        read(signed(LINK, b"x" * 32), [KEY], NOW)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?do=take", "?do=done&by=scanner"])
async def test_who_only_opens_a_link_does_nothing(method: str, query: str) -> None:
    actions = Actions()
    answer = await sent(actions, method, signed(LINK, KEY) + query)
    assert (answer.status_code, actions.kept) == (200, [])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if method == "GET":
        assert "Nothing has been done yet" in answer.text
        assert "&lt;b&gt;" in answer.text
        assert "<b>" not in answer.text
        assert answer.text.count("<button") == (3 if not query else 1)


@pytest.mark.parametrize("key", [KEY, OLD])
async def test_its_form_acts_once_however_often_it_is_sent(key: bytes) -> None:
    actions = Actions()
    token = signed(LINK, key)
    for _ in range(2):
        answer = await sent(actions, "POST", token, data={"do": "take", "by": " Ann  <i>B</i> "})
        assert answer.status_code == 200
        assert "Ann &lt;i&gt;B&lt;/i&gt; takes care of it." in answer.text
    assert {one.action_id for one in actions.kept} == {actions.kept[0].action_id}
    assert (actions.kept[0].verb, actions.kept[0].by, actions.kept[0].events) == ("take", "Ann <i>B</i>", ("e1", "e2"))


async def test_a_silence_has_an_end() -> None:
    actions = Actions()
    form = {"do": "silence", "by": "Ann", "hours": "72", "text": "the fix is under way"}
    await sent(actions, "POST", signed(LINK, KEY), data=form)
    (kept,) = actions.kept
    assert (kept.until, kept.text) == (NOW + timedelta(hours=72), "the fix is under way")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"do": "take"}, "Say your name"),
        ({"do": "take", "by": "  "}, "Say your name"),
        ({"do": "drop", "by": "Ann"}, "Choose what"),
        ({"do": "silence", "by": "Ann", "hours": "9999"}, "Choose for how long"),
        (b"do=take&by=%ff\xff", "cannot be read"),
        (b"&".join([b"a=b"] * 50), "cannot be read"),
    ],
)
async def test_a_form_that_lacks_something_says_so_and_does_nothing(form: Any, says: str) -> None:
    actions = Actions()
    given = {"content": form} if isinstance(form, bytes) else {"data": form}
    answer = await sent(actions, "POST", signed(LINK, KEY), **given)
    assert (answer.status_code, actions.kept) == (400, [])
    assert says in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_old_or_foreign_link_does_nothing(method: str) -> None:
    actions = Actions()
    form: dict[str, Any] = {"data": {"do": "take", "by": "Ann"}} if method == "POST" else {}
    assert (await sent(actions, method, signed(LINK, KEY), now=LINK.until, **form)).status_code == 410
    assert (await sent(actions, method, signed(LINK, b"x" * 32), **form)).status_code == 404
    assert actions.kept == []


async def test_without_kafka_nothing_is_said_to_be_done() -> None:
    answer = await sent(Actions(is_away=True), "POST", signed(LINK, KEY), data={"do": "take", "by": "Ann"})
    assert answer.status_code == 503


async def test_without_a_secret_there_is_no_such_page() -> None:
    gateway = build(config(), secrets=SECRETS, writer=Actions())
    async with client(gateway) as http:
        assert (await http.get(PATH + signed(LINK, KEY))).status_code == 404


def test_messages_carry_the_link_and_the_last_word_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKS", "k" * 32)
    links = {"url": GATEWAY, "secrets": [{"env": "LINKS"}], "valid_h": 2}
    given = AlertsConfig.model_validate({"public_url": "https://journey.example.com", "links": links})
    pain = part("s", "e1", what="moment_of_truth_failed", severity=0.7)
    desk = judged(Desk(account_id="crm:1", parts={"s": pain}), view(places=places_of(given)))
    made = desk.threads[0].last
    assert made is not None
    told = read(made.act.removeprefix(GATEWAY + PATH), link_keys(given), made.at)
    assert (told.incident_id, told.events, told.until) == (made.incident_id, ("e1",), made.at + timedelta(hours=2))
    assert made.account_id not in orjson.dumps([told.incident_id, told.what, told.events]).decode()
    over = judged(desk, view(made.at + timedelta(days=2), places=places_of(given))).threads[0].last
    assert over is not None
    assert (over.kind, over.act) == ("closed", "")


@pytest.mark.parametrize("given", [message(act=f"{GATEWAY}{PATH}t.s"), message()])
def test_every_text_offers_what_can_be_done(given: Message) -> None:
    links = [link for _, link in words.acts(given)]
    assert len(links) == (3 if given.act else 0)
    mail = composed(given, channel(587))
    for text in (words.plain(given), orjson.dumps(slack.body(given)).decode(), mail.as_string().replace("=\n", "")):
        assert (f"{PATH}t.s" in text) == bool(given.act)


def test_links_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {"url": GATEWAY, "secrets": [{"env": "LINKS"}]}
    with pytest.raises(ValueError, match="needs `public_url`"):
        Config.model_validate({"alerts": {"links": links}})
    monkeypatch.setenv("LINKS", "short")
    with pytest.raises(ConfigurationError, match="5 bytes, at least 32"):
        link_keys(AlertsConfig.model_validate({"public_url": "https://a.example", "links": links}))


def test_a_secret_that_is_missing_is_found_before_anything_starts(tmp_path: Path) -> None:
    hook = {"name": "hook", "url": "https://a.example", "secrets": [{"file": "there"}, {"file": "gone"}]}
    links = {"url": GATEWAY, "secrets": [{"file": "away"}]}
    alerts = {"public_url": "https://journey.example.com", "links": links, "webhooks": [hook]}
    (tmp_path / "there").write_text("x")
    (tmp_path / "there").chmod(0o600)
    (tmp_path / "touchline.yaml").write_text(yaml.safe_dump({"alerts": alerts}))
    found = secret_complaints(read_config(tmp_path / "touchline.yaml", env={}))
    assert [one.field for one in found] == ["alerts.links", "alerts channel hook"]
