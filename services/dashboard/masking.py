"""What viewers see instead of people's names and texts. It stands before the store, so that no page can forget it.

A column is shown because it is listed here. One that nobody has thought of yet is hidden.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from typing import Any, cast

import orjson

from schemas.blueprint import Blueprint
from schemas.incidents import Delivery, IncidentAction
from services.dashboard.aside import Refused
from services.dashboard.board import Board
from services.dashboard.letters import Letters, LetterView, Refusals
from services.dashboard.pages.account import crm_traits
from services.dashboard.reader import Clock
from services.dashboard.store import DaysQuery, JourneyStore, Row
from services.dashboard.views.sources import RefusedRequests
from services.dashboard.words import rule_label

HIDDEN = "•••"
PERSON = "person:"
REMEMBERED = 50_000
"""People whose pseudonyms are known the other way round, too."""
_PEOPLE_WITHIN = timedelta(days=90)
_ALL_PEOPLE = 20_000
_OF_NOBODY = frozenset((
    "cells", "history", "hurt", "daily", "first_minute", "last_minute", "tiers", "measures", "channels",
    "worst_rules", "fingerprint", "population", "open_proposals", "erasure", "owners_of", "freshness", "slots",
    "ignored", "kept_off", "claims", "nobodies", "traffic", "unmapped", "pained", "flow", "variants", "beside",
    "shares",
))  # fmt: skip
"""Questions whose answers are sums, or names of things."""
SHOWN = frozenset((
    "account_id", "event_id", "signal_id", "proposal_id", "correction_id", "case_id", "part_id", "source", "vendor",
    "vendor_type", "action", "touchpoint_type", "phase", "home_phase", "high_water_phase", "persona", "segment",
    "channel", "device", "account_method", "page", "score_kind", "friction_rules", "rule", "polarity", "evidence",
    "parts", "name", "account_name", "worst_type", "status", "kind", "what", "by", "sort_key", "traffic",
    "transitions", "opportunities", "committee", "tier", "owner",
))  # fmt: skip
"""Columns of text that are of no person: ids of ours, words of the blueprint, names of accounts."""
_TRAITS = crm_traits.SHOWN | frozenset((
    "industry", "employees", "size", "country", "plan", "segment", "domain", "website", "renewal_date",
))  # fmt: skip
"""Traits of an account, whatever the blueprint asks of."""
_ATTRIBUTION = ("account_id", "method", "confidence", "rule_version", "mapping")
Ask = Callable[..., Awaitable[Any]]


class Pseudonyms:
    """A person's id → a name that says nothing, the same as long as the key is."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"dashboard pseudonyms", hashlib.sha256)
        self._people: OrderedDict[str, str] = OrderedDict()

    def of(self, person_id: str) -> str:
        """Empty stays empty."""
        if not person_id:
            return ""
        made = PERSON + hmac.new(self._key, person_id.encode(), hashlib.sha256).hexdigest()[:16]
        self._people[made] = person_id
        self._people.move_to_end(made)
        while len(self._people) > REMEMBERED:
            self._people.popitem(last=False)
        return made

    def person(self, pseudonym: str) -> str:
        """The person's id; empty for a name that was not given lately."""
        return self._people.get(pseudonym, "")


