"""What an import did: counts of everything, examples of what needs a human."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.cli.importing.findings import Finding

EXAMPLES = 5
"""Of findings that one thing would mend."""


@dataclass(slots=True)
class Report:
    """Of one file. `already_safe`: rows an earlier run had delivered, not sent again.

    `unplaced` counts by what would mend it.
    """

    file: str
    dry_run: bool
    note: str = ""
    rows: int = 0
    sent: int = 0
    already_safe: int = 0
    refused: int = 0
    unplaced: Counter[str] = field(default_factory=Counter)
    phones_not_taken: int = 0
    untaken_columns: tuple[str, ...] = ()
    examples: list[Finding] = field(default_factory=list)
    _by_fix: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)

    def add(self, finding: Finding) -> None:
        """Count a finding; the first that the same thing would mend stay as examples."""
        if finding.state == "refused":
            self.refused += 1
        else:
            self.unplaced[finding.fix] += 1
        self._by_fix[finding.state, finding.fix] += 1
        if self._by_fix[finding.state, finding.fix] <= EXAMPLES:
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
            "phones_not_taken": self.phones_not_taken,
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
        if self.phones_not_taken:
            fix = "write them in international form, +31 20 123 4567"
            yield f"  phone numbers not taken: {self.phones_not_taken:,}; {fix}"
        yield from self._examples("refused", "refused", self.refused)
        yield from self._examples("unplaced", "sent, but not certain whose", self.unplaced.total())

    def _examples(self, state: str, title: str, count: int) -> Iterator[str]:
        if not count:
            return
        yield f"  {title}: {count:,}"
        for (of, fix), number in self._by_fix.most_common():
            if of == state:
                shown = [finding for finding in self.examples if (finding.state, finding.fix) == (state, fix)]
                yield f"    {number:,} to mend so: {fix}" + (
                    f"; the first {len(shown)}:" if number > len(shown) else ":"
                )
                yield from (f"      {finding.place}" for finding in shown)
