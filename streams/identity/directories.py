"""Which directory an id is of: the one place where what a source says becomes an id that carries its source.

Mappings speak in the vendor's words (`crm_contact:51`). What a source says of its own records is of its own
directory; where it names another system's (a helpdesk that knows the CRM's id, a file, a decision), it means the
directory that the configuration says, or the only one there is. What was written before ids carried their source is
read by the same rules; and ids of a source that speaks for another directory by now are read as that one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, get_args

from schemas.config import AttributionConfig, SourceConfig
from schemas.ids import FAMILY, Family, Scoped, parts, subject_family
from schemas.links import AccountClaim, BaseLink, Decision, Declared, Edge, Membership, RecordChange
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint

FAMILIES: tuple[Family, ...] = get_args(Family)

_Link = TypeVar("_Link", bound=BaseLink)


class Directories:
    """The directories of a configuration. `systems`: connector → the family of records that its sender
    numbers itself.

    A vendor that is not among them numbers nothing: our own dialect speaks of the others' records.
    """

    def __init__(
        self,
        sources: tuple[SourceConfig, ...] = (),
        attribution: AttributionConfig | None = None,
        *,
        systems: Mapping[str, Family] | None = None,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._systems = systems or {}
        self.known: dict[Family, tuple[str, ...]] = {family: self._of_family(family) for family in FAMILIES}
        self.leading = (attribution or AttributionConfig()).leading_directory or self.known["crm"][0]
        self.renamed = self._renamed()
        self._id = lru_cache(maxsize=65_536)(self._id_of)
        self._subject = lru_cache(maxsize=16_384)(self._subject_of)

    def own(self, vendor: str, source: str = "") -> Family | None:
        """What a vendor's sender numbers itself; where each source has a mapping of its own, this one's."""
        return self._systems.get(f"{vendor}/{source}") or self._systems.get(vendor)

    @property
    def in_order(self) -> dict[str, int]:
        """Directory → its place: accounts of a later one follow those of an earlier one; the leading one's is 0."""
        names = [self.leading, *(name for family in FAMILIES for name in self.known[family])]
        return {name: place for place, name in enumerate(dict.fromkeys(names))}

    def touchpoint(self, touchpoint: CleanTouchpoint) -> CleanTouchpoint:
        """The touchpoint with ids that carry their source; itself where they do."""
        if touchpoint.scoped:
            return self._renewed(touchpoint) if self.renamed else touchpoint
        source, vendor = touchpoint.source, touchpoint.vendor
        return self._with(
            touchpoint, lambda name: self._id(name, source, vendor), lambda name: self._subject(name, source, vendor)
        )

    def attributed(self, item: AttributedTouchpoint) -> AttributedTouchpoint:
        """The same of an attributed one. The account it was attributed to stays: it is whose writer has it."""
        found = self.touchpoint(item.touchpoint)
        return item if found is item.touchpoint else item.changed(touchpoint=found)

    def link(self, link: _Link) -> _Link:
        """The link with ids that carry their source; itself where they do."""
        ids = _LINK_IDS[type(link)]
        if not link.scoped:
            return link.changed(scoped=True, **ids(link, lambda name: self._id(name, link.source, "")))
        if not self.renamed:
            return link
        now = ids(link, self.current)
        return link if now == ids(link, _same) else link.changed(**now)

    def current(self, name: str) -> str:
        """An id that carries its source, under the name that its directory has now."""
        found = parts(name) if self.renamed else None
        if found is None:
            return name
        families = (FAMILY[found.kind],) if found.kind in FAMILY else FAMILIES
        now = [self.renamed[f, found.directory] for f in families if (f, found.directory) in self.renamed]
        return str(found._replace(directory=now[0])) if now else name

    def written(self, name: str) -> str:
        """An id as a person writes it, in the configuration, a command or a URL: with its directory, or without.

        Without one it is of the leading CRM, or of the first of its family.
        """
        return self._id(name, "", "")

    def candidates(self, name: str) -> tuple[str, ...]:
        """Everything that a written id may stand for, the likeliest first."""
        kind, _, rest = name.partition(":")
        first, family = self.written(name), FAMILY.get(kind)
        others = self.known[family] if family and first != name else ()
        return tuple(dict.fromkeys((first, *(str(Scoped(kind, directory, rest)) for directory in others), name)))

    def unclear(self, touchpoint: CleanTouchpoint) -> str:
        """An id of which nobody can say whose it is: there are several such systems, and it names none; else empty."""
        own = self._own(touchpoint.source, touchpoint.vendor)
        for name in (*touchpoint.aliases, *touchpoint.account_refs):
            kind, _, rest = name.partition(":")
            family = FAMILY.get(kind)
            if family and family not in (own, "crm") and len(self.known[family]) > 1 and not self._said(family, rest):
                return name
        return ""

    def _renewed(self, touchpoint: CleanTouchpoint) -> CleanTouchpoint:
        names = (*touchpoint.aliases, *touchpoint.account_refs, touchpoint.network)
        subject = self._current_subject(touchpoint)
        if subject == touchpoint.subject and all(self.current(name) == name for name in names):
            return touchpoint
        return self._with(touchpoint, self.current, lambda _: subject)

    def _current_subject(self, touchpoint: CleanTouchpoint) -> str:
        """A case is the case of the system that tells of it: a CRM's ticket is under the name that the CRM has now."""
        found, own = parts(touchpoint.subject), self._own(touchpoint.source, touchpoint.vendor)
        if found is None or own not in ("crm", "support"):
            return self.current(touchpoint.subject)
        return str(found._replace(directory=self.renamed.get((own, found.directory), found.directory)))

    def _with(
        self, touchpoint: CleanTouchpoint, name: Callable[[str], str], subject: Callable[[str], str]
    ) -> CleanTouchpoint:
        refs, properties = tuple([name(ref) for ref in touchpoint.account_refs]), touchpoint.properties
        if refs and properties.get("account") == touchpoint.account_refs[0]:
            properties = {**properties, "account": refs[0]}  # what a contact's or deal's record says of itself
        return touchpoint.changed(
            scoped=True,
            aliases=tuple([name(alias) for alias in touchpoint.aliases]),
            account_refs=refs,
            staff={name(alias): how for alias, how in touchpoint.staff.items()},
            properties=properties,
            subject=subject(touchpoint.subject) if touchpoint.subject else "",
            network=self.written(touchpoint.network) if touchpoint.network else "",
        )

    def _id_of(self, name: str, source: str, vendor: str) -> str:
        kind, colon, rest = name.partition(":")
        family = FAMILY.get(kind)
        return self._scoped(kind, rest, family, source, vendor) if colon and family else name

    def _subject_of(self, subject: str, source: str, vendor: str) -> str:
        kind, colon, rest = subject.partition(":")
        family, own = subject_family(kind), self._own(source, vendor)
        if family and own in ("crm", "support"):  # a case is the case of the system that tells of it
            family = own
        return self._scoped(kind, rest, family, source, vendor) if colon and family else subject

    def _scoped(self, kind: str, rest: str, family: Family, source: str, vendor: str) -> str:
        if self._own(source, vendor) != family and self._said(family, rest):
            return self.current(f"{kind}:{rest}")
        return str(Scoped(kind, self._meant(family, source, vendor), rest))

    def _said(self, family: Family, rest: str) -> bool:
        """Whether what follows the kind begins with a directory: only people write that."""
        directory, colon, _ = rest.partition(":")
        return bool(colon) and (directory in self.known[family] or (family, directory) in self.renamed)

    def _own(self, source: str, vendor: str) -> Family | None:
        known = self._sources.get(source)
        return self.own(known.vendor if known else vendor, source)

    def _meant(self, family: Family, source: str, vendor: str) -> str:
        """The directory of the records of this family that a source speaks of."""
        known = self._sources.get(source)
        if known is None:
            is_own = self.own(vendor) == family or (not vendor and source)
            return source if is_own else self._only(family, source)
        if self.own(known.vendor, source) == family:
            return known.directory or source
        if family == "crm":
            own = "" if self.own(known.vendor, source) else known.directory
            return known.crm_directory or own or self.leading
        return self._only(family, source)

    def _only(self, family: Family, source: str) -> str:
        """The only directory of a family, or the CRM that leads; of several the sender's own, which links nobody."""
        if family == "crm":
            return self.leading
        return self.known[family][0] if len(self.known[family]) == 1 or not source else source

    def _of_family(self, family: Family) -> tuple[str, ...]:
        """In the order of the configuration; without a source of the family, one that the others speak of."""
        own = [
            each.directory or each.name for each in self._sources.values() if self.own(each.vendor, each.name) == family
        ]
        return tuple(dict.fromkeys(own)) or (family,)

    def _renamed(self) -> dict[tuple[Family, str], str]:
        """Names that ids may still carry, and the directory they are of now."""
        found: dict[tuple[Family, str], str] = {}
        for source in self._sources.values():
            family = self.own(source.vendor, source.name)
            if family and source.directory and source.name not in self.known[family]:
                found[family, source.name] = source.directory
        for family in FAMILIES:  # spoken of before there was a source of that kind
            if family not in self.known[family] and len(self.known[family]) == 1:
                found.setdefault((family, family), self.known[family][0])
        return found


_Rename = Callable[[str], str]


def _same(name: str) -> str:
    return name


def _ends(link: Edge | Decision, name: _Rename) -> dict[str, Any]:
    return {"a": name(link.a), "b": name(link.b)}


def _membership(link: Membership, name: _Rename) -> dict[str, Any]:
    return {"alias": name(link.alias), "account_id": name(link.account_id)}


def _claim(link: AccountClaim, name: _Rename) -> dict[str, Any]:
    value = name(link.value) if link.trait == "is" else link.value
    return {"account_id": name(link.account_id), "value": value}


def _change(link: RecordChange, name: _Rename) -> dict[str, Any]:
    return {"record": name(link.record), "into": name(link.into)}


def _declared(link: Declared, name: _Rename) -> dict[str, Any]:
    value = name(link.value) if link.trait == "network" else link.value
    return {"alias": name(link.alias), "value": value}


_LINK_IDS: dict[type[BaseLink], Callable[[Any, _Rename], dict[str, Any]]] = {
    Edge: _ends,
    Decision: _ends,
    Membership: _membership,
    AccountClaim: _claim,
    RecordChange: _change,
    Declared: _declared,
}
"""Every id a link holds, renamed."""
