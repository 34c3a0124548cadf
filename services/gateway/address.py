"""At which address a browser reaches the gateway: what is configured, else what the request itself proves. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from schemas.config import SourceConfig
from services.common.config import is_loopback
from services.common.visitors import name_of
from services.gateway.answers import Refusal
from services.gateway.request import Request

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
#: Put in by proxies, CDNs and load balancers: with one of these the `Host` may be the proxy's own name for the gateway.
_PROXIED = re.compile(
    rb"forwarded|via|cdn-loop|x-real-ip|true-client-ip|x-client-ip|x-(?:url-)?scheme|front-end-https|x-amzn-trace-id"
    rb"|(?:x-forwarded|x-original|x-envoy|x-azure|x-appengine|x-vercel|cf|fastly|fly|akamai|do-connecting)-.+"
)


def base_url(source: SourceConfig, request: Request) -> str:
    """Where the browser that asks reaches the gateway, as `https://host`. Refusal 400 when that cannot be known."""
    found = source.public_base_url or _called(request)
    if not found:
        raise Refusal(
            400,
            "no_base_url",
            f"the gateway cannot know at which address browsers reach it: set `public_base_url` of source "
            f"`{source.name}` in touchline.yaml, such as https://touchline.example.com",
        )
    return found


def _called(request: Request) -> str:
    """The address called, where it is this machine's own and nothing speaks for a proxy in between; else empty.

    A proxy that writes its own `Host`, as most do unless told otherwise, names us as it reaches us; a browser does
    not. It is betrayed by a page that lies elsewhere, or by `https`, which the gateway does not speak.
    """
    host = request.headers.get(b"host", b"")
    if not _HOST.fullmatch(host) or any(map(_PROXIED.fullmatch, request.headers)):
        return ""
    name, page = name_of(host), _page(request)
    if is_loopback(name):
        fits = is_loopback(page.hostname or "") if page is not None else b"sec-fetch-site" not in request.headers
    else:
        fits = name == request.server[0] and (page is None or page.scheme != "https")
    return f"{request.scheme}://{host.decode()}" if fits else ""


def _page(request: Request) -> SplitResult | None:
    """Where the page lies that asks; None when nobody says. A file on this machine has the origin `null`."""
    stated = request.header(b"origin") or request.header(b"referer")
    try:
        return urlsplit("http://localhost" if stated == "null" else stated) if stated else None
    except ValueError:
        return SplitResult("https", "", "", "", "")
