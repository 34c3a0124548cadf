"""What an edge of identity costs, whatever the shape of the graph: people do not come in tidy clusters, attackers less.

Each shape is a list of edges, taken in one by one as a worker takes them in (clusters, whose touchpoints move,
questions); an event is such an edge, and the learning from and the attribution of the touchpoint that brings it. The
figures are CPU time, without the decoding of the records; the collector of garbage is off. Shapes of up to 50,000
edges are taken in several times, and of each edge the quickest counts: so what is worst is no neighbour's doing.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Final

from benchmarks.figures import Figure, Pace, Say
from benchmarks.identity import event
from schemas.links import Edge
from streams.identity.aliases import ordered
from streams.identity.knowledge import Knowledge
from streams.identity.stored import stored

PATIENCE_S: Final = 60.0
"""A shape that takes longer is given up, and says so."""
MANY: Final = 1_000_000
FEW: Final = 50_000
_PART: Final = "tangled identities"
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
Pair = tuple[str, str]


def edges(pairs: Iterator[Pair], stamp: Callable[[int], int] = lambda n: n) -> Iterator[Edge]:
    """One edge a pair, `stamp(n)` seconds after the beginning."""
    for n, pair in enumerate(pairs):
        one, other = ordered(pair) if pair[0] != pair[1] else pair
        evidence = f"00000000-0000-5000-8000-{n:012}"
        since = _BEGAN + timedelta(seconds=stamp(n))
        yield Edge(a=one, b=other, since=since, evidence=evidence, source="web")


def chain(length: int) -> Iterator[Pair]:
    """A browser, an address, the next browser, the next address …"""
    return ((f"email:p{n // 2}@acme.com", f"anonymous:b{(n + 1) // 2}") for n in range(length))


def star(leaves: int) -> Iterator[Pair]:
    """One address in very many browsers: a placeholder that nobody knows yet."""
    return (("email:someone@acme.com", f"anonymous:b{n}") for n in range(leaves))


def hot_desks(people: int, devices: int, events: int) -> Iterator[Pair]:
    """Everybody is known by a user id and an address, and sits down anywhere."""
    drawn = random.Random(1)
    for _ in range(events):
        person, device = drawn.randrange(people), drawn.randrange(devices)
        yield (f"email:p{person}@acme.com", f"user:u{person}")
        yield (f"email:p{person}@acme.com", f"device:d{device}")


def switchboard(contacts: int) -> Iterator[Pair]:
    """A company's CRM contacts have its one telephone number; they have addresses, and browsers of their own."""
    for n in range(contacts):
        yield (f"crm_contact:{n}", f"email:p{n}@acme.com")
        yield (f"crm_contact:{n}", "phone:+31201234567")
        yield (f"email:p{n}@acme.com", f"anonymous:b{n}")


def kiosk(people: int) -> Iterator[Pair]:
    """A screen in a hall, where everybody signs in."""
    for n in range(people):
        yield (f"email:p{n}@acme.com", f"user:u{n}")
        yield (f"user:u{n}", "device:kiosk")


def one_phone(people: int) -> Iterator[Pair]:
    """The same number on everybody's form."""
    return ((f"email:p{n}@company{n % 50}.com", "phone:+31201234567") for n in range(people))


def bipartite(ones: int, others: int, kinds: Pair = ("user", "device")) -> Iterator[Pair]:
    """Everybody with everything, in no order; user ids veto one another."""
    pairs = [(f"{kinds[0]}:x{n}", f"{kinds[1]}:y{m}") for n in range(ones) for m in range(others)]
    random.Random(2).shuffle(pairs)
    return iter(pairs)


def interleaved(events: int) -> Iterator[Pair]:
    """Addresses, devices, user ids and contacts, each with any of a few hundred others."""
    drawn = random.Random(3)
    kinds = ("crm_contact", "email", "user", "phone", "anonymous", "device")
    for _ in range(events):
        one, other = drawn.sample(kinds, 2)
        yield (_named(one, drawn.randrange(200)), _named(other, drawn.randrange(200)))


def _named(kind: str, number: int) -> str:
    return f"email:p{number}@acme.com" if kind == "email" else f"{kind}:{number}"


def given_up(length: int) -> Iterator[Pair]:
    """Alias calls: each user id is given up for the one before."""
    return ((f"user:u{n}", f"user:u{n + 1}") for n in range(length))


def full_hubs(hubs: int, events: int) -> Iterator[Pair]:
    """Every end has far more edges than count."""
    drawn = random.Random(4)
    for _ in range(events):
        yield (f"user:x{drawn.randrange(hubs)}", f"device:y{drawn.randrange(hubs)}")


def one_word(people: int) -> Iterator[Pair]:
    """People with a browser of their own, who then come in browsers that all send one word as their id."""
    for n in range(people):
        yield (f"email:p{n}@acme{n}.com", f"user:u{n}")
        yield from ((f"email:p{n}@acme{n}.com", f"anonymous:b{n}-{m}") for m in range(20))
    yield from ((f"email:p{n}@acme{n}.com", "anonymous:web") for n in range(people))


def growing(people: int) -> Iterator[Pair]:
    """What a company of any size brings: a browser or two, an address and a user id each."""
    for n in range(people):
        yield (f"email:p{n}@company{n % 5000}.com", f"user:u{n}")
        yield (f"email:p{n}@company{n % 5000}.com", f"anonymous:b{n}")
        yield (f"email:p{n}@company{n % 5000}.com", f"anonymous:c{n}")


