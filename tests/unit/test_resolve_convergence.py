"""Attribution converges: whatever the order of arrival, every touchpoint ends where full knowledge puts it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.touchpoints import Attribution, CleanTouchpoint, Recall
from streams.resolve.knowledge import Knowledge
from tests.journeys import touchpoint

ALIASES = [
    "anonymous:a1", "anonymous:a2", "anonymous:a3", "user:u1", "user:u2", "email:ann@acme.com", "email:bob@acme.com",
    "email:eve@gmail.com", "email:joe@beta.nl", "crm_contact:1", "crm_contact:2", "support_user:7",
]  # fmt: skip
REFS = ["crm:1", "crm:2", "group:acme", "group:beta", "org:5"]


@st.composite
def events(draw: st.DrawFn) -> list[CleanTouchpoint]:
    found = []
    for index in range(draw(st.integers(1, 14))):
        fields: dict[str, Any] = {
            "aliases": tuple(draw(st.lists(st.sampled_from(ALIASES), max_size=3, unique=True))),
            "account_refs": tuple(draw(st.lists(st.sampled_from(REFS), max_size=1))),
        }
        if fields["account_refs"] and draw(st.booleans()):
            fields["account_traits"] = {
                "domain": draw(st.sampled_from(["acme.com", "beta.nl", "https://www.acme.com/x"]))
            }
        if not fields["aliases"] and draw(st.booleans()):
            fields["aliases"] = (draw(st.sampled_from(["crm_deal:9", "ticket:4"])),)
        found.append(touchpoint(f"e{index:02}", draw(st.integers(0, 20)), **fields))
    return found


class World:
    """Resolver, links topic and writers in one, without any of them: what is stored, and recalls that move it."""

    def __init__(self, *, heed_recalls: bool = True) -> None:
        self.knowledge = Knowledge()
        self.stored: dict[str, tuple[CleanTouchpoint, Attribution]] = {}
        self._heed = heed_recalls
        self.moved = 0

    def receive(self, event: CleanTouchpoint) -> None:
        for link in self.knowledge.learn(event):
            for recall in self.knowledge.apply(link, self.knowledge.position + 1):
                if self._heed:
                    self.recall(recall)
        self.stored[event.event_id] = (event, self.knowledge.attribute(event))

    def recall(self, recall: Recall) -> None:
        for event, attribution in list(self.stored.values()):
            if attribution.account_id == recall.account_id and (
                not recall.person_ids or attribution.person_id in recall.person_ids
            ):
                self.stored[event.event_id] = (event, self.knowledge.attribute(event))
                self.moved += 1

    def places(self) -> dict[str, tuple[str, str, str]]:
        return {e: (a.person_id, a.account_id, a.method) for e, (_, a) in self.stored.items()}


def told_in_order(history: list[CleanTouchpoint], **options: Any) -> World:
    world = World(**options)
    for event in history:
        world.receive(event)
    return world


@settings(max_examples=600, deadline=None)
@given(history=events(), data=st.data())
def test_recalls_leave_nothing_behind(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    world = told_in_order(data.draw(st.permutations([*history, *history[:2]])))
    for event, attribution in world.stored.values():
        final = world.knowledge.attribute(event)
        assert (attribution.person_id, attribution.account_id, attribution.method) == (
            final.person_id, final.account_id, final.method,
        )  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(history=events(), data=st.data())
def test_order_of_arrival_does_not_matter(history: list[CleanTouchpoint], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(history))
    assert told_in_order(shuffled).places() == told_in_order(history).places()


def test_without_recalls_it_is_caught() -> None:
    """Known bad: attribution on arrival only. The anonymous visit never joins the person."""
    visit = touchpoint("e1", 0, aliases=("anonymous:a1",))
    identify = touchpoint("e2", 60, aliases=("email:ann@acme.com", "anonymous:a1"))
    deaf = told_in_order([visit, identify], heed_recalls=False)
    assert deaf.places() != told_in_order([visit, identify]).places()
    assert told_in_order([visit, identify]).places()["e1"][1] == "domain:acme.com"
