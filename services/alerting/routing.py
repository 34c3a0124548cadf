"""Which channels a message goes to. Pure."""

from __future__ import annotations

from collections.abc import Callable

from schemas.alerting import AlertsConfig, Route
from schemas.incidents import Message
from schemas.policies import LEVELS


def router(config: AlertsConfig) -> Callable[[Message], tuple[str, ...]]:
    """A message → the names of its channels: those of every route that fits, or all where there are no routes."""
    everyone = tuple(channel.name for channel in config.channels)

    def route(message: Message) -> tuple[str, ...]:
        if not config.routes:
            return everyone
        fitting = [one for one in config.routes if fits(one, message)]
        return tuple(dict.fromkeys(name for one in fitting for name in one.channels))

    return route


def fits(route: Route, message: Message) -> bool:
    """Whether a message meets every condition of a route."""
    return (
        LEVELS.index(message.level) >= LEVELS.index(route.at_least)
        and _named(route.departments, (message.department,))
        and _named(route.people, message.owners)
        and _named(route.policies, (message.policy,))
        and _named(route.tiers, (message.tier,))
    )


def _named(wanted: tuple[str, ...], found: tuple[str, ...]) -> bool:
    return not wanted or not {name.casefold() for name in wanted}.isdisjoint(name.casefold() for name in found)
