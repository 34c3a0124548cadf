"""When somebody looked, as the embedded ClickHouse tells services: readers and pages are somebody, services are not."""

from __future__ import annotations

import pytest

from services.embedded.clickhouse.looks import Looks
from services.embedded.clickhouse.roles import Role
from streams.runtime.clickhouse import LOOKED, PAGE

SERVICE = {"user-agent": "clickhouse-connect/1.12.0"}
A_PAGE = {"user-agent": f"{PAGE} clickhouse-connect/1.12.0"}


@pytest.mark.parametrize(
    ("role", "headers", "looks"),
    [
        (Role.READER, {}, True),
        (Role.VIEWER, SERVICE, True),
        (Role.INTERNAL, A_PAGE, True),
        (Role.INTERNAL, SERVICE, False),
        (Role.INTERNAL, {}, False),
    ],
)
def test_readers_and_pages_look_and_services_do_not(role: Role, headers: dict[str, str], looks: bool) -> None:
    now = 100.0
    found = Looks(lambda: now)
    now = 130.0
    found.note(role, headers)
    now = 135.0
    assert found.headers(Role.INTERNAL) == {LOOKED: "5.0" if looks else "35.0"}


@pytest.mark.parametrize("role", [Role.READER, Role.VIEWER])
def test_readers_are_not_told_of_one_another(role: Role) -> None:
    assert Looks().headers(role) == {}
