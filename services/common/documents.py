"""Reading a configuration file; what is in it is `schemas.documents`' business."""

from __future__ import annotations

from pathlib import Path

from schemas.documents import Document, parse_document
from schemas.errors import ConfigurationError


def read_document(path: Path) -> Document:
    """Parse one YAML file. Raises ConfigurationError (unreadable, not YAML, duplicate key, not a mapping)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; `touchline up` writes one with every setting") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    return parse_document(text, str(path))
