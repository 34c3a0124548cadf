"""Python's garbage collector, kept from what stays: no pause of it grows with what a process has in memory.

Only cycles need it; all else goes when nothing refers to it any more, frozen or not. What has survived two looks is
state, which has no cycles: it is frozen, and never looked at again. So a look is at what is young, and there is never
one at everything, which takes 0.3 s with the accounts of a busy journey worker. What that leaves behind are cycles that
are broken off late: a connection that is made anew, some kilobytes.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any, Final

YOUNG_OBJECTS: Final = 100_000
"""A look at so many takes 10 to 20 ms; batches make many objects and few cycles, and with Python's own 700 a third of
the time goes into looking."""
YOUNG_LOOKS: Final = 2
"""What survived so many looks and one is looked at once more, together: 30 to 45 ms at most."""
_OLD_LOOKS: Final = 10
_MIDDLE: Final = 1


def settle(*, tidies: bool = True) -> None:
    """All that is there now stays; call it once state and modules are loaded. Safe to call again.

    `tidies`: looks once at everything before, for what loading left behind (5 MB where a blueprint was compiled); with
    hundreds of thousands of links in memory that would take seconds.
    """
    if tidies:
        gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_LOOKS, _OLD_LOOKS)
    if _freeze_survivors not in gc.callbacks:
        gc.callbacks.append(_freeze_survivors)


def _freeze_survivors(phase: str, about: Mapping[str, Any]) -> None:
    """After the second look nothing is young: what there is has survived it."""
    if phase == "stop" and about["generation"] == _MIDDLE:
        gc.freeze()
