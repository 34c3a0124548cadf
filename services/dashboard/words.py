"""Numbers and ids in words, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import quote

from markupsafe import Markup, escape

from schemas.blueprint import TouchpointType
from schemas.ids import directory_of, parts
from schemas.incidents import Delivery
from services.dashboard.since import Since
from streams.incidents.subjects import SOURCE, TYPE

_EMOTIONS = ((0.6, "delighted"), (0.2, "pleased"), (-0.2, "neutral"), (-0.6, "uneasy"))
ANONYMOUS = "anon:"
TIER_TRAITS = ("tier", "account_tier", "customer_tier", "hs_target_account")
"""How CRMs call an account's tier; the first that is told counts."""
REVENUE_TRAITS = ("arr", "annual_recurring_revenue", "mrr", "annual_revenue", "annualrevenue", "revenue")
MONTHLY_TRAITS = ("mrr",)
"""The same for its revenue: a year's, those of the second list a month's."""


def is_identified(account_id: str) -> bool:
    return not account_id.startswith(ANONYMOUS)


def is_provisional(account_id: str) -> bool:
    """Known by its domain only."""
    return account_id.startswith("domain:")


def account_name(account_id: str, name: str) -> str:
    """The account's own name, else its id without the namespace."""
    if name:
        return name
    known = parts(account_id)
    bare = known.value if known else account_id.partition(":")[2] or account_id
    return bare if is_identified(account_id) else f"Visitor {bare[:8]}"


def emotion_word(value: float | None) -> str:
    """`value` in -1…1; None is `no evidence`, never neutral."""
    if value is None:
        return "no evidence"
    return next((word for bound, word in _EMOTIONS if value >= bound), "frustrated")


def signed(value: float) -> str:
    """`+0.3`, `−0.3`, and `0.0` without a sign."""
    return f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"


def percent(rate: float | None) -> str:
    """A rate 0…1 as people read it; small ones keep a decimal, none is rounded to nothing."""
    if rate is None:
        return "–"
    if 0 < rate < 0.001:
        return "< 0.1%"
    return f"{rate:.1%}".replace(".0%", "%") if 0 < rate < 0.1 else f"{rate:.0%}"


def count(value: int) -> str:
    return f"{value:,}"


def plural(value: int, one: str, many: str = "") -> str:
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


_OVERRIDES = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def without_overrides(value: object) -> object:
    """A text without the characters that turn the direction of what follows: `exe.png` must not be `gnp.exe`."""
    return value.translate(_OVERRIDES) if isinstance(value, str) else value


def code_marks(text: str) -> Markup:
    """A text of the documents: what stands between backticks is code."""
    found = map(escape, text.split("`"))
    return Markup("").join(Markup("<code>%s</code>") % part if at % 2 else part for at, part in enumerate(found))


def rule_words(rule: str) -> str:
    return rule.replace("_", " ")


def clock_time(at: datetime, now: datetime) -> str:
    """UTC; the day only where it is another one, the year only where it is another one."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b %H:%M}" if at.year == now.year else f"{at.day} {at:%b %Y}"


def stamp(at: datetime, now: datetime, form: str = "short") -> Markup:
    """`clock_time` for a page: its script puts it into the viewer's zone, and UTC comes up on hover.

    `form`: `short` as above; `time` and `seconds` where the day stands beside it; `whole` with the day and the year.
    """
    forms = {"time": f"{at:%H:%M}", "seconds": f"{at:%H:%M:%S}", "whole": f"{at:%Y-%m-%d %H:%M:%S} UTC"}
    shown = forms.get(form) or clock_time(at, now)
    kind = "" if form == "short" else Markup(' data-form="%s"') % form
    return Markup('<time datetime="%s"%s>%s</time>') % (at.isoformat(timespec="seconds"), kind, shown)


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h`, `12 d`: the largest unit that fits."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{int(seconds)} s"


def named(ids: Mapping[str, str], key: str) -> str:
    """The blueprint's name of `key`; what the blueprint does not know keeps its id, in words."""
    return ids.get(key) or (rule_words(key) if key else "unknown")


TERM_WORDS = {"quick": "2 weeks at most", "medium": "3 months at most", "long": "longer than 3 months"}


def figure(value: float | None) -> str:
    """An input or a result of a formula; null is `–`, never zero."""
    if value is None:
        return "–"
    return count(int(value)) if value == int(value) else f"{value:.3g}".replace("-", "−")


