"""A touchpoint with only as much of its words as its source keeps. Pure: the same event always loses the same.

The feeling of a text is computed before it goes, and the words that the blueprint itself names stay, so that a type or
a rule still finds them. All other words of a masked field become a token, the same for the same words, so that rules
can compare. A dropped field is as if its sender had not told it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.actions import Action
from schemas.keeping import Keep, Keeping
from schemas.touchpoints import CleanTouchpoint, Scalar
from streams.emotion.feeling import FELT_BY, VERSION
from streams.friction import controls, views
from streams.friction.fields import REFERENCES
from streams.matching.conditions import folded
from streams.minimising.asked import Asked
from streams.minimising.tokens import is_control, is_number, letters_of, names_nothing, token_of
from streams.names import without_language

#: A record's properties are the directory: what it says of people and deals stays until they are erased.
RECORDS: Final[frozenset[Action]] = frozenset(
    {"alias", "decision", "crm_record", "crm_removed", "deal_created", "deal_stage_changed", "lifecycle_changed"}
)
STAYS: Final = frozenset(
    {
        *REFERENCES, "response_id", "survey_response_id", "submission_id", "survey_submission_id", "survey_id",
        "question_id", "$survey_id", "$survey_question_id", "$survey_submission_id", "assignee_id", "given_up",
        "current", "previous", "status", "priority", "via", "device", "navigation", "element_type", "tag_name",
        "tagName", "input_type", "role", "aria-role", "aria_role", "score", "rating", FELT_BY,
    }
)  # fmt: skip
"""Properties whose values are no words: ids of cases, how they stand, kinds of elements."""
_COMPARED: Final = frozenset(
    {
        "topic", "category", "feature", "feature_name", "name", "error_type", "exception_type", "$exception_type",
        "exception", "survey", "survey_name", "$survey_name", "question", "question_name",
    }
)  # fmt: skip
"""Properties of which only sameness is asked, by rules of every blueprint."""
_WHO: Final = frozenset({"account", "contacts", "merged", "by", "owner", "proposal", "verdict", "property"})
"""Properties of records that tie them together."""
#: A shorter text may be part of another one by chance.
_LEAST_SHARED_CHARS: Final = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """`of`: what each source keeps, those that keep less than all. `asked`: by the blueprint that judges."""

    of: Mapping[str, Keeping] = field(default_factory=dict)
    asked: Asked = Asked()

    def reduced(self, touchpoint: CleanTouchpoint, *, is_felt: bool = False) -> CleanTouchpoint:
        """What is kept of a touchpoint. `is_felt`: its sentiment was computed here, from its text."""
        keeping = self.of.get(touchpoint.source)
        if keeping is None:
            return touchpoint
        return _Reduction(keeping, self.asked, touchpoint).done(is_felt=is_felt and keeping.text != "kept")


@dataclass(slots=True)
class _Reduction:
    keeping: Keeping
    asked: Asked
    whole: CleanTouchpoint

    def done(self, *, is_felt: bool) -> CleanTouchpoint:
        whole, keeping = self.whole, self.keeping
        found: dict[str, object] = {
            "text": self._text(whole.text),
            "title": self._title(keeping.title, whole.title),
            "page": self._page(whole.page),
            "properties": self._properties(),
        }
        gone = {
            kind: words
            for kind in ("text", "title", "page")
            if (words := getattr(whole, kind)) and found[kind] != words
        }
        for kind, words in gone.items():  # senders repeat themselves
            found = self._without(found, kind, words)
        if is_felt:
            found["properties"] = {**self._dict(found["properties"]), FELT_BY: VERSION}
        return whole.changed(**found)

    def _token(self, keep: Keep, kind: str, words: str) -> str:
        """What stands for words; what stands for dropped ones tells nothing of them."""
        if keep == "dropped":  # two questions of one survey must not become one
            is_question = self.whole.action == "survey_answered" and kind in ("title", "value")
            return f"[{kind}-{letters_of(self.whole.event_id)}]" if is_question else ""
        return token_of(kind, words)

    def _text(self, text: str) -> str:
        if not text or self.keeping.text == "kept":
            return text
        return self._token("masked", "text", text) if self.keeping.text == "masked" else ""

    def _title(self, keep: Keep, title: str) -> str:
        if not title or keep == "kept" or is_control(title) or names_nothing(title):
            return title
        known = next((piece for piece in self.asked.titles if piece in title.lower()), "")
        return f"{known} {self._token(keep, 'title', title)}".strip()

    def _page(self, page: str) -> str:
        keep = self.keeping.page
        if not page or keep == "kept":
            return page
        language = _language(page)
        whole = page[len(language) :].split("/")
        parts = [self._segment(keep, part) for part in whole]
        if parts == whole or keep == "masked":
            return language + "/".join(parts)
        return language + "".join(f"/{part}" for part in parts if part)

    def _segment(self, keep: Keep, part: str) -> str:
        """A part of a path: what of it the blueprint names, and a token for the rest."""
        known = next((piece for piece in self.asked.pages if piece in part.lower()), "")
        if not part or known == part.lower():
            return part
        before, piece, after = part.lower().partition(known) if known else (part.lower(), "", "")
        token = self._token(keep, "page", part)
        return f"{token if before else ''}{piece}{token if after and not before else ''}"

    def _properties(self) -> dict[str, Scalar]:
        whole, keep = self.whole, self.keeping.properties
        if keep == "kept" or whole.action in RECORDS:
            return dict(whole.properties)
        read = ((name, self._property(keep, name, value)) for name, value in whole.properties.items())
        return {name: value for name, value in read if value is not None}

    def _property(self, keep: Keep, name: str, value: Scalar) -> Scalar:
        """What is left of a property; None: nothing."""
        is_asked = name in self.asked.names or name in STAYS or name in _COMPARED or name.startswith("shows_")
        if keep == "dropped" and not (is_asked or name in views.ASKED or controls.is_label(name)):
            return None
        if not isinstance(value, str) or name in STAYS or (name, folded(value)) in self.asked.values:
            return value
        if name in views.ASKED:
            return self._address(keep, name, value)
        if (controls.is_label(name) and is_control(value)) or (is_asked and (is_number(value) or names_nothing(value))):
            return value
        return (self._token(keep, "value", value) or None) if value else value

    def _address(self, keep: Keep, name: str, value: str) -> Scalar:
        """Of an address only that it was another view of its page."""
        if keep == "dropped":
            return None
        beside = views.beside(value if name in views.ADDRESSES else f"?{value.lstrip('?#')}")
        return f"?{self._token(keep, 'value', beside)}" if beside else None

    def _without(self, found: dict[str, object], kind: str, words: str) -> dict[str, object]:
        """The same words in other fields: a page's title in the event's name, a comment among the properties."""
        keep: Keep = getattr(self.keeping, kind)
        token = str(found[kind]) or self._token(keep, kind, words)
        done = dict(found)
        for name in ("vendor_type", "element", "subject", "title", "text", "page"):
            if name != kind:
                done[name] = _cut(str(done.get(name, getattr(self.whole, name))), words, token)
        done["properties"] = {
            name: value if self._says_nothing(name, value) else _cut(str(value), words, token, parts=kind == "text")
            for name, value in self._dict(done["properties"]).items()
        }
        return done

    def _says_nothing(self, name: str, value: Scalar) -> bool:
        if not isinstance(value, str) or name in STAYS or (name, folded(value)) in self.asked.values:
            return True
        return self.whole.action in RECORDS and name in _WHO

    @staticmethod
    def _dict(value: object) -> dict[str, Scalar]:
        assert isinstance(value, dict)
        return value


def _cut(value: str, words: str, token: str, *, parts: bool = False) -> str:
    """A text without these words. `parts`: one that is a part of them is gone, too, such as a beginning of them."""
    if value == words:
        return token
    if min(len(value), len(words)) < _LEAST_SHARED_CHARS:
        return value
    return token if parts and value in words else value.replace(words, token)


def _language(page: str) -> str:
    """What of a path names its language: `/nl` of `/nl/prijzen`."""
    bare = without_language(page.lower())
    return page[: -len(bare)] if len(bare) < len(page) and page.lower().endswith(bare) and bare != "/" else ""


def keeping_of(sources: Iterable[tuple[str, Keeping]]) -> dict[str, Keeping]:
    """Of sources and what they keep, those that keep less than all."""
    return {name: keeping for name, keeping in sources if not keeping.is_whole}
