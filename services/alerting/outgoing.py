"""Calls to addresses that somebody wrote into the configuration, made so that they can reach nothing else.

A name is resolved once, every address it has is checked, and the connection goes to the one that was checked: a name
that is answered otherwise a moment later gains nothing. Redirects are not followed, the environment's proxies not used.
Private addresses are refused unless `alerts.allow_private` names them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx

from schemas.base import EPOCH

MAX_ANSWER_BYTES = 8_192
_NAT64 = IPv6Network("64:ff9b::/96")
_INSIDE: Final = tuple(map(ip_network, ("192.0.0.0/24", "168.63.129.16/32", "fec0::/10", "3fff::/20")))
"""Called global by their form, and yet means something else to each machine: protocol assignments (at Oracle's the
metadata of the machine), Azure's own services, site-local addresses, documentation."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Refused(Exception):
    """The address must not be called. The message says why, and never the whole URL."""


class Away(Exception):
    """The receiver cannot be reached."""


class Unanswered(Away):
    """It may have taken what was sent, and did not say so in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. `text` is cut; `retry_after_s` is None where it asked for no pause."""

    status: int
    text: str
    retry_after_s: float | None = None


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does (mapped, 6to4, Teredo, NAT64); else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether anybody on the internet means the same by it."""
    found = embedded(address)
    if any(found in network for network in _INSIDE):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


class Outgoing:
    """Makes calls. One for the whole process; safe for several tasks at once."""

    def __init__(
        self, allow_private: Sequence[str] = (), *, timeout_s: float = 10.0, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: whom to trust; None: whom this machine trusts."""
        self._allowed: list[Network] = [ip_network(text) for text in allow_private]
        self.timeout_s = timeout_s
        self.tls = tls or ssl.create_default_context()
        self._client: httpx.AsyncClient | None = None

    async def address(self, host: str, port: int, *, in_the_open: bool = False) -> str:
        """The one address that may be connected to. Raises Refused, Away.

        in_the_open: without TLS, which only allowed private addresses may be called.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_s):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise Away(f"{host} has no address: {error or 'no answer in time'}") from None
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for one in addresses:
            self._check(host, one, in_the_open=in_the_open)
        if not addresses:
            raise Away(f"{host} has no address")
        return str(addresses[0])

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body; whatever the receiver answers is an answer. Raises Refused, Away, Unanswered."""
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            raise Refused("what is configured is no URL that can be called") from None
        in_the_open = parts.scheme != "https"
        port = parts.port or (80 if in_the_open else 443)
        address = await self.address(parts.host, port, in_the_open=in_the_open)
        request = self._http().build_request(
            "POST",
            parts.copy_with(host=address),
            content=body,
            headers={**headers, "host": parts.netloc.decode("ascii"), "user-agent": "touchline"},
            extensions={"sni_hostname": parts.raw_host.decode("ascii")},
        )
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._answer(request)
        except TimeoutError:
            raise Unanswered(f"no answer within {self.timeout_s:g} s") from None
        except httpx.ConnectError as error:
            raise Away(f"{type(error).__name__}: {str(error)[:200]}") from None
        except httpx.HTTPError as error:
            raise Unanswered(f"{type(error).__name__}: {str(error)[:200]}") from None

    async def certificate_until(self, url: str) -> datetime:
        """Until when an address's certificate is good; long ago: it is not. Raises Refused, Away, Unanswered."""
        parts = httpx.URL(url)
        port = parts.port or 443
        address = await self.address(parts.host, port)
        try:
            async with asyncio.timeout(self.timeout_s):
                _, writer = await asyncio.open_connection(address, port, ssl=self.tls, server_hostname=parts.host)
        except ssl.SSLCertVerificationError:
            return EPOCH
        except TimeoutError:
            raise Unanswered(f"no answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise Away(f"{type(error).__name__}: {str(error)[:200]}") from None
        shown = writer.get_extra_info("peercert")
        writer.close()
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)

    async def close(self) -> None:
        """Give connections back; safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._http().send(request, stream=True, follow_redirects=False)
        try:
            text = b""
            async for chunk in response.aiter_raw():
                text += chunk
                if len(text) >= MAX_ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
        words = text[:300].decode("utf-8", "replace")
        return Answer(response.status_code, words, _pause(response.headers.get("retry-after", "")))

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            # no connection is kept: the next call checks the address anew
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(
                verify=self.tls, timeout=self.timeout_s, trust_env=False, follow_redirects=False, limits=limits
            )
        return self._client

    def _check(self, host: str, address: Address, *, in_the_open: bool) -> None:
        found = embedded(address)
        if any(found in network or address in network for network in self._allowed):
            return
        if not is_public(address):
            raise Refused(
                f"{host} is the private address {address}; if that is meant, add it to `alerts.allow_private`"
            )
        if in_the_open:
            raise Refused(f"{host} is called without TLS; use https, or add {address} to `alerts.allow_private`")


def _pause(text: str) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(min(int(text), 86_400))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, min((until - datetime.now(UTC)).total_seconds(), 86_400.0))
