"""Every kind of channel, and how one is made from its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.alerting import (
    AlertmanagerChannel,
    AlertsConfig,
    AnyChannel,
    EmailChannel,
    OpsgenieChannel,
    PagerDutyChannel,
    SlackBotChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
)
from schemas.errors import ConfigurationError
from schemas.settings import SecretRef
from services.alerting.channels.alertmanager import Alertmanager
from services.alerting.channels.email import Email
from services.alerting.channels.opsgenie import Opsgenie
from services.alerting.channels.outcome import Sender
from services.alerting.channels.pagerduty import PagerDuty
from services.alerting.channels.slack import Slack
from services.alerting.channels.slack_bot import SlackBot
from services.alerting.channels.teams import Teams
from services.alerting.channels.webhook import Webhook
from services.alerting.outgoing import Outgoing
from services.common.secrets import read_secret, shown_place

Leave = Callable[[str], str]
"""The mark of an address → a link by which its owner leaves a digest; empty where there are no such links."""


def nowhere(mark: str) -> str:
    """Where messages have no links that act."""
    return ""


def _secret(ref: SecretRef) -> str:
    try:
        return read_secret(ref).decode("ascii")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{shown_place(ref)} holds other than ASCII characters") from None


def _secret_url(ref: SecretRef) -> str:
    url = _secret(ref)
    if not url.startswith(("https://", "http://")):
        raise ConfigurationError(f"{shown_place(ref)} holds no URL of a webhook: `https://…`")
    return url


def _slack(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, SlackChannel)
    return Slack(channel.name, _secret_url(channel.url), channel.per_minute, outgoing)


def _slack_bot(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, SlackBotChannel)
    token = _secret(channel.token)
    return SlackBot(channel.name, channel.url, token, channel.room, channel.per_minute, outgoing)


def _email(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, EmailChannel)
    return Email(channel, _secret(channel.password) if channel.password is not None else "", outgoing, leave)


def _webhook(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, WebhookChannel)
    secrets = [_secret(ref) for ref in channel.secrets]
    return Webhook(channel.name, channel.url, secrets, channel.per_minute, outgoing)


def _alertmanager(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, AlertmanagerChannel)
    return Alertmanager(channel.name, channel.urls, channel.per_minute, channel.refresh_s, outgoing)


def _teams(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, TeamsChannel)
    return Teams(channel.name, _secret_url(channel.url), channel.per_minute, outgoing)


def _pagerduty(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, PagerDutyChannel)
    return PagerDuty(channel.name, channel.url, _secret(channel.routing_key), channel.per_minute, outgoing)


def _opsgenie(channel: AnyChannel, outgoing: Outgoing, leave: Leave) -> Sender:
    assert isinstance(channel, OpsgenieChannel)
    return Opsgenie(channel.name, channel.url, _secret(channel.key), channel.per_minute, outgoing)


KINDS: Mapping[type[AnyChannel], Callable[[AnyChannel, Outgoing, Leave], Sender]] = {
    SlackChannel: _slack,
    SlackBotChannel: _slack_bot,
    EmailChannel: _email,
    WebhookChannel: _webhook,
    AlertmanagerChannel: _alertmanager,
    TeamsChannel: _teams,
    PagerDutyChannel: _pagerduty,
    OpsgenieChannel: _opsgenie,
}


def senders(config: AlertsConfig, outgoing: Outgoing, leave: Leave = nowhere) -> dict[str, Sender]:
    """The configured channels by name. `leave`: where the owner of an address leaves digests, by its mark.

    Raises ConfigurationError, naming the channel.
    """
    made: dict[str, Sender] = {}
    for channel in config.channels:
        try:
            made[channel.name] = KINDS[type(channel)](channel, outgoing, leave)
        except ConfigurationError as error:
            raise ConfigurationError(f"alerts: channel `{channel.name}`: {error}") from None
    return made
