"""What a reader sends is read within bounds, or refused in ClickHouse's form; never anything else."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import lz4.frame
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.embedded.clickhouse.cache import BoundedCache
from services.embedded.clickhouse.codec import decode
from services.embedded.clickhouse.errors import MOST_CHARS, ClickHouseError, hidden
from services.embedded.clickhouse.form import MAX_FIELDS, fields_of
from services.embedded.clickhouse.lanes import Lane, Width
from services.embedded.clickhouse.request import parameters, to_statement
from services.embedded.clickhouse.roles import Users
from services.embedded.clickhouse.statement import Statement
from tests.fuzz.requests import FORMS, PACKERS, TEXTS
from tests.fuzz.suspects import kept
from tests.fuzz.warehouse import drawn

FORM = "multipart/form-data; boundary=b"
PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def part(head: bytes, value: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n"


def test_a_form_is_read() -> None:
    body = part(b'name="query"', b"SELECT {a:String}\r\n-- \xc3\xa9") + part(b"name=param_a", b"") + b"--b--\r\n"
    assert fields_of(FORM, body) == {"query": "SELECT {a:String}\r\n-- é", "param_a": ""}
    nested = part(b'name="query"\r\nContent-Type: multipart/mixed; boundary=c', b"--c\r\n\r\nx\r\n--c--") + b"--b--\r\n"
    assert fields_of(FORM, nested) == {"query": "--c\r\n\r\nx\r\n--c--"}  # it is text, whatever it calls itself


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (FORM, part(b'name="' + b';a="\\' * 225_000 + b'"', b"x") + b"--b--\r\n", 307),
        (FORM, part(b"name=a", b"") * (MAX_FIELDS + 1) + b"--b--\r\n", 307),
        (FORM, part(b"name=a" + b"\r\nA: b" * 20, b"") + b"--b--\r\n", 307),
        (FORM, part(b"name=query", b"\xff") + b"--b--\r\n", 36),
        (FORM, part(b"name=\xff", b"x") + b"--b--\r\n", 36),
        (FORM, part(b'name="t"; filename="t.csv"', b"1") + b"--b--\r\n", 48),
        (FORM, part(b"name=query", b"SELECT 1"), 36),
        (FORM, b"", 36),
        ("multipart/form-data", part(b"name=query", b"SELECT 1") + b"--b--\r\n", 36),
        ("multipart/form-data; boundary=\xff", b"--\xff\r\n", 36),
    ],
)
def test_a_form_out_of_bounds_is_refused(kind: str, body: bytes, code: int) -> None:
    with pytest.raises(ClickHouseError) as refused:
        fields_of(kind, body)
    assert refused.value.code == code
    assert refused.value.status < 500 or code == 48


@pytest.mark.parametrize("encoding", sorted(PACKERS))
def test_empty_frames_are_counted(encoding: str) -> None:
    frame = PACKERS[encoding](b"")
    with pytest.raises(ClickHouseError) as refused:
        decode(frame * (1_000_000 // len(frame)), encoding, 1 << 20)
    assert (refused.value.code, refused.value.status) == (271, 400)


def test_frames_are_read_once_each() -> None:
    """Known bad: what was done, copying all that is left for each frame. Counted in bytes, not in seconds."""
    frames = [lz4.frame.compress(bytes(1000)) for _ in range(900)]
    body = b"".join(frames)
    copied_before = sum(len(body) - number * len(frames[0]) for number in range(1, 900))
    assert copied_before > 400 * len(body)
    assert decode(body, "lz4", 1 << 20) == bytes(900_000)


@given(FORMS)
@PATIENT
def test_any_form_is_fields_or_a_refusal(body: bytes) -> None:
    try:
        found = fields_of(FORM, body)
    except ClickHouseError as refused:
        assert refused.code in (36, 48, 307)
    else:
        assert len(found) <= MAX_FIELDS


@given(st.sampled_from([*sorted(PACKERS), "x", "gzip, br"]), st.one_of(TEXTS, st.binary(max_size=200)), st.booleans())
@PATIENT
def test_any_body_is_plain_or_a_refusal(encoding: str, plain: bytes, is_packed: bool) -> None:
    body = PACKERS[encoding](plain) if is_packed and encoding in PACKERS else plain
    try:
        assert len(decode(body, encoding, 100_000)) <= 100_000
    except ClickHouseError as refused:
        assert refused.code in (48, 271, 307)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=5), TEXTS)
@PATIENT
def test_any_request_is_a_statement_or_a_refusal(params: dict[str, str], body: bytes) -> None:
    try:
        statement = to_statement({}, params, body, max_query_bytes=262_144)
    except ClickHouseError as refused:
        assert refused.code in (48, 62)
    else:
        assert len(statement.text) <= 262_144
        for read in (lambda: statement.format, lambda: statement.answers, lambda: statement.kills):
            read()


@given(st.binary(max_size=300))
@PATIENT
def test_any_query_string_is_parameters(query: bytes) -> None:
    parameters(query)


def test_a_url_has_so_many_parameters() -> None:
    with pytest.raises(ClickHouseError, match="more than 1000 parameters"):
        parameters(b"a=b&" * 2000)


@pytest.mark.parametrize("asked", ["a\r\nSet-Cookie: x", "\x00", "é", "x" * 65, " "])
def test_a_format_that_no_header_can_carry_is_refused(asked: str) -> None:
    for headers, params in (({}, {"default_format": asked}), ({"x-clickhouse-format": asked}, {})):
        with pytest.raises(ClickHouseError, match="Unknown format") as refused:
            to_statement(headers, params, b"SELECT 1")
        assert refused.value.status == 400


@pytest.mark.parametrize("value", ["é", "%%%", "/w==", "\xff" * 9])
def test_credentials_that_cannot_be_read_are_wrong_ones(value: str) -> None:
    with pytest.raises(ClickHouseError) as refused:
        Users("token").role_of({"authorization": f"Basic {value}"}, {})
    assert refused.value.code == 516


def test_several_statements_are_told_from_one() -> None:
    for text, several in ((b"SELECT 1; -- x", False), (b"SELECT ';' /* ; */;;", False), (b"SELECT 1;/**/x", True)):
        assert Statement(text).is_several is several
    assert not Statement(b"a" * 100 + b";" * 100).is_several


def test_a_cache_weighs_what_it_holds() -> None:
    cache: BoundedCache[str] = BoundedCache(80_000)
    for number in range(1000):
        cache.put(str(number), b"x" * 1000, 100)
    assert cache.held_bytes <= 80_000
    assert cache.get("999") == b"x" * 1000
    assert cache.get("0") is None
    cache.put("large", b"x" * 20_000, 0)
    assert cache.get("large") is None
    before = cache.held_bytes
    cache.put("999", b"y" * 1000, 100)
    assert (cache.held_bytes, cache.get("999")) == (before, b"y" * 1000)


async def test_a_lane_has_its_own_queue_and_memory() -> None:
    lane = Lane("reader", Width(threads=1, queue=2, body_bytes=1000))
    gate = threading.Event()
    try:
        with lane.turn(), lane.turn():
            jobs = [lane.start(gate.wait), lane.start(gate.wait)]
            with pytest.raises(ClickHouseError) as full, lane.turn():
                pass
            assert (full.value.code, full.value.status) == (202, 503)
            gate.set()
            await asyncio.gather(*jobs)
        with lane.memory() as hold:
            hold(900)
            with pytest.raises(ClickHouseError), lane.memory() as another:
                another(200)
        with lane.memory() as hold:
            hold(1000)
    finally:
        gate.set()
        lane.close()


async def test_who_waits_for_a_lane_that_closes_is_let_go() -> None:
    lane = Lane("reader", Width(threads=1, queue=2, body_bytes=1000))
    gate = threading.Event()
    under_way, waiting = lane.start(gate.wait), lane.start(gate.wait)
    gate.set()
    lane.close()
    assert waiting.cancelled()
    async with asyncio.timeout(5):
        assert await under_way


async def test_nobody_has_the_whole_of_a_shared_lane() -> None:
    """One asks far too much: another is begun at once, and has room in the queue and for its body."""
    lane = Lane("reader", Width(threads=3, queue=8, body_bytes=1000, is_shared=True))
    gate, begun = threading.Event(), []

    def slow(name: str) -> bool:
        begun.append(name)
        return gate.wait(30)

    try:
        with ExitStack() as turns, lane.memory("one") as hold, lane.memory("two") as another:
            for _ in range(4):
                turns.enter_context(lane.turn("one"))
            with pytest.raises(ClickHouseError, match="of your statements wait"), lane.turn("one"):
                pass
            turns.enter_context(lane.turn("two"))
            hold(500)
            with pytest.raises(ClickHouseError, match="Your other requests"):
                hold(1)
            another(500)
            jobs = [lane.start(partial(slow, "one"), "one") for _ in range(4)]
            jobs.append(lane.start(partial(slow, "two"), "two"))
            async with asyncio.timeout(10):
                while len(begun) < 3:
                    await asyncio.sleep(0.01)
            assert sorted(begun) == ["one", "one", "two"]
            gate.set()
            assert all(await asyncio.gather(*jobs)) and begun.count("one") == 4
    finally:
        gate.set()
        lane.close()


async def test_who_has_the_fewest_running_is_next() -> None:
    lane = Lane("reader", Width(threads=2, queue=9, body_bytes=1000, is_shared=True))
    gates = {name: threading.Event() for name in "abcd"}
    begun: list[str] = []

    def slow(name: str) -> None:
        begun.append(name)
        gates[name].wait(30)

    try:
        jobs = [lane.start(partial(slow, name), caller) for name, caller in (("a", "one"), ("b", "one"), ("c", "two"))]
        jobs.append(lane.start(partial(slow, "d"), "three"))
        gates["a"].set()
        await jobs[0]
        async with asyncio.timeout(10):
            while len(begun) < 3:
                await asyncio.sleep(0.01)
        assert begun[:2] == ["a", "c"] and begun[2] == "b", "of those with none, whoever came first"
    finally:
        for gate in gates.values():
            gate.set()
        await asyncio.gather(*jobs)
        lane.close()


async def test_a_statement_that_nobody_waits_for_is_not_begun() -> None:
    lane = Lane("reader", Width(threads=1, queue=9, body_bytes=1000))
    gate, begun = threading.Event(), []
    try:
        first, left = lane.start(lambda: gate.wait(30)), lane.start(lambda: begun.append("left"))
        failed = lane.start(partial(int, "no"))
        left.cancel()
        gate.set()
        assert await first
        with pytest.raises(ValueError, match="no"):
            await failed
        assert begun == []
    finally:
        gate.set()
        lane.close()


async def test_large_requests_are_not_read_by_the_loop() -> None:
    lane = Lane("reader", Width(threads=1, queue=2, body_bytes=1000))
    try:
        here = threading.get_ident()
        assert await lane.parse(10, True, threading.get_ident) == here
        assert await lane.parse(10, False, threading.get_ident) != here
        assert await lane.parse(10_000, True, threading.get_ident) != here
    finally:
        lane.close()


def test_a_reader_is_not_told_where_it_is() -> None:
    error = RuntimeError("Code: 1. DB::Exception: cannot open /data/x/store/a.bin on vm-7: vm-71 (FILE)")
    told = str(ClickHouseError.from_engine(error, hidden("/data/x", "vm-7")))
    assert told == "Code: 1. DB::Exception: cannot open … on …: vm-71 (FILE)"


@pytest.mark.parametrize("length", [0, 1, 4_000, 8_191, 8_192, 24_570, 24_580, 40_000])
def test_a_long_error_is_cut_and_no_path_is_left_half_hidden(length: int) -> None:
    """ClickHouse tells the place of each of 255,000 open brackets: 6 MB, for which everybody waited."""
    path = "/data/secret-" + "x" * 4_000
    error = RuntimeError(
        "Code: 62. DB::Exception: " + "(" * length + path + "/a.bin " + ", '(' at 1" * 600_000 + ". (SYNTAX_ERROR)"
    )
    told = ClickHouseError.from_engine(error, hidden(path))
    assert told.code == 62 and str(told).startswith("Code: 62. ") and str(told).endswith(" (SYNTAX_ERROR)")
    assert len(str(told)) < MOST_CHARS + 200 and "secret" not in str(told)
    assert len(str(ClickHouseError.from_engine(error))) < MOST_CHARS + 200


def test_an_error_of_the_longest_length_is_whole() -> None:
    text = "Code: 62. DB::Exception: ".ljust(MOST_CHARS, "x")
    assert str(ClickHouseError.from_engine(RuntimeError(text))) == text


def test_a_seed_of_the_fuzzer_draws_the_same_again_and_another_draws_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.warehouse.REQUESTS", st.binary(max_size=40))  # whole requests may be megabytes

    def sent(seed: int) -> list[bytes]:
        found: list[bytes] = []
        drawn(seed, 12, found.append)
        return found

    assert sent(3) == sent(3) != sent(4)


def test_a_suspect_is_kept_as_a_whole(tmp_path: Path) -> None:
    suspect = b"(" * 255_000
    said = kept(tmp_path / "new", suspect)
    (path,) = (tmp_path / "new").iterdir()
    assert path.read_bytes() == suspect
    assert str(path) in said and "255000 bytes" in said and len(said) < 400
