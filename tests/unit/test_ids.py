"""Ids that follow from names are the standard's."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from streams.ids import named_id


@given(namespace=st.uuids() | st.just(NAMESPACE_URL), name=st.text(st.characters(exclude_categories=["Cs"])))
def test_it_is_uuid5(namespace: UUID, name: str) -> None:
    assert named_id(namespace, name) == str(uuid5(namespace, name))
