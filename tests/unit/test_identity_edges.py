"""Small decisions about who is who: which decision holds, what may be one person, which ids are everybody's."""

from __future__ import annotations

from itertools import permutations

import pytest

from schemas.links import Decision, Edge
from streams.identity.aliases import (
    Kind,
    alias,
    is_email,
    is_person,
    kind_of,
    ordered,
    placeholder_among,
    strength,
    unique_space,
)
from streams.identity.clusters import MAX_ALIASES, Traits, nothing_parts, traits_of
from streams.identity.edges import Edges, Moved, Seen
from streams.identity.graph import IdentityGraph
from streams.identity.verdicts import Verdicts
from tests.journeys import at

PAIR = ("user:u1", "user:u2")
OTHER = ("user:u1", "user:u3")


def decision(verdict: str, seconds: float) -> Decision:
    fields = {"a": "user:u1", "b": "user:u2", "verdict": verdict, "by": "ops", "decided_at": at(seconds)}
    return Decision.model_validate({**fields, "evidence": "d", "source": "operators"})


FIRST, SECOND, LAST = decision("link", 1), decision("unlink", 2), decision("link", 3)


@pytest.mark.parametrize("order", list(permutations([FIRST, SECOND, LAST])))
def test_of_decisions_on_one_matter_the_last_holds_and_all_are_known(order: tuple[Decision, ...]) -> None:
    verdicts: Verdicts[tuple[str, str]] = Verdicts()
    best: Decision | None = None
    for one in order:
        holds = best is None or one.rank > best.rank
        assert verdicts.add(PAIR, one) is holds
        best = one if holds else best
    assert verdicts.all_of(PAIR) == (FIRST, SECOND, LAST) and verdicts.last(PAIR) == LAST
    assert not verdicts.add(PAIR, SECOND) and verdicts.knows(PAIR, SECOND)
    assert OTHER not in verdicts and verdicts.all_of(OTHER) == () and verdicts.last(OTHER) is None


def test_what_is_taken_back_leaves_what_was_said_before() -> None:
    verdicts: Verdicts[tuple[str, str]] = Verdicts()
    for one in (FIRST, SECOND, LAST):
        verdicts.add(PAIR, one)
    assert not verdicts.drop(PAIR, SECOND), "it did not hold"
    assert verdicts.all_of(PAIR) == (FIRST, LAST)
    assert verdicts.drop(PAIR, LAST) and verdicts.last(PAIR) == FIRST
    assert verdicts.drop(PAIR, FIRST) and not verdicts and verdicts.all_of(PAIR) == ()


def test_two_decisions_are_both_known() -> None:
    verdicts: Verdicts[tuple[str, str]] = Verdicts()
    assert verdicts.add(PAIR, FIRST) and verdicts.add(PAIR, SECOND)
    assert verdicts.all_of(PAIR) == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("crm_contact:crm:51", "crm_contact:crm"),
        ("crm_contact:crm:desk:51", "crm_contact:crm"),
        ("user:u:7", "user"),
        ("email:ann@acme.com", None),
        ("anonymous:user:1", None),
    ],
)
def test_of_contacts_and_user_ids_a_person_has_one(name: str, space: str | None) -> None:
    assert unique_space(name) == space


def seen(a: str, b: str, seconds: float = 0, *, typed: bool = False) -> Seen:
    return Seen(a, b, typed, at(seconds), "e", "web", 1)


def chain(count: int) -> tuple[list[str], list[Seen]]:
    names = [f"anonymous:a{n:03}" for n in range(count)]
    return names, [seen(a, b) for a, b in zip(names, names[1:], strict=False)]


@pytest.mark.parametrize(("count", "is_plain"), [(1, True), (2, True), (MAX_ALIASES, True), (MAX_ALIASES + 1, False)])
def test_nothing_parts_those_who_are_few_enough(count: int, is_plain: bool) -> None:
    assert nothing_parts(*chain(count)) is is_plain


def test_nothing_is_plain_about_two_user_ids_a_typed_address_or_what_does_not_hang_together() -> None:
    assert nothing_parts(["user:u1", "email:a@b.com"], [seen("user:u1", "email:a@b.com")])
    assert not nothing_parts(["user:u1", "user:u2"], [seen("user:u1", "user:u2")])
    assert not nothing_parts(["user:u1", "email:a@b.com"], [seen("user:u1", "email:a@b.com", typed=True)])
    assert not nothing_parts(["anonymous:a", "anonymous:b", "anonymous:c"], [seen("anonymous:a", "anonymous:b")])