def shapes(most: int) -> dict[str, Iterator[Edge]]:
    """What is measured; the large ones have `most` edges."""

    def backwards(n: int) -> int:
        return -n

    return {
        "hot desks: 60 people, 30 devices, 1,600 events": edges(hot_desks(60, 30, 1_600)),
        "hot desks, the latest first": edges(hot_desks(60, 30, 1_600), backwards),
        "hot desks: 300 people, 150 devices, 20,000 events": edges(hot_desks(300, 150, 20_000)),
        "switchboard: 1,000 contacts": edges(switchboard(1_000)),
        "kiosk: 5,000 people": edges(kiosk(5_000)),
        "one word as the id of 300 browsers": edges(one_word(300)),
        "one phone for 1,000": edges(one_phone(1_000)),
        "chain of 10,000": edges(chain(10_000)),
        "chain, the latest first": edges(chain(10_000), backwards),
        "alias calls in a chain of 10,000": edges(given_up(10_000)),
        "alias calls, the latest first": edges(given_up(10_000), backwards),
        "star of 10,000": edges(star(10_000)),
        "star, the latest first": edges(star(10_000), backwards),
        "everybody with everything: 59 user ids, 59 devices": edges(bipartite(59, 59)),
        "everybody with everything, the latest first": edges(bipartite(59, 59), backwards),
        "100 addresses, 100 browsers, the latest first": edges(bipartite(100, 100, ("email", "anonymous")), backwards),
        "six kinds interleaved, 10,000": edges(interleaved(10_000)),
        "six kinds, the latest first": edges(interleaved(10_000), backwards),
        "full hubs, latest first: 500 by 500, 50,000": edges(full_hubs(500, 50_000), backwards),
        f"star of {most:,}, the latest first": edges(star(most), backwards),
        f"full hubs: 3,000 by 3,000, {most:,}": edges(full_hubs(3_000, most)),
        f"chain of {most:,}": edges(chain(most)),
        f"tidy people, {most:,}": edges(growing(most // 3)),
    }


def run(pace: Pace, say: Say) -> list[Figure]:
    """Every shape, one edge after the other; the large ones are a twentieth when it must be quick."""
    most = MANY // 20 if pace.repeats == 1 else MANY
    _costs_s(edges(growing(1_000)))  # the code and the public suffixes are read
    figures = []
    for name in shapes(most):
        figures.append(Figure(_PART, name, _taken_in(name, most, pace.repeats), "≤ 1 ms"))
        say(f"  {name}: {figures[-1].value}")
    return [*figures, _start(most)]


def _taken_in(name: str, most: int, repeats: int) -> str:
    runs = [_costs_s(shapes(most)[name])]
    while len(runs) < repeats and len(runs[0][0]) <= FEW:
        runs.append(_costs_s(shapes(most)[name]))
    edges_s = [min(costs_s) for costs_s in zip(*(run[0] for run in runs), strict=False)]
    events_s = [min(costs_s) for costs_s in zip(*(run[1] for run in runs), strict=False)]
    knowledge, is_whole = runs[0][2:]
    limits = ", ".join(f"{count:,} {limit}" for limit, count in knowledge.limited().items() if count) or "none"
    return (
        f"{len(edges_s):,} edges{'' if is_whole else ' and then given up'}, {sum(edges_s):.1f} s, "
        f"worst edge {max(edges_s) * 1e3:.2f} ms, mean {mean(edges_s) * 1e6:.0f} µs, "
        f"worst event {max(events_s) * 1e3:.2f} ms; limits reached: {limits}"
    )


def _costs_s(links: Iterator[Edge]) -> tuple[list[float], list[float], Knowledge, bool]:
    """CPU seconds of each edge and each event, what is known then, and whether it came to the end."""
    knowledge, edges_s, events_s, spent_s = Knowledge(), list[float](), list[float](), 0.0
    gc.collect()
    gc.disable()
    try:
        for position, link in enumerate(links, 1):
            touchpoint = event(position, tuple({link.a, link.b}), occurred_at=link.since, received_at=link.since)
            began = time.process_time()
            knowledge.apply(link, position)
            edges_s.append(time.process_time() - began)
            knowledge.learn(touchpoint)
            knowledge.attribute(touchpoint)
            events_s.append(time.process_time() - began)
            spent_s += events_s[-1]
            knowledge.proposals.news.clear()
            if spent_s > PATIENCE_S:
                return edges_s, events_s, knowledge, False
    finally:
        gc.enable()
    return edges_s, events_s, knowledge, True


def _start(most: int) -> Figure:
    """A worker's start on the links of people and of a tangle, from records as they are in the topic."""
    links = [*edges(growing(most // 6)), *edges(interleaved(most // 4)), *edges(full_hubs(3_000, most // 4))]
    records = [b"[" + link.changed(scoped=True).encoded() + b"]" for link in links]
    count = len(links)
    del links
    knowledge = Knowledge()
    gc.collect()
    gc.disable()
    began = time.process_time()
    knowledge.load((link for record in records for link in stored(record) or ()), count)
    took_s = time.process_time() - began
    gc.enable()
    assert len(knowledge.graph) > 0.9 * count  # some are the same
    return Figure(_PART, f"start with {count:,} links, half of them tangled, CPU s", f"{took_s:.1f}", "10")
