"""Conditions, numbers, paths, ids and scales of the contracts, each at both sides of its edge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.base import EPOCH, UtcTime
from schemas.blueprint import TouchpointType
from schemas.calendars import Calendar
from schemas.errors import PermanentError, did_you_mean, shown
from schemas.ids import Scoped, bare, directory_of, parts, subject_family
from schemas.matching import Compare, Match
from schemas.paths import MAX_CHARS, MAX_STEPS, Every, Item, Parsed, Those, filled, holes, parsed
from schemas.policies import HIGH_FROM, LEVELS, SEVERE_FROM, Policy, is_at_least, level_at
from schemas.touchpoints import CleanTouchpoint
from schemas.traffic import Traffic, TrafficRules
from streams.matching import conditions
from streams.matching.conditions import compile_kind, compile_page, compile_pageless, compile_properties, with_deal
from streams.matching.recognition import UNMAPPED, Recognition
from streams.matching.traffic import TrafficBook
from tests.journeys import attributed, touchpoint


@pytest.mark.parametrize(
    ("boundary", "value", "share"),
    [
        ({"at_most": 3.0}, 3.0, 0.0),
        ({"at_most": 3.0}, 3.1, None),
        ({"at_most": 3.0, "worst_at": 1.0}, 2.0, 0.5),
        ({"at_most": 3.0, "worst_at": 1.0}, 0.0, 1.0),
        ({"at_least": 3.0}, 3.0, 0.0),
        ({"at_least": 3.0}, 2.9, None),
        ({"at_least": 3.0, "worst_at": 5.0}, 4.0, 0.5),
        ({"at_least": 3.0, "worst_at": 3.0}, 9.0, 0.0),
        ({"above": 3.0}, 3.0, None),
        ({"above": 3.0, "worst_at": 5.0}, 3.5, 0.25),
        ({"above_target": "answer_s"}, 60.0, None),
        ({"above_target": "answer_s", "worst_at": 120.0}, 90.0, 0.5),
        ({"above_target": "unknown"}, 1e9, None),
        ({"at_least": 3.0, "score_kind": "nps"}, 4.0, None),
        ({"at_least": 3.0, "score_kind": "csat"}, 4.0, 0.0),
        ({"at_least": 3.0}, None, None),
        ({"at_least": 3.0, "worst_at": 1.0}, 5.0, 0.0),
    ],
)
def test_how_far_a_boundary_is_crossed(boundary: dict[str, Any], value: float | None, share: float | None) -> None:
    seen = touchpoint("e1", 0, score=value, score_kind="csat")
    assert conditions.crosses(Compare(field="score", **boundary), seen, {"answer_s": 60.0}) == share


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("score", 7.0), ("sentiment", -0.5), ("n", 4.0), ("text", 2.5), ("yes", None), ("none", None), ("word", None),
        ("nan", None), ("inf", None), ("missing", None),
    ],
)  # fmt: skip
def test_a_number_is_one_by_its_text_too(field: str, number: float | None) -> None:
    told = {"n": 4, "text": "2.5", "yes": True, "none": None, "word": "x", "nan": "nan", "inf": "inf", "score": 1}
    assert conditions.number_of(touchpoint("e1", 0, score=7.0, sentiment=-0.5, properties=told), field) == number


@pytest.mark.parametrize(
    ("match", "order"),
    [
        ({}, (0, 0, 0, 0, 0)),
        ({"action": "click"}, (0, 0, 0, 0, 1)),
        ({"page": "/a*"}, (0, 3, 0, 0, 0)),
        ({"vendor_type": "x?[y]"}, (0, 0, 3, 0, 0)),
        ({"name": ("ab", "abcd")}, (0, 0, 5, 0, 0)),
        ({"vendor": "segment", "channel": "email", "title": "t"}, (0, 0, 0, 3, 0)),
        ({"properties": {"a": (1,), "b": (2,)}}, (2, 0, 0, 0, 0)),
    ],
)
def test_more_and_longer_conditions_are_more_specific(match: dict[str, Any], order: tuple[int, ...]) -> None:
    assert conditions.specificity(Match(**match)) == order


@pytest.mark.parametrize(
    ("glob", "holds", "fails"),
    [
        ("/Pricing", ["/pricing", "/PRICING"], ["/pricing/", "x/pricing"]),
        ("/p*", ["/p", "/P/x"], ["x/p"]),
        ("*p*", ["p", "apb"], ["x"]),
        ("*/p", ["/p", "a/p"], ["/px"]),
        ("/p?", ["/pa"], ["/p", "/paa"]),
        ("/[ab]", ["/a", "/B"], ["/c"]),
        ("*", ["", "x"], []),
        ("a*b", ["ab", "axb"], ["abx"]),
    ],
)
def test_a_glob_holds_for_the_whole_page(glob: str, holds: list[str], fails: list[str]) -> None:
    holding = compile_page(Match(page=glob))
    assert [page for page in holds + fails if holding(touchpoint("e1", 0, page=page))] == holds


@pytest.mark.parametrize(
    ("match", "fields"),
    [
        ({"action": "click"}, {"action": "click"}),
        ({"vendor": "segment"}, {"vendor": "segment"}),
        ({"channel": "email"}, {"channel": "email"}),
        ({"vendor_type": "track:demo requested"}, {"vendor_type": "track:DemoRequested"}),
        ({"name": ("Demo requested",)}, {"vendor_type": "track:demo_requested"}),
        ({"page": "/pricing"}, {"page": "/nl/Pricing"}),
    ],
)
def test_every_condition_on_the_kind_is_asked(match: dict[str, Any], fields: dict[str, Any]) -> None:
    usual = {"vendor": "other", "vendor_type": "other", "action": "page_view", "channel": "web", "page": "/"}
    meets, other = (CleanTouchpoint.of(_plain() | usual | more) for more in (fields, {}))
    kind = compile_kind(Match(**match))
    assert kind(meets) and not kind(other)
    assert compile_pageless(Match(**match))(other) is ("page" in match)
    both = compile_kind(Match(**({"action": "click", "page": "/pricing", "channel": "email"} | match)))
    assert not both(meets)
    assert conditions.kind_key(meets) != conditions.kind_key(other)


def _plain() -> dict[str, Any]:
    made = touchpoint("e1", 0)
    return {name: getattr(made, name) for name in ("event_id", "source", "occurred_at", "received_at", "scoped")}


def test_without_conditions_everything_holds_and_without_a_page_nothing() -> None:
    seen = touchpoint("e1", 0)
    assert compile_kind(Match())(seen) and compile_properties(Match())(seen)
    assert compile_properties(Match()) is conditions.always and compile_page(Match()) is conditions.never
    assert not conditions.never(seen) and conditions.any_of([]) is conditions.never


@pytest.mark.parametrize("holding", [(), (0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_of_some_is_any_of_them(number: int, holding: tuple[int, ...]) -> None:
    some = [(lambda seen, n=n: n in holding) for n in range(number)]
    assert conditions.any_of(some)(touchpoint("e1", 0)) is any(n in holding for n in range(number))
    assert conditions.any_of([*some, conditions.always]) is conditions.always


@pytest.mark.parametrize(
    ("properties", "title", "holds"),
    [
        ({"plan": " Gold ", "seats": 3}, "About us", True),
        ({"plan": "gold", "seats": 4}, "About us", False),
        ({"plan": "gold"}, "About us", False),
        ({"seats": 3, "plan": "silver"}, "About us", False),
        ({"plan": "gold", "seats": 3}, "Us", False),
    ],
)
def test_properties_and_the_title_must_all_hold(properties: dict[str, Any], title: str, holds: bool) -> None:
    match = Match(properties={"plan": ("GOLD", "platinum"), "seats": (3,)}, title="about*")
    assert compile_properties(match)(touchpoint("e1", 0, properties=properties, title=title)) is holds


def test_what_a_deal_is_and_became_can_be_asked() -> None:
    seen = with_deal(touchpoint("e1", 0, "deal_created", properties={"a": 1}), "won", "won")
    assert seen.properties["a"] == 1
    asked = [Match(deal=("won",)), Match(deal_becomes=("won",)), Match(deal=("lost",)), Match(deal_becomes=("lost",))]
    assert [compile_properties(match)(seen) for match in asked] == [True, True, False, False]
    assert not compile_properties(asked[1])(with_deal(seen, "won", ""))
    assert compile_kind(asked[0])(seen) and not compile_kind(asked[0])(touchpoint("e2", 0))


@pytest.mark.parametrize(
    ("name", "plain"),
    [("track:Quote Requested", "quoterequested"), ("quote_requested", "quoterequested"), ("a:b:C", "bc"), ("x:", "")],
)
def test_names_are_compared_without_what_only_looks_different(name: str, plain: str) -> None:
    assert conditions.plain(name) == plain


def test_a_name_is_spelt_with_its_capitals_told_apart() -> None:
    assert conditions.spellings("DemoRequested") == ("demorequested", "demo requested")
    assert conditions.spellings("demo") == ("demo",)
    assert (conditions.folded(" A "), conditions.folded(3), conditions.folded(None)) == ("a", 3, None)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b", Parsed("message", ("a", "b"))),
        ("items[0].name", Parsed("message", ("items", Item(0), "name"))),
        ("a[-12]", Parsed("message", ("a", Item(-12)))),
        ("tags[*]", Parsed("message", ("tags", Every()))),
        ("*.b", Parsed("message", (Every(), "b"))),
        ('"*"', Parsed("message", ("*",))),
        ('"a.b".c', Parsed("message", ("a.b", "c"))),
        ("fields[ id = 7 ].value", Parsed("message", ("fields", Those("id", "7"), "value"))),
        ("a .b", Parsed("message", ("a", "b"))),
        ("$header.X-Topic", Parsed("header", ("x-topic",))),
        ("$query.Key.x", Parsed("query", ("Key.x",))),
        ("$envelope.a.b", Parsed("envelope", ("a", "b"))),
    ],
)
def test_a_path_is_read_step_by_step(text: str, path: Parsed) -> None:
    assert parsed(text) == path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1 to 200 characters, got ''"),
        ("a" * (MAX_CHARS + 1), "1 to 200 characters"),
        ("$headers.x", "`$headers` is no place to look at; did you mean `header`?; e.g. `$header.x-topic`"),
        ("$query", "`$query` is no place to look at"),
        ("a..b", "no path, or one of more than 16 steps: 'a..b'; write `a.b`"),
        ("a{b}", "for a text with holes use `template`"),
        (".".join("a" * (MAX_STEPS + 1)), "more than 16 steps"),
    ],
)
def test_what_is_no_path_says_what_would_be_one(text: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        parsed(text)
    assert says in str(refused.value)


def test_the_longest_paths_are_still_paths() -> None:
    assert len(parsed(".".join("a" * MAX_STEPS)).steps) == MAX_STEPS
    assert parsed(".".join(["a" * 80, "b" * 80, "c" * 38])).root == "message"


def test_a_template_has_holes_that_are_filled_in_their_order() -> None:
    assert holes("t:{a.b}/{c}") == ("a.b", "c") and holes("plain") == ()
    assert filled("t:{a.b}/{c}", ("1", "2")) == "t:1/2"
    for broken in ("a{b", "a}b", "{a}}"):
        with pytest.raises(ValueError, match="a brace without its other half: .*; write `ticket:{ticket.id}`"):
            holes(broken)
    with pytest.raises(ValueError, match="no path"):
        holes("{a..b}")


@pytest.mark.parametrize(
    ("name", "scoped"),
    [
        ("crm_contact:crm:51", Scoped("crm_contact", "crm", "51")),
        ("ticket:desk:a:b", Scoped("ticket", "desk", "a:b")),
        ("object_0-5:crm:1", Scoped("object_0-5", "crm", "1")),
        ("deal:crm:", Scoped("deal", "crm", "")),
        ("ticket:12", None),
        ("email:a@b.example", None),
        ("form:a:b", None),
    ],
)
def test_an_id_is_read_by_its_first_two_colons(name: str, scoped: Scoped | None) -> None:
    assert parts(name) == scoped
    assert directory_of(name) == (scoped.directory if scoped else "")
    assert bare(name) == (f"{scoped.kind}:{scoped.value}" if scoped else name)
    assert scoped is None or str(scoped) == name


def test_whose_records_a_subject_is_of() -> None:
    assert [subject_family(kind) for kind in ("object_1", "deal", "ticket", "form")] == ["crm", "crm", "support", None]


@pytest.mark.parametrize(
    ("severity", "level"),
    [(0.0, "watch"), (0.399, "watch"), (HIGH_FROM, "high"), (0.799, "high"), (SEVERE_FROM, "severe"), (1.0, "severe")],
)
def test_where_a_level_begins(severity: float, level: str) -> None:
    assert (HIGH_FROM, SEVERE_FROM) == (0.4, 0.8)
    assert level_at(severity) == level


def test_levels_are_in_their_order() -> None:
    found = [(one, other) for one in LEVELS for other in LEVELS if is_at_least(one, other)]
    assert found == [
        ("watch", "watch"), ("high", "watch"), ("high", "high"), ("severe", "watch"), ("severe", "high"),
        ("severe", "severe"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"rules": ("a",)}, ""),
        ({"types": ("a",)}, ""),
        ({"moves": ("exit",)}, ""),
        ({"sources": ("*",)}, ""),
        ({"renewal_within_days": 30}, ""),
        ({"count": 3, "within_s": 60}, ""),
        ({}, "without them it tells of nothing"),
        ({"sources": ("*",), "rules": ("a",)}, "asks for nothing else"),
        ({"count": 3}, "belong together"),
        ({"rules": ("a",), "within_s": 60}, "belong together"),
    ],
)
def test_a_policy_asks_for_something_that_fits(asked: dict[str, Any], says: str) -> None:
    def made() -> Policy:
        return Policy(id="p", name="P", max_age_s=60, **asked)

    if not says:
        assert made().id == "p"
        return
    with pytest.raises(ValidationError, match=says):
        made()


def test_a_time_is_in_utc_whatever_zone_it_came_in() -> None:
    read = TypeAdapter(UtcTime).validate_python
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    east = timezone(timedelta(hours=2))
    told = ["2026-03-10T12:00:00Z", "2026-03-10T14:00:00+02:00", "2026-03-10T12:00:00", noon.replace(tzinfo=None)]
    for value in (*told, noon, noon.astimezone(east), noon.timestamp()):
        assert read(value) == noon and read(value).utcoffset() == timedelta(0)
    assert read(noon) is noon and EPOCH.timestamp() == 0
    with pytest.raises(ValidationError):
        read("soon")


def test_an_item_changes_a_copy_and_is_completed_itself() -> None:
    one = touchpoint("e1", 0, page="/a")
    other = one.changed(page="/b")
    assert (one.page, other.page, other.event_id) == ("/a", "/b", "e1")
    assert CleanTouchpoint.decoded(one.encoded()) == one
    assert one.completed(page="/c") is one and one.page == "/c"


def test_a_value_is_shown_up_to_a_length() -> None:
    assert (shown("a" * 78), shown("a" * 79)) == (repr("a" * 78), f"'{'a' * 78}…")
    assert len(shown("a" * 99)) == 80 and shown([1, 2], 4) == "[1,…"


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("HEADR", ["header", "query"], "; did you mean `header`?"),
        ("zzz", ["header", "query"], "; known: header, query"),
        ("zzz", [], ""),
        ("zzz", ["query"], "; known: query"),
        ("zzz", [f"name{n}" for n in range(17)], ""),
        ("zzz", [f"n{n}" for n in range(16)], f"; known: {', '.join(f'n{n}' for n in range(16))}"),
    ],
)
def test_a_hint_names_what_is_near_or_all_of_a_few(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, iter(known)) == hint
    assert did_you_mean("zzz", known, list_all=False) == ""


def test_an_error_has_the_reason_of_its_kind_or_its_own() -> None:
    assert (PermanentError("x").reason, PermanentError("x", "odd").reason, str(PermanentError("x"))) == (
        "permanent",
        "odd",
        "x",
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"hours": {"monday": ("09:00-17:00",)}, "zone": "Europe/Amsterdam"}, ""),
        ({"hours": {"monday": ("13:00-24:00", "00:00-13:00")}}, ""),
        ({"hours": {"monday": ("13:00-17:00", "09:00-13:01")}}, "hours of monday overlap: 09:00-13:01, 13:00-17:00"),
        ({"hours": {"monday": ("17:00-09:00",)}}, "`17:00-09:00` is no time of work"),
        ({"hours": {"monday": ("09:00-09:00",)}}, "is no time of work"),
        ({"hours": {"monday": ("9-17",)}}, "is no time of work"),
        ({"hours": {"monday": ()}}, "`hours` names no hour of work"),
        ({"hours": {"monday": ("09:00-17:00",)}, "zone": "Mars/X"}, "`Mars/X` is no time zone"),
    ],
)
def test_working_hours_are_hours(fields: dict[str, Any], says: str) -> None:
    if not says:
        assert Calendar(**fields).hours == fields["hours"]
        return
    with pytest.raises(ValidationError, match=says):
        Calendar(**fields)


def test_hosts_and_domains_are_in_lower_case_and_nothing_else() -> None:
    rules = TrafficRules(internal_hosts=("Acc.*", "[[]::1]"), own_domains=("Acme.Example",))
    assert (rules.internal_hosts, rules.own_domains) == (("acc.*", "[[]::1]"), ("acme.example",))
    for wrong in ({"internal_hosts": ("https://a",)}, {"own_domains": ("acme",)}, {"own_domains": ("a b.example",)}):
        with pytest.raises(ValidationError, match="as in"):
            TrafficRules(**wrong)


@pytest.mark.parametrize(
    ("chars", "made"),
    [
        (40, lambda text: Calendar(hours={"monday": (text,)})),
        (60, lambda text: Calendar(hours={"monday": ("09:00-17:00",)}, zone=text)),
        (80, lambda text: TrafficRules(internal_hosts=(text,))),
        (80, lambda text: TrafficRules(own_domains=(text,))),
    ],
)
def test_what_is_refused_is_shown_and_cut(chars: int, made: Callable[[str], object]) -> None:
    with pytest.raises(ValidationError) as refused:
        made("/x" * 100)
    assert f"`{('/x' * 100)[:chars]}`" in str(refused.value)


def typed(**pages: str) -> Recognition:
    """A catalogue of types that each ask for one page."""
    return Recognition(
        [TouchpointType(id=name, name="", phase="p", match=(Match(page=page),)) for name, page in pages.items()]
    )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("/pricing", "exact"),
        ("/nl/pricing", "begins"),
        ("/nl/other", "begins"),
        ("/b", "short"),
        ("/bx", "begins"),
        ("/x/tail", "ends"),
        ("/abc", "one"),
        ("/abd", "begins"),
        ("pricing", "unmapped"),
    ],
)
def test_a_page_is_found_whatever_its_glob_begins_with(page: str, expected: str) -> None:
    """The index looks at the first three characters, and globs may leave each of them open."""
    catalogue = typed(exact="/pricing", begins="/*", short="/b", ends="*/tail", one="/a?c")
    seen = touchpoint("e1", 0, page=page)
    assert catalogue.type_of(seen).id == expected
    assert catalogue.type_of(seen) is catalogue.type_of(seen.changed(event_id="e2")), "kinds repeat"


@pytest.mark.parametrize(
    ("page", "expected"),
    [("/nl/pricing", "exact"), ("/be-nl/Pricing", "exact"), ("/nl/other", "unmapped"), ("/nl", "unmapped")],
)
def test_a_page_is_the_same_one_in_another_language(page: str, expected: str) -> None:
    seen = touchpoint("e1", 0, page=page)
    assert typed(exact="/pricing").type_of(seen).id == expected
    assert compile_kind(Match(page="/pricing"))(seen) is (expected == "exact")


def test_a_type_for_a_kind_of_name_is_found_and_the_most_specific_one_decides() -> None:
    kinds = {
        "any": Match(action="custom"),
        "track": Match(vendor_type="track:*"),
        "open": Match(vendor_type="*:quote sent"),
        "quote": Match(vendor_type="track:quote*"),
        "about": Match(vendor_type="track:*", properties={"about": ("demo",)}),
    }
    catalogue = Recognition(
        [TouchpointType(id=id_, name="", phase="p", match=(match,)) for id_, match in kinds.items()]
    )
    told = [
        ("x", {}),
        ("track:x", {}),
        ("page:Quote sent", {}),
        ("Track:Quote", {}),
        ("track:quote", {"about": "Demo"}),
    ]
    found = [
        catalogue.type_of(touchpoint("e", 0, "custom", vendor_type=name, properties=properties)).id
        for name, properties in told
    ]
    assert found == ["any", "track", "open", "quote", "about"]
    assert catalogue.type_of(touchpoint("e", 0, "click", vendor_type="x")) is UNMAPPED


KINDS: tuple[Traffic, ...] = get_args(Traffic)


@pytest.mark.parametrize("counted", KINDS)
def test_only_the_traffic_that_is_asked_for_counts(counted: Traffic) -> None:
    book = TrafficBook(TrafficRules(count=(counted,)))
    assert [kind for kind in KINDS if book.counts(kind)] == [counted]


@pytest.mark.parametrize(
    ("fields", "traffic"),
    [
        ({}, "customer"),
        ({"flags": ("test", "bot")}, "test"),
        ({"flags": ("bot",)}, "bot"),
        ({"flags": ("prefetch",)}, "bot"),
        ({"flags": ("own_network",)}, "internal"),
        ({"flags": ("declined",)}, "declined"),
        ({"flags": ("declined", "own_network")}, "internal"),
        ({"agent_kind": "bot"}, "bot"),
        ({"agent_kind": "library"}, "bot"),
        ({"agent_kind": "library", "action": "custom"}, "customer"),
        ({"agent_kind": "browser"}, "customer"),
        ({"agent_kind": "bot", "action": "deal_created"}, "customer"),
        ({"flags": ("test",), "action": "deal_created"}, "test"),
        ({"url_host": "acc.acme.example"}, "internal"),
        ({"url_host": "www.acme.example"}, "customer"),
        ({"aliases": ("email:Jo@Ours.example",)}, "internal"),
        ({"aliases": ("email:jo@mail.ours.example",)}, "internal"),
        ({"aliases": ("email:jo@notours.example", "user:jo@ours.example")}, "customer"),
        ({"aliases": ("email:jo@ours.example",), "action": "deal_created"}, "customer"),
        ({"account_id": "domain:ours.example"}, "internal"),
        ({"account_id": "domain:ours.example", "flags": ("declined",)}, "declined"),
    ],
)
def test_whose_traffic_it_is(fields: dict[str, Any], traffic: str) -> None:
    rules = TrafficRules(internal_hosts=("acc.*",), own_domains=("ours.example",))
    own = {"action": "page_view"} | fields
    assert TrafficBook(rules).of(attributed("e1", 0, **own)) == traffic
    nobody = TrafficBook(TrafficRules(internal_hosts=(), own_domains=()))
    assert nobody.of(attributed("e1", 0, aliases=("email:jo@ours.example",), url_host="localhost")) == "customer"
