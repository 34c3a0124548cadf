"""mutmut, as a script, that also mutates the methods of decorated classes, which here are most classes (dataclasses).

mutmut 3.8 does so by itself, but needs a newer click than Faust allows. When it can be had, this file goes.
"""

from __future__ import annotations

from typing import Any

import libcst as cst
from mutmut.__main__ import cli
from mutmut.mutation.file_mutation import MutationVisitor

_skips = MutationVisitor._skip_node_and_children


def _skip_node_and_children(self: MutationVisitor, node: cst.CSTNode) -> Any:
    """Look into a decorated class, but not at its decorators: they run when the module is imported."""
    if isinstance(node, cst.ClassDef) and node.decorators:
        return False
    return isinstance(node, cst.Decorator) or _skips(self, node)


MutationVisitor._skip_node_and_children = _skip_node_and_children

if __name__ == "__main__":
    cli()
