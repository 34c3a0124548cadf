"""All links, as every attribute worker knows them: a state machine over one totally ordered topic.

`learn` says what a touchpoint teaches, `attribute` whose it is, `apply` takes a link in and says whose stored
touchpoints must now be attributed again (`recalls`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.ids import BARE
from schemas.links import AccountClaim, Decision, Declared, Edge, Erasure, Link, Membership, RecordChange, supersedes
from schemas.touchpoints import Attribution, CleanTouchpoint, Recall
from streams.identity.addresses import Addresses
from streams.identity.aliases import is_person
from streams.identity.attribution_rules import Known, attribute
from streams.identity.declared import Declarations
from streams.identity.directory import Directory
from streams.identity.domains import address_host, company_host
from streams.identity.edges import Seen
from streams.identity.erasures import Ledger
from streams.identity.followers import Followers
from streams.identity.forgetting import forget, known_names
from streams.identity.graph import IdentityGraph, Person
from streams.identity.learning import OUR_PEOPLE, implied
from streams.identity.loading import load
from streams.identity.memberships import Memberships
from streams.identity.proposals import Proposals
from streams.identity.recalls import Recalls, cause_of
from streams.identity.record_changes import Records
from streams.identity.retold import Retold


class Knowledge:
    """Identity and directory at one position of the links topic."""

    def __init__(self, order: Mapping[str, int] | None = None, ledger: Ledger | None = None) -> None:
        """`order`: which directory's accounts lead, see Directory. `ledger`: who was erased."""
        self.ledger = Ledger() if ledger is None else ledger
        self.told_since: dict[str, Link] = {}
        """Links that speak of ids that were erased, and are from later."""
        self.graph = IdentityGraph()
        self.records = Records()
        self.directory = Directory(self.records, order)
        self.memberships = Memberships(self.records)
        self.ties = Memberships()
        self.staff = Memberships()
        self.followers = Followers(self.graph, self.memberships, self.directory)
        self.declared = Declarations()
        self.known = Known(self.graph, self.directory, self.memberships, self.ties, self.staff, self.declared)
        self.proposals = Proposals(self.known, self.followers)
        self.retold = Retold()
        self.position = 0
        self.addresses = Addresses(self.graph, self.directory)

    def learn(self, touchpoint: CleanTouchpoint) -> list[Link]:
        """The links this touchpoint is evidence for and that are not known yet.

        A newer reading also repeats what an older one taught, so that what it does not repeat can be told from that.
        Nothing is learned that speaks of somebody who was erased by then.
        """
        news = self._learned(touchpoint)
        return [link for link in news if not self.ledger.covers_link(link)] if self.ledger else news

    def _learned(self, touchpoint: CleanTouchpoint) -> list[Link]:
        if touchpoint.mapping == 1 and not self.retold:
            return [link for link in implied(touchpoint, self.graph.has_seen) if not self.knows(link)]
        told = implied(touchpoint) if touchpoint.read_anew else implied(touchpoint, self.graph.has_seen)
        repeats = self._stands if touchpoint.read_anew else lambda link: False
        news = [link for link in map(self.retold.stamped, told) if not self.knows(link) or repeats(link)]
        return [link.changed(mapping=touchpoint.mapping) for link in news]

    def attribute(self, touchpoint: CleanTouchpoint) -> Attribution:
        """Person and account: the first rule that decides, with what was considered and not taken."""
        return attribute(self.known, touchpoint)

    def apply(self, link: Link, position: int, *, is_last: bool = True) -> list[Recall]:
        """Take in a link at `position` (offset + 1), the last of its record; returns the recalls it makes necessary."""
        if is_last:
            self.position = max(self.position, position)
        if self.knows(link) or self.ledger.covers_link(link):
            return []
        if self.ledger.names_link(link):
            self.told_since[link.link_id] = link
        recalls = Recalls(self)
        if link.generation:
            self.retold.take(link)
            recalls.add_evidence(link)
        asked, of_accounts = recalls.take_in(link)
        if link.generation:
            recalls.add_evidence(link)
        self.proposals.look_again(asked, position, of_accounts)
        return recalls.commands(position, cause_of(link))

    def erase(self, erasure: Erasure, position: int) -> list[Recall]:
        """Take in an erasure at `position`; returns the recalls of all whose touchpoints it may change."""
        self.position = max(self.position, position)
        if not self.ledger.take(erasure):
            return []
        return forget(self, self.ledger, self.ledger.marked(known_names(self), frozenset(erasure.marks)), position)

    def retract(self, link: Link, position: int, recalls: Recalls) -> None:
        """A link is as if it had never been told; nothing is left of it."""
        known = self.retold.standing(link)
        gone = link.changed(generation=(known.generation if known else link.generation) + 1, retracted=True)
        self.retold.take(gone)
        recalls.add_evidence(gone)
        asked, of_accounts = recalls.take_in(gone)
        recalls.add_evidence(gone)
        self.proposals.look_again(asked, position, of_accounts)
        self.retold.drop(gone)
        self.told_since.pop(link.link_id, None)

    def load(self, links: Iterable[Link | Seen | Erasure], position: int) -> None:
        """Take in links whose recalls and questions were sent before, the fast way: at a worker's start."""
        load(self, links, position)

    def limited(self) -> dict[str, int]:
        """How much grew to each limit, and grows no more."""
        return {
            "aliases_tangled": self.graph.tangled,
            "browsers_that_are_everybodys": self.graph.everybodys,
            "aliases_with_more_accounts_than_count": self.memberships.beyond + self.ties.beyond + self.staff.beyond,
            "accounts_with_more_claims_than_count": len(self.directory.claims.crowded),
            "organisations_at_public_domains": len(self.directory.open),
            "hosts_with_more_claimants_than_count": len(self.directory.crowded),
            "aliases_that_decisions_do_not_join": len(self.graph.undone),
        }

    def knows(self, link: Link) -> bool:
        """Whether nothing new would be learned from it."""
        standing = self.retold.standing(link)
        if standing is not None or link.generation:
            return standing is not None and not supersedes(link, standing)
        if isinstance(link, Edge):
            return self.graph.knows(link)
        if isinstance(link, Membership):
            return self.kept(link).knows(link)
        if isinstance(link, AccountClaim):
            return self.directory.claims.knows(link)
        if isinstance(link, RecordChange):
            return self.records.knows(link)
        if isinstance(link, Declared):
            return self.declared.knows(link)
        return (self.graph if link.about_people else self.memberships).knows_decision(link)

    def outdone(self, link: Link) -> Link | None:
        """The link that stands in this one's place, if its evidence is better.

        A compacted topic keeps the last record of a key. Where that is not the best one, the best must be told again.
        """
        known = self.retold.standing(link) or self._known(link)
        return known if known is not None and supersedes(known, link) else None

    def _known(self, link: Link) -> Link | None:
        """The link with this id as it is known; of decisions and of what an account was only seen with, none is."""
        if isinstance(link, Edge):
            return self.graph.known(link.a, link.b, typed=link.typed)
        if isinstance(link, Membership):
            return self.kept(link).known(link)
        if isinstance(link, AccountClaim):
            return self.directory.claims.known(link)
        if isinstance(link, RecordChange):
            return self.records.known(link)
        return self.declared.known(link) if isinstance(link, Declared) else None

    def _stands(self, link: Link) -> bool:
        """Whether just this evidence is what a link rests on."""
        standing = self.retold.standing(link)
        if standing is not None:
            return standing.changed(mapping=1) == link
        if isinstance(link, AccountClaim):
            return self.directory.claims.is_told_by(link)
        return isinstance(link, Decision) or self._known(link) == link

    def see(self, link: Edge) -> list[Person]:
        """Take in an edge; returns the people that it changes, as they were."""
        return self.graph.retell(link) if link.generation else self.graph.add(link)

    def decide(self, link: Decision) -> list[Person]:
        """Take in a decision on two people; returns the people that it changes, as they were."""
        return self.graph.undecide(link) if link.retracted else self.graph.decide(link)

    def kept(self, link: Membership) -> Memberships:
        """With which memberships this one is kept: people's and things' in accounts, things' with people, or ours."""
        if link.account_id.startswith(OUR_PEOPLE):
            return self.staff
        return self.ties if is_person(link.account_id) else self.memberships

    def take_in(self, link: Membership | Declared | Decision) -> set[str]:
        """Take in what is said of one alias; returns the accounts that it is not known to be of any more."""
        if isinstance(link, Membership):
            left = (self.kept(link).retell if link.generation else self.kept(link).add)(link)
            for account in left:
                self.followers.left(account, link.alias)
            return left
        if isinstance(link, Decision):
            (self.memberships.undecide if link.retracted else self.memberships.decide)(link)
            if link.a.startswith(BARE):
                self.followers.decide(link.a, link.b)
            self.addresses.add(link.a, address_host(link.a))
        else:
            (self.declared.retell if link.generation else self.declared.add)(link)
            self.addresses.add(link.alias, company_host(link.value) if link.trait == "domain" else "")
        return set()

    def change(self, link: AccountClaim | RecordChange) -> list[str]:
        """Take it in; returns the accounts that are another one from now on, as they were."""
        if isinstance(link, AccountClaim):
            return (self.directory.retell if link.generation else self.directory.claim)(link)
        if link.is_of_account:
            return self.directory.change(link)
        (self.records.retell if link.generation else self.records.add)(link)
        return []
