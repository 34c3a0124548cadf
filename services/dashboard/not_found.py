"""Nothing there."""

from __future__ import annotations


class NotFound(Exception):
    """Nothing of that id is stored."""
