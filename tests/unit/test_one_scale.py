"""One scale of severity: the same thing has the same word wherever it is shown, and a part is never the worse one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.policies import LEVELS
from services.dashboard import row_views
from services.dashboard.catalogue import Catalogue
from services.dashboard.days import Notable, Scale, days_of, scale_of
from services.dashboard.numbers import Counts
from services.dashboard.pages.blueprint import query as blueprint
from services.dashboard.pages.future import query as future
from services.dashboard.pages.map import query as maps
from services.dashboard.pages.today import query as today
from services.dashboard.pages.touchpoint import query as touchpoint
from services.dashboard.ranking import HURTS
from services.dashboard.ranking_inputs import Weighed
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope, range_of
from services.dashboard.store import CellKey, Cells, Hurt, Hurts
from services.dashboard.views.accounts import TouchpointView
from streams.incidents.judging import level_of_part
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import Row, world
from tests.incident_kit import BLUEPRINT as WHOLE_BLUEPRINT
from tests.incident_kit import part

CATALOGUE = Catalogue(BLUEPRINT)
WHOLE = Catalogue(WHOLE_BLUEPRINT)
"""Of what is shipped: with complaints, and accounts that count more."""
KINDS = ("complaint", "app_error", "product_use")
PHASES = ("consideration", "purchase", "enablement")
SHOWN = (*HURTS, "calm", "unmeasured", "unseen", "verdict")


@st.composite
def _sums(draw: st.DrawFn) -> dict[CellKey, Counts]:
    """A cell or more of each type, with as much friction as there may be."""
    found = {}
    for key in draw(st.lists(st.sampled_from([(p, k) for p in PHASES for k in KINDS]), min_size=1, unique=True)):
        volume = draw(st.integers(1, 40))
        friction = draw(st.integers(0, volume))
        found[key] = Counts(volume=volume, friction=friction, pain_sum=friction * draw(st.floats(0.01, 1.0)))
    return found


@given(_sums(), st.none() | _sums(), st.integers(1, 60), st.integers(1, 12))
def test_a_type_in_one_phase_is_never_worse_than_the_type(
    now: dict[CellKey, Counts], before: dict[CellKey, Counts] | None, active: int, most: int
) -> None:
    by_cell = {key: Hurt(min(most, counts.friction)) for key, counts in now.items()}
    by_type = {kind: Hurt(max([h.accounts for (_, k), h in by_cell.items() if k == kind], default=0)) for kind in KINDS}
    hurts = Hurts(by_cell, by_type, Hurt(), {})
    weighed = Weighed(
        WHOLE,
        Scope("7d"),
        NOW,
        range_of("7d", NOW),
        Cells(now, {}, Counts(accounts=active)),
        None if before is None else Cells(before, {}, Counts(accounts=active)),
        hurts,
        None,
        {},
        {},
        active=active,
    )
    for key in now:
        whole, mine = weighed.kind(key[1]), weighed.cell(key)
        assert mine.weight <= whole.weight * (1 + 1e-9)
        assert SHOWN.index(mine.severity) >= SHOWN.index(whole.severity)
        if len([each for each in now if each[1] == key[1]]) == 1:
            assert (mine.severity, mine.weight) == (whole.severity, whole.weight), "nowhere else"


def test_a_complaint_that_shrank_but_is_new_in_its_phase_is_what_the_list_calls_it() -> None:
    """As it was: in its phase it was new, counted twice, and stood two words above the list."""
    now = {("enablement", "complaint"): Counts(volume=4)}
    before = {("purchase", "complaint"): Counts(volume=40)}
    weighed = Weighed(
        WHOLE,
        Scope("7d"),
        NOW,
        range_of("7d", NOW),
        Cells(now, {}, Counts(accounts=20)),
        Cells(before, {}, Counts(accounts=20)),
        Hurts({}, {}, Hurt(), {}),
        None,
        {},
        {},
        active=20,
    )
    assert weighed.cell(("enablement", "complaint")).severity == weighed.kind("complaint").severity == "watch"


def reader_on(store: FakeStore) -> Reader:
    return Reader(store, CATALOGUE, lambda: NOW)


async def test_every_page_has_the_same_word_for_a_type_whatever_it_is_narrowed_to() -> None:
    reader, scope = reader_on(FakeStore(world(BLUEPRINT, NOW, touchpoints=900, days=6))), Scope("7d")
    found = await today.ask(reader, scope)
    words = {row.id: row.burden.severity for row in found.rows}
    assert len(set(words.values()) & set(HURTS)) > 1, "more than one word, or this shows nothing"
    for kind, word in words.items():
        one = await touchpoint.ask(reader, replace(scope, subject=f"all/{kind}"))
        assert one.burden.severity == word, kind
        owner = CATALOGUE.types[kind].owner
        if owner is not None:
            theirs = replace(scope, owner=owner.department, types=CATALOGUE.owners[owner.department])
            assert {row.id: row.burden.severity for row in (await today.ask(reader, theirs)).rows}[kind] == word, kind
    board = await blueprint.ask(reader, scope)
    assert all(words.get(each.kind.id, each.burden.severity) == each.burden.severity for each in board.columns)
    wishes = await future.ask(reader, scope)
    listed = (*wishes.short, *wishes.there, *wishes.unknown)
    assert all(words.get(each.kind.id, each.severity) == each.severity for each in listed)


async def test_how_bad_a_type_is_does_not_depend_on_how_few_it_touched() -> None:
    """As it was: its own page divided by the accounts that it had touched, and called it severe."""
    made = world(BLUEPRINT, NOW, touchpoints=900, days=6)
    kind, account = next((row["touchpoint_type"], row["account_id"]) for row in made.touchpoints if row["friction"])
    made.touchpoints[:] = [
        row for row in made.touchpoints if row["touchpoint_type"] != kind or row["account_id"] == account
    ]
    reader, scope = reader_on(FakeStore(made)), Scope("7d")
    (listed,) = [row for row in (await today.ask(reader, scope)).rows if row.id == kind]
    own = (await touchpoint.ask(reader, replace(scope, subject=f"all/{kind}"))).burden
    assert (own.severity, own.weight) == (listed.burden.severity, listed.burden.weight)


async def test_the_strip_and_the_map_have_the_same_word_for_a_type_in_a_phase() -> None:
    reader, scope = reader_on(FakeStore(world(BLUEPRINT, NOW, touchpoints=900, days=6))), Scope("7d")
    strip = {(p.id, each.id): each.severity for p in (await today.ask(reader, scope)).strip for each in p.hurts}
    cells = {
        (p.id, each.id): each.burden.severity for p in (await maps.ask(reader, scope)).phases for each in p.painful
    }
    assert strip and strip.items() <= cells.items()
    words = {row.id: row.burden.severity for row in (await today.ask(reader, scope)).rows}
    assert all(SHOWN.index(level) >= SHOWN.index(words[kind]) for (_, kind), level in cells.items())


def touchpoints(kind: str, severity: float | None, **more: Any) -> list[TouchpointView]:
    """One, with a sign of friction of so much."""
    made = world(BLUEPRINT, NOW, touchpoints=200, days=4)
    store = FakeStore(made)
    row: Row = dict(made.touchpoints[0]) | {"touchpoint_type": kind, "text": "", "has_emotion": 0, "on_map": 1} | more
    view = row_views.touchpoint_view(WHOLE, store._with_signals(row | {"event_id": "x"}))
    sign = row_views.touchpoint_view(
        WHOLE, store._with_signals(next(each for each in made.touchpoints if each["friction"]))
    ).signals[0]
    signs = () if severity is None else (replace(sign, polarity="friction", severity=severity),)
    return [replace(view, signals=signs)]


@pytest.mark.parametrize("weight", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("kind", ["complaint", "support_ticket", "blog_article", "never_heard_of"])
@given(severity=st.floats(0.01, 1.0))
def test_a_sign_on_a_timeline_is_as_bad_as_in_its_incident(kind: str, weight: float, severity: float) -> None:
    seen = touchpoints(kind, severity)
    scale = Scale(WHOLE.lens, {seen[0].account_id: weight})
    ((entry,),) = [day.entries for day in days_of(seen, scale)]
    worst = max(severity, WHOLE.types[kind].risk / 5 if kind == "complaint" else 0.0)
    as_part = part("s", "e1", severity=worst, touchpoint_type=kind)
    assert isinstance(entry, Notable)
    assert entry.severity == level_of_part(as_part, WHOLE.lens, weight)


def test_a_complaint_of_which_no_rule_says_anything_hurts_on_the_timeline_too() -> None:
    ((entry,),) = [day.entries for day in days_of(touchpoints("complaint", None), Scale(WHOLE.lens, {}))]
    assert isinstance(entry, Notable) and entry.severity in LEVELS
    ((off,),) = [
        day.entries for day in days_of(touchpoints("complaint", None, on_map=0, text="x"), Scale(WHOLE.lens, {}))
    ]
    assert not isinstance(off, Notable) or off.severity not in LEVELS, "off the map it is no contact moment"


def test_an_account_counts_on_its_timeline_as_it_does_in_its_incidents() -> None:
    trait = WHOLE.lens.blueprint.tiers.trait
    tier, weight = max(WHOLE.lens.blueprint.tiers.weights.items(), key=lambda each: each[1])
    rows = [{"account_id": "crm:1", "segment": "", "traits": f'{{"{trait}": "{tier}"}}'}]
    assert scale_of(WHOLE, rows).weights == {"crm:1": weight}
    assert scale_of(WHOLE, [rows[0] | {"traits": ""}]).weights == {"crm:1": 1.0}
