"""What an import did: counts of everything, examples of what needs a human."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.cli.importing.findings import Finding

EXAMPLES = 10


@dataclass(slots=True)
class Report:
    """Of one file. `already_safe`: rows an earlier run had delivered, not sent again."""

    file: str
    dry_run: bool
    note: str = ""
    rows: int = 0
    sent: int = 0
    already_safe: int = 0
    refused: int = 0
    unplaced: Counter[str] = field(default_factory=Counter)
    untaken_columns: tuple[str, ...] = ()
    examples: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding; the first of each state stay as examples."""
        if finding.state == "refused":
            self.refused += 1
        else:
            self.unplaced[finding.field] += 1
        if sum(known.state == finding.state for known in self.examples) < EXAMPLES:
            self.examples.append(finding)

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.file,
            "dry_run": self.dry_run,
            "note": self.note,
            "rows": self.rows,
            "sent": self.sent,
            "already_safe": self.already_safe,
            "refused": self.refused,
            "unplaced": dict(self.unplaced),
            "untaken_columns": list(self.untaken_columns),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        done = "would be sent" if self.dry_run else "sent"
        safe = f", {self.already_safe:,} were safe already" if self.already_safe else ""
        yield f"{self.file}: {self.rows:,} rows read, {self.sent:,} {done}{safe}, {self.refused:,} refused"
        if self.note:
            yield f"  {self.note}"
        if self.untaken_columns:
            yield f"  columns not taken: {', '.join(self.untaken_columns)}; --map COLUMN=FIELD takes one"
        yield from self._examples("refused", self.refused, "refused")
        yield from self._examples("unplaced", self.unplaced.total(), "not certain whose")

    def _examples(self, state: str, count: int, title: str) -> Iterator[str]:
        if count:
            shown = [finding for finding in self.examples if finding.state == state]
            more = f" (the first {len(shown)})" if count > len(shown) else ""
            yield f"  {title}: {count:,}{more}"
            yield from (f"    {finding}" for finding in shown)
