"""What an import cannot place: rows that are sent, but whose account nothing in them decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.base import EPOCH
from schemas.links import AccountClaim, RecordChange
from schemas.touchpoints import CleanTouchpoint
from streams.identity.directories import Directories
from streams.identity.directory import Directory
from streams.identity.domains import address_host, claimed_hosts, company_domain
from streams.identity.free_mail import is_free_mail

#: (reason, fix)
Doubt = tuple[str, str]
_LINK = "name their account"


@dataclass(slots=True)
class Known:
    """Accounts and their domains, stored and of this import, in the very directory that attributes."""

    accounts: set[str] = field(default_factory=set)
    directory: Directory = field(default_factory=Directory)
    directories: Directories = field(default_factory=Directories)

    @classmethod
    def of(cls, directories: Directories, accounts: set[str]) -> Known:
        """With accounts that are there, in the order of these directories."""
        return cls(accounts, Directory(order=directories.in_order), directories)

    def take(self, link: AccountClaim | RecordChange) -> None:
        """What is stored of an account."""
        if isinstance(link, AccountClaim):
            self.accounts.add(link.account_id)
            self.directory.claim(link)
        elif link.is_of_account:
            self.directory.change(link)

    def learn(self, account_id: str, hosts: Iterable[str]) -> None:
        self.accounts.add(account_id)
        for host in hosts:
            claim = AccountClaim(account_id=account_id, trait="domain", value=host, since=EPOCH, evidence="", source="")
            self.directory.claim(claim)


def doubt(known: Known, record_kind: str, touchpoint: CleanTouchpoint) -> Doubt | None:
    """Why it is not certain whose this is; None when it is. Accounts are learned on the way."""
    if unclear := known.directories.unclear(touchpoint):
        return (f"{unclear} could be of several directories", "write whose it is, as in `support_user:DIRECTORY:7`")
    return _DOUBTS[record_kind](known, known.directories.touchpoint(touchpoint))


def _account(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    account_id, stated = touchpoint.account_refs[0], touchpoint.account_traits.get("domain", "")
    hosts = claimed_hosts(stated)
    known.learn(account_id, hosts)
    own = known.directory.canonical(account_id)
    for host in hosts:
        others = [other for other in known.directory.accounts_at(host) if other != own]
        if others:
            names = ", ".join(others[:3])
            return (f"{host} is claimed by {names} too", "people there need a contact record that names their account")
    free = [part for part in stated.split() if is_free_mail(company_domain(part))]
    return (f"{free[0]} is free mail and places nobody", "give the company's own domain") if free else None


def _contact(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    if touchpoint.account_refs:
        return _unknown(known, touchpoint)
    hosts = [host for name in touchpoint.aliases if (host := address_host(name))]
    if not hosts:
        return ("no account, and no company address that would tell it", _LINK)
    return _by_host(known, hosts[0])


def _by_host(known: Known, host: str) -> Doubt | None:
    claimants = known.directory.accounts_at(host)
    if len(claimants) > 1:
        return (f"no account, and {', '.join(claimants[:3])} share {host}", _LINK)
    if not claimants:
        return (f"no account claims {host}: provisional until one does", "import the account with this domain")
    return None


def _deal(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    return _unknown(known, touchpoint) if touchpoint.account_refs else ("no account", "name the deal's account")


def _moment(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    if not touchpoint.account_refs and not touchpoint.aliases:
        declared = claimed_hosts(touchpoint.account_traits.get("domain", ""))
        return _by_host(known, declared[0]) if declared else ("names neither a person nor an account", _LINK)
    if touchpoint.account_refs or any(name.startswith("email:") for name in touchpoint.aliases):
        return _contact(known, touchpoint)
    return None  # known by another id: whose it is stands elsewhere


def _unknown(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    account_id = touchpoint.account_refs[0]
    if account_id in known.accounts:
        return None
    return (f"account {account_id} is not known yet", "import the accounts, or check the id")


def _nothing(known: Known, touchpoint: CleanTouchpoint) -> Doubt | None:
    return None


_DOUBTS: dict[str, Callable[[Known, CleanTouchpoint], Doubt | None]] = {
    "account": _account,
    "contact": _contact,
    "deal": _deal,
    "touchpoint": _moment,
    "owner": _nothing,
}
