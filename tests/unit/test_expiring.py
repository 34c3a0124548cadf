"""When what lets people in ends is told in time, and what is not known now stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from schemas.access import TokenEntry
from schemas.alerting import AlertsConfig
from schemas.errors import TransientError
from services.alerting.main import certificates
from services.alerting.outgoing import Outgoing
from services.common.access import hash_of
from services.common.expiring import Expiring, soonest
from streams.runtime.metrics import Metrics

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def token(name: str, expires_at: datetime | None) -> TokenEntry:
    return TokenEntry(name=name, role="viewer", sha256=hash_of(name), made_at=NOW - 90 * DAY, expires_at=expires_at)


def test_the_next_that_ends_counts_and_what_is_over_does_not() -> None:
    tokens = [token("a", None), token("b", NOW + 3 * DAY), token("c", NOW + DAY), token("d", NOW - DAY)]
    assert soonest(tokens, NOW) == NOW + DAY
    assert soonest(tokens[:1], NOW) is None


async def test_it_is_told_by_metric_and_kept_while_it_is_not_known() -> None:
    ends: list[datetime | None | TransientError] = [NOW, TransientError("away"), None]

    async def look() -> datetime | None:
        found = ends.pop(0)
        if isinstance(found, TransientError):
            raise found
        return found

    metrics = Metrics()
    expiring = Expiring({"access token": look}, metrics)
    for wanted in (NOW.timestamp(), NOW.timestamp(), inf):
        await expiring.look()
        found = metrics.registry.get_sample_value("touchline_expires_timestamp_seconds", {"what": "access token"})
        assert found == wanted


async def test_the_addresses_that_people_open_are_asked_where_they_have_a_certificate() -> None:
    alerts = AlertsConfig.model_validate({"public_url": "https://127.0.0.1:1"})
    looks = certificates(alerts, Outgoing())
    assert list(looks) == ["certificate of the page"]
    with pytest.raises(TransientError, match="allow_private"):
        await looks["certificate of the page"]()
    assert certificates(AlertsConfig.model_validate({"public_url": "http://127.0.0.1:1"}), Outgoing()) == {}
