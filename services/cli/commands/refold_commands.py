"""The commands `refold` and `remap`: from the options to what is running."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.config import Config
from services.cli.commands.refold_run import WINDOW, Pace, Say, StoredAccounts, refold, remap, writers
from services.cli.commands.remap_mappings import left_as_read, read_anew
from services.cli.commands.remap_rules import applied, attribute_anew, count_older
from services.cli.context import Target
from streams.connectors.registry import connectors_of, directories_of
from streams.identity.attribution_rules import RULE_VERSION
from streams.identity.directories import Directories
from streams.journey.blueprints import load


def run_refold(
    target: Target, accounts: Sequence[str], *, cause: str, rate_per_s: float, say: Say
) -> tuple[dict[str, object], list[str]]:
    """Refold these accounts (none: all); what was done, and which accounts there are not."""
    config = target.load()
    with target.store() as client:
        stored = StoredAccounts(client)
        named, unknown = _named(stored, directories_of(config), accounts)
        known = list(named)
        pages = _pages(known) if accounts else stored.pages(WINDOW)
        pace = Pace("refold", len(known) if accounts else stored.count(), say, rate_per_s)

        async def ask() -> dict[str, object]:
            async with writers(config.kafka) as found:
                return await refold(pages, found, pace, cause)

        return asyncio.run(ask()), unknown


def run_remap(target: Target, *, dry_run: bool, rate_per_s: float, say: Say) -> dict[str, object]:
    """Read anew what older mappings read, attribute what older rules attributed, then apply the configured blueprint
    to the accounts another one made.

    Returns what was done; on a dry run, what is to be done.
    """
    config = target.load()
    blueprint = load(config.journey.blueprint)
    mappings = {name: connector.mapping for name, connector in connectors_of(config.sources).items()}
    with target.store() as client:
        stored = StoredAccounts(client)
        if dry_run:
            outdated = sum(left_as_read(client, mappings).values())
            accounts = stored.count_others(blueprint.digest)
            done = asyncio.run(applied(config.kafka)) >= RULE_VERSION
            return {
                "accounts": accounts,
                "blueprint_version": blueprint.version,
                "outdated_touchpoints": outdated,
                "accounts_of_older_rules": 0 if done else count_older(client),
            }

        async def ask(config: Config) -> dict[str, object]:
            anew = await read_anew(config, client, say, rate_per_s=rate_per_s)
            anew |= await attribute_anew(config.kafka, client, say, rate_per_s=rate_per_s)
            async with writers(config.kafka) as found:
                return anew | await remap(stored, found.ask, blueprint, say, rate_per_s=rate_per_s)

        return asyncio.run(ask(config))


def _named(
    stored: StoredAccounts, directories: Directories, accounts: Sequence[str]
) -> tuple[dict[str, None], list[str]]:
    """(the accounts that were named, with or without their directory; what stands for none, or for several)."""
    meant = {account: directories.candidates(account) for account in accounts}
    there = stored.among([name for names in meant.values() for name in names])
    found = {account: [name for name in names if name in there] for account, names in meant.items()}
    clear = {
        account: account if account in there else names[0]
        for account, names in found.items()
        if account in there or len(names) == 1
    }
    return dict.fromkeys(clear.values()), [account for account in accounts if account not in clear]


def _pages(accounts: Sequence[str]) -> list[Sequence[str]]:
    return [accounts[start : start + WINDOW] for start in range(0, len(accounts), WINDOW)]
