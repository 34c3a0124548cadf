"""Which channels a message goes to. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.alerting import AlertsConfig, QuietHours, Route
from schemas.incidents import Message
from schemas.policies import is_at_least
from streams.incidents.quiet import Quiet, next_clock


def router(config: AlertsConfig) -> Callable[[Message], tuple[str, ...]]:
    """A message → the names of its channels: those of every route that fits, or all where there are no routes."""
    everyone = tuple(channel.name for channel in config.channels)

    def route(message: Message) -> tuple[str, ...]:
        if not config.routes:
            return everyone
        fitting = [one for one in config.routes if fits(one, message)]
        return tuple(dict.fromkeys(name for one in fitting for name in one.channels))

    return route


class Manners:
    """How the routes' people want to be notified. A channel of several fitting routes hears at the earliest of them."""

    def __init__(self, config: AlertsConfig) -> None:
        self._routes, self._digest = config.routes, config.digest
        self._whole = frozenset(one.name for one in config.channels if one.carries_digests)
        self._quiet = {id(route): _quiet(route.quiet) for route in config.routes if route.quiet is not None}

    def not_before(self, message: Message, channel: str, now: datetime) -> datetime:
        """`now`, the end of the quiet hours, or the time of the digest."""
        if self.in_digest(message, channel):
            return next_clock(now, time.fromisoformat(self._digest.at), ZoneInfo(self._digest.zone))
        routes = [one for one in self._fitting(message, channel) if not _waits(one, message)]
        return min((self._until(route, message, now) for route in routes), default=now)

    def in_digest(self, message: Message, channel: str) -> bool:
        """Where every fitting route says so, and the channel can carry one."""
        routes = self._fitting(message, channel)
        return channel in self._whole and bool(routes) and all(_waits(one, message) for one in routes)

    def reminder(self, message: Message) -> tuple[timedelta, tuple[str, ...]] | None:
        """The shortest of the fitting routes, and the channels of those that ask for reminders."""
        asking = [one for one in self._routes if one.remind_after_h and fits(one, message)]
        if not asking:
            return None
        channels = tuple(dict.fromkeys(name for one in asking for name in one.channels))
        return timedelta(hours=min(one.remind_after_h for one in asking)), channels

    def _fitting(self, message: Message, channel: str) -> list[Route]:
        return [one for one in self._routes if channel in one.channels and fits(one, message)]

    def _until(self, route: Route, message: Message, now: datetime) -> datetime:
        quiet = self._quiet.get(id(route))
        if quiet is None or route.quiet is None or is_at_least(message.level, route.quiet.unless):
            return now
        return quiet.until(now)


def _waits(route: Route, message: Message) -> bool:
    return route.digest_below is not None and not is_at_least(message.level, route.digest_below)


def _quiet(hours: QuietHours) -> Quiet:
    return Quiet(time.fromisoformat(hours.begin), time.fromisoformat(hours.end), ZoneInfo(hours.zone), hours.weekends)


def fits(route: Route, message: Message) -> bool:
    """Whether a message meets every condition of a route."""
    return (
        is_at_least(message.level, route.at_least)
        and _named(route.departments, (message.department,))
        and _named(route.people, message.owners)
        and _named(route.crm_owners, (message.crm_owner,))
        and _named(route.policies, (message.policy,))
        and _named(route.tiers, (message.tier,))
    )


def _named(wanted: tuple[str, ...], found: tuple[str, ...]) -> bool:
    return not wanted or not {name.casefold() for name in wanted}.isdisjoint(name.casefold() for name in found)
