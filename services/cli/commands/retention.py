"""`touchline retention`: what is kept where, what of it is personal, and how long; also as a table of the docs."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.config import Config
from schemas.retention import TABLES_HELD, TOPICS_HELD, Holding
from services.cli.generate.marked import markdown, put
from services.sink.retention import days_of
from streams.runtime.topics_admin import roll_hours


def described(config: Config) -> Iterator[dict[str, object]]:
    """A line for each topic and table, topics first. `gone_after_hours`: null where only an erasure ends it."""
    kafka = config.kafka
    for topic, held in TOPICS_HELD.items():
        hours = kafka.hours_of(topic)
        gone = hours + roll_hours(hours) if held.keeps == "log" else None
        yield {"topic": topic, **_line(held), "kept": _log_words(held, config, hours), "gone_after_hours": gone}
    for table, held in TABLES_HELD.items():
        days = days_of(table, config)
        kept = f"{days} days" if days else "until erased" if held.personal else "for ever"
        yield {"table": table, **_line(held), "kept": kept, "gone_after_hours": days * 24 if days else None}


def with_table(text: str) -> str:
    """The reference page with its table, for the configuration that nobody wrote. Raises ValueError without markers."""
    lines = ["| where | what | personal fields | kept |", "|---|---|---|---|"]
    for line in described(Config()):
        fields = line["personal"]
        assert isinstance(fields, tuple)
        personal = ", ".join(f"`{name}`" for name in fields) or "none"
        lines.append(f"| `{line.get('topic') or line['table']}` | {line['what']} | {personal} | {line['kept']} |")
    return put(text, markdown("retention"), "\n".join(lines) + "\n")


def _line(held: Holding) -> dict[str, object]:
    return {"what": held.what, "personal": held.personal}


def _log_words(held: Holding, config: Config, hours: int) -> str:
    if held.keeps == "latest":
        return f"the latest of each key; what it replaced at most {config.kafka.compaction_hours} h"
    return f"{hours} h, at most {hours + roll_hours(hours)} h, and {config.kafka.retention_bytes >> 20} MiB a partition"
