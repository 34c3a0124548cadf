"""What a touchpoint teaches, and who acted in it. Pure: links in the order in which they should be published.

What a person belongs to goes before the edges that make them known, so that a new person's touchpoints, of which
there are none yet, need not be looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, cast, get_args

from schemas.links import AccountClaim, Decision, Declared, Edge, Link, Membership, RecordChange, Verdict
from schemas.touchpoints import Alias, CleanTouchpoint
from streams.identity.aliases import NAMING_KINDS, is_mailbox, is_person, kind_of, ordered, strength
from streams.identity.domains import address_host, claimed_hosts, claimed_public

#: What people do on pages: an address in such an event was typed by someone, not necessarily its owner.
TYPED_ACTIONS = frozenset(
    {"page_view", "click", "form_touched", "form_submitted", "form_failed", "client_error", "custom", "survey_answered"}
)

#: What the CRM's own records do: what they say of an account is a statement, and they come and go.
RECORD_ACTIONS = frozenset({"crm_record", "crm_removed", "lifecycle_changed", "alias"})
OUR_PEOPLE = "staff:"
"""How the account begins that the operator's own people are kept under; the rest is the source that knows them."""
#: What says of a person where they belong. Any other event that names an account says only where it happened itself.
MEMBERSHIP_ACTIONS = frozenset({"group", "support_record", "lifecycle_changed"})
_OF_ANYBODY = frozenset({"anonymous", "device", "phone", "mailbox"})
_TYPED = ("email:", "phone:")
_HOW: dict[str, Literal["joined", "left"]] = {"crm_record": "joined", "crm_removed": "left"}

#: Property of an account's record → the trait that it claims.
CLAIMING = {"domain": "domain", "website": "domain", "hs_additional_domains": "domain", "name": "name"}


def actors(touchpoint: CleanTouchpoint) -> tuple[Alias, ...]:
    """The aliases of people, the one who acted first: by strength, but behind an id where an address was typed."""
    people = _actors(touchpoint.aliases, touchpoint.action in TYPED_ACTIONS)
    if touchpoint.action == "alias" and (given_up := touchpoint.properties.get("given_up")):
        return tuple(sorted(people, key=lambda name: name == given_up))
    return people


@lru_cache(maxsize=16_384)  # asked when a touchpoint is learned from, and again when it is attributed
def _actors(aliases: tuple[Alias, ...], is_typed: bool) -> tuple[Alias, ...]:
    people = tuple(name for name in ordered(aliases) if is_person(name))
    if len(people) > 1 and is_typed:
        return tuple(sorted(people, key=lambda name: (is_mailbox(name), name.startswith("email:"))))  # stable
    return people


def is_anybody(name: Alias) -> bool:
    """Whether it is an id of a screen or a line that many may use."""
    return kind_of(name) in _OF_ANYBODY


def owner(touchpoint: CleanTouchpoint, people: tuple[Alias, ...]) -> Alias:
    """What a touchpoint is looked for by: a person's alias, a thing's, else the event itself.

    Where nobody is signed in, whose address was typed is who is there: many use a tablet at a fair. It is one address
    of the message alone, so that what others become moves nothing; two addresses do not say which of them.
    """
    if people:
        return _subject(people) if touchpoint.action in TYPED_ACTIONS else people[0]
    return next(iter(ordered(touchpoint.aliases)), f"event:{touchpoint.event_id}")


@lru_cache(maxsize=16_384)
def _subject(people: tuple[Alias, ...]) -> Alias:
    known = [name for name in people if not is_anybody(name)]
    return known[0] if len(known) == 1 and known[0].startswith("email:") else people[0]


Pair = tuple[Alias, Alias, bool]
"""The ends of an edge, the stronger first, and whether one was typed."""


def implied(
    touchpoint: CleanTouchpoint, is_old: Callable[[Pair, CleanTouchpoint], bool] = lambda pair, touchpoint: False
) -> Iterator[Link]:
    """Everything a touchpoint is evidence for, known or not; without the edges that `is_old` holds for.

    Nearly every event repeats edges that are known, and asking costs less than building them.
    """
    if touchpoint.action == "decision":
        yield from _decision(touchpoint)
        return
    people = actors(touchpoint)
    subject = owner(touchpoint, people)
    if touchpoint.action in RECORD_ACTIONS:
        yield from _record_changes(touchpoint, people)
    if touchpoint.account_refs:
        if touchpoint.aliases:  # what has none is nobody who could belong
            yield from _memberships(touchpoint, subject)
        yield from _claims(touchpoint)
    if people:
        yield from (_tie(touchpoint, name, subject) for name in touchpoint.aliases if not is_person(name))
    yield from _declared(touchpoint, people, subject)
    yield from _staff(touchpoint)
    if len(people) > 1 and touchpoint.action == "alias":
        yield from _merged(touchpoint, [name for name in people if kind_of(name) == "crm_contact"])
    for pair in _pairs(people, touchpoint.action in TYPED_ACTIONS):
        if not is_old(pair, touchpoint):
            yield _edge(touchpoint, pair)


