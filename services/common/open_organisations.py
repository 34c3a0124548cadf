"""Organisations of a helpdesk that claim domains where anyone has a mailbox: they stand for strangers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from streams.identity.domains import claimed_hosts, claimed_public

CLAIMS: Final = """
SELECT JSONExtractString(payload, 'account_id') AS account, JSONExtractString(payload, 'value') AS value
FROM {links} FINAL
WHERE kind = 'account' AND JSONExtractString(payload, 'trait') = 'domain' AND startsWith(account, 'org:')
    AND NOT JSONExtractBool(payload, 'retracted')
"""


def open_organisations(claims: Iterable[Mapping[str, object]]) -> dict[str, list[str]]:
    """Account → the public domains that are all it claims. `claims`: rows of CLAIMS."""
    domains: dict[str, list[str]] = {}
    for claim in claims:
        domains.setdefault(str(claim["account"]), []).append(str(claim["value"]))
    found = {account: " ".join(said) for account, said in domains.items() if not claimed_hosts(" ".join(said))}
    return {account: public for account, said in sorted(found.items()) if (public := claimed_public(said))}
