"""A connector's sample as its sender would send it: with the key or the signature. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime

from services.gateway.signatures import Signed, prove, query_proof, signed_url
from streams.connectors.schemes import Hmac
from streams.connectors.spec import Connector, Sample
from streams.connectors.ways import Webhook


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: as which source, with which secret, to which address."""

    source: str
    secret: bytes
    base_url: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that the gateway takes, for five minutes where its proof is stamped."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def sample_of(connector: Connector, sender: Sender, now: datetime) -> Outgoing:
    """The connector's sample, sent now."""
    sample, webhook = connector.sample(now), connector.webhook
    if webhook is None or sample.path:
        return _keyed(connector, _outgoing(sample, sample.path), sender)
    return _proved(webhook, _outgoing(sample, f"/{connector.name}/{sender.source}"), sender, now)


def _outgoing(sample: Sample, path: str) -> Outgoing:
    headers = {"content-type": sample.content_type, **dict(sample.headers)}
    return Outgoing(sample.method, path, sample.query, headers, sample.body.encode())


def _keyed(connector: Connector, request: Outgoing, sender: Sender) -> Outgoing:
    """With the key where the call looks for it first."""
    calls = connector.keyed.calls if connector.keyed is not None else ()
    place, name = next((call.keys[0], call.key_names[0]) for call in calls if call.path == request.path)
    if place == "query":
        query = f"{request.query}&{name}={sender.secret.decode()}".removeprefix("&")
        return replace(request, query=query)
    proof = b"Bearer " + sender.secret if place == "bearer" else b"Basic " + base64.b64encode(sender.secret + b":")
    return replace(request, headers={**request.headers, "authorization": proof.decode()})


def _proved(webhook: Webhook, request: Outgoing, sender: Sender, now: datetime) -> Outgoing:
    url, scheme = b"", webhook.scheme
    if isinstance(scheme, Hmac):
        url = signed_url(scheme, sender.base_url, request.path.encode(), request.query.encode())
    headers = {name.encode(): value.encode() for name, value in request.headers.items()}
    signed = Signed(request.method.encode(), (url,), headers, request.body)
    proof = prove(scheme, sender.secret, signed, now)
    query = "&".join(filter(None, (request.query, query_proof(scheme, sender.secret))))
    known = {name.decode(): value.decode() for name, value in proof.items()}
    return replace(request, query=query, headers={**request.headers, **known})
