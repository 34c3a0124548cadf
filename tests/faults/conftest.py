"""One system for the short form: it is hurt in every way, one after the other, and its whole map compared each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.kit.campaign import Sent
from tests.faults.kit.system import System


@dataclass(slots=True)
class Victim:
    """A system and everything that it was ever sent."""

    system: System
    sent: Sent = field(default_factory=Sent)


@pytest.fixture(scope="package")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """Ends with the last test of this package: eight processes at rest would slow everything that comes after."""
    with System(tmp_path_factory.mktemp("faults") / "data") as system:
        yield Victim(system)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder for a system of the test's own."""
    return tmp_path / "data"
