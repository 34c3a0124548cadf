"""Words that several sections of the configuration share: names of hosts, addresses, and where secrets are kept."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Strict


def _host_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]*::?[0-9A-Fa-f:.]*", text) is None or text.count(":") == 1:
        raise ValueError(f"`{text}` is no host name: give it alone, as in `journey.example.com`")
    return text.lower()


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or text.lower() != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"`{text}` is no origin: give scheme, host and port alone, as in `https://bi.example.com`")
    return text.lower()


def _base_url(text: str) -> str:
    if (
        text
        and re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?", text) is None
    ):
        raise ValueError(f"`{text}` is no address: give scheme and host, as in `https://touchline.example.com`")
    return text.rstrip("/")


HostName = Annotated[str, AfterValidator(_host_name)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]


class SecretRef(Strict):
    """Where a secret is read from: exactly one of a file and an environment variable."""

    file: str | None = Field(None, description="path of a file that holds the secret (trailing newline ignored)")
    env: str | None = Field(None, description="name of the environment variable that holds the secret")

    @model_validator(mode="after")
    def _one_place(self) -> SecretRef:
        if (self.file is None) == (self.env is None):
            raise ValueError("give exactly one of `file` and `env`")
        return self
