"""What a browser SDK is told: always an address of ours, or what to set; never to send to its vendor."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import Config, SourceConfig
from schemas.errors import ConfigurationError
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.sdk import files_of
from tests.gateway_kit import REF, FakeWriter, client

SETTINGS = "/v1/projects/WK/settings"
ENTRY = "/analytics.js/v1/WK/analytics.min.js"
SCRIPT = b'var cdn="https://cdn.segment.com/x",api="api.segment.io/v1"'
FILES = {"standalone.js": SCRIPT, "ajs.bundle.1f.js": b"part"}


def gateway(base: str = "", files: dict[str, bytes] | None = None) -> Gateway:
    source = SourceConfig(name="web", vendor="segment", secrets=REF, public_base_url=base)
    told = {"web": files} if files is not None else {}
    return build(Config(sources=(source,)), secrets={"web": (b"WK",)}, writer=FakeWriter(), sdk_files=told)


async def told(app: Gateway, **headers: str) -> str:
    """The address in the SDK's settings; empty where they are refused with a word of what to set."""
    async with client(app) as http:
        answer = await http.get(SETTINGS, headers={name.replace("_", "-"): value for name, value in headers.items()})
    if answer.status_code == 400:
        assert answer.json()["code"] == "no_base_url" and "`public_base_url` of source `web`" in answer.text
        return ""
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    segment = answer.json()["integrations"]["Segment.io"]
    assert segment["apiHost"].endswith("/v1")
    return f"{segment['protocol']}://{segment['apiHost'].removesuffix('/v1')}"


@pytest.mark.parametrize(
    "base", ["https://gw.example", "http://10.0.0.7:8080", "https://gw.example:8443/in", "https://gw.example/"]
)
async def test_what_is_configured_is_what_is_told(base: str) -> None:
    app = gateway(base)
    for headers in (
        {},
        {"Host": "evil.example"},
        {"Origin": "https://shop.example", "X_Forwarded_Host": "evil.example"},
    ):
        assert await told(app, **headers) == base.rstrip("/")


OWN = {
    "a program": {},
    "a program that numbers its requests": {"X_Request_Id": "7"},
    "another name of this machine": {"Host": "localhost:8080"},
    "IPv6": {"Host": "[::1]:8080"},
    "a page of this machine": {"Origin": "http://localhost:3000", "Sec_Fetch_Site": "cross-site"},
    "a file on this machine": {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    "a script of such a page": {"Referer": "http://127.0.0.1:3000/shop", "Sec_Fetch_Site": "same-site"},
}
UNKNOWN = {
    "another name": {"Host": "evil.example"},
    "a proxy's name for us": {"Host": "gateway:8080"},
    "no name": {"Host": "a b"},
    "behind a proxy that writes its own Host": {"Origin": "https://shop.example"},
    "the same, on the shop's own host": {"Referer": "https://shop.example/cart", "Sec_Fetch_Site": "same-origin"},
    "the same, of a page that does not say": {"Sec_Fetch_Site": "same-origin"},
    "behind a proxy that says so": {"X_Forwarded_For": "192.0.2.1"},
    "a proxy's Via": {"Via": "1.1 edge", "Origin": "http://localhost:3000"},
    "a path's prefix": {"X_Forwarded_Prefix": "/touchline"},
    "another port": {"X_Forwarded_Port": "8443"},
    "a name from before": {"X_Original_Host": "events.shop.example"},
    "Cloudflare": {"CF_Connecting_IP": "192.0.2.1"},
    "a CDN": {"CDN_Loop": "edge"},
    "a load balancer": {"X_Amzn_Trace_Id": "Root=1"},
    "an origin that is none": {"Origin": "http://[::1"},
}


@pytest.mark.parametrize("who", OWN)
async def test_on_this_machine_the_gateways_own_address_is_told(who: str) -> None:
    host = OWN[who].get("Host", "127.0.0.1:8080")
    assert await told(gateway(), **OWN[who]) == f"http://{host}"


@pytest.mark.parametrize("who", UNKNOWN)
async def test_where_it_cannot_be_known_it_is_said_what_to_set(who: str) -> None:
    assert await told(gateway(), **UNKNOWN[who]) == ""


async def test_the_address_of_the_socket_is_our_own_but_never_of_a_page_by_https() -> None:
    app = gateway()
    scope = {"type": "http", "method": "GET", "path": SETTINGS, "query_string": b"", "server": ("10.0.0.7", 8080)}
    statuses = []
    for origin in (b"http://intranet.example", b"https://shop.example"):
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object], to: list[dict[str, object]] = sent) -> None:
            to.append(message)

        headers = [(b"host", b"10.0.0.7:8080"), (b"origin", origin)]
        await app({**scope, "headers": headers}, None, send)  # type: ignore[arg-type]
        statuses.append(sent[0]["status"])
    assert statuses == [200, 400]


# --- the SDK itself, for pages that load it by the vendor's snippet --------------------------------------


async def test_the_script_is_served_with_our_address_in_the_place_of_the_vendors() -> None:
    async with client(gateway("https://gw.example/in", FILES)) as http:
        answer = await http.get(ENTRY)
        part = await http.get("/analytics-next/bundles/ajs.bundle.1f.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.content == b'var cdn="https://gw.example/in/x",api="gw.example/in/v1"'
    assert (part.status_code, part.content) == (200, b"part")


@pytest.mark.parametrize(
    ("app", "path", "word"),
    [
        (gateway("https://gw.example"), ENTRY, "sdk_folder"),
        (gateway("", FILES), ENTRY, "public_base_url"),
        (gateway("https://gw.example", FILES), ENTRY.replace("WK", "nobody"), "no such write key"),
        (gateway("https://gw.example", FILES), "/analytics-next/bundles/nothing.js", "no such file"),
    ],
)
async def test_what_cannot_be_served_says_so_in_the_pages_console(app: Gateway, path: str, word: str) -> None:
    async with client(app) as http:
        answer = await http.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith('console.error("Touchline: ') and word in answer.text


def test_a_folder_without_the_sdk_is_refused_at_start(tmp_path: Path) -> None:
    def files(vendor: str = "segment") -> set[str]:
        source = SourceConfig(name="web", vendor=vendor, secrets=REF, sdk_folder=str(tmp_path))
        return set(files_of(source))

    with pytest.raises(ConfigurationError, match=r"`web`: sdk_folder: no `standalone.js` in .*dist/umd"):
        files()
    (tmp_path / "standalone.js").write_bytes(SCRIPT)
    (tmp_path / "standalone.js.map").write_bytes(b"")
    (tmp_path / "secret.txt").write_bytes(b"")
    assert files() == {"standalone.js"}
    with pytest.raises(ConfigurationError, match="no SDK of `hubspot`"):
        files("hubspot")
    source = SourceConfig(name="web", vendor="segment", secrets=REF, sdk_folder=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        files_of(source)


@pytest.mark.parametrize(
    "base", ["gw.example", "ftp://gw.example", "https://gw.example/?a=1", "https://a b", 'http://x"']
)
def test_what_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="give scheme and host"):
        SourceConfig(name="web", vendor="segment", secrets=REF, public_base_url=base)
