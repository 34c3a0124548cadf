"""A person is erased from a running system: no file holds them, no figure counts them, and nothing brings them back.

Kafka cannot rewrite its logs: what they hold goes with its age, as the receipt says. ClickHouse's files are compressed,
so its rows are read, also those that newer ones replaced; all other files are looked through as they are.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from schemas.topics import TopicName
from schemas.touchpoints import AttributedTouchpoint
from services.cli.context import Target
from services.cli.privacy.folder import PrivacyFolder
from services.common.records import consumer, history
from streams.identity.erasures import Ledger
from tests.faults.kit.campaign import load_of
from tests.faults.kit.checks import judged
from tests.faults.kit.driver import sending
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.oracle import attributed, expected, touchpoints_of
from tests.faults.kit.scenario import PLACES, Call, Scenario
from tests.faults.kit.system import System
from tests.faults.kit.traces import holding, stored_rows

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]
SEED = 33
WORDS = "Zandkasteelmoord"
AS_FAST_AS_IT_GOES = 500.0


def ledger_of(system: System) -> Ledger:
    ledger = Ledger((system.data / "secrets" / "erasures").read_bytes().rstrip(b"\r\n"))
    for one in PrivacyFolder(system.data).ledger():
        ledger.take(one)
    return ledger


@pytest.mark.timeout(1500)
def test_an_erased_person_is_nowhere_and_stays_away(fresh: Path) -> None:
    load = load_of("erased", SEED, events=600)
    with System(fresh) as system:
        with sending(load, system, AS_FAST_AS_IT_GOES) as running:
            pairs = [(load.calls[answer.index], answer.at_s) for answer in running.finish()]
        wait_idle(system)
        aliases = [name for t in touchpoints_of(pairs).values() for name in t.aliases if name.startswith("email:")]
        ann = max(set(aliases), key=aliases.count)
        address = ann.partition(":")[2]
        assert holding(fresh, address.encode()).get("kafka") and stored_rows(system, address)

        exported = system.cli("person", "export", address)
        told = json.loads(exported.stdout)
        assert exported.returncode == 0 and told["touchpoints"] and ann in told["identity"]["aliases"]

        backup = fresh.parent / "backup"
        kept = system.cli("backup", str(backup))
        assert kept.returncode == 0, kept.stderr
        wait_idle(system)
        foreseen = json.loads(system.cli("erase", address, "--dry-run").stdout)
        assert foreseen["touchpoints"] >= len(told["touchpoints"])
        began = time.monotonic()
        done = system.cli("erase", address, "--by", "the test")
        assert done.returncode == 0, done.stderr
        receipt = json.loads(done.stdout)
        print("erased in", round(time.monotonic() - began, 1), "s", json.dumps(receipt["erased"]))
        assert address not in done.stdout and receipt["erased"]["touchpoints"] >= len(told["touchpoints"])
        wait_idle(system)

        def is_gone(where: str) -> None:
            verdict = judged(system, expected(pairs, erased=ledger_of(system)))
            assert verdict, f"{where}: {verdict}"
            assert stored_rows(system, address) == {}, where
            assert holding(fresh, address.encode()).keys() <= {"kafka"}, where
            assert not json.loads(system.cli("person", "export", address).stdout)["found"], where

        is_gone("after the erasure")
        assert len(attributed(touchpoints_of(pairs).values())) > 1, "others are left to be counted"

        repeated = Scenario("again", SEED, load.calls)
        with sending(repeated, system, AS_FAST_AS_IT_GOES) as running:
            assert {answer.status for answer in running.finish()} == {200}
        wait_idle(system)
        is_gone("after everything was sent again")
        assert system.cli("replay", "--from-beginning").returncode == 0
        wait_idle(system)
        is_gone("after a replay")
        verified = system.cli("verify", "--fix")
        assert verified.returncode == 0, verified.stdout
        is_gone("after verify --fix")

        system.kill_all()
        system.start()
        wait_idle(system)
        is_gone("after a death of everything")
        assert json.loads(system.cli("erase", "--again").stdout)["erasures"] >= 1
        wait_idle(system)
        is_gone("after the ledger was applied again")
        ledger = ledger_of(system)

    restored = fresh.parent / "restored"
    system = System(restored)
    brought = system.cli("restore", str(backup))
    assert brought.returncode == 0, brought.stderr
    with system:
        wait_idle(system)
        assert stored_rows(system, address), "the backup is from before"
        again = system.cli("erase", "--again", "--ledger", str(fresh / "privacy" / "ledger.jsonl"))
        assert again.returncode == 0, again.stderr
        wait_idle(system)
        verdict = judged(system, expected(pairs, erased=ledger))
        assert verdict, f"after a restore: {verdict}"
        assert stored_rows(system, address) == {}


def accounts_of(pairs: list[tuple[Call, float]]) -> dict[str, list[AttributedTouchpoint]]:
    return attributed(touchpoints_of(pairs).values())


def mails_of(items: list[AttributedTouchpoint]) -> set[str]:
    return {name.partition(":")[2] for item in items for name in item.touchpoint.aliases if name[:6] == "email:"}


@pytest.mark.timeout(900)
def test_an_erased_account_is_nowhere_and_its_people_with_it(fresh: Path) -> None:
    """Asked for over HTTP, done by the schedule's command; a note on its incident loses its words."""
    load = load_of("account", SEED, events=400)
    with System(fresh) as system:
        with sending(load, system, AS_FAST_AS_IT_GOES) as running:
            pairs = [(load.calls[answer.index], answer.at_s) for answer in running.finish()]
        wait_idle(system)
        found = accounts_of(pairs)
        account = max(found, key=lambda one: len(mails_of(found[one])) * one.startswith("crm:"))
        items, mails = found[account], mails_of(found[account])
        assert mails and all(stored_rows(system, mail) for mail in mails)

        operators = {"authorization": f"Bearer {(fresh / 'secrets' / 'operators').read_text().strip()}"}
        note: dict[str, object] = {"action_id": "n1", "at": "2026-11-30T00:00:00Z", "by": "Olaf", "verb": "note"}
        note |= {"events": [items[0].event_id], "text": f"{WORDS} called"}
        told = httpx.post(f"{system.ready['gateway_url']}/v1/touchline/actions", json=note, headers=operators)
        assert told.status_code == 200
        page = f"{system.ready['dashboard_url']}/api/privacy"
        asked = httpx.post(page, json={"who": account, "by": "request 1"})
        assert asked.status_code == 202, asked.text
        wait_idle(system)
        address = f"{page}/{asked.json()['request_id']}"
        assert httpx.get(address).json()["state"] == "asked"
        done = system.cli("erase", "--requested")
        assert done.returncode == 0, done.stderr
        receipt = json.loads(done.stdout)
        assert receipt["kind"] == "account" and receipt["erased"]["notes"] == 1, receipt["erased"]
        shown = httpx.get(address).json()
        assert shown["state"] == "erased" and shown["receipt"]["erasure_id"] == receipt["erasure_id"]
        assert json.dumps(receipt).find(account) < 0 and not any(mail in done.stdout for mail in mails)
        assert system.cli("erase", "--requested").stdout == "", "what was asked for is done once"

        left = attributed(touchpoints_of(pairs).values(), ledger_of(system))
        stay = {mail for items in left.values() for mail in mails_of(items)}  # whoever was at another account, too
        assert mails - stay
        mails -= stay

        def is_gone(where: str) -> None:
            verdict = judged(system, expected(pairs, erased=ledger_of(system)))
            assert verdict, f"{where}: {verdict}"
            there = {row["account_id"] for row in system.rows("SELECT account_id FROM bi.accounts")}
            assert account not in there, where
            for mail in mails:
                assert stored_rows(system, mail) == {}, where
                assert holding(fresh, mail.encode()).keys() <= {"kafka"}, where

        wait_idle(system)
        is_gone("after the erasure")
        notes = asyncio.run(latest(system, "incidents.actions.v1"))
        assert len(notes) == 1 and WORDS not in str(notes) and "Olaf" in str(notes)
        repeated = Scenario("again", SEED, load.calls)
        with sending(repeated, system, AS_FAST_AS_IT_GOES) as running:
            assert {answer.status for answer in running.finish()} == {200}
        wait_idle(system)
        is_gone("after everything was sent again")

        other = min(stay)
        noted = len(list(PrivacyFolder(fresh).ledger()))
        with system.command("erase", other) as killed:
            while len(list(PrivacyFolder(fresh).ledger())) == noted:
                time.sleep(0.05)
            killed.kill()
        assert stored_rows(system, other), "it was killed before it was done"
        again = system.cli("erase", "--again")
        assert again.returncode == 0, again.stderr
        wait_idle(system)
        mails.add(other)
        is_gone("after an erasure that was killed and went on")
        desks = asyncio.run(latest(system, "alerts.desks.v1"))
        people = {item.attribution.person_id for item in items} - {""}
        assert not [key for key, value in desks.items() if any(one in value for one in (*mails, *people))], desks.keys()


