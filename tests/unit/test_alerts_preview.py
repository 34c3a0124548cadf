"""The preview judges history as the service judges what is live, and says what another number would have told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.incidents import Desk, Part
from services.cli.commands.previewing import changes_of
from services.cli.console import UsageError
from streams.incidents.incident import CALM
from streams.incidents.intake import Lens
from streams.incidents.preview import Tally, preview, sent, with_changes
from tests.incident_kit import BLUEPRINT, LENS, NOW, part

SINCE = NOW - timedelta(days=30)


def desk(*parts: Part) -> Desk:
    return Desk(account_id="crm:1", name="Acme", parts={one.part_id: one for one in parts})


def failed(number: int, days: float, severity: float = 0.7) -> list[Part]:
    """A moment of truth that failed so many days ago."""
    root = part(f"r{number}", f"e{number}", minutes=days * 1440, what="ticket_reopened", severity=severity)
    fields = {"derived": True, "links": (root.part_id,), "severity": severity}
    return [root, part(f"m{number}", f"e{number}", minutes=days * 1440, what="moment_of_truth_failed", **fields)]


def of(tallies: list[Tally], policy: str) -> Tally:
    return next(tally for tally in tallies if tally.policy == policy)


def test_history_is_told_as_it_would_have_been() -> None:
    messages = sent(desk(*failed(1, 20), *failed(2, 10)), LENS, SINCE, NOW, {})
    assert [message.kind for message in messages] == ["opened", "closed", "opened", "closed"]
    assert messages[1].at - messages[0].since >= CALM


def test_what_came_before_the_window_or_is_still_open_ends_nothing() -> None:
    assert [m.kind for m in sent(desk(*failed(1, 31)), LENS, SINCE, NOW, {})] == []
    assert [m.kind for m in sent(desk(*failed(1, 0.5)), LENS, SINCE, NOW, {})] == ["opened"]


def test_silence_is_told_when_it_became_one_and_ends_with_the_answer() -> None:
    fields = {"what": "first_response_breach", "waits": True, "touchpoint_type": "support_ticket"}
    late = part("w", "e1", minutes=600, closed_at=NOW - timedelta(minutes=300), **fields)
    opened, closed = sent(desk(late), LENS, SINCE, NOW, {})
    assert (opened.kind, opened.at) == ("opened", NOW - timedelta(minutes=600, seconds=-1))
    assert (closed.kind, closed.remark) == ("closed", "what was waited for has come")


def test_what_one_conversation_spares_is_counted() -> None:
    errors = [part(f"s{n}", f"e{n}", minutes=300 - n, what="client_error") for n in range(7)]
    tally = of(preview([desk(*errors)], LENS, SINCE, NOW), "burst")
    assert (tally.opened, tally.pains, tally.row()["spared"]) == (1, 7, 6)
    assert tally.row()["for_example"] == ["crm:1"]


def test_another_number_tells_otherwise() -> None:
    errors = [part(f"s{n}", f"e{n}", minutes=300 - n, what="client_error") for n in range(7)]
    changed = with_changes(BLUEPRINT, list(changes_of(["burst.count=8"], BLUEPRINT)))
    assert of(preview([desk(*errors)], Lens(changed), SINCE, NOW), "burst").opened == 0
    assert [policy.tests for policy in changed.policies if policy.id == "burst"] == [()]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("brust.count=8", "did you mean `burst`"),
        ("burst.cuont=8", "did you mean `count`"),
        ("burst.count=many", "is no number"),
        ("burst", "no number ``"),
    ],
)
def test_what_cannot_be_set_is_said(given: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        list(changes_of([given], BLUEPRINT))


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        with_changes(BLUEPRINT, [("struggle", "threshold", 7.0)])
