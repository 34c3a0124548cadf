"""`touchline validate`: every problem of a configuration or blueprint at once, each with file, line and column."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas import documents
from schemas.documents import MAX_PLACES, parse_document
from schemas.errors import ConfigurationError
from services.cli.commands.validate import notes, problems
from services.cli.main import app
from services.cli.service import main as service_main
from services.common.first_config import write_fresh
from streams.journey.blueprints import DEFAULT, read

pytestmark = pytest.mark.usefixtures("shipped_blueprint_tried_once")

runner = CliRunner()

SOUND = """\
version: 1
initial_phase: awareness
phases:
  - {id: awareness, name: Awareness}
  - {id: purchase, name: Purchase}
  - {id: lapsed, name: Lapsed, kind: exit}
transitions:
  - {source: awareness, target: purchase}
  - {source: "*", target: lapsed}
indicative:
  awareness: purchase
decisive:
  - {match: {action: lifecycle_changed}, phase: lapsed, only_from: [purchase]}
personas:
  - {id: buyer, name: Buyer}
persona_rules:
  - {persona: buyer, title_words: [buyer], behaviour: {type: [quote], action: [click]}}
committee:
  decision maker: 1
types:
  - {id: quote, name: Quote, phase: purchase, match: [{vendor: segment, vendor_type: "track:quote*"}]}
  - {id: visit, name: Visit, phase: awareness, match: [{action: page_view, page: "/a*"}]}
rules:
  - id: rage
    pattern: burst
    when: [{action: click}]
    count: 2
    within_s: 1
    severity: {base: 0.5}
    explanation: clicked
    fed_by: [click]
    tests:
      - {name: two fire, signals: 1, events: [{at_s: 0, event: {action: click}}, {at_s: 1, event: {action: click}}]}
      - {name: one does not, signals: 0, events: [{at_s: 0, event: {action: click}}]}