def test_a_browser_with_too_many_edges_is_everybodys_until_they_go() -> None:
    edges = Edges()
    many = [seen(f"user:u{n:03}", "anonymous:kiosk", n) for n in range(110)]  # 100 count, each more takes ten of them
    for edge in many[:-1]:
        edges.add(edge, Moved())
    assert edges.everybodys == set()
    edges.add(many[-1], Moved())
    assert edges.everybodys == {"anonymous:kiosk"}
    for edge in many[109:]:
        edges.remove(edge, Moved())
    assert edges.everybodys == set()


def edge(a: str, b: str, seconds: float) -> Edge:
    fields = {"a": a, "b": b, "since": at(seconds), "evidence": "e", "source": "web"}
    return Edge.model_validate(fields)


def test_what_was_regrouped_gathers_until_it_is_asked() -> None:
    graph = IdentityGraph()
    graph.add(edge("user:u1", "anonymous:a1", 0))
    graph.add(edge("user:u2", "anonymous:a2", 1))
    found = graph.regrouped()
    assert found & {"user:u1", "anonymous:a1"} and found & {"user:u2", "anonymous:a2"}
    assert graph.regrouped() == set()


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("email", "Ann@ACME.com", "email:ann@acme.com"),
        ("email", "Ann Smit <ann@acme.com>", "email:ann@acme.com"),
        ("email", "mailto:ann@acme.com?subject=x", "email:ann@acme.com"),
        ("email", "ann@acme.com.", "email:ann@acme.com"),
        ("email", "ann@bücher.de", "email:ann@bücher.de"),
        ("email", "ann@xn--bcher-kva.de", "email:ann@bücher.de"),
        ("email", "INFO@acme.com", "mailbox:info@acme.com"),
        ("email", "info-nl@acme.com", "mailbox:info-nl@acme.com"),
        ("email", "info+x@acme.com", "mailbox:info+x@acme.com"),
        ("email", "it-nl@acme.com", "email:it-nl@acme.com"),
        ("email", "nl-sales@acme.com", "email:nl-sales@acme.com"),
        ("email", "ann", None),
        ("email", "none@acme.com", None),
        ("phone", "+31 (0)6 123-456.78", "phone:+31612345678"),
        ("phone", "0031612345678", "phone:+31612345678"),
        ("phone", "tel:+31612345678", "phone:+31612345678"),
        ("phone", "0612345678", None),
        ("user", "undefined", None),
        ("user", "U-7", "user:U-7"),
        ("anonymous", " a1 ", "anonymous:a1"),
        ("user", "u" * 513, None),
        ("user", "u" * 512, "user:" + "u" * 512),
    ],
)
def test_an_id_is_written_one_way_whoever_sends_it(kind: Kind, value: str, name: str | None) -> None:
    assert alias(kind, value) == name


@pytest.mark.parametrize(("text", "is_one"), [(" Ann@acme.com ", True), ("info@acme.com", True), ("ann", False)])
def test_an_address_is_one_by_its_shape(text: str, is_one: bool) -> None:
    assert is_email(text) is is_one


def test_names_are_ordered_by_strength_then_by_value() -> None:
    names = ["anonymous:a", "user:b", "user:a", None, "crm_contact:crm:1", "email:x@y.com", "ticket:1"]
    expected = ("crm_contact:crm:1", "email:x@y.com", "user:a", "user:b", "anonymous:a", "ticket:1")
    assert ordered(names) == expected
    assert strength("user:a") > strength("anonymous:a") > strength("ticket:1") > strength("crm:1") == 0
    assert is_person("phone:+31") and not is_person("ticket:1") and kind_of("user:a:b") == "user"


def test_what_was_written_where_an_id_should_be_is_reported_cut() -> None:
    assert placeholder_among("", " undefined ", "null") == "undefined"
    assert placeholder_among("u1", "") == ""
    assert len(placeholder_among("{{" + "x" * 90 + "}}")) == 60


def test_what_edges_say_of_an_id() -> None:
    given_up = seen("user:u1", "user:u2", 5)
    known = [seen("user:u2", "anonymous:a1", 3), seen("user:u2", "anonymous:a2", 7), given_up]
    assert traits_of("user:u2", known) == Traits(at(3), ("user web",), given_up.order)
    assert traits_of("user:u2", known[:2]) == Traits(at(3), ("user web",), None)
    assert traits_of("anonymous:a1", known[:1]) == Traits(at(3))
    assert traits_of("crm_contact:crm:51", []) == Traits(None, ("crm_contact:crm",))
