"""What identity and accounts cost: memory a person, CPU an event, and the floods that must not stall what lives."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from benchmarks.figures import Figure, Pace, Say
from schemas.links import LINKS, AccountClaim, Carried, Erasure, Link
from schemas.touchpoints import CleanTouchpoint
from streams.identity.knowledge import Knowledge

PEOPLE: Final = 100_000
ACCOUNTS: Final = 20_000
CLAIMS: Final = 5_000
SHARED: Final = 5_000
LINKS_AT_START: Final = 500_000
_PART: Final = "identity"
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PAGE: Final = Path("/proc/self/statm")


def event(number: int, aliases: tuple[str, ...], **fields: object) -> CleanTouchpoint:
    """A touchpoint of the feed, `number` seconds into it."""
    at = _BEGAN + timedelta(seconds=number)
    base = {"event_id": f"00000000-0000-5000-8000-{number:012}", "source": "web", "vendor": "segment"}
    named = {"vendor_type": "page", "action": "identify", "occurred_at": at, "received_at": at, "aliases": aliases}
    return CleanTouchpoint.of(base | named | fields)


def arrivals(people: int, accounts: int) -> Iterator[CleanTouchpoint]:
    """A company's CRM, then its people: a browser, an address and a user id each, a CRM contact for every second."""
    for n in range(accounts):
        yield event(n, (), source="crm", account_refs=(f"crm:{n}",), account_traits={"domain": f"company{n}.com"})
    for n in range(people):
        address = f"email:person{n}@company{n % accounts}.com"
        yield event(accounts + 2 * n, (f"anonymous:browser-{n:032}", address, f"user:u-{n}"))
        if n % 2:
            tied = {"source": "crm", "action": "crm_record", "account_refs": (f"crm:{n % accounts}",)}
            yield event(accounts + 2 * n + 1, (f"crm_contact:{n}", address), **tied)


def run(pace: Pace, say: Say) -> list[Figure]:
    """Each on knowledge of PEOPLE and ACCOUNTS; a tenth of that when it must be quick."""
    share = 10 if pace.repeats == 1 else 1
    people, accounts = PEOPLE // share, ACCOUNTS // share
    feed = list(arrivals(people, accounts))
    gc.collect()
    with TemporaryFile() as topic:
        knowledge, before_bytes = Knowledge(), _resident_bytes()
        costs_s = sum(_taught(knowledge, touchpoint, topic) for touchpoint in feed)
        gc.collect()
        a_person = (_resident_bytes() - before_bytes) / people
        say(f"  {knowledge.position:,} links of {people:,} people")
        start = _start(topic, LINKS_AT_START // share)
    what = f"memory a person, bytes ({people:,} people, {accounts:,} accounts)"
    figures = [
        Figure(_PART, what, f"{a_person:.0f}", "2,048"),
        Figure(_PART, "learn and apply, CPU µs an event that brings links", f"{costs_s / len(feed) * 1e6:.0f}"),
        start,
    ]
    pages = [event(10**7 + n, (f"anonymous:browser-{n * 7 % people:032}",), action="page_view") for n in range(5_000)]
    logins = [event(10**7 + n, _address(n * 7 % people, accounts)) for n in range(5_000)]
    for name, events in (("of a known browser", pages), ("with a known address", logins)):
        whose = _cpu_us(partial(_each, knowledge.attribute, events), pace.repeats, len(events))
        news = _cpu_us(partial(_each, knowledge.learn, events), pace.repeats, len(events))
        figures.append(Figure(_PART, f"attribute an event {name}, CPU µs", f"{whose:.1f}", "25"))
        figures.append(Figure(_PART, f"learn nothing from an event {name}, CPU µs", f"{news:.1f}"))
    return [*figures, *_floods(knowledge, accounts)]


def _address(number: int, accounts: int) -> tuple[str]:
    return (f"email:person{number}@company{number % accounts}.com",)


def _each(work: Callable[[CleanTouchpoint], object], events: list[CleanTouchpoint]) -> None:
    for touchpoint in events:
        work(touchpoint)


def _floods(knowledge: Knowledge, accounts: int) -> list[Figure]:
    kiosk = [event(2 * 10**7 + n, (*_address(n, accounts), "device:kiosk")) for n in range(SHARED)]
    with TemporaryFile() as topic:
        costs_s = sorted(_taught(knowledge, touchpoint, topic) for touchpoint in kiosk)
    claims_s, recalls = [], 0
    for n in range(CLAIMS):
        claim = AccountClaim(
            account_id=f"crm:{n}-b",
            trait="domain",
            value=f"company{n % accounts}.com",
            since=_BEGAN,
            evidence="e",
            source="crm",
        )
        began = time.process_time()
        recalls += len(knowledge.apply(claim, knowledge.position + 1))
        claims_s.append(time.process_time() - began)
    return [
        Figure(_PART, f"a device shared by {SHARED:,}: the slowest of its events, CPU ms", f"{costs_s[-1] * 1e3:.1f}"),
        Figure(_PART, "the same, median, CPU µs", f"{costs_s[len(costs_s) // 2] * 1e6:.0f}"),
        Figure(_PART, f"{CLAIMS:,} domain claims in a row, CPU s", f"{sum(claims_s):.2f}"),
        Figure(_PART, "the slowest of them, CPU ms", f"{max(claims_s) * 1e3:.1f}"),
        Figure(_PART, "recalls they make", f"{recalls:,}"),
    ]


def _start(topic: IO[bytes], most: int) -> Figure:
    """Reading the links topic at the start of a worker: decode and apply, without Kafka."""
    topic.seek(0)
    lines = list(islice(topic, most))
    records = [b"[" + b",".join(lines[n : n + 20]) + b"]" for n in range(0, len(lines), 20)]
    knowledge = Knowledge()
    gc.disable()
    began = time.process_time()
    knowledge.load([link for record in records for link in _read(record)], len(lines))
    took_s = time.process_time() - began
    gc.enable()
    return Figure(_PART, f"start with {len(lines):,} links, CPU s", f"{took_s:.1f}")


def _taught(knowledge: Knowledge, touchpoint: CleanTouchpoint, topic: IO[bytes]) -> float:
    """CPU seconds of what an attribute worker does with news; the links are written down."""
    began = time.process_time()
    for link in knowledge.learn(touchpoint):
        encoded = LINKS.dump_json([link])
        (decoded,) = _read(encoded)  # as it comes back from the topic
        knowledge.apply(decoded, knowledge.position + 1)
        topic.write(encoded[1:-1] + b"\n")
    took_s = time.process_time() - began
    knowledge.proposals.news.clear()
    return took_s


def _cpu_us(work: Callable[[], object], repeats: int, events: int) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(repeats + 1)) * 1e6 / events


def _resident_bytes() -> int:
    return int(_PAGE.read_text().split()[1]) * 4096


def _read(record: bytes) -> list[Link]:
    return [link for link in LINKS.validate_json(record) if not isinstance(link, (Carried, Erasure))]
