"""Our own dialect, for what has no vendor API: imports, offline touchpoints, what operators decide.

One record says one thing. Unknown fields are refused, so that a misspelt column is never lost in silence;
what has no field of its own goes into `traits` (accounts) or `properties`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from schemas.touchpoints import Scalar

_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


def _utc(value: datetime) -> datetime:
    try:
        found = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("must lie in 1970-2100") from None
    if not _FIRST <= found < _END:
        raise ValueError("must lie in 1970-2100")
    return found


Stamp = Annotated[datetime, AfterValidator(_utc)]
"""ISO 8601; without a zone it is UTC."""

ScoreKind = Literal["nps", "csat", "ces", "rating"]
Happening = Literal[
    "custom",
    "survey_answered",
    "ticket_created",
    "ticket_replied_by_agent",
    "ticket_replied_by_customer",
    "ticket_status",
]


class _Part(BaseModel):
    """Frozen, and strict about its fields; numbers are accepted where text is meant."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, populate_by_name=True, allow_inf_nan=False
    )


class _Record(_Part):
    occurred_at: Stamp | None = Field(
        None,
        validation_alias=AliasChoices("occurred_at", "at"),
        description="when it happened or became so; also `at`. Left out: when it was received, and then a second "
        "sending is a second statement",
    )


class PersonPart(_Part):
    """Who it was: everything known of one person. Two people in one record would be taken for one."""

    email: Short = Field("", description="e-mail address")
    crm_contact: Short = Field("", description="id of the CRM's contact")
    user_id: Short = Field("", description="your own user id")
    support_user: Short = Field("", description="the helpdesk's user id")
    phone: Short = Field("", description="in international form, `+31 20 123 4567`")
    name: Short = Field("", description="full name")
    title: Short = Field("", description="job title")
    department: Short = Field("", description="department")
    role: Short = Field("", description="role in the buying process")


class AccountPart(_Part):
    """Which company it was, as far as known."""

    id: Short = Field("", description="the CRM's id, or `crm:…`, `group:…`, `org:…`")
    domain: Short = Field("", description="web domain")
    name: Short = Field("", description="name")


class TouchpointRecord(_Record):
    """A contact moment: a visit to a stand, a call, a meeting, a note of a diary or an interview."""

    kind: Literal["touchpoint"]
    occurred_at: Stamp = Field(
        validation_alias=AliasChoices("occurred_at", "at"), description="when it happened; also `at`"
    )
    id: Short = Field("", description="your id of it; left out: its content is its identity")
    name: Id = Field(description="what kind of moment; blueprints match it as vendor type `touchline:<name>`")
    action: Happening | None = Field(
        None, description="what happened in our words; left out: `survey_answered` with a score, else `custom`"
    )
    channel: Short = Field("", description="left out: `web` where `online` is true, else `offline`")
    online: bool | None = Field(None, description="whether it was on line; kept as a property")
    person: PersonPart = Field(PersonPart(), description="who")
    account: AccountPart = Field(AccountPart(), description="which company")
    subject: Short = Field("", description="the case it is about, e.g. `deal:9`, `ticket:12`")
    title: Short = Field("", description="headline")
    text: Long = Field("", description="what was said or written; with an emotion in it, in English or Dutch")
    score: float | None = Field(None, description="a stated score, on its kind's scale")
    score_kind: ScoreKind = Field("rating", description="nps 0–10, csat and rating 1–5, ces 1–7")
    properties: dict[Short, Scalar] = Field({}, description="anything else, flat")


class AccountRecord(_Record):
    """A customer company of the CRM."""

    kind: Literal["account"]
    id: Id = Field(description="the CRM's id, or `crm:…`, `group:…`, `org:…`")
    name: Short = Field("", description="name")
    domains: tuple[Short, ...] = Field((), description="web and mail domains it owns")
    industry: Short = Field("", description="industry")
    employees: Short = Field("", description="how many people work there")
    lifecycle: Short = Field("", description="lifecycle stage, e.g. `lead`, `customer`: evidence of the phase")
    owner: Short = Field("", description="id of the owner on our side")
    deleted: bool = Field(False, description="the CRM deleted it; nothing else of the record is then read but its id")
    restored: bool = Field(False, description="it was deleted, and is there again")
    merged_into: Short = Field(
        "", description="the CRM's id of the account that it is from now on; nothing else is then read"
    )
    traits: dict[Short, Long] = Field({}, description="anything else")


