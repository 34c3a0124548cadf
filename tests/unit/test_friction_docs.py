"""docs/reference/friction.md says what the catalogue says: its table is made from the rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from schemas.friction_rules import Rule
from streams.friction.words import spoken
from streams.journey.blueprints import load

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "friction.md"
RULES = load().source.rules


def catalogue() -> str:
    """The catalogue as Markdown."""
    lines = ["| rule | fires | severity | fed by | golden tests |", "|---|---|---|---|---|"]
    lines += [f"| {r.id} | {_fires(r)} | {_severity(r)} | {_fed_by(r)} | {len(r.tests)} |" for r in RULES]
    return "\n".join(lines)


def _fires(rule: Rule) -> str:
    return "; or ".join(dict.fromkeys(_way(way) for way in rule.ways()))


def _way(rule: Rule) -> str:
    within = spoken(timedelta(seconds=rule.within_s)) if rule.within_s else "any time"
    target = f", or the type's `{rule.target}`" if rule.target else ""
    about = f" per {' + '.join(rule.group_by)}" if rule.group_by else ""
    match rule.pattern:
        case "each":
            joins = "each by itself" if "event" in rule.group_by else f"joined within {within}{about}"
            return f"every match, {joins}"
        case "burst":
            return f"≥ {rule.count}, each ≤ {within} after the previous{about}"
        case "window":
            what = f"different {rule.distinct}" if rule.distinct else f"of one {rule.same}" if rule.same else "matches"
            return f"≥ {rule.count} {what} within {within}{about}"
        case "sequence":
            return f"{len(rule.steps)} steps, the last ≤ {within} after the one before{about}"
        case "absence":
            return f"no end within {within}{target}{about}"
        case "regress":
            return f"`{rule.field}` goes back in its order{about}"
        case "advance":
            return f"a phase left in less than {rule.share:g} of its usual time"
        case "compound":
            rules = f" of ≥ {rule.count} rules" if rule.count > 1 else ""
            return f"signals{rules} ≤ {within} apart{about}"


def _severity(rule: Rule) -> str:
    severity = rule.severity
    parts = ["worst part"] if severity.of_parts and not severity.base else [f"{severity.base:g}"]
    parts += [f"…{severity.worst:g}"] if severity.worst is not None else []
    parts += [f" + {severity.step:g} each"] if severity.step else []
    parts += [f", {value:g} from {count}" for count, value in severity.at_count.items()]
    return "".join(parts)


def _fed_by(rule: Rule) -> str:
    return ", ".join(rule.fed_by) or "signals"


def test_the_table_of_the_docs_is_the_catalogue() -> None:
    assert catalogue() in DOCS.read_text(encoding="utf-8"), f"docs/reference/friction.md must hold:\n{catalogue()}"


def test_every_rule_stands_in_the_table_of_detection() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## What it finds")[2]
    assert all(f"\n| {rule.id} | " in text for rule in RULES)
