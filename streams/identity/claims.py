"""What each account is said to go by: domains and names that were seen, and what the CRM's records state.

A seen claim stands while the account's record is there; a stated one until its source says something else of that
property, or the record is deleted after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from sys import intern

from schemas.links import AccountClaim
from streams.identity.company_names import company_name
from streams.identity.domains import company_host, public_domain
from streams.identity.record_changes import Records

MAX_CLAIMS = 50
"""Domains that an account is seen to claim and that count: the first; so many names, and accounts that it is, too."""
MAX_REMEMBERED = 500
"""More of each that are known, and count where others are taken back."""

Trait = tuple[str, str]
"""(`domain`, host), (`name`, company name) or (`public`, domain where anyone has a mailbox), as they are compared."""
_Seen = tuple[str, str, str]
"""(account, trait, value)."""


@dataclass(slots=True, eq=False)
class _Stated:
    """What a source says last of one property, as it is kept."""

    trait: str
    source: str
    stated_as: str
    value: str
    since: datetime
    evidence: str

    def link(self, account_id: str) -> AccountClaim:
        return AccountClaim(
            account_id=account_id,
            trait=self.trait,
            value=self.value,
            stated_as=self.stated_as,
            since=self.since,
            evidence=self.evidence,
            source=self.source,
        )


class Claims:
    """By account, under the id it calls itself."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._since: dict[_Seen, datetime] = {}
        self._seen: dict[str, _Seen | list[_Seen]] = {}  # most accounts have one
        self._stated: dict[str, tuple[_Stated, ...]] = {}
        self.crowded = set[str]()
        """Accounts that are seen to claim more than counts."""

    def knows(self, claim: AccountClaim) -> bool:
        """Whether nothing new would be learned from it."""
        if claim.stated_as:
            stated = self._statement(claim)
            return stated is not None and (stated.since, stated.evidence) >= (claim.since, claim.evidence)
        known = self._since.get((claim.account_id, claim.trait, claim.value))
        return known <= claim.since if known is not None else self._is_forgotten(claim)

    def _is_forgotten(self, claim: AccountClaim) -> bool:
        """Whether so many others of this account come before it that it is not even remembered."""
        if claim.account_id not in self.crowded:
            return False
        same = [one for one in self._of(claim.account_id) if one[1] == claim.trait]
        is_full = len(same) >= MAX_CLAIMS + MAX_REMEMBERED
        return is_full and (claim.since, claim.value) > max(map(self._order, same))

    def known(self, claim: AccountClaim) -> AccountClaim | None:
        """The statement with this id, as it is known; of what was only seen any evidence will do."""
        stated = self._statement(claim) if claim.stated_as else None
        return stated.link(claim.account_id) if stated else None

    def names(self) -> Iterator[str]:
        """Every account that was said to go by anything."""
        yield from self._seen
        yield from self._stated

    def links(self, account_id: str) -> Iterator[AccountClaim]:
        """All it was said to go by; of what was only seen, without its evidence."""
        for seen in self._of(account_id):
            _, trait, value = seen
            yield AccountClaim(
                account_id=account_id, trait=trait, value=value, since=self._since[seen], evidence="", source=""
            )
        yield from (one.link(account_id) for one in self._stated.get(account_id, ()))

    def see(self, claim: AccountClaim) -> bool:
        """Take in what an event shows; whether it was not known."""
        if self.knows(claim):
            return False
        seen = (intern(claim.account_id), claim.trait, claim.value)
        is_new = seen not in self._since
        self._since[seen] = claim.since
        known = self._of(seen[0])
        if is_new:
            self._seen[seen[0]] = [*known, seen] if known else seen
        same = [one for one in known if one[1] == claim.trait]
        if len(same) >= MAX_CLAIMS:
            self.crowded.add(seen[0])
        if len(same) >= MAX_CLAIMS + MAX_REMEMBERED:
            self._unsee(max([*same, seen], key=self._order))
        return True

    def counting(self, account_id: str) -> list[_Seen]:
        """What is seen of it and counts: the first of each trait."""
        known = self._of(account_id)
        if len(known) <= MAX_CLAIMS:
            return known
        by_trait: dict[str, list[_Seen]] = {}
        for one in sorted(known, key=self._order):
            by_trait.setdefault(one[1], []).append(one)
        return [one for some in by_trait.values() for one in some[:MAX_CLAIMS]]

    def _of(self, account_id: str) -> list[_Seen]:
        known = self._seen.get(account_id, [])
        return known if isinstance(known, list) else [known]

    def _at_the_limit(self, claim: AccountClaim) -> set[Trait]:
        """What may count no more, or again, because of a claim."""
        same = sorted((one for one in self._of(claim.account_id) if one[1] == claim.trait), key=self._order)
        return {trait for one in same[MAX_CLAIMS - 1 : MAX_CLAIMS + 1] for trait in _traits(*one[1:])}

    def _order(self, seen: _Seen) -> tuple[datetime, str]:
        return (self._since[seen], seen[2])

    def state(self, claim: AccountClaim) -> None:
        """Take in a source's word on a property, in the place of an earlier one."""
        if self.knows(claim):
            return
        account_id, replaced = intern(claim.account_id), self._statement(claim)
        if claim.trait == "domain" and len(claim.value.split()) > MAX_CLAIMS:
            self.crowded.add(account_id)
        new = _Stated(
            claim.trait, intern(claim.source), intern(claim.stated_as), claim.value, claim.since, claim.evidence
        )
        self._stated[account_id] = (*(one for one in self._stated.get(account_id, ()) if one is not replaced), new)

    def retell(self, claim: AccountClaim) -> None:
        """Put a claim in the place of what was known of it, or, retracted, nothing."""
        replaced = self._statement(claim) if claim.stated_as else None
        if replaced is not None:
            told = self._stated.pop(claim.account_id)
            if rest := tuple(one for one in told if one is not replaced):
                self._stated[claim.account_id] = rest
        if not claim.stated_as:
            self._unsee((claim.account_id, claim.trait, claim.value))
        if not claim.retracted:
            (self.state if claim.stated_as else self.see)(claim)

    def _unsee(self, seen: _Seen) -> None:
        if self._since.pop(seen, None) is None:
            return
        known = self._seen.pop(seen[0])
        if isinstance(known, list) and (rest := [one for one in known if one != seen]):
            self._seen[seen[0]] = rest

    def is_told_by(self, claim: AccountClaim) -> bool:
        """Whether just this is what is known, from evidence of just this time."""
        if claim.stated_as:
            stated = self._statement(claim)
            return stated is not None and stated.link(claim.account_id) == claim
        return self._since.get((claim.account_id, claim.trait, claim.value)) == claim.since

    def changed_by(self, claim: AccountClaim) -> set[Trait]:
        """What the account may claim after it and did not before, or the other way round."""
        new, replaced = set(compared(claim)), self._statement(claim) if claim.stated_as else None
        old = set(compared(replaced)) if replaced else set[Trait]()
        around = set[Trait]() if claim.stated_as else self._at_the_limit(claim)
        return around | (new | old if claim.generation or self._records.gone(claim.account_id) else new ^ old)

    def standing(self, account_id: str) -> set[Trait]:
        """What the account claims now."""
        gone = self._records.gone(account_id)
        found = set() if gone else set(self._seen_of(account_id))
        for stated in self._stated.get(account_id, ()):
            if gone is None or (stated.since, stated.evidence) > gone:
                found.update(compared(stated))
        return found

    def told(self, account_id: str) -> set[Trait]:
        """What it was last said to claim, standing or not."""
        stated = (trait for one in self._stated.get(account_id, ()) for trait in compared(one))
        return {*self._seen_of(account_id), *stated}

    def _statement(self, claim: AccountClaim) -> _Stated | None:
        about = (claim.trait, claim.source, claim.stated_as)
        told = self._stated.get(claim.account_id, ())
        return next((one for one in told if (one.trait, one.source, one.stated_as) == about), None)

    def _seen_of(self, account_id: str) -> Iterator[Trait]:
        for _, trait, value in self.counting(account_id):
            yield from _traits(trait, value)


def compared(claim: AccountClaim | _Stated) -> Iterator[Trait]:
    """What a claim is about; a statement of domains may name several, or none."""
    return _traits(claim.trait, claim.value)


def _traits(trait: str, value: str) -> Iterator[Trait]:
    if trait == "name" and (name := company_name(value)):
        yield (trait, name)
    for part in value.split()[:MAX_CLAIMS] if trait == "domain" else ():
        if host := company_host(part):
            yield (trait, host)
        elif public := public_domain(part):
            yield ("public", public)
