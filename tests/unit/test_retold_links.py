"""What a newer mapping no longer teaches is taken back: nothing shows that anybody ever read it otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.links import Edge, Link, Membership, supersedes
from schemas.touchpoints import CleanTouchpoint, Recall
from streams.identity.doubts import evidence, is_doubted, told_anew
from streams.identity.knowledge import Knowledge
from streams.identity.retold import Retold
from streams.identity.stored import stored
from tests.journeys import at, touchpoint
from tests.naive_attribution import Place, differences, naive
from tests.unit.test_resolve_convergence import World, _event, events, place_of, small_limits

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Kept(World):
    """The same with the links topic, of which Kafka keeps one record a link, and with recalls that teach."""

    def __init__(self) -> None:
        super().__init__()
        self.topic: dict[str, Link] = {}

    def tell(self, link: Link) -> None:
        better = self.knowledge.outdone(link)
        self.topic[link.link_id] = link if better is None else better
        for recall in self.knowledge.apply(link, self.knowledge.position + 1):
            self.recall(recall)

    def receive(self, event: CleanTouchpoint) -> None:
        for link in self.knowledge.learn(event):
            self.tell(link)
        self.stored[event.event_id] = (event, self.knowledge.attribute(event))

    def recall(self, recall: Recall) -> None:
        for event, attribution in list(self.stored.values()):
            if attribution.account_id == recall.account_id and (
                not recall.person_ids or attribution.person_id in recall.person_ids
            ):
                self.receive(event)

    def mend(self, gone: Sequence[str] = (), *, unseen: Sequence[str] = (), heed: bool = True) -> None:
        """What `remap` does when everything was read anew. `unseen`: events that are not stored yet when it looks."""
        readings = {name: event.mapping for name, (event, _) in self.stored.items()} | dict.fromkeys(gone, 2)
        doubted = {key: link for key, link in self.topic.items() if is_doubted(link, readings)}
        seen = [event for name, (event, _) in self.stored.items() if name not in unseen]
        for link in told_anew(doubted, evidence(seen, doubted)) if heed else ():
            self.tell(link)

    def started_anew(self, order: Sequence[str]) -> dict[str, Place]:
        """What a worker says that reads the topic from its beginning."""
        fresh = Knowledge()
        fresh.load([self.topic[key] for key in order], 1)
        return {name: place_of(fresh.attribute(event)) for name, (event, _) in self.stored.items()}


@st.composite
def mended(draw: st.DrawFn) -> tuple[list[CleanTouchpoint], dict[str, CleanTouchpoint | None]]:
    """Events, and what a newer mapping makes of some of them; None: nothing."""
    history = [event.changed(staff={}) for event in draw(events())]
    anew: dict[str, CleanTouchpoint | None] = {}
    for event in draw(st.lists(st.sampled_from(history), max_size=4, unique_by=lambda event: event.event_id)):
        how = draw(st.integers(0, 4))
        read = (
            draw(_event(event.event_id)).changed(staff={})
            if how > 1
            else event.changed(occurred_at=at(25))
            if how
            else None
        )
        anew[event.event_id] = read and read.changed(mapping=2, read_anew=True)
    return history, anew


def played(
    history: list[CleanTouchpoint],
    anew: dict[str, CleanTouchpoint | None],
    *,
    unseen: Sequence[str] = (),
    again: Sequence[CleanTouchpoint] = (),
    heed: bool = True,
) -> Kept:
    world = Kept()
    for event in history:
        world.receive(event)
    for name, read in anew.items():
        if read is None:
            del world.stored[name]
        else:
            world.receive(read)
    world.mend([name for name, event in anew.items() if event is None], unseen=unseen, heed=heed)
    for event in again:
        world.receive(event)
    return world


def final(history: list[CleanTouchpoint], anew: dict[str, CleanTouchpoint | None]) -> list[CleanTouchpoint]:
    read = [anew.get(event.event_id, event) for event in history]
    return [event for event in read if event is not None]


@MANY
@given(readings=mended(), data=st.data())
def test_it_is_as_if_it_had_been_read_so_at_first(
    readings: tuple[list[CleanTouchpoint], dict[str, CleanTouchpoint | None]], data: st.DataObject
) -> None:
    history, anew = readings
    read = final(history, anew)
    names = [event.event_id for event in read]
    unseen = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    again = data.draw(st.permutations(read))[:4]
    world = played(data.draw(st.permutations(history)), anew, unseen=unseen, again=again)
    assert differences(naive(read), world.places()) == []
    order = data.draw(st.permutations(sorted(world.topic)))
    assert differences(naive(read), world.started_anew(order)) == []


@MANY
@given(readings=mended(), data=st.data())
def test_also_where_limits_are_reached(
    readings: tuple[list[CleanTouchpoint], dict[str, CleanTouchpoint | None]], data: st.DataObject
) -> None:
    history, anew = readings
    read = final(history, anew)
    with small_limits() as limits:
        world = played(data.draw(st.permutations(history)), anew)
        assert differences(naive(read, **limits), world.places()) == []
        assert differences(naive(read, **limits), world.started_anew(sorted(world.topic))) == []


TOGETHER = touchpoint("e1", 5, "identify", aliases=("user:u1", "anonymous:a1"))
TOGETHER_TOO = touchpoint("e2", 9, "identify", aliases=("user:u1", "anonymous:a1"))
VISITS = [touchpoint("v1", 1, aliases=("anonymous:a1",)), touchpoint("v2", 2, aliases=("user:u1",))]
ALONE = TOGETHER.changed(aliases=("user:u1",), mapping=2, read_anew=True)
EDGE = Edge(a="user:u1", b="anonymous:a1", since=at(5), evidence="e1", source="web")


def are_together(world: Kept) -> bool:
    return world.places()["v1"].person_id == world.places()["v2"].person_id


def test_an_edge_goes_with_its_only_evidence_and_stays_with_another() -> None:
    assert are_together(played([TOGETHER, *VISITS], {}))
    assert not are_together(played([TOGETHER, *VISITS], {"e1": ALONE}))
    assert not are_together(played([TOGETHER, *VISITS], {"e1": None}))
    world = played([TOGETHER, TOGETHER_TOO, *VISITS], {"e1": ALONE})
    assert are_together(world)
    assert (link := world.topic[EDGE.link_id]).evidence == "e2" and link.generation == 1


def test_without_mending_it_would_stay() -> None:
    """Known bad: a newer reading alone."""
    assert are_together(played([TOGETHER, *VISITS], {"e1": ALONE}, heed=False))


def test_evidence_that_was_under_way_when_the_link_was_taken_back_counts() -> None:
    world = played([TOGETHER, TOGETHER_TOO, *VISITS], {"e1": ALONE}, unseen=["e2"])
    assert are_together(world)


def test_without_recalls_that_teach_it_would_be_lost() -> None:
    """Known bad: what is attributed again is not learned from."""
    with patch.object(Kept, "recall", World.recall):
        assert not are_together(played([TOGETHER, TOGETHER_TOO, *VISITS], {"e1": ALONE}, unseen=["e2"]))


def test_an_older_resolver_that_still_tells_it_changes_nothing() -> None:
    world = played([TOGETHER, *VISITS], {"e1": ALONE})
    world.tell(EDGE)
    assert not are_together(world)
    assert world.topic[EDGE.link_id].retracted, "and its record is put right in the compacted topic"


def test_without_generations_it_would_come_back() -> None:
    """Known bad: whoever tells it last is believed."""
    world = played([TOGETHER, *VISITS], {"e1": ALONE})
    with patch.object(Retold, "standing", lambda self, link: None):
        world.tell(EDGE)
    assert are_together(world)


def test_another_copy_of_the_event_still_teaches_what_the_newer_mapping_reads_in_it() -> None:
    """One delivery of an event said more than the one that stands; both were read anew, and say what they said."""
    said_less = TOGETHER.changed(aliases=("user:u1",))
    anew = [event.changed(mapping=2, read_anew=True) for event in (TOGETHER, said_less)]
    world = played([TOGETHER, said_less, *VISITS], {})
    for event in anew:
        world.receive(event)
    world.mend()
    assert are_together(world)
    with patch.object(Knowledge, "_stands", lambda self, link: False):  # known bad: nothing is repeated
        world = played([TOGETHER, said_less, *VISITS], {})
        for event in anew:
            world.receive(event)
        world.mend()
        assert not are_together(world)


def test_what_was_told_anew_is_written_and_read_so_and_what_was_not_as_before() -> None:
    link = Membership(alias="user:u1", account_id="crm:a:1", since=at(1), evidence="e1", source="web")
    assert not {b"generation", b"retracted", b"mapping"} & {part.strip(b'",{') for part in link.encoded().split(b":")}
    again = link.changed(generation=2, retracted=True, mapping=3)
    assert Membership.model_validate_json(again.encoded()) == again
    assert supersedes(again, link) and not supersedes(link, again)
    assert supersedes(link.changed(generation=2), again), "evidence comes before the retraction of its generation"


def test_a_start_reads_it_with_its_generation() -> None:
    standing = EDGE.changed(generation=1, scoped=True)
    found = stored(b"[" + standing.encoded() + b"]")
    assert found == [standing]
