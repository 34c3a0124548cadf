"""What is wrong with the directories of a configuration: whose records a source means must never be a guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.config import Config, SourceConfig
from schemas.documents import Loc
from schemas.errors import did_you_mean
from schemas.ids import FAMILY, Family

Found = tuple[Loc, str]


def directory_problems(config: Config) -> list[Found]:
    """Each with its place in the configuration."""
    if not config.sources:
        return []
    from streams.connectors.registry import directories_of

    directories = directories_of(config)
    known, own = directories.known, [directories.own(source.vendor, source.name) for source in config.sources]
    crms = known["crm"] if "crm" in own else ()
    found = [*_leading(config, crms), *_networks(config, known)]
    for index, source in enumerate(config.sources):
        found += [(("sources", index, field), why) for field, why in _source(source, own[index], crms)]
    return found


def _leading(config: Config, crms: tuple[str, ...]) -> Iterator[Found]:
    place, leading = ("attribution", "leading_directory"), config.attribution.leading_directory
    if leading and crms and leading not in crms:
        yield place, f"no CRM source has the directory `{leading}`{did_you_mean(leading, crms)}"
    elif not leading and len(crms) > 1:
        yield (
            place,
            (
                f"there are {len(crms)} CRM directories ({', '.join(crms)}); say whose accounts the others' follow: "
                f"`attribution: {{leading_directory: {crms[0]}}}`; or give sources of one CRM one `directory:`"
            ),
        )


def _source(source: SourceConfig, family: str | None, crms: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if family == "crm":
        if source.crm_directory:
            yield "crm_directory", "a CRM's records are its own; say `directory:` where it shares them with another"
        return
    field = "directory" if family is None else "crm_directory"
    stated = source.directory if family is None else source.crm_directory
    if stated and crms and stated not in crms:
        yield field, f"no CRM source has the directory `{stated}`{did_you_mean(stated, crms)}"
    elif not stated and len(crms) > 1 and family != "product":
        yield field, f"which CRM's records does it mean? Write `{field}: {crms[0]}`, or one of {', '.join(crms)}"


def _networks(config: Config, known: Mapping[Family, tuple[str, ...]]) -> Iterator[Found]:
    for index, network in enumerate(config.attribution.networks):
        kind, _, rest = network.account.partition(":")
        directories = known[FAMILY[kind]]
        is_said = rest.partition(":")[0] in directories and ":" in rest
        if kind != "crm" and len(directories) > 1 and not is_said:
            written = f"{kind}:{directories[0]}:{rest}"
            yield ("attribution", "networks", index, "account"), f"of which directory? Write e.g. `{written}`"
