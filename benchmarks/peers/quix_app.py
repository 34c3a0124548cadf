"""The job as an ordinary Quix Streams app, as its documentation teaches it. Runs in an environment of its own.

python -m benchmarks.peers.quix_app HOST:PORT PREFIX FOLDER
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from benchmarks.peers.job import Event, counted, events

warnings.simplefilter("ignore")


def main(bootstrap: str, prefix: str, folder: str) -> None:
    """Until SIGTERM. `folder` gets its RocksDB."""
    from quixstreams import Application

    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{prefix}app",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
    )
    requests = app.topic(f"{prefix}requests", value_deserializer="bytes")
    output = app.topic(f"{prefix}counted", key_serializer="json", value_serializer="json")
    frame = app.dataframe(requests).apply(events, expand=True).group_by("account")
    frame.apply(_count, stateful=True).to_topic(output)
    app.run()


def _count(event: Event, state: Any) -> Event:
    touchpoints = state.get("touchpoints", 0) + 1
    state.set("touchpoints", touchpoints)
    return counted(event, touchpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
