"""A new source's secret: made, stored where the configuration will name it, and shown once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from services.common.secrets import write_secret_file
from services.dashboard.errands import SourceTools
from services.dashboard.pages.sources.vendors import Vendor


@dataclass(frozen=True, slots=True)
class Made:
    """A source that was prepared. `secret` is shown once; empty: the vendor's own. `file` is empty if not written."""

    name: str
    vendor: Vendor
    secret: str
    file: str

    @property
    def entry(self) -> str:
        """What to write under `sources` of touchline.yaml."""
        place = self.file or f"secrets/{self.name}"
        return f"  - name: {self.name}\n    vendor: {self.vendor.name}\n    secrets: [{{file: {place}}}]"


def prepared(tools: SourceTools, name: str, vendor: Vendor, given: str) -> Made | None:
    """Its secret, stored where the configuration will name it; None: there is a secret of that name already.

    `told`: what the vendor made; empty: a new one of ours.
    """
    secret = given or vendor.prefix + secrets.token_urlsafe(24)
    shown, folder = "" if given else secret, tools.secrets_dir
    if folder is None:
        return Made(name, vendor, shown, "")
    try:
        if not write_secret_file(folder / name, secret):
            return None
    except OSError:  # a folder that is mounted read-only: then people write the file
        return Made(name, vendor, secret if not given else "", "")
    return Made(name, vendor, shown, f"secrets/{name}" if folder.name == "secrets" else str(folder / name))