def declared_hosts(touchpoint: CleanTouchpoint) -> list[str]:
    """The company hosts a touchpoint's person names as theirs."""
    return [] if touchpoint.account_refs else claimed_hosts(touchpoint.account_traits.get("domain", ""))


def declared_name(touchpoint: CleanTouchpoint) -> str:
    """The company name they give."""
    return "" if touchpoint.account_refs else touchpoint.account_traits.get("name", "")


def _decision(touchpoint: CleanTouchpoint) -> Iterator[Link]:
    verdict, aliases = touchpoint.properties.get("verdict"), touchpoint.aliases
    about = [*aliases[:2]] if verdict in ("link", "unlink") else [*aliases[:1], *touchpoint.account_refs[:1]]
    if verdict in get_args(Verdict) and len(about) == 2:
        yield Decision(
            a=about[0],
            b=about[1],
            verdict=cast(Verdict, verdict),
            by=str(touchpoint.properties.get("by") or ""),
            decided_at=touchpoint.ordered_at,
            evidence=touchpoint.event_id,
            source=touchpoint.source,
        )


def _tie(touchpoint: CleanTouchpoint, thing: Alias, person: Alias) -> Membership:
    """A deal or ticket, and the person it is of."""
    return Membership(
        alias=thing,
        account_id=person,
        how=_how(touchpoint),
        since=touchpoint.ordered_at,
        evidence=touchpoint.event_id,
        source=touchpoint.source,
    )


def _how(touchpoint: CleanTouchpoint) -> Literal["seen", "joined", "left"]:
    """What the CRM ties or unties, it does each time; what is only seen, is seen."""
    return _HOW.get(touchpoint.action, "seen")


def _memberships(touchpoint: CleanTouchpoint, subject: Alias) -> Iterator[Membership]:
    """Of the one who acted, and of the deal or ticket it is about."""
    yield _membership(touchpoint, subject)
    things = [name for name in touchpoint.aliases if name != subject and not is_person(name)]
    yield from (_membership(touchpoint, thing) for thing in things)


def _membership(touchpoint: CleanTouchpoint, subject: Alias) -> Membership:
    is_stated = touchpoint.valid_from is not None or touchpoint.valid_to is not None
    how = _how(touchpoint)
    is_named = how == "seen" and is_person(subject) and touchpoint.action not in MEMBERSHIP_ACTIONS
    return Membership(
        alias=subject,
        account_id=touchpoint.account_refs[0],
        how="stated" if is_stated else "named" if is_named else how,
        primary=how == "joined" and touchpoint.properties.get("primary") is True,
        valid_from=touchpoint.valid_from,
        valid_to=touchpoint.valid_to,
        since=touchpoint.ordered_at,
        evidence=touchpoint.event_id,
        source=touchpoint.source,
    )


def _staff(touchpoint: CleanTouchpoint) -> Iterator[Membership]:
    """Ids of our own people; not what many share, such as a telephone or a role's address."""
    for name, how in touchpoint.staff.items():
        if kind_of(name) in NAMING_KINDS:
            yield Membership(
                alias=name,
                account_id=f"{OUR_PEOPLE}{touchpoint.source}",
                how=how,
                since=touchpoint.ordered_at,
                evidence=touchpoint.event_id,
                source=touchpoint.source,
            )


def _claims(touchpoint: CleanTouchpoint) -> Iterator[Link]:
    yield from _same_account(touchpoint)
    claims = _stated(touchpoint) if _is_of_account(touchpoint) else _seen(touchpoint.account_traits)
    for trait, value, stated_as in claims:
        yield AccountClaim(
            account_id=touchpoint.account_refs[0],
            trait=trait,
            value=value,
            stated_as=stated_as,
            since=touchpoint.ordered_at,
            evidence=touchpoint.event_id,
            source=touchpoint.source,
        )


def _is_of_account(touchpoint: CleanTouchpoint) -> bool:
    """Whether it is the CRM's record of the account itself that speaks."""
    return touchpoint.action in ("crm_record", "lifecycle_changed") and touchpoint.subject.startswith("company:")


