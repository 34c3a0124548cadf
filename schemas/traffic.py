"""What kind of traffic a touchpoint is. Everything is kept; only what counts is on the map and under the rules."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from schemas.base import Strict

Traffic = Literal["customer", "bot", "internal", "test", "declined"]

#: How an attribution calls an account that its sender is of, where it was another's.
SENDER: Final = "sender"
#: How it names the helpdesk or CRM that knows the sender as one of the operator's own people.
STAFF: Final = "staff"
#: What its person says to being followed.
Consent = Literal["declined", "consented"]
#: What the sender, or the network it was sent from, says of a message.
Flag = Literal["bot", "prefetch", "test", "own_network", "declined", "consented"]
#: What a user agent is: a person's browser, a program that crawls or watches, a library that a server sends with.
AgentKind = Literal["", "browser", "bot", "library"]
Device = Literal["", "desktop", "mobile", "tablet"]


def _host_glob(text: str) -> str:
    if re.fullmatch(r"[a-z0-9*?:._\[\]-]{1,200}", text.lower()) is None:
        raise ValueError(f"`{text[:80]}` is no host: give it without scheme and path, as in `staging.*` or `10.*`")
    return text.lower()


def _domain(text: str) -> str:
    if re.fullmatch(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}", text) is None:
        raise ValueError(f"`{text[:80]}` is no domain: give it alone, as in `example.com`")
    return text.lower()


HostGlob = Annotated[str, AfterValidator(_host_glob)]
Domain = Annotated[str, AfterValidator(_domain)]

#: This machine, private networks, names that the internet does not know, and what staging sites are called.
INTERNAL_HOSTS: tuple[str, ...] = (
    *("localhost", "*.localhost", "127.*", "[[]::1]", "::1", "0.0.0.0"),
    *("10.*", "192.168.*", *(f"172.{n}.*" for n in range(16, 32)), "169.254.*"),
    *("*.local", "*.test", "*.internal", "*.lan", "*.intranet"),
    *("staging.*", "*.staging.*", "*-staging.*", "stage.*", "*-stage.*", "stg.*", "*-stg.*", "uat.*", "*-uat.*"),
    *("test.*", "*-test.*", "acceptance.*", "acceptatie.*", "preview.*", "*.preview.*"),
)


class TrafficRules(Strict):
    """What is not of customers. A change is a change of the blueprint: `touchline remap` brings history under it."""

    own_domains: tuple[Domain, ...] = Field(
        (), description="mail domains of your own people; whoever has such an address is internal"
    )
    own_accounts: tuple[str, ...] = Field(
        (),
        description="accounts that are your own company, by their ids on the page (`crm:crm:1`); they are internal",
    )
    internal_hosts: tuple[HostGlob, ...] = Field(
        INTERNAL_HOSTS, description="globs over the host of a page; what happens there is internal"
    )
    count: tuple[Traffic, ...] = Field(
        ("customer",),
        description="kinds that count; all others are kept, off the map and out of every rule, wait and phase",
    )
