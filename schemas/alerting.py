"""Whom alerts go to, and how: section `alerts` of `touchline.yaml`, which stands in the file only."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Strict
from schemas.calendars import Weekday, ZoneText
from schemas.errors import did_you_mean
from schemas.policies import Level
from schemas.settings import BaseUrl, HostName, SecretRef

CHANNEL_NAME = r"^[a-z][a-z0-9_-]{0,39}$"
LOG = "log"
"""The channel that is always there."""
_ADDRESS = re.compile(r"[^@\s<>,;\"']+@[A-Za-z0-9.-]+")


def _mailbox(text: str) -> str:
    if _ADDRESS.fullmatch(text) is None or len(text) > 254:
        raise ValueError(f"`{text[:80]}` is no e-mail address: give it alone, as in `support@example.com`")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is no address range: {error}; e.g. `127.0.0.1` or `10.1.0.0/16`") from None
    return text


def _callable(text: str) -> str:
    if not text:
        raise ValueError("is empty; give scheme and host, as in `https://hooks.example.com/touchline`")
    return text


def _clock(text: str) -> str:
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) is None:
        raise ValueError(f'`{text[:20]}` is no time of day: give hours and minutes in quotes, as in `"07:30"`')
    return text


ClockTime = Annotated[str, AfterValidator(_clock)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
NetworkText = Annotated[str, AfterValidator(_network)]
CalledUrl = Annotated[BaseUrl, AfterValidator(_callable)]


class Channel(Strict):
    """What every channel has."""

    carries_digests: ClassVar[bool] = True
    name: str = Field(pattern=CHANNEL_NAME, description="unique name, for routes, commands and the delivery log")
    per_minute: int = Field(20, ge=1, le=600, description="messages a minute at most; the others wait their turn")


class SlackChannel(Channel):
    """A Slack incoming webhook."""

    url: SecretRef = Field(description="where the webhook's URL is kept: whoever knows it can post")


class SlackBotChannel(Channel):
    """A Slack app's bot in one room: it changes its message as the incident grows."""

    token: SecretRef = Field(description="the bot's token, `xoxb-…`, with the scope chat:write")
    room: str = Field(
        pattern=r"^[A-Z0-9]{6,20}$", description="id of the channel, as C0123456789; invite the bot to it"
    )
    url: CalledUrl = Field("https://slack.com/api", description="Slack's address")


class EmailChannel(Channel):
    """Mail through an SMTP server."""

    host: HostName = Field(description="the SMTP server")
    port: int = Field(587, ge=1, le=65535, description="its port")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`starttls`: refuse to go on without; `tls`: from the first byte; `none`: a relay here"
    )
    sender: Mailbox = Field(description="address that the mail comes from")
    to: tuple[Mailbox, ...] = Field(min_length=1, description="addresses it goes to")
    user: str = Field("", description="user name; empty: the server asks for none")
    password: SecretRef | None = Field(None, description="that user's password")

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> EmailChannel:
        if bool(self.user) != (self.password is not None):
            raise ValueError("`user` and `password` belong together")
        if self.user and self.security == "none":
            raise ValueError("`security: none` would send the password in the open: use `starttls` or `tls`")
        return self


class WebhookChannel(Channel):
    """A signed webhook by the Standard Webhooks specification."""

    url: CalledUrl = Field(description="where it is sent; http only with `allow_private`")
    secrets: tuple[SecretRef, ...] = Field(
        min_length=1, max_length=4, description="`whsec_…` with 24 to 64 bytes in base64; several while rotating"
    )


class TeamsChannel(Channel):
    """A workflow of Microsoft Teams that posts what a webhook gets."""

    url: SecretRef = Field(description="where the workflow's URL is kept: whoever knows it can post")


class PagerDutyChannel(Channel):
    """A service of PagerDuty, by its Events API v2."""

    carries_digests: ClassVar[bool] = False
    url: CalledUrl = Field("https://events.pagerduty.com", description="`https://events.eu.pagerduty.com` in the EU")
    routing_key: SecretRef = Field(description="the integration key of the service")


class OpsgenieChannel(Channel):
    """Opsgenie, or what speaks its Alert API."""

    carries_digests: ClassVar[bool] = False
    url: CalledUrl = Field("https://api.opsgenie.com", description="`https://api.eu.opsgenie.com` in the EU")
    key: SecretRef = Field(description="the key of an API integration")


class AlertmanagerChannel(Channel):
    """Prometheus' Alertmanager, which groups, silences and routes by itself."""

    carries_digests: ClassVar[bool] = False
    urls: tuple[CalledUrl, ...] = Field(min_length=1, description="every replica, e.g. `http://10.1.2.3:9093`")
    refresh_s: float = Field(60.0, ge=1, le=3600, description="how often what is open is told again")


class QuietHours(Strict):
    """When a route's people want to be left alone. What comes meanwhile waits for the end."""

    begin: ClockTime = Field(description="from, as `22:00`")
    end: ClockTime = Field(description="until, as `07:00`; earlier than `begin`: the next morning")
    zone: ZoneText = Field("UTC", description="time zone of both, as `Europe/Amsterdam`")
    weekends: bool = Field(False, description="also all of Saturday and Sunday, until `end` on Monday")
    unless: Level = Field("severe", description="so bad, or worse, wakes people all the same")

    @model_validator(mode="after")
    def _some_time_is_left(self) -> QuietHours:
        if self.begin == self.end:
            raise ValueError("`begin` and `end` are the same; leave `quiet` out, or give hours")
        return self


