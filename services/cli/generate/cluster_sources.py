"""The sources of the cluster profile: in its configuration, and as secrets of docker-compose.yml."""

from __future__ import annotations

from services.cli.generate.marked import put, yaml
from streams.connectors.registry import CONNECTORS
from streams.connectors.schemes import covers_url
from streams.connectors.spec import Connector, Fresh

SOURCES: tuple[tuple[Fresh, Connector], ...] = tuple(
    (connector.fresh, connector) for connector in CONNECTORS.values() if connector.fresh is not None
)
SECRETS = tuple(f"source_{fresh.source}" for fresh, _ in SOURCES)


def with_sources(text: str) -> str:
    """infra/docker/touchline.yaml with every source a fresh configuration has."""
    return put(text, yaml("sources"), "".join(_source(fresh, connector) for fresh, connector in SOURCES))


def with_secrets(text: str) -> str:
    """docker-compose.yml with a secret for each of them; the gateway alone is given all."""
    text = put(text, yaml("secrets of the gateway"), f"    secrets: [{', '.join(SECRETS)}]\n")
    files = "".join(f"  {name}: {{file: .secrets/{name}.txt}}\n" for name in SECRETS)
    return put(text, yaml("secrets of sources"), files)


def _source(fresh: Fresh, connector: Connector) -> str:
    text = f"  # {fresh.hint}\n  - name: {fresh.source}\n    vendor: {connector.name}\n"
    text += f"    secrets: [{{file: /run/secrets/source_{fresh.source}}}]\n"
    if connector.webhook is not None and covers_url(connector.webhook.scheme):
        text += '    public_base_url: ""  # the sender signs the URL it calls: scheme and host of your proxy, if any\n'
    if fresh.directory:
        text += f"    directory: {fresh.directory}  # shared with the source of that name\n"
    return text
