"""The ASGI application: paths in, answers out. What is accepted has been acked by Kafka."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from schemas.config import GatewayConfig
from services.gateway import browser, sdk
from services.gateway.access import Sources
from services.gateway.acting import Acting
from services.gateway.answers import Answer, Refusal, json_answer, refused, replied
from services.gateway.browser import cors, preflight
from services.gateway.decoding import too_large
from services.gateway.events import claimed, take_action, take_call, take_webhook
from services.gateway.intake import Intake
from services.gateway.request import Request
from services.gateway.routes import Route, Routes
from streams.connectors.masking import masked
from streams.connectors.ways import SUCCESS, Answers
from streams.runtime.metrics import Meter, installed_version
from streams.runtime.refusal_counts import Tally

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Health = Callable[[], tuple[bool, dict[str, object]]]

READ_TIMEOUT_S = 30.0
_PEOPLE = ("act", "leave")
_log = logging.getLogger("touchline.gateway")


class Gateway:
    """Raw ASGI: one dictionary lookup a request, and no framework between a sender and Kafka."""

    def __init__(  # noqa: PLR0913 - the parts of the gateway
        self,
        config: GatewayConfig,
        routes: Routes,
        sources: Sources,
        intake: Intake,
        *,
        health: Health,
        metrics: Meter,
        acting: Acting | None = None,
    ) -> None:
        """`acting`: where links in messages lead here."""
        self.config = config
        self.routes = routes
        self.sources = sources
        self.intake = intake
        self.health = health
        self.metrics = metrics
        self.acting = acting
        self.answered: Counter[int] = Counter()
        self.not_taken = Tally("gateway", intake.now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway speaks HTTP only, not {scope['type']}")
        request = Request.of(scope)
        route = self.routes.find(request.path)
        answer = await self._answer(request, route, receive)
        self.answered[answer.status] += 1
        self.metrics.inc("touchline_gateway_requests_total", source=request.source, status=str(answer.status))
        allowed = cors(request) if route is None or route.cors else ()
        await _send(answer, allowed, send, with_body=request.method != "HEAD")

    async def _answer(self, request: Request, route: Route | None, receive: Receive) -> Answer:
        try:
            if route is None:
                known = f"no such path: {request.path[:80]}"
                raise Refusal(404, "unknown_path", "no such path; see the connector's documentation", known=known)
            if request.method == "OPTIONS" and route.cors:
                return preflight(request, route)
            if request.method not in route.methods:
                allow = ", ".join((*route.methods, "OPTIONS") if route.cors else route.methods).encode()
                use, called = f"use {route.methods[0]}", f"{request.method[:20]} {request.path[:80]}"
                raise Refusal(405, "method_not_allowed", use, ((b"allow", allow),), known=f"{called}: {use}")
            return await self._dispatch(request, route, receive)
        except Refusal as refusal:
            self.metrics.inc("touchline_gateway_refusals_total", source=request.source, reason=refusal.code)
            who = request.known_source or (claimed(self, request, route) if route is not None else "")
            self.not_taken.note(who, refusal.code, masked(refusal.known))
            if route is not None and route.always is not None:
                return replied(route.always, refusal.status)
            if route is not None and route.sdk is not None:
                return sdk.said(refusal)
            return refused(refusal, _answers(request))
        except asyncio.CancelledError:
            raise
        except Exception:
            # 503, not 500: the senders that matter retry only this, and the event is not safe yet.
            _log.exception("a request failed", extra={"path": route.purpose if route else ""})
            return refused(self.intake.unavailable("internal failure; try again"), _answers(request))

    async def _dispatch(self, request: Request, route: Route, receive: Receive) -> Answer:
        answer = self._looked_up(request, route)
        if answer is not None:
            return answer
        if route.purpose == "call" and not route.has_body:
            return await take_call(self, request, route)
        if route.purpose in _PEOPLE and request.method != "POST":
            return await self._act(request, route)
        size = await self._read(request, receive)
        try:
            if route.purpose == "swallow":
                return replied(SUCCESS)
            if route.purpose == "setting":
                return browser.setting(self.sources, request, route, self.config.max_body_bytes)
            if route.purpose in _PEOPLE:
                return await self._act(request, route)
            return await _TAKES[route.purpose](self, request, route)
        finally:
            self.intake.release(size)

    def _looked_up(self, request: Request, route: Route) -> Answer | None:
        """What is answered without a body and without Kafka; None: it needs more."""
        if route.purpose == "health":
            ok, checks = self.health()
            return json_answer({"status": "ready" if ok else "unready", "checks": checks}, 200 if ok else 503)
        if route.purpose == "version":
            return json_answer({"name": "touchline", "version": installed_version()})
        if route.purpose == "setting" and not route.has_body:
            return browser.setting(self.sources, request, route, self.config.max_body_bytes)
        if route.purpose == "sdk":
            return sdk.entry(self.sources, request, route)
        if route.purpose == "sdk_part":
            return sdk.part(self.sources, route)
        return None

    async def _act(self, request: Request, route: Route) -> Answer:
        assert self.acting is not None
        answer = self.acting.answer if route.purpose == "act" else self.acting.leave
        return await answer(request, route.argument, self.intake.confirmed)

    async def _read(self, request: Request, receive: Receive) -> int:
        """Fill `request.body`; returns the bytes reserved for it. An oversized body is read and thrown away,
        so that its sender gets to read the 413."""
        cap, size = self.config.max_body_bytes, 0
        declared = request.headers.get(b"content-length", b"")
        if declared.isdigit() and len(declared) < 20 and int(declared) > 4 * cap:
            raise too_large(cap)
        chunks: list[bytes] = []
        reserved = 0
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                async for chunk in _chunks(receive):
                    size += len(chunk)
                    if size > 4 * cap:
                        raise too_large(cap)
                    if size <= cap:
                        self.intake.reserve(len(chunk))
                        reserved += len(chunk)
                        chunks.append(chunk)
            if size > cap:
                raise too_large(cap)
        except TimeoutError:
            self.intake.release(reserved)
            close = ((b"connection", b"close"),)  # else what still drips in would be read for ever
            raise Refusal(408, "timeout", "the body did not arrive in time", close) from None
        except BaseException:
            self.intake.release(reserved)
            raise
        request.body = b"".join(chunks)
        return reserved


_TAKES = {"webhook": take_webhook, "call": take_call, "action": take_action}


def _answers(request: Request) -> Answers | None:
    return request.connector.answers if request.connector is not None else None


async def _chunks(receive: Receive) -> Any:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "disconnected", "the sender went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _send(answer: Answer, extra: tuple[tuple[bytes, bytes], ...], send: Send, *, with_body: bool) -> None:
    headers = [*answer.headers, *extra]
    if answer.status != 204:  # which must not speak of a content; strict proxies refuse it
        size = str(len(answer.body)).encode()
        headers = [(b"content-type", answer.content_type), (b"content-length", size), *headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
