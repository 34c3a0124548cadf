"""What promtool finds in exported metrics."""

from __future__ import annotations

import subprocess

#: Counts the minutes of the map that await recomputation; promtool takes the word for a unit.
WAIVED = ('touchline_sink_dirty_minutes use base unit "seconds" instead of "minutes"',)


def complaints(exposition: bytes) -> list[str]:
    """Its findings, a line each, without those that are waived. Needs promtool."""
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True, check=False)
    return [line for line in (done.stdout + done.stderr).decode().splitlines() if line not in WAIVED]
