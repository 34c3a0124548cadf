"""How an account's story goes: from the first visit over the contract to renewal, or not. Pure.

An arc is a function that has its author write scenes along the calendar; each ends where the period does.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.demo import crm, product, support, web
from services.demo.calendar import BROKEN_FORM, SLOW_QUOTES, SSO_OUTAGE, Calendar
from services.demo.cast import Arc, Company, Person
from services.demo.script import Script
from services.demo.support import SSO_SUBJECT, SUBJECTS, Handling

_DAY = timedelta(days=1)


@dataclass(slots=True)
class Author:
    """Writes one company's story, and remembers what the tools already know."""

    script: Script
    calendar: Calendar
    company: Company
    known: set[Person] = field(default_factory=set)
    users: set[Person] = field(default_factory=set)
    users_since: datetime = field(default=datetime.max.replace(tzinfo=UTC))

    def at(self, share: float) -> datetime:
        """A working hour at this share of the period."""
        return self.calendar.at(share, self.script.rng)

    def after(self, before: datetime, share: float) -> datetime:
        """The same, but later than `before`."""
        return max(self.at(share), before + timedelta(minutes=1))

    def know(self, person: Person, at: datetime) -> None:
        """The CRM has the person from now on (and the company, with the first)."""
        if not self.known:
            crm.company_record(self.script, self.company, at)
        if person not in self.known:
            self.known.add(person)
            crm.contact_record(self.script, self.company, person, at + timedelta(seconds=5))

    def sign_up(self, person: Person, at: datetime) -> None:
        """The person can use the product and ask support."""
        if not self.users:
            support.organization(self.script, self.company, at)
        if person not in self.users:
            self.users.add(person)
            self.users_since = at
            product.sign_up(self.script, self.company, person, at)
            support.user(self.script, self.company, person, at + timedelta(seconds=8))

    @property
    def days(self) -> float:
        """The length of the period, to scale waits of days by: 60 days are 1.0."""
        return self.calendar.days / 60


# -- the buyer's journey


def discover(author: Author, share: float) -> None:
    """Somebody reads, anonymously at first, then leaves an address for a paper."""
    script, person = author.script, author.company.engineer
    for step in range(script.rng.randint(2, 4)):
        web.read(script, person.anonymous_id, author.at(share + 0.015 * step))
    at = author.at(share + 0.07)
    at, session = web.visit(script, person.anonymous_id, at, [script.rng.choice(web.BLOG)])
    web.identify(script, person, author.company, at, session)
    event, channel = script.rng.choice((("Whitepaper Downloaded", "web"), ("Webinar Attended", "webinar")))
    web.sales(script, person, script.later(at, 5, 60), event, channel)
    if event == "Webinar Attended":
        web.csat(script, person, script.later(at, 3_600, 5_000), "webinar", script.rng.randint(3, 5))
    author.know(person, script.later(at, 60, 600))
    crm.lifecycle(script, author.company, script.later(at, 700, 2_000), "lead")


def consider(author: Author, share: float) -> None:
    """Two people compare; a demo is asked for, in some weeks only at the second try; then it is held."""
    script, company = author.script, author.company
    for step in range(3):
        web.compare(script, company.engineer.anonymous_id, author.at(share + 0.02 * step))
    web.compare(script, company.buyer.anonymous_id, author.at(share + 0.03))
    at = author.at(share + 0.06)
    broken = author.calendar.within(at, BROKEN_FORM)
    for _ in range(script.rng.randint(1, 2) if broken else int(script.chance(0.15))):
        web.form(script, company.buyer, at, "demo", sent=False)
        at = author.at(author.calendar.share(at) + 0.025)
    at, session = web.form(script, company.buyer, at, "demo", sent=True)
    web.identify(script, company.buyer, company, at, session)
    author.know(company.buyer, script.later(at, 30, 200))
    crm.lifecycle(script, company, script.later(at, 300, 900), "marketingqualifiedlead")
    web.sales(script, company.buyer, script.later(at, 3_000, 20_000), "Sales Call Held", "phone")
    at = author.at(author.calendar.share(at) + 0.03)
    crm.deal(script, company, at)
    crm.deal_stage(script, company, script.later(at, 5, 30), "appointmentscheduled")
    for person in (company.buyer, company.engineer):
        web.sales(script, person, script.later(at, 60, 120), "Demo Held", "meeting")
    web.csat(script, company.buyer, script.later(at, 8_000, 30_000), "demo", script.rng.choice((3, 4, 5, 5)))
    crm.deal_stage(script, company, script.later(at, 40_000, 60_000), "qualifiedtobuy")