def target_words(target: str) -> str:
    """A target's name without its unit."""
    return rule_words(target.removesuffix("_ms").removesuffix("_s"))


def measure(value: float | None, target: str, is_gap: bool = False) -> str:
    """A target's value with its unit, taken from the end of its name; a gap has its sign."""
    if value is None:
        return "–"
    sign = ("−" if value < 0 else "+") if is_gap else "−" if value < 0 else ""
    size = abs(value)
    if target.endswith("_ms"):
        return f"{sign}{size:,.0f} ms"
    if target.endswith("_s"):
        return f"{sign}{duration(size)}"
    return f"{sign}{percent(size)}" if target.endswith("_rate") else f"{sign}{size:.1f}"


SEVERITIES = {
    "severe": ("▲▲", "Severe"),
    "high": ("▲", "High"),
    "watch": ("◆", "Watch"),
    "calm": ("●", "Calm"),
    "unmeasured": ("○", "Not measured"),
    "verdict": ("◇", "Verdict"),
    "unseen": ("○", "Not seen"),
    "done": ("✓", "Done"),
    "over": ("●", "Over"),
}
"""Severity, or why there is none any more → its shape and its word; the colour comes on top."""


def standing_severity(state: str, severity: str) -> str:
    """What stands before an incident: how severe it is, or that it is done or over by itself."""
    return state if state in ("done", "over") else severity


def severity_words(state: str, severity: str) -> str:
    """`Severe`; `Was severe` of an incident that is done or over."""
    word = SEVERITIES[severity][1]
    return word if standing_severity(state, severity) == severity else f"Was {word.lower()}"