class MaskedStore:
    """A store whose rows tell of no person. Questions about a person are asked by pseudonym."""

    def __init__(self, store: JourneyStore, blueprint: Blueprint, names: Pseudonyms, clock: Clock) -> None:
        self._store, self._names, self._clock = store, names, clock
        named = {rule.trait for rule in blueprint.segments} | {blueprint.tiers.trait}
        dates = {policy.renewal_trait for policy in blueprint.policies}
        self._traits = _TRAITS | named | dates

    def __getattr__(self, question: str) -> Ask:
        """Every question of a store; what is not known to be of nobody is masked."""
        ask: Ask = getattr(self._store, question)
        if question in _OF_NOBODY:
            return ask

        async def masked(*args: Any, **named: Any) -> Any:
            return self._hidden(await ask(*args, **named))

        return masked

    async def people(self, text: str, since: Any, limit: int) -> Sequence[Row]:
        """Nobody is found by a part of a name; a pseudonym finds its own."""
        person_id = await self._person(text) if text.startswith(PERSON) else ""
        found = await self._store.people(person_id, since, limit) if person_id else ()
        return [self._row(row) for row in found if row["person_id"] == person_id]

    async def accounts_of(self, person_id: str) -> Sequence[Row]:
        """By pseudonym."""
        known = await self._person(person_id)
        return [self._row(row) for row in await self._store.accounts_of(known)] if known else ()

    async def days(self, query: DaysQuery) -> tuple[Sequence[Row], Any]:
        """Of a person by pseudonym."""
        if query.person_id:
            query = replace(query, person_id=await self._person(query.person_id) or query.person_id)
        rows, more = await self._store.days(query)
        return [self._row(row) for row in rows], more

    async def _person(self, pseudonym: str) -> str:
        """Where it was forgotten, as after a start, the people of lately are named anew."""
        if pseudonym.startswith(PERSON) and not self._names.person(pseudonym):
            for row in await self._store.people("", self._clock() - _PEOPLE_WITHIN, _ALL_PEOPLE):
                self._names.of(str(row["person_id"]))
        return self._names.person(pseudonym)

    def _hidden(self, found: Any) -> Any:
        if isinstance(found, Mapping):
            return self._row(found)
        if isinstance(found, list | tuple):
            return [self._hidden(each) for each in found]
        if is_dataclass(found) and not isinstance(found, type):
            return replace(found, **{one.name: self._hidden(getattr(found, one.name)) for one in fields(found)})
        return HIDDEN if isinstance(found, str) and found else found

    def _row(self, row: Row) -> dict[str, Any]:
        return {column: self._value(row, column, value) for column, value in row.items()}

    def _value(self, row: Row, column: str, value: Any) -> Any:
        if column == "person_id":
            return self._names.of(str(value))
        if column in ("a", "b"):  # an account is named, a person is not
            is_account = row.get("kind") == "same_account" or (column == "b" and row.get("kind") == "belongs")
            return value if is_account else self._names.of(str(value))
        if column == "title":  # of a page, a ticket, a job: one may be left out where a text would be missed
            return ""
        if column == "explanation":
            return rule_label(str(row.get("rule", "")))
        if column.endswith("_coded"):  # it holds what the text beside it says
            return ""
        if column == "traits":
            known = orjson.loads(value or "{}")
            return orjson.dumps({name: known[name] for name in known if name in self._traits}).decode()
        if column == "payload":
            attribution = orjson.loads(value or "{}").get("attribution", {})
            return orjson.dumps({"attribution": {k: attribution[k] for k in _ATTRIBUTION if k in attribution}}).decode()
        return value if column in SHOWN else self._hidden(value)


def masked_store(store: JourneyStore, blueprint: Blueprint, names: Pseudonyms, clock: Clock) -> JourneyStore:
    """The same store, for viewers."""
    return cast(JourneyStore, MaskedStore(store, blueprint, names, clock))


class MaskedBoard(Board):
    """What people did about incidents, without their notes, and what they were told, without what receivers said."""

    def __init__(self, board: Board) -> None:
        self.__dict__ = board.__dict__  # one memory: what is learned later is known here, too

    def notes(self, events: Iterable[str]) -> list[IncidentAction]:
        """As the board has them, each without its text."""
        return [each.changed(text=HIDDEN) if each.text else each for each in super().notes(events)]

    def deliveries(self, incident_id: str = "") -> list[Delivery]:
        """As the board has them, each without what its receiver answered."""
        return [each.changed(answer=HIDDEN) if each.answer else each for each in super().deliveries(incident_id)]


class MaskedLetters(Letters):
    """Dead letters without their bytes and without what was said of them: both quote the message."""

    def __init__(self, letters: Letters) -> None:
        self.__dict__ = letters.__dict__

    def refusals(self) -> tuple[Refusals, ...]:
        """By source and reason."""
        return tuple(replace(one, last=_without_words(one.last)) for one in super().refusals())

    def mentioning(self, text: str, length: int) -> tuple[LetterView, ...]:
        """By the letter's own id: what is in a message is not looked for."""
        found = super().mentioning(text, length)
        return tuple(_without_words(one) for one in found if one.letter_id == text)


def _without_words(letter: LetterView) -> LetterView:
    return replace(letter, message=HIDDEN, sample=HIDDEN if letter.sample else "")


def masked_refused(refused: Refused) -> Refused:
    """What was not taken, without what was said of the last one: it may quote the message."""

    def without_details() -> Mapping[str, tuple[RefusedRequests, ...]]:
        return {
            source: tuple(replace(each, detail=HIDDEN if each.detail else "") for each in those)
            for source, those in refused().items()
        }

    return without_details