def quote(author: Author, share: float) -> datetime:
    """A price is asked for and comes: in two days, or in the bad weeks in nine."""
    script, company = author.script, author.company
    at, _ = web.form(script, company.buyer, author.at(share), "quote", sent=True)
    web.sales(script, company.buyer, at, "Quote Requested", "web")
    crm.lifecycle(script, company, script.later(at, 100, 900), "opportunity")
    crm.deal_stage(script, company, script.later(at, 1_000, 4_000), "presentationscheduled")
    slow = author.calendar.within(at, SLOW_QUOTES)
    wait = timedelta(days=(script.rng.uniform(6, 10) if slow else script.rng.uniform(0.6, 2)) * author.days)
    if slow:
        for part in (0.35, 0.6, 0.85):
            chase = author.at(author.calendar.share(at + wait * part))
            web.visit(script, company.buyer.anonymous_id, chase, ["/quote/status"])
            if script.chance(0.6):
                web.form(script, company.buyer, script.later(chase, 60, 300), "quote-callback", sent=False)
    at = author.at(author.calendar.share(at + wait))
    web.sales(script, company.buyer, at, "Quote Sent", "email", waited_days=round(wait / _DAY, 1))
    score = script.rng.randint(1, 2) if slow else script.rng.randint(4, 5)
    web.csat(script, company.buyer, script.later(at, 4_000, 20_000), "quote", score)
    return at


def purchase(author: Author, share: float) -> datetime:
    """Quote, security review, contract; returns when it was signed."""
    script, company = author.script, author.company
    at = quote(author, share)
    share = author.calendar.share(at)
    at = author.at(share + 0.03)
    author.know(company.procurement, at)
    web.identify(script, company.procurement, company, script.later(at, 10, 30), "")
    web.visit(script, company.engineer.anonymous_id, at, ["/security", "/security/subprocessors"])
    web.sales(script, company.engineer, script.later(at, 400, 900), "Security Review Started", "email")
    at = author.at(share + 0.08)
    web.sales(script, company.engineer, at, "Security Review Completed", "email")
    crm.deal_stage(script, company, script.later(at, 600, 3_000), "decisionmakerboughtin")
    at = author.at(share + 0.11)
    web.visit(script, company.procurement.anonymous_id, at, ["/pricing/enterprise", "/security/dpa"])
    web.sales(script, company.procurement, script.later(at, 300, 900), "Contract Sent", "email")
    crm.deal_stage(script, company, script.later(at, 1_000, 2_000), "contractsent")
    at = author.at(share + 0.14)
    web.sales(script, company.procurement, at, "Contract Opened", "e-signature")
    at = script.later(at, 4_000, 12_000)
    web.sales(script, company.buyer, at, "Contract Signed", "e-signature")
    crm.deal_stage(script, company, script.later(at, 60, 300), "closedwon")
    crm.lifecycle(script, company, script.later(at, 400, 600), "customer")
    web.csat(script, company.procurement, script.later(at, 4_000, 9_000), "contract", script.rng.randint(2, 4))
    return at


# -- the customer's journey


def onboard(author: Author, at: datetime) -> datetime:
    """Kick-off, sign-on, training, the first invoice; returns when it was complete."""
    script, company = author.script, author.company
    share = author.calendar.share(at)
    at = author.after(at, share + 0.02)
    author.sign_up(company.engineer, at)
    product.track(script, company.engineer, script.later(at, 60, 120), "Onboarding Started")
    product.page(script, company.engineer, script.later(at, 130, 300), "/onboarding/checklist", script.session())
    at = author.after(at, share + 0.04)
    if author.calendar.within(at, SSO_OUTAGE) or script.chance(0.25):
        at = product.sso_outage(script, company.engineer, at)
    product.page(script, company.engineer, at, "/settings/sso", script.session())
    product.track(script, company.engineer, script.later(at, 200, 900), "SSO Connected")
    at = author.after(at, share + 0.06)
    for person in company.users:
        author.know(person, at)
        author.sign_up(person, script.later(at, 20, 60))
        web.identify(script, person, author.company, script.later(at, 60, 90), "")
        product.track(script, person, script.later(at, 900, 4_000), "Training Attended", channel="meeting")
    web.sales(script, company.procurement, author.at(share + 0.07), "Invoice Sent", "email")
    at = author.after(at, share + 0.09)
    product.track(script, company.engineer, at, "Onboarding Completed")
    product.csat(script, company.engineer, script.later(at, 3_000, 9_000), "onboarding", script.rng.randint(3, 5))
    return max(at, author.users_since + timedelta(minutes=2))