class ContactRecord(_Record):
    """A person of the CRM, and where they work since when."""

    kind: Literal["contact"]
    id: Id = Field(description="the CRM's id")
    email: Short = Field("", description="e-mail address")
    phone: Short = Field("", description="in international form, `+31 20 123 4567`")
    user_id: Short = Field("", description="your own user id")
    name: Short = Field("", description="full name")
    title: Short = Field("", description="job title")
    department: Short = Field("", description="department")
    role: Short = Field("", description="role in the buying process")
    account: Short = Field("", description="account they belong to: the CRM's id, or `crm:…`, `group:…`, `org:…`")
    valid_from: Stamp | None = Field(None, description="since when they belong to it")
    valid_to: Stamp | None = Field(None, description="until when, exclusive")
    deleted: bool = Field(False, description="the CRM deleted it; nothing else of the record is then read but its id")
    restored: bool = Field(False, description="it was deleted, and is there again")


class DealRecord(_Record):
    """A deal of the CRM, as it stands."""

    kind: Literal["deal"]
    id: Id = Field(description="the CRM's id")
    account: Short = Field("", description="account it belongs to: the CRM's id, or `crm:…`, `group:…`, `org:…`")
    name: Short = Field("", description="name")
    stage: Short = Field("", description="stage; case and blanks do not count, `Closed Won` is `closedwon`")
    won: bool | None = Field(None, description="whether it is won, whatever its stage is called; empty: not told")
    lost: bool | None = Field(None, description="whether it is lost")
    closed: bool | None = Field(None, description="whether it is closed; closed and not won is lost")
    amount: float | None = Field(None, description="worth, in `currency`")
    currency: Short = Field("", description="ISO 4217")
    closes_at: Stamp | None = Field(None, description="expected or real end")
    owner: Short = Field("", description="id of the owner on our side")
    contacts: tuple[Short, ...] = Field((), description="the CRM's ids of the people in it")


class OwnerRecord(_Record):
    """Someone on our side who owns accounts or deals."""

    kind: Literal["owner"]
    id: Id = Field(description="the CRM's id")
    email: Short = Field("", description="e-mail address; what they do themselves is internal, in every source")
    name: Short = Field("", description="name or role")
    department: Short = Field("", description="department")


class DecisionRecord(_Record):
    """Someone says who is who. It is an event like any other: it replays, and a later one on the same two wins."""

    kind: Literal["decision"]
    verdict: Literal["link", "unlink", "belongs", "not_belongs"] = Field(
        description="`a` and `b` are one person or not; or `a` belongs to `account` or not; or is it, if it is a group"
    )
    a: Id = Field(
        description="an alias, `email:ann@acme.example`, `crm_contact:51`; or a bare e-mail address; for belongs and "
        "not_belongs also an organisation or group, `org:7`, `group:acme`"
    )
    b: Short = Field("", description="the other alias, for link and unlink")
    account: Short = Field("", description="the account, for belongs and not_belongs")
    by: Id = Field(description="who decided")
    note: Short = Field("", description="why")
    proposal: Short = Field("", description="id of the proposal it answers")


class ErasureRecord(_Record):
    """Somebody, or an account, is to be erased, up to this record's time: `touchline erase --requested` does it."""

    kind: Literal["erasure"]
    who: Id = Field(
        description="an alias, `email:ann@acme.example`, `crm_contact:51`; a bare e-mail address; or an account, "
        "`account:crm:51`"
    )
    suppress: bool = Field(False, description="what occurs afterwards is dropped, too")
    by: Short = Field("", description="who asked for it; stands in the receipt")


class ConsentRecord(_Record):
    """Somebody declines to be followed, or agrees again: what they do from then on, whoever tells it."""

    kind: Literal["consent"]
    who: Id = Field(description="an alias, `email:ann@acme.example`, `user:7`; or a bare e-mail address")
    given: bool = Field(description="false: they decline; true: they agree, or agree again")
    by: Short = Field("", description="who took it down")


Record = (
    TouchpointRecord
    | AccountRecord
    | ContactRecord
    | DealRecord
    | OwnerRecord
    | DecisionRecord
    | ErasureRecord
    | ConsentRecord
)
AnyRecord = Annotated[Record, Field(discriminator="kind")]

RECORDS: dict[str, type[Record]] = {
    "touchpoint": TouchpointRecord,
    "account": AccountRecord,
    "contact": ContactRecord,
    "deal": DealRecord,
    "owner": OwnerRecord,
    "decision": DecisionRecord,
    "erasure": ErasureRecord,
    "consent": ConsentRecord,
}
