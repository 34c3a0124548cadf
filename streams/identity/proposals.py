"""What evidence suggests and does not prove: questions for a person, derived from the links like all else.

A question has one id for ever. It is open, answered by a decision (which is a link), or settled by later evidence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Literal
from uuid import NAMESPACE_URL

from schemas.facts import ProposalFact
from schemas.ids import BARE
from schemas.links import Decision, Declared
from schemas.touchpoints import Alias
from streams.identity.aliases import is_person
from streams.identity.attribution_rules import Known, is_settled
from streams.identity.company_names import company_name
from streams.identity.domains import address_host
from streams.identity.edges import pair_of
from streams.identity.followers import Followers
from streams.ids import named_id

MAX_CANDIDATES = 5
"""Accounts asked about for one reason; a name shared by more says nothing."""

_ANSWERS: dict[str, Literal["accepted", "rejected"]] = {
    "link": "accepted",
    "unlink": "rejected",
    "belongs": "accepted",
    "not_belongs": "rejected",
}


Question = Literal["same_person", "belongs", "same_account"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One question and how it stands."""

    question: Question
    a: str
    b: str
    reason: str
    evidence: str
    confidence: float
    since: datetime
    status: Literal["open", "accepted", "rejected", "settled"] = "open"
    by: str = ""
    decided_at: datetime | None = None

    @property
    def proposal_id(self) -> str:
        """The same for the same question."""
        return named_id(NAMESPACE_URL, f"touchline:proposal:{self.question}|{self.a}|{self.b}")

    @property
    def asked_of(self) -> tuple[str, ...]:
        """The names it is derived from: of two people either, of a person and an account only the person."""
        return (self.a, self.b) if self.question == "same_person" else (self.a,)

    def fact(self, position: int) -> ProposalFact:
        """As it is told; `position` is how far the links were known."""
        return ProposalFact(
            proposal_id=self.proposal_id,
            revision=position,
            question=self.question,
            a=self.a,
            b=self.b,
            reason=self.reason,
            evidence=self.evidence,
            confidence=self.confidence,
            since=self.since,
            status=self.status,
            by=self.by,
            decided_at=self.decided_at,
        )


class Proposals:
    """The questions as they stand, and those that changed since somebody told them."""

    def __init__(self, known: Known, followers: Followers) -> None:
        self._known, self._followers = known, followers
        self._standing: dict[str, Proposal] = {}
        self._of: dict[Alias, set[str]] = {}
        self.news: deque[tuple[int, Proposal]] = deque()

    def __iter__(self) -> Iterator[Proposal]:
        return iter(self._standing.values())

    def look_again(self, aliases: Iterable[Alias], position: int, of_accounts: Iterable[Alias] = ()) -> None:
        """Derive the questions of these aliases anew; of the second ones only whether they belong to accounts.

        What changed is news at this position of the links.
        """
        names = set(aliases)
        rest = set(of_accounts) - names
        before = {key: found for name in names for key, found in self._asked_of(name)}
        before |= {key: found for name in rest for key, found in self._asked_of(name) if found.question == "belongs"}
        after = {found.proposal_id: found for name in names for found in self._derived(name)}
        after |= {found.proposal_id: found for name in rest for found in belonging(self._known, name)}
        for key, gone in before.items():
            if key not in after:
                self._forget(key, gone)
                self.news.append((position, replace(gone, status="settled")))
        for key, found in after.items():
            if before.get(key) != found:
                self._standing[key] = found
                for name in found.asked_of:
                    self._of.setdefault(name, set()).add(key)
                self.news.append((position, found))

    def _derived(self, name: str) -> Iterator[Proposal]:
        return same_account(self._followers, name) if name.startswith(BARE) else derived(self._known, name)

    def _asked_of(self, name: Alias) -> Iterator[tuple[str, Proposal]]:
        return ((key, self._standing[key]) for key in self._of.get(name, ()))

    def _forget(self, key: str, gone: Proposal) -> None:
        del self._standing[key]
        for name in gone.asked_of:
            self._of[name].discard(key)
            if not self._of[name]:
                del self._of[name]