def settle(author: Author, at: datetime) -> datetime:
    """An account that is a customer already when the story begins: what the tools know of it."""
    script, company = author.script, author.company
    for person in company.people:
        author.know(person, at)
    crm.lifecycle(script, company, at + timedelta(minutes=1), "customer")
    for person in company.people:
        author.sign_up(person, at + timedelta(minutes=2))
        web.identify(script, person, company, at + timedelta(minutes=3), "")
    at += timedelta(minutes=5)
    product.track(script, company.engineer, at, "Onboarding Completed")
    return at


def use(author: Author, start: datetime, stop: datetime, daily: float = 0.65) -> None:
    """Working days with the product, trouble now and then, and the outage if it falls into them."""
    script, calendar = author.script, author.calendar
    for day in calendar.workdays(start, stop):
        for person in author.company.users:
            if script.chance(0.04):
                web.read(script, person.anonymous_id, calendar.hour(day, script.rng))
            if not script.chance(daily):
                continue
            at = max(calendar.hour(day, script.rng), start)
            if calendar.within(at, SSO_OUTAGE) and script.chance(0.3):
                product.sso_outage(script, person, at)
                continue
            at = product.work(script, person, at)
            if script.chance(0.03):
                product.stumble(script, person, at, script.rng.choice(product.PAGES), "TypeError in report builder")
    _tickets(author, start, stop)


def _tickets(author: Author, start: datetime, stop: datetime) -> None:
    script, calendar = author.script, author.calendar
    for day in calendar.workdays(start, stop):
        person = script.rng.choice(author.company.users)
        if calendar.within(day, SSO_OUTAGE) and script.chance(0.22):
            answer_s, score = script.rng.uniform(5, 20) * 3_600, script.rng.choice((1, 1, 2, 3))
            slow = Handling(answer_s, script.chance(0.5), score, SSO_SUBJECT)
            support.ticket(script, author.company, person, calendar.hour(day, script.rng), slow)
        elif script.chance(min(0.05 / min(author.days, 1), 0.2)):
            support.ticket(script, author.company, person, calendar.hour(day, script.rng), _usual(script))


def _usual(script: Script) -> Handling:
    late = script.chance(0.12)
    answer_s = script.rng.uniform(4.2, 9) * 3_600 if late else script.rng.uniform(300, 9_000)
    score = script.rng.choice((3, 4, 5, 5)) if script.chance(0.5) else None
    return Handling(answer_s, script.chance(0.08), 2 if late and score else score, script.rng.choice(SUBJECTS))


def ask(author: Author, scores: tuple[int, ...], shares: tuple[float, ...]) -> None:
    """The NPS question at these times, to different people; the product itself is rated by others the same week."""
    script = author.script
    for share in shares:
        at = author.at(share)
        if at < author.users_since:  # nobody uses it yet
            continue
        rater, stars = script.rng.choice(author.company.users), 1 + bisect((4, 6, 7, 9), max(scores))
        product.csat(script, rater, at, "product", stars)
        person = script.rng.choice(author.company.users)
        product.nps(script, person, at, script.rng.choice(scores))


def review(author: Author, share: float) -> None:
    """A look back with the buyer."""
    web.sales(author.script, author.company.buyer, author.at(share), "Business Review Held", "meeting")


def renew(author: Author, share: float) -> None:
    """The renewal is offered, looked at, and signed."""
    script, company = author.script, author.company
    web.sales(script, company.buyer, author.at(share), "Renewal Offered", "email")
    at = author.at(share + 0.05)
    web.visit(script, company.procurement.anonymous_id, at, ["/renew", "/pricing"])
    at = author.at(share + 0.1)
    web.sales(script, company.buyer, at, "Renewal Signed", "e-signature")
    web.csat(script, company.buyer, script.later(at, 4_000, 9_000), "renewal", script.rng.randint(3, 5))


def leave(author: Author, share: float) -> None:
    """The renewal is offered and declined."""
    script, company = author.script, author.company
    web.sales(script, company.buyer, author.at(share - 0.08), "Renewal Offered", "email")
    web.visit(script, company.buyer.anonymous_id, author.at(share - 0.04), ["/renew"])
    at = author.at(share)
    web.sales(script, company.buyer, at, "Subscription Cancelled", "email", reason="support")
    crm.lifecycle(script, company, script.later(at, 300, 900), "churned")


# -- the arcs


