"""A vendor's browser SDK, served to pages that load it by the vendor's own snippet. The files are the operator's copy.

They stay as the vendor ships them, but for its hosts: the gateway stands in their place, so that nothing, a report of
a failure included, goes anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from schemas.config import SourceConfig
from schemas.errors import ConfigurationError
from services.gateway.access import Source, Sources
from services.gateway.address import base_url
from services.gateway.answers import Answer, Header, Refusal
from services.gateway.request import Request
from services.gateway.routes import Route
from streams.connectors.registry import CONNECTORS
from streams.connectors.ways import Sdk

SCRIPT = b"text/javascript; charset=utf-8"
MAX_FILE_BYTES = 4 << 20
MAX_FILES = 100
#: The parts have their content's hash in their names; the entry is another with the next version.
_ENTRY_KEPT: Header = (b"cache-control", b"private, max-age=300")
_PART_KEPT: Header = (b"cache-control", b"public, max-age=86400")
_NOT_KEPT: Header = (b"cache-control", b"no-store")
_AS_IT_IS: Header = (b"x-content-type-options", b"nosniff")

Files = Mapping[str, bytes]


def sdk_of(vendor: str) -> Sdk | None:
    """What pages load of this vendor's; None for nothing."""
    keyed = CONNECTORS[vendor].keyed if vendor in CONNECTORS else None
    return keyed.sdk if keyed is not None else None


def files_of(source: SourceConfig) -> Files:
    """The scripts in a source's `sdk_folder`; none where it names no folder. Raises ConfigurationError."""
    if not source.sdk_folder:
        return {}
    sdk, place = sdk_of(source.vendor), f"source `{source.name}`: sdk_folder"
    if sdk is None:
        raise ConfigurationError(f"{place}: pages load no SDK of `{source.vendor}` from the gateway; leave it out")
    try:
        paths = sorted(path for path in Path(source.sdk_folder).iterdir() if path.suffix == ".js")[:MAX_FILES]
        files = {path.name: path.read_bytes() for path in paths if path.stat().st_size <= MAX_FILE_BYTES}
    except OSError as error:
        raise ConfigurationError(f"{place}: {source.sdk_folder} cannot be read: {error.strerror}") from None
    if sdk.file not in files:
        raise ConfigurationError(f"{place}: no `{sdk.file}` in {source.sdk_folder}; it is {sdk.folder}")
    return files


def entry(sources: Sources, request: Request, route: Route) -> Answer:
    """The SDK itself, with the gateway's address in the place of its vendor's. Refusal 404."""
    source, sdk = _source(sources, route), route.sdk
    if source is None or sdk is None:
        raise Refusal(404, "unknown_key", "no such write key")
    request.source, request.connector = source.config.name, source.connector
    if not source.files:
        raise Refusal(404, "no_sdk", f"set `sdk_folder` of source `{source.config.name}` to {sdk.folder}")
    base = base_url(source.config, request)
    text = source.files[sdk.file]
    for theirs, ours in sdk.renamed:
        text = text.replace(theirs.encode(), ours.format(base=base, host=base.partition("://")[2]).encode())
    return Answer(200, text, SCRIPT, (_ENTRY_KEPT, _AS_IT_IS))


def part(sources: Sources, route: Route) -> Answer:
    """A file that the SDK loads later. Refusal 404."""
    for files in sources.sdk_files():
        if route.argument in files:
            return Answer(200, files[route.argument], SCRIPT, (_PART_KEPT, _AS_IT_IS))
    raise Refusal(404, "no_sdk", "no such file in any source's `sdk_folder`")


def said(refusal: Refusal) -> Answer:
    """A refusal as a script that says it where a developer looks: of one that is answered 404 a page shows nothing."""
    text = f"console.error({json.dumps(f'Touchline: {refusal.message}')});"
    return Answer(200, text.encode(), SCRIPT, (_NOT_KEPT, _AS_IT_IS))


def _source(sources: Sources, route: Route) -> Source | None:
    found = sources.by_key(route.argument.encode())
    keyed = found.connector.keyed if found is not None else None
    return found if keyed is not None and keyed.sdk is route.sdk else None
