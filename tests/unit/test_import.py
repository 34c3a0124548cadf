"""`touchline import`: files of every kind of untidiness in, the same events out, and an honest report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas.errors import ConfigurationError, PermanentError
from schemas.touchpoints import CleanTouchpoint
from services.cli.console import UsageError
from services.cli.context import Target
from services.cli.importing import work
from services.cli.importing.columns import Columns, number_of, time_of
from services.cli.importing.files import Opened, Row, survey
from services.cli.importing.findings import BadRow, Finding
from services.cli.importing.placing import Known
from services.cli.importing.report import Report
from services.cli.importing.run import FileImport, Outside, Way
from services.cli.importing.sending import BATCH_RECORDS, Batch, Sender
from services.cli.main import app
from services.common.first_config import write_fresh
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.gateway_kit import FakeWriter, client, gateway, listening

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNTS = "Record ID;Company name;Company Domain Name;Number of employees;Region\n51;Acme;acme.example;250;north\n"


def rows_of(path: Path, encoding: str = "") -> list[Row | BadRow]:
    return list(Opened(survey(path, encoding)).rows())


def good(path: Path) -> list[dict[str, Any]]:
    return [row.values for row in rows_of(path) if isinstance(row, Row)]


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "found", "noted"),
    [
        ("utf-8", "utf-8", False),
        ("utf-8-sig", "utf-8-sig", False),
        ("utf-16", "utf-16", False),
        ("utf-16-le", "utf-16-le", True),
        ("utf-16-be", "utf-16-be", True),
        ("latin-1", "cp1252", True),
    ],
)
def test_encodings_are_found_and_guesses_are_said(tmp_path: Path, written: str, found: str, noted: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,name\r\n1,Café Müller\r\n2,\u00c5ngström\r\n".encode(written))
    seen = survey(path)
    assert (seen.encoding, bool(seen.note)) == (found, noted)
    assert good(path) == [{"id": "1", "name": "Café Müller"}, {"id": "2", "name": "Ångström"}]


def test_a_character_cut_by_the_end_of_the_file_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id\ncaf\xc3")
    assert survey(path).encoding == "cp1252"
    path.write_bytes(b"id\n\x81\xff")
    assert survey(path).encoding == "latin-1"


def test_a_stated_encoding_that_does_not_fit_is_refused_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id\n1\ncaf\xe9\n")
    with pytest.raises(UsageError, match="not utf-8"):
        rows_of(path, "utf-8")
    with pytest.raises(UsageError, match="not known"):
        survey(path, "utf-9")
    with pytest.raises(UsageError, match="cannot be read"):
        survey(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "text", ["id;a,b;c\n1;2,5;3\n", "id\ta,b\tc\n1\t2,5\t3\n", "sep=;\nid;a,b;c\n1;2,5;3\n", 'id|"a,b"|c\n1|"2,5"|3']
)
def test_the_delimiter_is_the_headers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert good(path) == [{"id": "1", "a,b": "2,5", "c": "3"}]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    table=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, ...]], delimiter: str, encoding: str, ends: str
) -> None:
    """Cells with quotes, delimiters, line feeds and every kind of Unicode separator."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ends, quoting=csv.QUOTE_ALL)
    writer.writerow(("id", "b", "c"))
    starts = []
    for cells in table:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(cells)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    expected = [(line, cells) for line, cells in zip(starts, table, strict=True) if any(cells)]
    assert [(row.line, tuple(row.values.values())) for row in rows_of(path) if isinstance(row, Row)] == expected


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".jsonl"]))
def test_no_file_makes_reading_fail_without_a_word(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(body)
    try:
        for row in rows_of(path):
            assert row.line >= 1
    except UsageError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("id,name\n1,a,b\n2,b\n", 2, "has 3 cells"),
        ("id,name\n1\n2,b\n", 2, "has 1 cells"),
        ('id,name\n1,"a"b\n2,b\n', 2, "not CSV"),
    ],
)
def test_a_bad_row_is_refused_and_its_neighbours_stand(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    bad, kept = rows_of(path)
    assert isinstance(bad, BadRow) and (bad.line, bad.reason[: len(reason)]) == (line, reason)
    assert isinstance(kept, Row) and kept.values == {"id": "2", "name": "b"}


def test_a_quote_that_is_never_closed_names_the_lines_it_ate(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,name\n1,"a\n2,b\n3,c\n')
    (bad,) = rows_of(path)
    assert isinstance(bad, BadRow) and bad.line == 2 and "lines 2 to 4 were not read" in bad.reason


@pytest.mark.parametrize("header", ["id,name,id", "id,,name", '"id'])
def test_a_header_nothing_can_be_read_with_stops_the_file(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1,2,3\n")
    with pytest.raises(UsageError, match=r"a\.csv:1"):
        rows_of(path)


# --- columns ----------------------------------------------------------------------------------------


def message(kind: str, cells: dict[str, Any], columns: Columns | None = None) -> Any:
    return (columns or Columns(kind)).message(Row(2, cells), AS_OF)


def test_columns_of_a_crms_export_are_known() -> None:
    cells = {"Record ID": "51", "Company name": "Acme", "Company Domain Name": "acme.com; acme.nl", "City": ""}
    assert message("account", cells | {"Number of employees": "250", "Region": "north"}) == {
        "kind": "account",
        "id": "51",
        "name": "Acme",
        "domains": ["acme.com", "acme.nl"],
        "employees": "250",
        "traits": {"region": "north"},
        "occurred_at": AS_OF.isoformat(),
    }
    cells = {"Contact ID": "1", "First Name": "Ann", "Last Name": "Example", "E-mail": "a@b.com"}
    found = message("contact", cells | {"Associated Company ID": "51"})
    assert (found["name"], found["email"], found["account"]) == ("Ann Example", "a@b.com", "51")
    cells = {"Date": "2026-03-02", "Type": "call", "Email": "a@b.com", "Company": "Acme", "Stand": "4"}
    found = message("touchpoint", cells)
    assert found["person"] == {"email": "a@b.com"} and found["account"] == {"name": "Acme"}
    assert found["properties"] == {"stand": "4"} and found["occurred_at"] == "2026-03-02"


def test_map_says_what_a_column_is_and_a_dash_leaves_it_out() -> None:
    columns = Columns("contact", {"Werkgever": "account", "Record ID": "-", "Nr": "id"})
    found = message("contact", {"Werkgever": "51", "Record ID": "x", "Nr": "9", "Shoe size": "43"}, columns)
    assert (found["account"], found["id"]) == ("51", "9")
    assert columns.untaken == {"Record ID", "Shoe size"}
    with pytest.raises(UsageError, match="did you mean `account`"):
        message("contact", {"A": "1"}, Columns("contact", {"A": "acount"}))
    with pytest.raises(UsageError, match="no such column"):
        Columns("contact", {"Nr": "id"}).check(("No", "Email"))
    with pytest.raises(UsageError, match="both mean `id`"):
        Columns("account").check(("Record ID", "Company ID"))


def test_every_known_column_leads_to_a_field() -> None:
    from services.cli.importing.columns import FIRST_NAME, KNOWN, LAST_NAME, field_path

    for kind, names in KNOWN.items():
        for target in {*names.values()} - {FIRST_NAME, LAST_NAME}:
            assert field_path(kind, target)


NUMBERS = {"5": 5, "-5.5": -5.5, "€ 1.234.567,89": 1234567.89, "1,234.5 EUR": 1234.5, "1 250": 1250, "0.125": 0.125}


@pytest.mark.parametrize(("text", "number"), [*NUMBERS.items(), ("1'250.50", 1250.5)])
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize("text", ["1,234", "1.234", "1,234.567,89", "(500)", "1.5e3", "12 apples", "", "--5", "."])
def test_a_number_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    found = message("deal", {"id": "9", "amount": text or " "})
    assert isinstance(found, BadRow) and found.field == "amount" and found.fix


def test_a_date_is_read_in_the_order_that_was_said() -> None:
    assert time_of("2/3/2026", "dmy") == "2026-03-02" and time_of("2/3/2026 09:30", "mdy") == "2026-02-03T09:30"
    assert time_of("2026-03-02 09:00", "iso") == "2026-03-02 09:00"
    for text in ("2/3/2026", "20260302", "yesterday"):
        found = message("touchpoint", {"date": text, "name": "call"})
        assert isinstance(found, BadRow) and found.field == "date"


# --- the whole way ----------------------------------------------------------------------------------


class Run:
    """An import into a gateway that is not listening, and what came of it."""

    def __init__(self, folder: Path, **way: Any) -> None:
        self.folder = folder
        self.way = way
        self.known = Known()
        self.findings: list[Finding] = []
        self.app, self.writer = gateway()

    async def of(self, text: str, kind: str = "account", name: str = "a.csv", *, dry_run: bool = False) -> Report:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        async with client(self.app) as http:
            sender = None if dry_run else Sender(http, "http://127.0.0.1:8080", b"OK", lambda line: None)
            outside = Outside(sender, "operators", self.folder / "imports", self.findings.append, lambda text: None)
            return await FileImport(path, Way(kind, **self.way), self.known, outside).run()

    def events(self) -> list[CleanTouchpoint]:
        results = [result for item in self.writer.items for result in CONNECTORS[item.vendor].read(item)]
        assert all(isinstance(result, Mapped) for result in results), "what passed the check is taken"
        return [result.touchpoint for result in results if isinstance(result, Mapped)]


async def test_rows_arrive_as_records_and_a_repeat_tells_the_same_events(tmp_path: Path) -> None:
    run = Run(tmp_path)
    report = await run.of(ACCOUNTS)
    (first,) = run.events()
    assert (report.rows, report.sent, report.refused) == (1, 1, 0)
    assert first.account_refs == ("crm:51",) and first.account_traits["region"] == "north"
    later = await run.of(ACCOUNTS, name="renamed.csv")
    assert later.sent == 1
    assert {one.event_id for one in run.events()} == {first.event_id}
    assert {one.occurred_at for one in run.events()} == {first.occurred_at}


async def test_without_the_journal_a_repeat_would_be_another_event(tmp_path: Path) -> None:
    """Known bad: a time of the run's own. The check above can fail."""
    run, other = Run(tmp_path, as_of=AS_OF), Run(tmp_path, as_of=AS_OF.replace(day=2))
    await run.of(ACCOUNTS)
    await other.of(ACCOUNTS)
    assert run.events()[0].event_id != other.events()[0].event_id


async def test_a_dry_run_sends_nothing_and_reports_the_same(tmp_path: Path) -> None:
    text = "id,email,account\n1,a@gmail.com,\n2,b@acme.example,51\n3,nobody,51,x\n4,c@new.example,\n"
    dry, real = Run(tmp_path), Run(tmp_path)
    expected, report = await dry.of(text, "contact", dry_run=True), await real.of(text, "contact")
    assert dry.writer.items == [] and not (tmp_path / "none").exists()
    assert [finding.as_dict() for finding in dry.findings] == [finding.as_dict() for finding in real.findings]
    assert {**report.as_dict(), "dry_run": True} == expected.as_dict()
    assert (report.rows, report.sent, report.refused, report.unplaced.total()) == (4, 3, 1, 3)


async def test_a_refusal_names_file_line_column_value_and_fix(tmp_path: Path) -> None:
    run = Run(tmp_path)
    report = await run.of("Record ID,Company Domain Name\n51,nodots\nn/a,acme.example\n,x.example\n")
    assert (report.refused, report.sent) == (3, 0)
    first, second, third = run.findings
    assert (first.line, first.field, first.value) == (2, "Company Domain Name (domains)", "'nodots'")
    assert "acme.example" in first.reason
    assert (second.line, second.field, second.value) == (3, "Record ID (id)", "'n/a'")
    assert (third.line, third.field, third.reason) == (4, "Record ID (id)", "is missing")
    assert str(first).startswith(f"{tmp_path / 'a.csv'}:2: Company Domain Name")


async def test_json_lines_are_records_of_our_dialect(tmp_path: Path) -> None:
    lines = [
        {"id": "t1", "occurred_at": "2026-03-02", "name": "call", "person": {"email": "a@acme.example"}, "score": 4},
        {"date": "2026-03-03", "type": "visit", "email": "a@acme.example"},
        {"name": "call"},
        ["not", "an", "object"],
    ]
    run = Run(tmp_path)
    report = await run.of("\n".join(map(json.dumps, lines)) + "\n{\n", "touchpoint", "t.jsonl")
    assert (report.rows, report.sent, report.refused) == (5, 2, 3)
    first, second = run.events()
    assert first.vendor_event_id == "touchpoint:t1" and second.vendor_type == "touchline:visit"
    assert [finding.line for finding in run.findings if finding.state == "refused"] == [3, 4, 5]


def doubts(run: Run) -> list[tuple[int, str]]:
    return [(finding.line, finding.reason) for finding in run.findings if finding.state == "unplaced"]


async def test_what_cannot_be_placed_is_said(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.of("id,name,domains\n51,Acme,acme.com\n52,Acme NL,acme.com\n53,Bob,gmail.com\n54,Bee,bee.com\n")
    assert [line for line, _ in doubts(run)] == [3, 4]
    assert "acme.com is claimed by crm:crm:51 too" in doubts(run)[0][1] and "free mail" in doubts(run)[1][1]
    run.findings.clear()
    rows = ("1,a@acme.com,", "2,b@gmail.com,", "3,info@bee.com,99", "4,c@bee.com,", "5,d@new.com,", "6,x@gmail.com,51")
    await run.of("id,email,account\n" + "\n".join(rows), "contact")
    expected = [(2, "share"), (3, "no company address"), (4, "crm:99 is not known"), (6, "provisional")]
    assert [line for line, _ in doubts(run)] == [line for line, _ in expected]
    assert all(word in reason for (_, word), (_, reason) in zip(expected, doubts(run), strict=True))
    run.findings.clear()
    await run.of("id,account\n9,51\n10,\n12,77\n", "deal")
    assert [line for line, _ in doubts(run)] == [3, 4]
    run.findings.clear()
    await run.of("date,name,email\n2026-03-02,call,\n2026-03-02,call,a@bee.com\n", "touchpoint")
    assert [line for line, _ in doubts(run)] == [2]


async def test_a_daughter_at_a_host_of_her_own_is_no_doubt(tmp_path: Path) -> None:
    """And a helpdesk's organisation that is the CRM's account under another name is none, either."""
    run = Run(tmp_path)
    await run.of("id,domains\n51,acme.com\n52,nl.acme.com\norg:7,acme.com\n")
    assert doubts(run) == []
    await run.of("id,email\n1,a@acme.com\n2,b@nl.acme.com\n3,c@be.acme.com\n", "contact")
    assert doubts(run) == []
    await run.of("id,domains\n53,acme.com\n")
    assert [reason for _, reason in doubts(run)] == ["acme.com is claimed by crm:crm:51, org:support:7 too"]


async def test_an_import_that_was_cut_off_goes_on_behind_what_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.importing.run.JOURNAL_EVERY_S", 0.0)
    text = "id\n" + "".join(f"c{number}\n" for number in range(BATCH_RECORDS * 3))
    run = Run(tmp_path)
    real, sends = Sender.send, 0

    async def dies(self: Sender, body: bytes) -> None:
        nonlocal sends
        sends += 1
        if sends == 3:
            raise PermanentError("cut off")
        await real(self, body)

    monkeypatch.setattr(Sender, "send", dies)
    with pytest.raises(PermanentError, match="cut off"):
        await run.of(text)
    monkeypatch.setattr(Sender, "send", real)
    report = await run.of(text)
    assert (report.already_safe, report.sent) == (BATCH_RECORDS * 2, BATCH_RECORDS)
    events = [one.event_id for one in run.events()]
    assert len(events) == len(set(events)) == BATCH_RECORDS * 3
    again = await run.of(text)
    assert again.sent == BATCH_RECORDS * 3, "a finished import may be repeated, from the start"
    assert {one.event_id for one in run.events()} == set(events)


class _Gate(httpx.AsyncBaseTransport):
    """Answers as told, then 200."""

    def __init__(self, answers: Iterable[int]) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            raise httpx.ConnectError("away")
        if status == 200:
            self.bodies.append(await request.aread())
        return httpx.Response(status, headers={"retry-after": "0"})


async def batches(count: int) -> AsyncIterator[Batch]:
    for number in range(count):
        yield Batch((b"%d" % number,), number)


async def test_a_gateway_that_is_away_is_waited_for_and_said_once() -> None:
    gate, said, acked = _Gate([503, 0, 429]), list[str](), list[int]()
    async with httpx.AsyncClient(transport=gate) as http:
        await Sender(http, "http://gw", b"k", said.append).send_all(batches(9), lambda one: acked.append(one.last_line))
    assert acked == list(range(9)), "in order, whatever came back first"
    assert sorted(gate.bodies) == [b'{"records":[%d]}' % number for number in range(9)]
    assert 1 <= len(said) <= 2


@pytest.mark.parametrize(("status", "error"), [(401, ConfigurationError), (400, PermanentError), (413, PermanentError)])
async def test_a_refusal_for_good_ends_the_import(status: int, error: type[Exception]) -> None:
    async with httpx.AsyncClient(transport=_Gate([200, status])) as http:
        with pytest.raises(error):
            await Sender(http, "http://gw", b"k", lambda line: None).send_all(batches(5), lambda one: None)


def test_the_command_speaks_to_a_real_gateway(tmp_path: Path) -> None:
    config = tmp_path / "touchline.yaml"
    write_fresh(config, tmp_path)
    (tmp_path / "secrets" / "operators").write_text("OK\n")
    path = tmp_path / "accounts.csv"
    path.write_text(ACCOUNTS + "52;Bee;nodots;;\n")
    writer = FakeWriter()
    with listening(writer) as (url, _):
        result = CliRunner().invoke(
            app,
            ["import", str(path), "--kind", "accounts", "--data", str(tmp_path), "--gateway", url, "--json"]
            + ["--clickhouse", "http://127.0.0.1:9"],
        )
    assert result.exit_code == 1, result.stderr
    *findings, last = map(orjson.loads, result.stdout.splitlines())
    assert [one["line"] for one in findings] == [3]
    assert last["report"]["sent"] == 1 and last["report"]["refused"] == 1
    assert [item.source for item in writer.items] == ["operators"]
    assert "by this import's own accounts alone" in result.stderr


async def test_the_report_groups_what_one_thing_would_mend(tmp_path: Path) -> None:
    run = Run(tmp_path)
    rows = "".join(f"c{number},,77\n" for number in range(8)) + "c9,,\n,,\n"
    report = await run.of("id,email,account\n" + rows.rstrip("\n").removesuffix(",,") + ",x@y.com,\n", "contact")
    text = "\n".join(report.lines())
    assert "sent, but not certain whose: 9" in text and "8 to mend so: import the accounts" in text
    assert text.count("crm:77 is not known yet") == 5, "five examples are enough"
    assert "refused: 1" in text and "`id`" not in text and "id: is missing" in text


async def test_what_cannot_be_used_is_never_lost_in_silence(tmp_path: Path) -> None:
    run = Run(tmp_path)
    report = await run.of("id,email,phone\nc1,ann@x,\nc2,n/a,020 1234567\nc3,a@acme.com,+31 20 123 4567\n", "contact")
    assert (report.sent, report.refused, report.phones_not_taken) == (2, 1, 1)
    assert run.findings[0].field == "email" and "international form" in "\n".join(report.lines())


class _Stored(Target):
    """A target whose store answers as told."""

    @contextmanager
    def store(self) -> Iterator[Any]:
        yield None


async def test_an_import_waits_for_its_rows_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, said = iter([False, True]), list[str]()
    monkeypatch.setattr(work, "is_there", lambda client, event_id: next(looks))
    await work._until_there(_Stored(), "e", said.append)
    assert said == [] and next(looks, None) is None
    monkeypatch.setattr(work, "is_there", lambda client, event_id: False)
    monkeypatch.setattr(work, "ARRIVES_WITHIN_S", 0.1)
    await work._until_there(_Stored(), "e", said.append)
    assert "still on their way" in said[0]


def test_wrong_options_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n")
    options = [str(path), "--data", str(tmp_path)]
    assert CliRunner().invoke(app, ["import", *options, "--kind", "acounts"]).exit_code == 2
    assert CliRunner().invoke(app, ["import", *options, "--kind", "accounts", "--dates", "ymd"]).exit_code == 2
    assert CliRunner().invoke(app, ["import", *options, "--kind", "accounts", "--map", "id"]).exit_code == 2
    missing = CliRunner().invoke(app, ["import", *options, "--kind", "accounts"])
    assert missing.exit_code == 78 and "vendor: touchline" in missing.stderr
    write_fresh(tmp_path / "touchline.yaml", tmp_path)
    command = ["import", str(tmp_path / "nope.csv"), "--kind", "accounts", "--dry-run", "--data", str(tmp_path)]
    unreadable = CliRunner().invoke(app, [*command, "--clickhouse", "http://127.0.0.1:1"])
    assert (unreadable.exit_code, unreadable.stdout) == (2, "")
    assert "nope.csv: cannot be read: No such file" in unreadable.stderr