class Route(Strict):
    """Which messages go to which channels. Every route that fits is taken; conditions left empty ask for nothing."""

    channels: tuple[str, ...] = Field(min_length=1, description="names of channels")
    departments: tuple[str, ...] = Field((), description="owner's department in the blueprint, any of them")
    people: tuple[str, ...] = Field((), description="owner's people (roles) in the blueprint, any of them")
    crm_owners: tuple[str, ...] = Field(
        (),
        description="owner of the account in the CRM, by the id or name it uses (`crm_owner` in bi.accounts), any",
    )
    policies: tuple[str, ...] = Field((), description="policies, any of them")
    tiers: tuple[str, ...] = Field((), description="tiers of the account, any of them")
    at_least: Level = Field("watch", description="how bad it must be: watch, high or severe")
    quiet: QuietHours | None = Field(None, description="when what comes here waits; none: never")
    digest_below: Level | None = Field(
        None, description="what is less bad comes once a day in a digest; none: everything at once"
    )
    remind_after_h: float = Field(
        0.0, ge=0, le=168, description="what nobody has taken after so long is told again, and then each time; 0: never"
    )


class ActionLinks(Strict):
    """Links in messages by which people take, silence or end an incident."""

    url: CalledUrl = Field(description="address of the gateway that people can open; they lead to /alerts/act/ there")
    secrets: tuple[SecretRef, ...] = Field(
        min_length=1, max_length=4, description="32 bytes or more: the first signs, all are taken; several to rotate"
    )
    valid_h: float = Field(72.0, gt=0, le=720, description="how long a link works")


class Digests(Strict):
    """When digests are sent."""

    at: ClockTime = Field("08:00", description="time of day")
    weekly: tuple[str, ...] = Field((), description="channels that get the digest of the week as well")
    weekday: Weekday = Field("monday", description="day of it")
    zone: ZoneText = Field("UTC", description="time zone of it, as `Europe/Amsterdam`")


class AlertsConfig(Strict):
    """Who is told of what hurts."""

    public_url: BaseUrl = Field(
        "", description="address of the page that people can open; empty: messages say where to look instead"
    )
    links: ActionLinks | None = Field(None, description="links in messages that act; none: messages say where to look")
    allow_private: tuple[NetworkText, ...] = Field(
        (), description="private addresses that may be called, e.g. a loopback Alertmanager; all others are refused"
    )
    timeout_s: float = Field(10.0, gt=0, le=60, description="longest wait for a receiver's answer")
    in_doubt_s: float = Field(
        60.0, ge=1, le=3600, description="a message that may have been sent before a crash is not sent again sooner"
    )
    withdraw_after_s: float = Field(
        90.0,
        ge=1,
        le=3600,
        description="so long must the evidence of an incident be gone before people hear that it did not happen: what a"
        " newer mapping reads again is gone for a moment",
    )
    give_up_after_h: float = Field(24.0, gt=0, le=168, description="how long an undelivered message is tried again")
    slack: tuple[SlackChannel, ...] = Field((), description="Slack incoming webhooks")
    slack_bots: tuple[SlackBotChannel, ...] = Field((), description="Slack apps' bots")
    email: tuple[EmailChannel, ...] = Field((), description="mail")
    webhooks: tuple[WebhookChannel, ...] = Field((), description="signed webhooks")
    alertmanager: tuple[AlertmanagerChannel, ...] = Field((), description="Alertmanagers")
    teams: tuple[TeamsChannel, ...] = Field((), description="workflows of Microsoft Teams")
    pagerduty: tuple[PagerDutyChannel, ...] = Field((), description="services of PagerDuty")
    opsgenie: tuple[OpsgenieChannel, ...] = Field((), description="Opsgenie, or what speaks its Alert API")
    digest: Digests = Field(Digests(), description="when digests are sent")
    routes: tuple[Route, ...] = Field((), description="what goes where; none: everything to every channel")

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """All of them, by kind."""
        chat: tuple[AnyChannel, ...] = (*self.slack, *self.slack_bots, *self.email, *self.webhooks, *self.teams)
        return (*chat, *self.alertmanager, *self.pagerduty, *self.opsgenie)

    @model_validator(mode="after")
    def _names_fit(self) -> AlertsConfig:
        if self.links is not None and not self.public_url:
            raise ValueError("`links` needs `public_url`: who has acted goes on to the page")
        names = [channel.name for channel in self.channels]
        for name in names:
            if names.count(name) > 1 or name in (LOG, "none"):
                taken = f"names must be unique, and `{LOG}` and `none` are taken"
                raise ValueError(f"two channels are called `{name}`; {taken}")
        can = [one.name for one in self.channels if one.carries_digests]
        for name in self.digest.weekly:
            if name not in can:
                raise ValueError(f"digest.weekly: no channel `{name}` carries digests{did_you_mean(name, can)}")
        for index, route in enumerate(self.routes):
            for name in route.channels:
                if name not in names:
                    raise ValueError(
                        f"routes.{index}.channels: no channel is called `{name}`{did_you_mean(name, names)}"
                    )
            if route.digest_below == "watch":
                raise ValueError(f"routes.{index}.digest_below: nothing is less bad than `watch`; give high or severe")
        return self


AnyChannel = (
    SlackChannel
    | SlackBotChannel
    | EmailChannel
    | WebhookChannel
    | AlertmanagerChannel
    | TeamsChannel
    | PagerDutyChannel
    | OpsgenieChannel
)