def _seen(traits: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    said = traits.get("domain", "")
    for host in (*claimed_hosts(said), *claimed_public(said)):
        yield ("domain", host, "")
    if name := traits.get("name"):
        yield ("name", name, "")


def _stated(touchpoint: CleanTouchpoint) -> Iterator[tuple[str, str, str]]:
    """What it says of each property, whole: nothing, where the property was emptied or holds no company's domain."""
    traits, changed = touchpoint.account_traits, touchpoint.properties.get("property")
    told = {changed: CLAIMING[changed]} if isinstance(changed, str) and changed in CLAIMING else {}
    for stated_as, trait in (told or {trait: trait for trait in ("domain", "name") if trait in traits}).items():
        value = traits.get(trait, "")
        yield (trait, " ".join(claimed_hosts(value)) if trait == "domain" else value, stated_as)


def _record_changes(touchpoint: CleanTouchpoint, people: tuple[Alias, ...]) -> Iterator[RecordChange]:
    """What the CRM says became of the record: deleted, restored, or made one with others."""
    kind, _, number = touchpoint.subject.partition(":")
    records = [ref for ref in touchpoint.account_refs if ref.startswith("crm:")] if kind == "company" else []
    if kind == "contact":
        contacts = [name for name in people if kind_of(name) == "crm_contact"]
        records = sorted(contacts, key=lambda name: name != f"crm_contact:{number}")  # its own first
    for record in records[:1]:
        told = touchpoint.properties
        if touchpoint.action == "crm_removed" and told.get("removed") is not True:  # not an association of it
            yield _record_change(touchpoint, record, "removed")
        elif told.get("restored") is True:
            yield _record_change(touchpoint, record, "restored")
        elif touchpoint.action == "alias" or "merged" in told:
            for other in records[1:]:
                yield _record_change(touchpoint, other, "merged", record)


def _record_change(
    touchpoint: CleanTouchpoint, record: str, how: Literal["removed", "restored", "merged"], into: str = ""
) -> RecordChange:
    return RecordChange(
        record=record,
        how=how,
        into=into,
        since=touchpoint.ordered_at,
        evidence=touchpoint.event_id,
        source=touchpoint.source,
    )


def _same_account(touchpoint: CleanTouchpoint) -> Iterator[Link]:
    """A record of a directory that has several ids names one account by all of them."""
    named = touchpoint.account_refs[1:] if touchpoint.action in ("crm_record", "support_record", "group") else ()
    for other in (name for name in named if not name.startswith("crm:")):  # those may only be merged
        yield AccountClaim(
            account_id=other,
            trait="is",
            value=touchpoint.account_refs[0],
            since=touchpoint.ordered_at,
            evidence=touchpoint.event_id,
            source=touchpoint.source,
        )


def _declared(touchpoint: CleanTouchpoint, people: tuple[Alias, ...], subject: Alias) -> Iterator[Link]:
    boxes = [name for name in people[1:] if is_mailbox(name)]
    if not (touchpoint.account_traits or touchpoint.network or boxes):
        return
    said = [("domain", host) for host in declared_hosts(touchpoint)]
    # whoever writes from a role's address is of that company
    said += [("domain", host) for box in boxes if (host := address_host(box))]
    said += [("name", name) for name in (declared_name(touchpoint),) if name]
    said += [("network", account) for account in (touchpoint.network,) if account]
    for trait, value in dict.fromkeys(said):
        yield Declared(
            alias=subject,
            trait=trait,
            value=value,
            since=touchpoint.ordered_at,
            evidence=touchpoint.event_id,
            source=touchpoint.source,
        )


@lru_cache(maxsize=16_384)
def _pairs(people: tuple[Alias, ...], may_be_typed: bool) -> tuple[Pair, ...]:
    """The first who links with each other one; one who came alone with themselves."""
    return tuple(_paired(people, may_be_typed))


def _paired(people: tuple[Alias, ...], may_be_typed: bool) -> Iterator[Pair]:
    linking = [name for name in people if not is_mailbox(name)]
    for other in linking[1:]:
        one = linking[0]
        is_typed = may_be_typed and (one.startswith(_TYPED) or other.startswith(_TYPED))
        # an address that was typed, and an id that was given up, stand last among the actors
        yield (other, one, is_typed) if strength(one) < strength(other) else (one, other, is_typed)
    alone = people[0] if len(linking) < 2 and people else ""
    if alone and (is_mailbox(alone) or kind_of(alone) in NAMING_KINDS):
        yield (alone, alone, False)


def _edge(touchpoint: CleanTouchpoint, pair: Pair) -> Edge:
    a, b, is_typed = pair
    return Edge(
        a=a,
        b=b,
        typed=is_typed,
        since=touchpoint.ordered_at,
        evidence=touchpoint.event_id,
        source=touchpoint.source,
    )


def _merged(touchpoint: CleanTouchpoint, contacts: list[Alias]) -> Iterator[Link]:
    """The CRM merged contacts: it decides that they are one, which no evidence of ours could."""
    for other in contacts[1:]:
        yield Decision(
            a=contacts[0],
            b=other,
            verdict="link",
            by=touchpoint.source,
            decided_at=touchpoint.ordered_at,
            evidence=touchpoint.event_id,
            source=touchpoint.source,
        )
