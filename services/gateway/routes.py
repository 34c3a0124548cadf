"""Which path is what, made of the connectors' ways in. Both slash forms are served, and nothing ever redirects:
SDKs follow a redirect with an empty GET."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from streams.connectors.own import touchline
from streams.connectors.spec import Connector
from streams.connectors.ways import Call, Reply, Sdk, Setting, Webhook
from streams.incidents.links import LEAVE_PATH
from streams.incidents.links import PATH as ACT_PATH

Purpose = Literal[
    "call", "action", "webhook", "setting", "swallow", "sdk", "sdk_part", "act", "leave", "health", "version"
]
_READ = ("GET", "HEAD")
_VARY = ("{key}", "{file}")


@dataclass(frozen=True, slots=True)
class Route:
    """One path: what it is for and who may call it how.

    `cors`: whether a page of another origin may call it. `calls`, `settings`: by connector, whose key decides.
    `argument` is the part of the path that varies: a webhook's source, a key, or a file.
    """

    purpose: Purpose
    methods: tuple[str, ...] = ("POST",)
    cors: bool = True
    calls: Mapping[str, Call] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    connector: Connector | None = None
    sdk: Sdk | None = None
    argument: str = ""

    @property
    def always(self) -> Reply | None:
        """What is answered whatever happens."""
        return next((call.always for call in self.calls.values()), None)

    @property
    def key_names(self) -> tuple[str, ...]:
        """What the key is called in the query and in the body."""
        found = [one.key_names for one in self._keyed_parts]
        return found[0] if len(found) == 1 else tuple(dict.fromkeys(name for names in found for name in names))

    @property
    def wrapped_in(self) -> str:
        """The field in which the JSON may stand; connectors that share a path agree."""
        return next((one.wrapped_in for one in self._keyed_parts), "")

    @property
    def _keyed_parts(self) -> list[Call | Setting]:
        return [*self.calls.values(), *self.settings.values()]

    @property
    def has_body(self) -> bool:
        """Whether a body is read at all."""
        in_body = any(call.content != "query" for call in self.calls.values())
        return in_body or (bool(self.settings) and "POST" in self.methods)


class Routes:
    """Looks paths up. Raises ValueError where two connectors disagree about a path they share."""

    def __init__(self, connectors: Iterable[Connector], *, acts: bool = False) -> None:
        """`acts`: whether links in messages lead here."""
        self._fixed: dict[str, Route] = {
            "/health": Route("health", _READ),
            "/healthz": Route("health", _READ),
            "/version": Route("version", _READ),
        }
        self._keyed: list[tuple[tuple[str, ...], Route]] = []
        self._webhooks: dict[str, tuple[Connector, Webhook]] = {}
        for connector in connectors:
            self._add(connector)
        if (known := self._fixed.get(touchline.PATH)) is not None:
            self._fixed[touchline.ACTIONS_PATH] = replace(known, purpose="action")
        if acts:
            self._share(f"{ACT_PATH}{{key}}", Route("act", (*_READ, "POST"), cors=False))
            self._share(f"{LEAVE_PATH}{{key}}", Route("leave", (*_READ, "POST"), cors=False))

    def find(self, path: str) -> Route | None:
        """The route of a path, with or without a trailing slash."""
        path = path.rstrip("/")
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        parts = tuple(path.split("/")[1:])
        if len(parts) == 2 and (found := self._webhooks.get(path[1:]) or self._webhooks.get(parts[0])):
            return _webhook_route(*found, parts[1])
        for pattern, route in self._keyed:
            if _fits(pattern, parts):
                return replace(
                    route, argument=next(part for one, part in zip(pattern, parts, strict=True) if one in _VARY)
                )
        return None

    def _add(self, connector: Connector) -> None:
        for way in connector.ways_in:
            if isinstance(way, Webhook):
                self._webhooks[connector.key] = (connector, way)
                continue
            for call in way.calls:
                self._share(call.path, Route("call", call.methods, call.cors, calls={connector.name: call}))
            for path in way.swallowed:
                self._share(path, Route("swallow"))
            for setting in way.settings:
                self._share(setting.path, Route("setting", setting.methods, settings={connector.name: setting}))
            if way.sdk is not None:
                self._share(way.sdk.entry, Route("sdk", _READ, sdk=way.sdk))
                self._share(way.sdk.parts, Route("sdk_part", _READ, sdk=way.sdk))

    def _share(self, path: str, route: Route) -> None:
        if "{" in path:
            self._keyed.append((tuple(path.split("/")[1:]), route))
            return
        there = self._fixed.get(path, route)
        if _manner(there) != _manner(route):
            raise ValueError(f"`{path}` is used by connectors in different ways")
        calls, settings = {**there.calls, **route.calls}, {**there.settings, **route.settings}
        self._fixed[path] = Route(route.purpose, route.methods, route.cors, calls=calls, settings=settings)


def _manner(route: Route) -> tuple[object, ...]:
    return route.purpose, route.methods, route.cors, route.wrapped_in


def _fits(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    same = len(pattern) == len(parts)
    return same and all(one == part or one in _VARY for one, part in zip(pattern, parts, strict=True))


def _webhook_route(connector: Connector, webhook: Webhook, source: str) -> Route:
    methods = dict.fromkeys([*webhook.methods, *(m for shake in webhook.handshakes for m in shake.methods)])
    return Route("webhook", tuple(methods), cors=False, connector=connector, argument=source)
