"""A card in depth says what the blueprint says of its type, and nothing where the blueprint says nothing."""

from __future__ import annotations

import pytest

from schemas.blueprint import TouchpointType
from services.dashboard.shell import environment
from streams.journey.blueprints import load

TEMPLATE = environment().get_template("_type.html")
TYPES = {kind.id: kind for kind in load().source.types}


@pytest.mark.parametrize("kind", [kind.id for kind in TYPES.values() if kind.on_map])
def test_every_type_of_the_catalogue_is_told_whole(kind: str) -> None:
    told, shown = TYPES[kind], TEMPLATE.render(kind=TYPES[kind])
    assert told.owner is not None
    for part in (
        told.goal,
        told.excellent,
        told.terrible,
        told.if_it_fails,
        *told.owner.people,
        *told.owner.technology,
    ):
        assert part.replace("'", "&#39;").replace('"', "&#34;") in shown
    assert f"(risk {told.risk} of 5)" in shown and f"started by the {told.started_by}" in shown


def test_nothing_is_made_up() -> None:
    assert TEMPLATE.render(kind=None).strip() == ""
    assert TEMPLATE.render(kind=TouchpointType(id="x", name="X", phase="p")).strip() == ""
    half = TEMPLATE.render(kind=TouchpointType(id="x", name="X", phase="p", goal="<b>get in</b>"))
    assert "not estimated" in half and "owner" not in half and "&lt;b&gt;" in half