def web(*messages: dict[str, object]) -> Call:
    return Call("web", PLACES["web"], json.dumps({"batch": messages}), len(messages))


@pytest.mark.timeout(900)
def test_ids_learned_later_go_too_and_a_suppression_is_lifted(fresh: Path) -> None:
    """Asked for by the id that pages show; brought back by a backup, and erased again by the schedule alone."""
    address, path, backup = "zand@kastelen.example", "/pricing/zandkasteel", fresh.parent / "backup"
    pairs: list[tuple[Call, float]] = []

    def says(system: System, *calls: Call) -> None:
        with sending(Scenario(f"said-{len(pairs)}", SEED, calls), system, AS_FAST_AS_IT_GOES) as running:
            pairs.extend((calls[answer.index], answer.at_s) for answer in running.finish())
        wait_idle(system)

    def stamp(hours: float) -> str:
        return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()

    def visit(number: int, browser: str, hours: float) -> Call:
        page = {"path": path, "url": f"https://www.example.com{path}"}
        return web({"type": "page", "messageId": f"v{number}", "anonymousId": browser, "timestamp": stamp(hours),
                    "context": {"page": page}})  # fmt: skip

    def names(number: int, browser: str, hours: float) -> Call:
        return web({"type": "identify", "messageId": f"i{number}", "anonymousId": browser, "timestamp": stamp(hours),
                    "traits": {"email": address}})  # fmt: skip

    def visits(system: System) -> int:
        rows = system.rows("SELECT count() AS n FROM bi.touchpoints WHERE page LIKE '%zandkasteel%'")
        return int(str(rows[0]["n"]))

    with System(fresh) as system:
        says(system, visit(1, "browser-a", -5), names(1, "browser-a", -4))
        says(system, visit(2, "browser-b", -3), visit(3, "browser-c", -3))
        assert visits(system) == 3
        kept = system.cli("backup", str(backup))
        assert kept.returncode == 0, kept.stderr
        wait_idle(system)
        person = json.loads(system.cli("person", "export", address).stdout)["identity"]["person_id"]
        page = f"{system.ready['dashboard_url']}/api/privacy"
        asked = httpx.post(page, json={"who": person, "by": "request 2"})
        assert asked.status_code == 202, asked.text
        wait_idle(system)
        done = system.cli("erase", "--requested")
        assert done.returncode == 0, done.stderr
        wait_idle(system)
        assert visits(system) == 2, "nobody knows yet whose the other browsers are"

        says(system, names(2, "browser-b", 0), names(3, "browser-c", -2))  # who came back; and what only arrived late
        began = time.monotonic()
        done = system.cli("erase", "--requested")
        assert done.returncode == 0, done.stderr
        print("late ids in", round(time.monotonic() - began, 1), "s", done.stdout)
        assert json.loads(done.stdout)["late_ids"] >= 2
        wait_idle(system)
        assert visits(system) == 0 and stored_rows(system, "zandkasteel") == {}
        verdict = judged(system, expected(pairs, erased=ledger_of(system)))
        assert verdict, str(verdict)
        assert system.cli("erase", "--requested").stdout == ""

        assert system.cli("erase", address, "--suppress").returncode == 0
        says(system, visit(4, "browser-b", 0))
        assert visits(system) == 0
        lifted = system.cli("erase", address, "--lift")
        assert lifted.returncode == 0, lifted.stderr
        assert json.loads(lifted.stdout)["ids"] == 2, "the address, and the browser that was seen with it since"
        wait_idle(system)
        says(system, visit(5, "browser-b", 0))
        assert visits(system) == 1, "what occurs after the lift is kept"
        verdict = judged(system, expected(pairs, erased=ledger_of(system)))
        assert verdict, str(verdict)
        ledger = fresh.parent / "ledger.jsonl"
        ledger.write_bytes((fresh / "privacy" / "ledger.jsonl").read_bytes())

    system = System(fresh.parent / "restored")
    brought = system.cli("restore", str(backup), "--ledger", str(ledger))
    assert brought.returncode == 0, brought.stderr
    with system:
        wait_idle(system)
        assert visits(system) == 3, "the backup is from before"
        again = system.cli("erase", "--requested")
        assert again.returncode == 0, again.stderr
        wait_idle(system)
        assert visits(system) == 0 and stored_rows(system, "zandkasteel") == {}


async def latest(system: System, topic: TopicName) -> dict[str, str]:
    """The last value of each key of a compacted topic, those that are left."""
    kafka, found = Target(system.data).load().kafka, dict[str, str]()
    async with consumer(kafka) as reader:
        async for record in history(reader, kafka, topic):
            found[record.key.decode()] = (record.value or b"").decode()
    return {key: value for key, value in found.items() if value}
