"""Whether a touchpoint is a customer's. Judged from what is stored with it, so that other settings judge it anew.

In this order: what the sender calls a test; programs; our own hosts and networks; who declined; our own people.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from schemas.traffic import SENDER, STAFF, Traffic, TrafficRules

#: Told by a system, of customers: who and what tells it makes it neither a program's nor ours.
RECORDS = frozenset(
    {
        *("ticket_replied_by_agent", "ticket_status", "ticket_changed", "lifecycle_changed", "deal_stage_changed"),
        *("deal_created", "crm_record", "crm_removed", "support_record", "decision"),
    }
)
#: What is done on a page: where a library tells it, there was no person; of an order it may tell as a server does.
ON_PAGES = frozenset({"page_view", "click", "form_touched", "client_error"})


class TrafficBook:
    """The settings, made ready to ask for every touchpoint. Immutable."""

    def __init__(self, rules: TrafficRules) -> None:
        self._own = tuple(f"@{domain}" for domain in rules.own_domains) + tuple(
            f".{domain}" for domain in rules.own_domains
        )
        self._own_accounts = frozenset((*rules.own_accounts, *(f"domain:{domain}" for domain in rules.own_domains)))
        self._left_out = frozenset({"customer", "bot", "internal", "test", "declined"} - {*rules.count})
        hosts = re.compile("|".join(map(translate, rules.internal_hosts)) or r"(?!)")
        self._is_internal = lru_cache(maxsize=4_096)(lambda host: hosts.match(host) is not None)

    def counts(self, traffic: Traffic) -> bool:
        """Whether it is on the map, and under the rules."""
        return traffic not in self._left_out

    def of(self, item: AttributedTouchpoint) -> Traffic:
        """What kind of traffic it is, by the message, and by whose it is."""
        touchpoint = item.touchpoint
        found = self._of_message(touchpoint)
        if found != "customer" or touchpoint.action in RECORDS:
            return found
        if any(candidate.method == STAFF for candidate in item.attribution.rejected):
            return "internal"
        if not self._own_accounts:
            return found
        return "internal" if self._is_of_ours(item) or self._is_own(touchpoint) else "customer"

    def _of_message(self, touchpoint: CleanTouchpoint) -> Traffic:
        flags, host = touchpoint.flags, touchpoint.url_host
        if not (flags or host or touchpoint.agent_kind):
            return "customer"
        if "test" in flags:
            return "test"
        if touchpoint.action in RECORDS:
            return "customer"
        if _is_program(touchpoint):
            return "bot"
        if "own_network" in flags or (host and self._is_internal(host)):
            return "internal"
        return "declined" if "declined" in flags else "customer"

    def _is_of_ours(self, item: AttributedTouchpoint) -> bool:
        """Whether it is our own account's, or one of our people's at work for another."""
        if item.account_id in self._own_accounts:
            return True
        return any(c.method == SENDER and c.account_id in self._own_accounts for c in item.attribution.rejected)

    def _is_own(self, touchpoint: CleanTouchpoint) -> bool:
        mails = (alias.lower() for alias in touchpoint.aliases if alias.startswith("email:"))
        return bool(self._own) and any(f"@{mail.rpartition('@')[2]}".endswith(self._own) for mail in mails)


def _is_program(touchpoint: CleanTouchpoint) -> bool:
    if touchpoint.agent_kind == "bot" or not {"bot", "prefetch"}.isdisjoint(touchpoint.flags):
        return True
    return touchpoint.agent_kind == "library" and touchpoint.action in ON_PAGES
