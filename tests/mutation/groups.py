"""What is mutated, and by which tests it is judged: the table of `python -m tests.mutation`.

A group names only the tests that are about its files. A mutant that would only be noticed far away, by a test of
something else, counts as a survivor: such a test would not say what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Group:
    """Some modules (`folder` and file names without `.py`), and the tests in `tests/unit` that judge them."""

    name: str
    folder: str
    modules: tuple[str, ...]
    judges: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The mutated files, as seen from the root of the repository."""
        return tuple(f"{self.folder}/{module}.py" for module in self.modules)

    @property
    def tests(self) -> tuple[str, ...]:
        """The files of tests, as pytest takes them."""
        return tuple(f"tests/unit/test_{judge}.py" for judge in self.judges)


def group(name: str, folder: str, modules: str, judges: str) -> Group:
    """A line of the table; modules and judges are separated by blanks."""
    return Group(name, folder, tuple(modules.split()), tuple(judges.split()))


_ALL = (
    group(
        "journey-fold",
        "streams/journey",
        "fold step state transitions pain phases leaving personas signals amended deal_words",
        "phase_persona rules_golden deal_words amended revisions ordinary_events fold_edges friction_cases",
    ),
    group(
        "journey-rules",
        "streams/journey",
        "event_patterns absence_pattern compounds opportunities overlap scene evidence profile causes consent"
        " correction_limit",
        "friction_cases rules_golden rules_edges phase_persona recognition fold_edges consent correction_limit refold",
    ),
    group(
        "friction",
        "streams/friction",
        "cases compiled controls feeds episodes fields labels rule_book topics views words working_time",
        "pattern_edges field_edges friction_edges friction_cases friction_feeds friction_words topics views"
        " repeated_controls working_time",
    ),
    group(
        "identity-graph",
        "streams/identity",
        "graph edges clusters verdicts regions",
        "identity_edges identity_links ids_of_nobody attribution tangled_identities retold_links read_edges"
        " plain_people stored_links identity_questions limits_of_growth",
    ),
    group("identity-aliases", "streams/identity", "aliases", "identity_edges ids_of_nobody"),
    group(
        "identity-edges",
        "streams/identity",
        "addresses free_mail domains networks placeholders loading read_edges plain inherited_person_ids",
        "attribution free_mail ids_of_nobody identity_networks read_edges plain_people directories stored_links",
    ),
    group(
        "identity-erasures",
        "streams/identity",
        "erasures late_erasures forgetting recalls retold record_changes",
        "erasures retold_links resolve_convergence flooded_accounts identity_pipeline",
    ),
    group("minimising", "streams/minimising", "asked kept tokens", "minimising_edges keeping"),
    group(
        "matching",
        "streams/matching",
        "conditions recognition traffic",
        "condition_edges recognition recognition_edges traffic",
    ),
    group(
        "incidents",
        "streams/incidents",
        "incident identity grouping judging intake quiet rhythm pace lateness digests actions",
        "incident_edges incidents incident_threads pace rhythm",
    ),
    group("timers", "streams/processors", "timers clock", "timers"),
    group(
        "schemas",
        "schemas",
        "base paths policies ids errors calendars traffic retention",
        "condition_edges numbers_and_times webhook_mapping retention",
    ),
    group(
        "dashboard",
        "services/dashboard",
        "numbers ranking ranking_inputs scope since",
        "dashboard_edges dashboard_numbers page_pain",
    ),
)
GROUPS = {line.name: line for line in _ALL}

#: Modules of the packages that have groups, which no group names yet.
NOT_TRIED: dict[str, str] = {
    "streams/journey": "account blueprints checks compiled corrections digests facts golden stored",
    "streams/identity": "attribution_rules claims company_names declared directories directory doubts followers"
    " knowledge learning memberships proposals stored",
    "streams/matching": "wording",
    "streams/incidents": "counts golden holidays links listing messages played preview promises rows series stored"
    " subjects threads type_desks unusual weekly",
}
#: Packages all of whose modules are in a group or are named above.
WHOLE = ("streams/friction", "streams/minimising", *NOT_TRIED)