_OWNER_ID = re.compile(r"\d+|005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_VENDORS = {"hubspot": "HubSpot", "salesforce": "Salesforce"}


def owner_words(owner: str, account_id: str) -> str:
    """Who owns an account in its CRM: a name as it stands; an id, where the CRM sends no name, with whose id it is."""
    if not _OWNER_ID.fullmatch(owner):
        return owner
    directory = directory_of(account_id)
    vendor = next((name for word, name in _VENDORS.items() if word in directory), "CRM")
    return f"{vendor} owner {owner}"


def amount(value: float) -> str:
    """A sum of pain: whole, and one decimal while it is small."""
    return f"{value:.1f}" if 0 < value < 10 and round(value, 1) != int(value) else count(round(value))


def change_words(now: float, before: float | None) -> str:
    """How a sum of pain changed: `8.2× from 10`, `as before`, `new`, `down 60% from 10`; empty without comparison."""
    if before is None or (not before and not now):
        return ""
    if not before:
        return "new"
    ratio = now / before
    if 0.9 < ratio < 1.1:
        return "as before"
    if ratio >= 1.5:
        return f"{ratio:.{0 if ratio >= 10 else 1}f}× from {amount(before)}"
    return f"{'up' if ratio > 1 else 'down'} {abs(ratio - 1):.0%} from {amount(before)}"


def change_kind(now: float, before: float | None) -> str:
    """`worse`, `better` or `same`, for the colour."""
    if before is None or (not before and not now):
        return "same"
    ratio = now / before if before else float("inf")
    return "worse" if ratio >= 1.1 else "better" if ratio <= 0.9 else "same"


def day_words(day: date, today: date) -> str:
    """`today`, `yesterday`, `14 Nov`, and the year where it is another one."""
    ago = (today - day).days
    if ago in (0, 1):
        return "yesterday" if ago else "today"
    return f"{day.day} {day:%b}" if day.year == today.year else f"{day.day} {day:%b %Y}"


def day_title(day: date, today: date) -> str:
    """`Today, 29 Nov`, `Friday, 27 Nov`, and the year where it is another one."""
    ago = (today - day).days
    name = ("Today", "Yesterday")[ago] if ago in (0, 1) else f"{day:%A}"
    return f"{name}, {day.day} {day:%b}{f' {day.year}' if day.year != today.year else ''}"


def since_words(since: Since, today: date) -> str:
    """`since 14 Nov`, `hurt until 17 Nov`, `for 30 days or more`; empty where nothing is above what was usual."""
    if since.day is None:
        return ""
    if since.over:
        return f"hurt until {day_words(since.over, today)}"
    return "for 30 days or more" if since.is_whole else f"since {day_words(since.day, today)}"


def delivery_words(line: Delivery) -> str:
    """A line of the delivery log in words."""
    if line.outcome == "nobody":
        return "Nobody was told: no channel wants it"
    tries = f" after {line.attempt} tries" if line.attempt > 1 else ""
    said = {"sent": "Told through", "retry": "Not taken yet by", "gave_up": "Given up:"}[line.outcome]
    return f"{said} {line.channel}{tries}"


def delivery_subject(line: Delivery, types: Mapping[str, TouchpointType]) -> tuple[str, str]:
    """Whom or what a line of the delivery log is about: (where to look, its name or id)."""
    account_id = line.account_id
    if account_id.startswith(SOURCE):
        return "/sources", f"source {account_id.removeprefix(SOURCE)}"
    kind = types.get(account_id.removeprefix(TYPE)) if account_id.startswith(TYPE) else None
    if kind is not None:
        return f"/cells/{quote(kind.phase, safe='')}/{quote(kind.id, safe='')}", kind.name
    return f"/incidents/{quote(line.incident_id, safe='')}", account_id


_TRAFFIC = {
    "bot": "of programs",
    "internal": "of your own people and hosts",
    "test": "of tests",
    "declined": "of people who declined",
}


def traffic_words(traffic: str) -> str:
    """Whose touchpoints they are: `480 of programs`."""
    return _TRAFFIC.get(traffic) or f"of “{rule_words(traffic)}”"


def became_words(on_map: bool, traffic: str) -> str:
    """What became of an event that is stored; empty: it is on the map."""
    if on_map:
        return ""
    return f"left out: it is one {traffic_words(traffic)}" if traffic else "a record, no contact moment"


_RULES = {
    "rage_click": "Repeated clicking",
    "dead_click": "Clicks without effect",
    "error_click": "Clicks that end in an error",
    "client_error": "Errors shown on screen",
    "not_found": "Pages not found",
    "server_error": "Server errors",
    "page_loop": "Going back and forth",
    "u_turn": "Turning round at once",
    "slow_page": "Slow pages",
    "form_abandoned": "Form started, not sent",
    "form_retry": "Form refused again and again",
    "search_no_result": "Searches without a result",
    "cart_abandoned": "Order started, not placed",
    "quote_abandoned": "Quote started, not sent",
    "login_failed": "Sign-in failed",
    "first_response_breach": "First reply too late",
    "resolution_breach": "Solved too late",
    "ticket_reopened": "Ticket opened again",
    "ping_pong": "Passed from one to another",
    "repeat_contact": "Had to ask again",
    "escalated": "Escalated",
    "channel_hop": "Had to change channel",
    "waiting_on_us": "Waits for our answer",
    "stalled": "Standing still",
    "deal_regressed": "Deal went back a stage",
    "payment_failed": "Payments that fail",
    "invoice_disputed": "Disputed invoices",
    "bounced": "Mail did not arrive",
    "meeting_missed": "Missed meetings",
    "low_score": "Low scores",
    "struggle": "Struggles in several ways",
    "champion_in_pain": "A champion is in pain",
    "moment_of_truth_failed": "Moment of truth failed",
    "misaligned": "Praises, and struggles",
    "negative_words": "Written in anger or disappointment",
    "first_contact_solve": "Solved at first contact",
    "promoter": "High scores",
    "fast_lane": "Answered fast",
    "self_served": "Found the answer alone",
    "adopted": "Taken into use",
    "referral": "Referred to others",
    "review_left": "Left a review",
    "positive_words": "Written with thanks",
}


def rule_label(rule: str) -> str:
    """What a rule finds, as people who run operations say it; a rule of another blueprint keeps its own name."""
    return _RULES.get(rule) or rule_words(rule).capitalize()


def as_sentence(words: str) -> str:
    """Words at the beginning of a sentence; names and abbreviations in them stay as they are."""
    return words[:1].upper() + words[1:]


_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*(?:Z|\+00:00)")


def dated(text: str) -> str:
    """A text of the machine with its times as people read them."""
    return _INSTANT.sub(r"\1 \2 UTC", text)


def sentence_part(label: str) -> str:
    """A label in the middle of a sentence."""
    return label[:1].lower() + label[1:]


_IDS = re.compile(r"\b(?:" + "|".join(name for name in _RULES if "_" in name) + r")\b")


def without_ids(explanation: str) -> str:
    """An explanation of before, whose parts are named by their rules' ids, which are for analysts, as people say it."""
    return _IDS.sub(lambda found: sentence_part(_RULES[found[0]]), explanation)


def correction_words(what: str) -> str:
    """What a correction of before changed, as it is stored, without the words of those who built it."""
    return what.replace("judged anew", "read differently").replace("signal", "sign")
