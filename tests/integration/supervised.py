"""A supervisor over fake children, as a process of its own: `python -m tests.integration.supervised DIR [NAME=CODE…]`.

`NAME=CODE` makes that child end with CODE at once.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from schemas.errors import ConfigurationError
from services.cli.console import say
from services.supervisor.folder import DataFolder
from services.supervisor.hold import hold_when_asked
from services.supervisor.spec import EDGE, STORES, ChildSpec
from services.supervisor.supervisor import StartFailed, Supervisor
from streams.runtime.metrics import Metrics

READY = "import time; print('{\"ready\": true}', flush=True); "
WAIT = "time.sleep(600)"
HTTP = "import sys; from tests.integration.probed import main; sys.exit(main(['serve']))"


def specs(endings: dict[str, int]) -> list[ChildSpec]:
    """Four children that look like the real ones: store, job, a worker, edge."""
    code = {"store": READY + WAIT, "prepare": "print('prepared')", "edge": HTTP}
    code |= {name: f"raise SystemExit({ending})" for name, ending in endings.items()}
    argv = {name: (sys.executable, "-S", "-c", text) for name, text in code.items()}
    worker = ["end", str(endings["worker"])] if "worker" in endings else ["serve"]
    probed = (sys.executable, "-m", "tests.integration.probed", *worker)
    return [
        ChildSpec("store", argv["store"], probe_port=0, stop_wave=STORES),
        ChildSpec("prepare", argv["prepare"], after=("store",), job=True),
        ChildSpec("worker", probed, after=("prepare",)),
        ChildSpec("edge", argv["edge"], stop_wave=EDGE),
    ]


async def main(data: Path, endings: dict[str, int]) -> int:
    """Run until told to stop; prints `all ready` on stdout."""
    folder = DataFolder(data)
    folder.take()
    supervisor = Supervisor(specs(endings), folder, say, Metrics())
    beside = asyncio.create_task(hold_when_asked(supervisor, data, say))
    try:
        await supervisor.run(lambda: print("all ready", flush=True), start_timeout_s=5.0)
    except (ConfigurationError, StartFailed) as error:
        print(error, file=sys.stderr)
        return 78 if isinstance(error, ConfigurationError) else 2
    finally:
        beside.cancel()
        folder.release()
    return 0


if __name__ == "__main__":
    given = dict(pair.split("=") for pair in sys.argv[2:])
    sys.exit(asyncio.run(main(Path(sys.argv[1]), {name: int(code) for name, code in given.items()})))