"""

#: What is changed in the sound one → the complaints, with their place.
REFUSED: dict[str, tuple[str, str, list[str]]] = {
    "unknown key": (
        "name: Purchase}",
        "nmae: Purchase}",
        [":5:5: phases.1.name: is missing (shown name", ":5:20: phases.1.nmae: unknown key; did you mean `name`?"],
    ),
    "unknown section": ("committee:", "comittee:", [":18:1: comittee: unknown key; did you mean `committee`?"]),
    "unknown word": (
        "kind: exit",
        "kind: exti",
        [":6:32: phases.2.kind: input should be 'buyer', 'customer' or 'exit', got 'exti'; did you mean `exit`?"],
    ),
    "a long value is cut": ("version: 1", f"version: {'x' * 300}", [":1:1: version: input should be a valid integer"]),
    "one complaint per value": (
        "{action: page_view,",
        "{properties: {x: [[1]]}, action: page_view,",
        [":22:74: types.1.match.0.properties.x.0: input should be a valid string, got [1]"],
    ),
    "unknown phase of a type": (
        "Quote, phase: purchase",
        "Quote, phase: purchse",
        [":21:30: types.0.phase: unknown phase `purchse`; did you mean `purchase`?"],
    ),
    "unknown phase of evidence": (
        "only_from: [purchase]",
        "only_from: [purchase, pruchase]",
        [":13:79: decisive.0.only_from.1: unknown phase `pruchase`; did you mean `purchase`?"],
    ),
    "unknown phase of a transition": (
        "source: awareness, target: purchase}",
        "source: awareness, target: purchas}",
        [":8:25: transitions.0.target: unknown phase `purchas`; did you mean `purchase`?"],
    ),
    "unknown first phase": (
        "initial_phase: awareness",
        "initial_phase: awarness",
        [":2:1: initial_phase: unknown phase `awarness`; did you mean `awareness`?"],
    ),
    "unknown persona": (
        "{persona: buyer",
        "{persona: byer",
        [":17:6: persona_rules.0.persona: unknown persona `byer`; did you mean `buyer`?"],
    ),
    "unknown type": (
        "type: [quote]",
        "type: [qote]",
        [":17:63: persona_rules.0.behaviour.type.0: unknown touchpoint type `qote`; did you mean `quote`?"],
    ),
    "unknown action": (
        "action: page_view",
        "action: pageview",
        [":22:56: types.1.match.0: unknown action `pageview`; did you mean `page_view`?"],
    ),
    "unknown action of behaviour": (
        "action: [click]",
        "action: [clik]",
        ["unknown action `clik`; did you mean `click`?"],
    ),
    "unknown role": (
        "decision maker: 1",
        "decision mkaer: 1",
        [":19:3: committee.decision mkaer: unknown buying role `decision mkaer`; did you mean `decision maker`?"],
    ),
    "unknown vendor of a match": (
        "vendor: segment",
        "vendor: segmnt",
        [":21:56: types.0.match.0.vendor: unknown vendor `segmnt`; did you mean `segment`?"],
    ),
    "unknown capability of a rule": (
        "fed_by: [click]",
        "fed_by: [clik]",
        [":31:14: rules.0.fed_by.0: input should be"],
    ),
    "a rule that names vendors": (
        "fed_by: [click]",
        "sources: [segment]",
        [":24:5: rules.0: `sources` named vendors; say what feeds the rule instead, in `fed_by`: page_view, click"],
    ),
    "id given twice": (
        "{id: visit",
        "{id: quote",
        [":22:6: types.1.id: `quote` stands twice, first at b.yaml:21:6"],
    ),
    "a key given twice": (
        "{id: buyer,",
        "{id: buyer, id: byer,",
        [":15:17: personas.0.id: given twice, first at b.yaml:15:6"],
    ),
    "ambiguous": (
        'action: page_view, page: "/a*"',
        'channel: web, vendor_type: "*rack:quotes"',
        [
            ":22:56: types.1.match.0: `visit` and `quote` (b.yaml:21:55) weigh the same and can both hold, "
            "as on vendor segment, channel web, vendor_type `track:quotes`; add a condition to one of them"
        ],
    ),
    "a phase without a way": (
        "{source: awareness, target: purchase}",
        "{source: purchase, target: awareness}",
        [
            ":5:6: phases.1.id: `purchase` cannot be reached: no allowed transitions lead to it from `awareness`",
            ":11:3: indicative.awareness: no allowed transitions lead from `awareness` to `purchase`",
        ],
    ),
    "a phase without evidence": (
        "awareness: purchase\n",
        "awareness: awareness\n",
        [":5:6: phases.1.id: `purchase` cannot be reached: neither decisive nor indicative evidence leads to it"],
    ),
    "a golden test": (
        "count: 2",
        "count: 1",
        [":34:9: rules.0.tests.1: golden test: rage: one does not: signals 1, 0 expected"],
    ),
    "broken YAML": ("version: 1", "version: [1", ["not valid YAML"]),
}


def told(text: str, folder: Path) -> list[str]:
    path = folder / "b.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).replace(f"{folder}/", "") for problem in problems(path)]


def test_a_sound_blueprint_has_no_problem(tmp_path: Path) -> None:
    assert told(SOUND, tmp_path) == []
    assert problems(DEFAULT) == []


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    """Known bad: each is the sound blueprint with one thing wrong."""
    before, after, expected = REFUSED[case]
    assert SOUND.count(before) == 1
    found = told(SOUND.replace(before, after), tmp_path)
    assert len(found) == len(expected), found
    for line, wanted in zip(found, expected, strict=True):
        assert line.startswith("b.yaml") and wanted in line
        assert len(line) < 400


def test_all_problems_come_at_once_and_none_follows_from_another(tmp_path: Path) -> None:
    text = SOUND.replace("kind: exit", "kind: exti").replace("{persona: buyer", "{persona: byer")
    text = text.replace("Quote, phase: purchase", "Quote, phase: purchse").replace("base: 0.5", "base: 2")
    found = told(text, tmp_path)
    assert [line.split(":")[1] for line in found] == ["6", "17", "21", "29"]
    assert not any("lapsed" in line for line in found), "the phase with the wrong kind is no unknown phase"


def test_included_files_are_named_right(tmp_path: Path) -> None:
    text = SOUND.replace("version: 1", "version: 1\ninclude: [more.yaml, absent.yaml]")
    more = (
        "types:\n  - {id: ad, name: Ad, phase: awarness}\n  - {id: visit, name: Again, phase: awareness}\nversion: 2\n"
    )
    (tmp_path / "more.yaml").write_text(more)
    assert told(text, tmp_path) == [
        "b.yaml:2:22: include.1: absent.yaml: cannot be read: No such file or directory",
        "more.yaml:2:24: types.2.phase: unknown phase `awarness`; did you mean `awareness`?",
        "more.yaml:3:6: types.3.id: `visit` stands twice, first at b.yaml:23:6",
        "more.yaml:4:1: version: an included file holds lists only (types, rules, …), got 2",
    ]


def test_a_part_alone_says_what_to_validate() -> None:
    (problem,) = problems(DEFAULT.parent / "touchpoints.yaml")
    assert "validate the file that includes it" in str(problem)


def test_anchors_aliases_and_merge_keys_keep_their_places(tmp_path: Path) -> None:
    text = SOUND.replace(
        "  - {id: visit, name: Visit, phase: awareness,",
        "  - &base\n    id: base\n    name: Base\n    phase: nowhere\n  - {<<: *base, id: visit, name: Visit,",
    )
    assert told(text, tmp_path) == [
        f"b.yaml:25:5: types.{index}.phase: unknown phase `nowhere`; known: awareness, purchase, lapsed"
        for index in (1, 2)
    ]
    document = parse_document("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a]\n", "f")
    assert document.data["b"] == {"x": 1, "y": 3}
    places = [document.origin(loc) for loc in (("b", "x"), ("b", "y"), ("c", 0, "y"))]
    assert places == ["f:1:8", "f:2:13", "f:1:14"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "a: &a {<<: *a}\n",
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    ],
)
def test_aliases_without_end_are_refused(text: str) -> None:
    """A short text that would grow beyond all bounds."""
    with pytest.raises(ConfigurationError, match="repeat themselves|not valid YAML"):
        parse_document(text, "f")
    assert MAX_PLACES <= 1_000_000


def test_a_configuration_tells_its_own_and_its_blueprints_problems_together(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    (tmp_path / "secrets" / "crm").unlink()
    (tmp_path / "b.yaml").write_text(SOUND.replace("{persona: buyer", "{persona: byer"))
    path.write_text(path.read_text() + "journey: {blueprint: b.yaml}\nlog_fromat: json\nkafka: {partitions: 0}\n")
    found = [str(problem).replace(f"{tmp_path}/", "") for problem in problems(path)]
    assert sorted(line.split(": ")[1] for line in found) == [
        "kafka.partitions",
        "log_fromat",
        "persona_rules.0.persona",
        "sources.crm.secrets",
    ]
    path.write_text("journey: {blueprint: none.yaml}\n")
    (problem,) = problems(path)
    assert str(problem).startswith(f"{path}:1:11: journey.blueprint: no such file: {tmp_path}/none.yaml")


def test_rules_that_nothing_feeds_are_said(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    write_fresh(path, tmp_path)
    assert notes(path) == []
    path.write_text("sources: [{name: crm, vendor: hubspot, secrets: [{file: secrets/crm}]}]\n")
    result = runner.invoke(app, ["validate", str(path)])
    assert result.exit_code == 0
    assert "note: rule `rage_click` finds nothing" in result.stderr
    assert notes(DEFAULT) == []


def test_json_has_the_place_in_parts(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(SOUND.replace("{persona: buyer", "{persona: byer"))
    result = runner.invoke(app, ["validate", str(DEFAULT), str(tmp_path / "b.yaml"), "--json"])
    assert result.exit_code == 78
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "file": str(tmp_path / "b.yaml"),
            "line": 17,
            "column": 6,
            "field": "persona_rules.0.persona",
            "message": "unknown persona `byer`; did you mean `buyer`?",
        }
    ]
    assert runner.invoke(app, ["validate", str(DEFAULT)]).exit_code == 0


@pytest.mark.parametrize("service", ["journey", "dashboard"])
def test_a_service_refuses_at_start_what_validate_names(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words, from the same reading, before anything is waited for."""
    shutil.copytree(DEFAULT.parent, tmp_path / "own")
    path, config = tmp_path / "own" / "default.yaml", tmp_path / "touchline.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("initial_phase: awareness", "initial_phase: awarness"))
    config.write_text('journey: {blueprint: own/default.yaml}\nkafka: {bootstrap: ["127.0.0.1:1"]}\n')
    assert service_main([service, "--config", str(config)]) == 78
    assert capsys.readouterr().err.splitlines() == [str(problem) for problem in problems(path)]


