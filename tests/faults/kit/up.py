"""`touchline up` whose services can be swapped for spoilt ones: `python -m tests.faults.kit.up DIR [SERVICE=MODULE…]`.

Prints the same JSON line as `touchline up --json`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from services.supervisor import main as up
from services.supervisor.plan import plan
from services.supervisor.spec import ChildSpec


def swapped(spec: ChildSpec, swaps: dict[str, str]) -> ChildSpec:
    """The spec, with another module to run if there is one for it."""
    module = swaps.get(spec.name)
    if module is None:
        return spec
    return replace(spec, argv=(sys.executable, "-m", *module.split(":"), *spec.argv[3:]))


def main(data: Path, swaps: dict[str, str]) -> int:
    """Until it is told to stop."""
    setattr(up, "plan", lambda site, config: [swapped(spec, swaps) for spec in plan(site, config)])  # noqa: B010
    options = up.UpOptions(data_dir=data, gateway_port=0, dashboard_port=0)
    return up.run_up(
        options,
        lambda line: print(line, file=sys.stderr, flush=True),
        lambda ready: print(json.dumps(ready), flush=True),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), dict(pair.split("=", 1) for pair in sys.argv[2:])))
