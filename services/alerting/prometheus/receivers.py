"""Alertmanager's configuration with the channels of `touchline.yaml` as its receivers.

https://prometheus.io/docs/alerting/latest/configuration/. What Prometheus finds about Touchline itself goes to the
channels of routes that ask for nothing, else to all. What the alerts service pushes (`TouchlineIncident`) goes by the
owner's department. Secrets stand in it as paths only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import yaml

from schemas.alerting import (
    AlertsConfig,
    AnyChannel,
    EmailChannel,
    OpsgenieChannel,
    PagerDutyChannel,
    Route,
    SlackBotChannel,
    SlackChannel,
    TeamsChannel,
)
from schemas.errors import ConfigurationError
from schemas.settings import SecretRef

Integration = tuple[str, dict[str, Any]]
"""The key in a receiver, and one entry below it."""

DEFAULT: Final = "default"
DEPARTMENT: Final = "department: "
HEADER: Final = """\
# Written by `touchline alerts alertmanager` from the channels of touchline.yaml: run it again when they change.
# Quiet hours, digests and signed webhooks are the alerts service's own, and not here.
"""
_TIMES: Final = {"group_wait": "10s", "group_interval": "2m", "repeat_interval": "12h"}
_PAGES: Final = {"matchers": ['severity="page"'], "receiver": DEFAULT, "repeat_interval": "2h"}
#: Who is paged about a stage need not hear that it is slow as well.
_INHIBITED: Final = {
    "source_matchers": ['severity="page"'],
    "target_matchers": ['alertname="TouchlineLagGrows"'],
    "equal": ["stage"],
}


def rendered(config: AlertsConfig) -> str:
    """The file. Raises ConfigurationError where no channel can be a receiver, or a secret is not in a file."""
    usable = {channel.name: made for channel in config.channels if (made := _integration(channel)) is not None}
    if not usable:
        raise ConfigurationError(
            "alerts: no channel that Alertmanager can use; configure one under `slack`, `slack_bots`, `email`, `teams`,"
            " `pagerduty` or `opsgenie`"
        )
    receivers = {DEFAULT: [name for name in _of_everything(config) if name in usable] or list(usable)}
    owners = list[str]()
    for department in sorted({one for route in config.routes for one in route.departments}):
        fitting = [name for route in config.routes if department in route.departments for name in route.channels]
        if chosen := [name for name in dict.fromkeys(fitting) if name in usable]:
            owners.append(department)
            receivers[_receiver_of(department)] = chosen
    return HEADER + yaml.safe_dump(
        {
            "route": {
                "receiver": DEFAULT,
                "group_by": ["alertname", "service", "stage", "incident"],
                **_TIMES,
                "routes": [*map(_by_owner, owners), _PAGES],
            },
            "inhibit_rules": [_INHIBITED],
            "receivers": [_receiver(name, [usable[each] for each in chosen]) for name, chosen in receivers.items()],
        },
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


def left_out(config: AlertsConfig) -> list[str]:
    """Names of channels that Alertmanager cannot use."""
    return [channel.name for channel in config.channels if _integration(channel) is None]


def _of_everything(config: AlertsConfig) -> Iterable[str]:
    asking_nothing = (route for route in config.routes if not _asks(route))
    return dict.fromkeys(name for route in asking_nothing for name in route.channels)


def _asks(route: Route) -> bool:
    return bool(route.departments or route.people or route.crm_owners or route.policies or route.tiers)


def _by_owner(department: str) -> dict[str, object]:
    quoted = department.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "matchers": ['alertname="TouchlineIncident"', f'department="{quoted}"'],
        "receiver": _receiver_of(department),
    }


def _receiver_of(department: str) -> str:
    return f"{DEPARTMENT}{department}"


def _receiver(name: str, integrations: Iterable[Integration]) -> dict[str, object]:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for kind, entry in integrations:
        by_kind.setdefault(kind, []).append({**entry, "send_resolved": True})
    return {"name": name, **by_kind}


def _integration(channel: AnyChannel) -> Integration | None:
    """None for a channel that Alertmanager cannot use: itself, and a webhook, which it cannot sign."""
    made = _MADE.get(type(channel))
    return made(channel) if made is not None else None


def _slack(channel: SlackChannel) -> Integration:
    return "slack_configs", {"api_url_file": _file(channel.name, channel.url)}


def _slack_bot(channel: SlackBotChannel) -> Integration:
    authorization = {"credentials_file": _file(channel.name, channel.token)}
    url = f"{channel.url}/chat.postMessage"
    return "slack_configs", {"api_url": url, "channel": channel.room, "http_config": {"authorization": authorization}}


def _email(channel: EmailChannel) -> Integration:
    """Port 465 is TLS from the first byte to Alertmanager, and no other is."""
    if channel.security == "tls" and channel.port != 465:
        raise ConfigurationError(
            f"alerts.email `{channel.name}`: Alertmanager speaks `security: tls` on port 465 alone, not {channel.port};"
            " use that, or `starttls`"
        )
    entry: dict[str, Any] = {
        "to": ", ".join(channel.to),
        "from": channel.sender,
        "smarthost": f"{f'[{channel.host}]' if ':' in channel.host else channel.host}:{channel.port}",
        "require_tls": channel.security != "none",
    }
    if channel.password is not None:
        entry |= {"auth_username": channel.user, "auth_password_file": _file(channel.name, channel.password)}
    return "email_configs", entry


def _teams(channel: TeamsChannel) -> Integration:
    """From Alertmanager 0.28 on."""
    return "msteamsv2_configs", {"webhook_url_file": _file(channel.name, channel.url)}


def _pagerduty(channel: PagerDutyChannel) -> Integration:
    key = _file(channel.name, channel.routing_key)
    return "pagerduty_configs", {"url": f"{channel.url}/v2/enqueue", "routing_key_file": key}


def _opsgenie(channel: OpsgenieChannel) -> Integration:
    return "opsgenie_configs", {"api_url": f"{channel.url}/", "api_key_file": _file(channel.name, channel.key)}


_MADE: Final[Mapping[type[AnyChannel], Callable[[Any], Integration]]] = {
    SlackChannel: _slack,
    SlackBotChannel: _slack_bot,
    EmailChannel: _email,
    TeamsChannel: _teams,
    PagerDutyChannel: _pagerduty,
    OpsgenieChannel: _opsgenie,
}


def _file(channel: str, secret: SecretRef) -> str:
    if secret.file is None:
        raise ConfigurationError(
            f"alerts: channel `{channel}` keeps its secret in the environment variable {secret.env}, and Alertmanager "
            "reads files alone; give `file:`"
        )
    return secret.file
