"""Where addresses are: the people, and what they declared, at each host of each company."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.touchpoints import Alias
from streams.identity.directory import Directory
from streams.identity.domains import ADDRESSES, address_host, company_domain, company_host
from streams.identity.graph import IdentityGraph


class Addresses:
    """By company domain and host."""

    def __init__(self, graph: IdentityGraph, directory: Directory) -> None:
        self._graph, self._directory = graph, directory
        self._at: dict[str, dict[str, list[Alias]]] = {}

    def add(self, alias: Alias, host: str) -> None:
        """An alias whose address, or whose declared domain, is at a host; empty: at none."""
        if host:
            known = self._at.setdefault(company_domain(host), {}).setdefault(host, [])
            if alias not in known[-1:] and (len(known) > 64 or alias not in known):
                known.append(alias)

    def add_all(self) -> None:
        """Whose addresses are where, besides what is indexed; each alias is there once."""
        indexed = {name for hosts in self._at.values() for names in hosts.values() for name in names}
        at: dict[str, list[Alias]] = {}
        for name in self._graph.aliases():
            if name.startswith(ADDRESSES) and name not in indexed:
                at.setdefault(name.rpartition("@")[2], []).append(name)
        for written, names in at.items():
            if host := company_host(written):
                self._at.setdefault(company_domain(host), {}).setdefault(host, []).extend(names)

    def at_claimed_hosts(self) -> Iterator[Alias]:
        """Those of whom it may be asked to which account they belong, since accounts claim where their address is."""
        for domain, hosts in self._at.items():
            for host, names in hosts.items() if self._directory.is_claimed(domain) else ():
                is_sure = len(self._directory.accounts_at(host)) < 2
                for name in names:
                    aliases = self._graph.person(name).aliases
                    if not is_sure or any("@" in other and address_host(other) != host for other in aliases):
                        yield name

    def accounts_at(self, domains: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The accounts of every host in these domains that somebody's address or word names."""
        hosts = (host for domain in domains for host in self._at.get(domain, ()))
        return {host: self._directory.accounts_at(host) for host in hosts}

    def named_at(self, hosts: Iterable[str]) -> Iterator[Alias]:
        """Who is at these hosts."""
        return (name for host in hosts for name in self._at[company_domain(host)][host])

    def moved_at(self, before: Mapping[str, tuple[str, ...]]) -> set[Alias]:
        """Who is at the hosts that have other accounts than before."""
        return set(self.named_at(h for h, accounts in before.items() if self._directory.accounts_at(h) != accounts))