def test_reading_never_raises_on_what_stands_in_a_file(tmp_path: Path) -> None:
    for text in (
        "",
        "[]",
        "a",
        "types: 3",
        "phases: [1, {}]\ntypes: [null]",
        "include: 3",
        "rules: [{id: x}]\n? [1]\n: 2",
    ):
        reading = read(text, "f", folder=tmp_path)
        assert reading.compiled is None and reading.complaints


RULE = """
  - id: case
    pattern: compound
    of: [[{rules: [rage], roles: [champion]}]]
    within_s: 60
    severity: {base: 0.5}
    explanation: both
  - id: late
    pattern: absence
    opens: [{action: click}]
    target: answer_s
    within_s: 60
    within_by_phase: {purchase: 30}
    severity: {base: 0.5}
    explanation: late
    variants: [{id: a, instead: {target: resolution_s}}]
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("rules: [rage]", "rules: [rge]", [":37:20: rules.1.of.0.0.rules.0: unknown rule `rge`; did you mean `rage`?"]),
        ("roles: [champion]", "roles: [champ]", [":37:35: rules.1.of.0.0.roles.0: unknown buying role `champ`"]),
        (
            "{purchase: 30}",
            "{pruchase: 30}",
            [":46:23: rules.2.within_by_phase", "unknown phase `pruchase`; did you mean `purchase`?"],
        ),
        (
            "{target: resolution_s}",
            "{target: resolution}",
            [":49:34: rules.2.variants.0.instead.target: unknown target"],
        ),
    ],
)
def test_what_rules_name_must_be_there(before: str, after: str, expected: list[str], tmp_path: Path) -> None:
    found = told(SOUND + RULE.lstrip("\n").replace(before, after) if before else SOUND + RULE.lstrip("\n"), tmp_path)
    assert len(found) == bool(expected)
    assert all(part in found[0] for part in expected)


def test_a_target_nobody_knows_is_no_target(tmp_path: Path) -> None:
    text = SOUND.replace("phase: purchase, match", "phase: purchase, targets: {answer: 3}, match")
    assert [line.split(": ", 2)[2] for line in told(text, tmp_path)] == [
        "unknown target `answer`; did you mean `answer_s`?"
    ]


_keys = st.text("abcdefgh", min_size=1, max_size=5)
_trees = st.recursive(
    st.integers(0, 999) | st.text("xyz ü:#", max_size=6) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, documents._LOADER])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # they say how busy the machine is
@given(tree=st.dictionaries(_keys, _trees, min_size=1, max_size=4), flow=st.booleans())
def test_every_key_is_where_it_is_said_to_be(loader: type[yaml.SafeLoader], tree: dict[str, Any], flow: bool) -> None:
    """Whatever the nesting and style, and whichever parser reads it."""
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_LOADER", loader)
        document = parse_document(text, "f")
    assert document.data == tree
    lines = text.splitlines()
    for loc, origin in document.origins.items():
        _, line, column = origin.split(":")
        if loc and isinstance(loc[-1], str):
            assert lines[int(line) - 1][int(column) - 1 :].startswith((loc[-1], f"? {loc[-1]}", f'"{loc[-1]}"'))


@given(st.text("ab:-[]{}&*<>? \n'\"#|", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse_document(text, "f").data, dict)


def test_a_source_that_must_say_whose_messages_it_takes(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "crm").write_text("s")
    path = tmp_path / "touchline.yaml"
    source = "name: crm, vendor: salesforce, secrets: [{file: secrets/crm}]"
    path.write_text(f"sources: [{{{source}}}]\n")
    found = [str(one) for one in problems(path)]
    assert len(found) == 1 and "sources.0.tenant" in found[0] and "the organisation's id" in found[0], found
    path.write_text(f"sources: [{{{source}, tenant: 00D000000000001EAA}}]\n")
    assert problems(path) == []
