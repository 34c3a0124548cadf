"""`touchline validate`: everything about a configuration or a blueprint that can be known without starting anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from schemas.blueprint import Blueprint
from schemas.complaints import Complaint, checked, complaints_of
from schemas.config import Config
from schemas.documents import Document, Loc, dotted
from schemas.errors import ConfigurationError
from schemas.mapping import Mapping
from services.common.config import ConfigReading, read_config
from services.common.documents import read_document
from services.common.secrets_check import secret_complaints

if TYPE_CHECKING:
    from streams.journey.blueprints import Reading
    from streams.journey.compiled import CompiledBlueprint


def problems(path: Path) -> list[Complaint]:
    """What is wrong with the configuration, blueprint or mapping at `path`, all of it; empty when nothing is."""
    try:
        document = read_document(path)
    except ConfigurationError as error:
        return list(complaints_of(error))
    if _is_part(document):
        what = "a part of a blueprint, not a whole one: validate the file that includes it"
        return [Complaint(document.origin(()), "", what)]
    if _is_mapping(document):
        return _mapping(document)
    return _blueprint(path) if _is_blueprint(document) else _config(path)


def _is_blueprint(document: Document) -> bool:
    keys = document.data.keys()
    return len(keys & Blueprint.model_fields.keys()) > len(keys & Config.model_fields.keys())


def _is_mapping(document: Document) -> bool:
    keys = document.data.keys()
    others = max(len(keys & model.model_fields.keys()) for model in (Blueprint, Config))
    return len(keys & Mapping.model_fields.keys()) > others


def _is_part(document: Document) -> bool:
    """Only lists of a blueprint, without what every whole one must have."""
    parts = {name for name, info in Blueprint.model_fields.items() if not info.is_required()} | {"types"}
    return bool(document.data) and document.data.keys() <= parts


def _config(path: Path) -> list[Complaint]:
    reading = read_config(path)
    found = list(reading.complaints)
    if reading.config is not None:
        found += secret_complaints(reading)
        found += _tenants(reading, reading.config)
        found += _sdk_folders(reading, reading.config)
        found += [] if found else _examples(reading, reading.config)
        found += _configured_blueprint(reading, reading.config)
    return found


def _tenants(reading: ConfigReading, config: Config) -> list[Complaint]:
    """Sources that do not say whose messages they take, though their vendor signs nothing."""
    from streams.connectors.registry import CONNECTORS, missing_tenant

    found = []
    for index, source in enumerate(config.sources):
        if problem := missing_tenant(CONNECTORS[source.vendor], source):
            place: Loc = ("sources", index, "tenant")
            found.append(Complaint(reading.origin(place), dotted(place), problem))
    return found


def _sdk_folders(reading: ConfigReading, config: Config) -> list[Complaint]:
    """Folders of SDKs that the gateway could not serve."""
    from services.gateway.sdk import files_of

    found = []
    for index, source in enumerate(config.sources):
        loc: Loc = ("sources", index, "sdk_folder")
        try:
            files_of(source)
        except ConfigurationError as error:
            found.append(Complaint(reading.origin(loc), dotted(loc), str(error)))
    return found


def _examples(reading: ConfigReading, config: Config) -> list[Complaint]:
    """The examples of the sources' mappings that come out otherwise."""
    from streams.connectors.registry import CONNECTORS

    found = []
    for index, source in enumerate(config.sources):
        declared = CONNECTORS[source.vendor].declared
        for loc, problem in declared.failures(source.mapping) if declared and source.mapping else ():
            place: Loc = ("sources", index, "mapping", *loc)
            found.append(Complaint(reading.origin(place), dotted(place), f"example: {problem}"))
    return found


def _mapping(document: Document) -> list[Complaint]:
    """What is wrong with a mapping that stands alone: what is refused, else which of its examples fail."""
    from streams.connectors.registry import CONNECTORS

    partial, found = checked(document, Mapping)
    if partial is None or found:
        return found
    for declared in (one.declared for one in CONNECTORS.values() if one.declared is not None):
        problems = declared.problems(partial.model) or [
            (loc, f"example: {failure}") for loc, failure in declared.failures(partial.model)
        ]
        found += [Complaint(document.origin(loc), dotted(loc), message) for loc, message in problems]
    return found


def _configured_blueprint(reading: ConfigReading, config: Config) -> list[Complaint]:
    from streams.journey.blueprints import DEFAULT

    file = Path(config.journey.blueprint) if config.journey.blueprint else DEFAULT
    if not file.is_file():
        return [Complaint(reading.origin(("journey", "blueprint")), "journey.blueprint", f"no such file: {file}")]
    return _blueprint(file)


def notes(path: Path) -> list[str]:
    """What is no problem and still good to know: rules that no configured source feeds. Empty for a blueprint."""
    from streams.connectors.registry import all_feeds, feeders
    from streams.friction.feeds import unfed
    from streams.journey.blueprints import load

    document = read_document(path)
    config = None if _is_blueprint(document) or _is_mapping(document) else read_config(path).config
    if config is None:
        return []
    if not config.sources:
        return ["no source is configured: nothing can arrive, and no rule finds anything; list some under `sources`"]
    return unfed(load(config.journey.blueprint).source, all_feeds(config.sources), feeders)


def _blueprint(file: Path) -> list[Complaint]:
    """What is wrong with a blueprint: that it is refused, or which of its golden tests fail."""
    from streams.connectors.registry import CONNECTORS
    from streams.journey.blueprints import read_file
    from streams.journey.golden import run

    try:
        reading = read_file(file, CONNECTORS)
    except ConfigurationError as error:
        return list(complaints_of(error))
    if reading.compiled is None:
        return reading.complaints
    found = []
    for index, rule in enumerate(reading.compiled.source.rules):
        for at, test in enumerate(rule.tests):
            failure = run(reading.compiled, rule, test)
            loc: Loc = ("rules", index, "tests", at)
            if failure:
                found.append(Complaint(reading.document.origin(loc), dotted(loc), f"golden test: {failure}"))
    return [*found, *_policies(reading, reading.compiled)]


def _policies(reading: Reading, compiled: CompiledBlueprint) -> list[Complaint]:
    """The golden tests of the policies that fail."""
    from streams.incidents.golden import run

    found = []
    for index, policy in enumerate(compiled.source.policies):
        for at, test in enumerate(policy.tests):
            if failure := run(compiled, policy, test):
                loc: Loc = ("policies", index, "tests", at)
                found.append(Complaint(reading.document.origin(loc), dotted(loc), f"golden test: {failure}"))
    return found