def customer(author: Author) -> None:
    """Uses it all the time; content, mostly."""
    at = settle(author, author.at(0.0))
    use(author, at, author.calendar.end)
    ask(author, (6, 7, 8, 8, 9), (0.3, 0.8))
    ask(author, (3, 5, 6, 7), (0.74,))
    if author.script.chance(0.6):
        renew(author, author.script.rng.uniform(0.3, 0.85))


def delighted(author: Author) -> None:
    """Renews and tells others."""
    at = settle(author, author.at(0.0))
    use(author, at, author.calendar.end, daily=0.75)
    ask(author, (9, 9, 10), (0.2, 0.5, 0.85))
    share = author.script.rng.uniform(0.2, 0.35)
    at = author.at(share)
    web.sales(author.script, author.company.buyer, at, "Referral Given", "email")
    crm.lifecycle(author.script, author.company, author.script.later(at, 900, 3_000), "evangelist")
    if author.script.chance(0.6):
        web.sales(author.script, author.company.engineer, author.at(share + 0.05), "Review Left", "web")
    review(author, share + 0.15)
    renew(author, share + 0.3)


def won(author: Author) -> None:
    """From the first article to daily use within the period."""
    share = author.script.rng.uniform(0.0, 0.25)
    discover(author, share)
    consider(author, share + 0.1)
    at = onboard(author, purchase(author, share + 0.26))
    use(author, at, author.calendar.end)
    ask(author, (6, 7, 8, 9, 10), (0.92,))


def pipeline(author: Author) -> None:
    """Still deciding when the period ends."""
    share = author.script.rng.uniform(0.3, 0.6)
    discover(author, share)
    consider(author, share + 0.1)
    if author.script.chance(0.7):
        quote(author, share + 0.26)
        web.compare(author.script, author.company.engineer.anonymous_id, author.at(0.97))


def prospect(author: Author) -> None:
    """Knows that it has a problem, no more."""
    share = author.script.rng.uniform(0.4, 0.8)
    discover(author, share)
    for step in range(3):
        web.read(author.script, author.company.engineer.anonymous_id, author.at(share + 0.1 + 0.03 * step))


def lost(author: Author) -> None:
    """Waited for a quote, and bought elsewhere."""
    script, company = author.script, author.company
    discover(author, 0.04)
    consider(author, 0.14)
    at = quote(author, 0.32)
    at = author.at(author.calendar.share(at) + 0.05)
    crm.deal_stage(script, company, at, "closedlost")


def lost_reopened(author: Author) -> None:
    """Lost over a slow quote, came back, and signed."""
    lost(author)
    web.compare(author.script, author.company.buyer.anonymous_id, author.at(0.58))
    web.sales(author.script, author.company.buyer, author.at(0.6), "Sales Call Held", "phone")
    at = onboard(author, purchase(author, 0.62))
    use(author, at, author.calendar.end)


def churned(author: Author) -> None:
    """Less and less use, unhappy answers, and no renewal."""
    script = author.script
    at = settle(author, author.at(0.0))
    gone = script.rng.uniform(0.78, 0.9)
    use(author, at, author.at(0.35), daily=0.5)
    use(author, author.at(0.36), author.at(gone - 0.05), daily=0.2)
    ask(author, (0, 1, 2, 4), (0.4, gone - 0.04))
    for share in (0.3, gone - 0.15):
        bad = Handling(script.rng.uniform(6, 30) * 3_600, True, 1, script.rng.choice(SUBJECTS))
        support.ticket(script, author.company, script.rng.choice(author.company.users), author.at(share), bad)
    leave(author, gone)


def returning(author: Author) -> None:
    """Left early in the period; comes back after two months of another tool."""
    at = settle(author, author.at(0.0))
    use(author, at, author.at(0.12), daily=0.3)
    leave(author, 0.14)
    for step in range(3):
        web.compare(author.script, author.company.buyer.anonymous_id, author.at(0.4 + 0.03 * step))
    web.sales(author.script, author.company.buyer, author.at(0.5), "Sales Call Held", "phone")
    at = author.at(0.51)
    crm.lifecycle(author.script, author.company, at, "salesqualifiedlead")
    crm.deal(author.script, author.company, author.script.later(at, 30, 300))
    at = onboard(author, purchase(author, 0.53))
    use(author, at, author.calendar.end)
    ask(author, (8, 9), (0.93,))


ARCS: dict[Arc, Callable[[Author], None]] = {
    "customer": customer,
    "delighted": delighted,
    "won": won,
    "pipeline": pipeline,
    "prospect": prospect,
    "lost": lost,
    "lost_reopened": lost_reopened,
    "churned": churned,
    "returning": returning,
}
