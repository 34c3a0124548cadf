"""The mutants that no test can notice, each with its reason: `equivalent.toml` beside this file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutation.bench import Mutant

FILE = Path(__file__).with_name("equivalent.toml")


def explained() -> dict[Mutant, str]:
    """Mutant → why the program does the same with it."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("mutant", [])
    return {Mutant(one["file"], one["function"], one["was"], one["became"]): one["why"] for one in entries}