def derived(known: Known, name: Alias) -> Iterator[Proposal]:
    """The questions an alias has a part in, with their answers."""
    for edge in known.graph.unresolved(name):
        a, b = pair_of(edge.a, edge.b)
        reason = "seen on one event, but it would join what must stay apart"
        yield Proposal("same_person", a, b, reason, edge.evidence, 0.5, edge.since)
    for decision in known.graph.decisions(name):
        yield _answered(decision, "same_person", pair_of(decision.a, decision.b))
    yield from belonging(known, name)


def same_account(followers: Followers, bare: str) -> Iterator[Proposal]:
    """Whether an organisation or a group is one of the accounts that its members are of, with the answers."""
    for decision in followers.decisions(bare):
        yield _answered(decision, "same_account", (decision.a, decision.b))
    asked = followers.asked_about(bare)
    if not 0 < len(asked) <= MAX_CANDIDATES:
        return
    votes, (since, evidence) = followers.voted(bare), followers.first_seen(bare)
    known = sum(votes.values())
    for account in asked:
        reason = f"{votes[account]} of its {known} members that the CRM knows belong to it, the others do not"
        confidence = round(0.9 * votes[account] / known, 2)
        yield Proposal("same_account", bare, account, reason, evidence, confidence, since)


def belonging(known: Known, name: Alias) -> Iterator[Proposal]:
    """Whether an alias belongs to accounts, with the answers."""
    decisions = list(known.memberships.decisions((name,)))
    for decision in decisions:
        yield _answered(decision, "belongs", (decision.a, decision.b))
    decided = {decision.b for decision in decisions}
    asked = [found for found in _accounts(known, name) if found.b not in decided]
    if asked and not is_settled(known, known.graph.person(name)):
        yield from asked


def _answered(decision: Decision, question: Question, about: tuple[str, str]) -> Proposal:
    return Proposal(
        question,
        *about,
        reason="somebody decided",
        evidence=decision.evidence,
        confidence=1.0,
        since=decision.decided_at,
        status=_ANSWERS[decision.verdict],
        by=decision.by,
        decided_at=decision.decided_at,
    )


def _accounts(known: Known, name: Alias) -> Iterator[Proposal]:
    """Accounts an alias may belong to: of one name with its declared company, or of several at its domain."""
    if not is_person(name):
        return
    asked: set[str] = set()
    host = address_host(name)
    accounts = known.directory.accounts_at(host) if host else ()
    if len(accounts) > 1 or (accounts and _has_other_hosts(known, name, host)):
        why = f"{len(accounts)} accounts claim {host}" if accounts[1:] else f"one of several addresses is at {host}"
        confidence = round(0.9 / max(len(accounts), 2), 2)
        for edge in islice(known.graph.edges(name), 1):
            for account in accounts[:MAX_CANDIDATES]:
                asked.add(account)
                yield Proposal("belongs", name, account, why, edge.evidence, confidence, edge.since)
    for said in known.declared.of((name,)):
        accounts, why = _declared(known, said)
        for account in accounts if len(accounts) <= MAX_CANDIDATES else ():
            if account not in asked:
                asked.add(account)
                yield Proposal("belongs", name, account, why, said.evidence, 0.5, said.since)


def _declared(known: Known, said: Declared) -> tuple[tuple[str, ...], str]:
    if said.trait == "name":
        accounts = known.directory.accounts_named(company_name(said.value))
        return accounts, f"declared {said.value!r}, and that is how the account is called, too"
    accounts = known.directory.accounts_at(said.value) if said.trait == "domain" else ()
    return accounts, f"declared {said.value}, which {len(accounts)} accounts claim"


def _has_other_hosts(known: Known, name: Alias, host: str) -> bool:
    return any(address_host(other) not in ("", host) for other in known.graph.person(name).aliases)
