"""Nothing is lost, whatever the octets: rows and stretches cover the file, and both ways of reading agree."""

import io
import os
import random
import re
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders.lines._reader import batches, grammar, likeness
from forensics.records import LogRecord
from tests._linear import SIZE, repeated, takes_linear_time
from tests._slow import SLOW
from tests._system import PEAK_MIB
from tests.fuzz._mutation import mutated
from tests.loaders.lines._reading import NOON, assert_covered, read, whole

SAMPLES = [sample.text for form in grammar().formats for sample in form.samples]
EXAMPLES = int(os.environ.get("FORENSICS_EXAMPLES", "500"))
PIECES = st.one_of(
    st.sampled_from(SAMPLES).map(str.encode),
    st.sampled_from(SAMPLES).flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut].encode())),
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"\tat x",
            b"  File y",
            b"--",
            b"\0" * 40,
            b"\0" * 5,
            b"\xff\xfe",
            b"\r",
            b"x" * 300,
            b"MMM 22 07:54:32 h",
        ]
    ),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


def logs(most: int) -> st.SearchStrategy[bytes]:
    """So many pieces at most, each with one of the line ends or none."""
    ends = st.sampled_from([b"\n", b"\r\n", b""])
    return st.lists(st.tuples(PIECES, ends), max_size=most).map(lambda told: b"".join(map(b"".join, told)))


def damaged(seed: int) -> bytes:
    """A few lines of one framing, damaged."""
    rng = random.Random(seed)
    lines = [rng.choice(SAMPLES).encode()] * rng.randint(1, 3)
    return mutated(b"\n".join(lines) + b"\n", rng)


LOGS = logs(12)
SMALL_LOGS = st.one_of(logs(3), st.integers(0, 1 << 32).map(damaged))
MANY = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
QUICK = settings(MANY, max_examples=EXAMPLES // 20)


@MANY
@given(SMALL_LOGS)
def test_every_octet_is_in_one_row_or_one_stretch(data: bytes) -> None:
    """R01: places of rows alone, which spares the columns that the examples below look at."""
    stream = stream_of(io.BytesIO(data), "x")
    if stream.compression is not None:
        return
    places = ("offset_bytes", "length_bytes")
    found = list(batches(stream, Origin("host1/x.log", modified_ns=NOON), columns=places))
    frames = [batch.rows[LogRecord].select(places) for batch in found]
    assert_covered(pl.concat(frames) if frames else LogRecord.empty(), found, len(data))


def test_a_thousand_rows_read_again_from_their_octets_say_the_same() -> None:
    """R01: in another order, and without what stood between them."""
    data = "".join(f"{line}\n" for line in SAMPLES * 2).encode()
    rows = read(data, year=2020).sample(1000, with_replacement=True, seed=1)
    places = rows.select("offset_bytes", "length_bytes").rows()
    again = read(b"".join(data[offset : offset + length] for offset, length in places), year=2020)
    assert again.height == 1000
    assert_frame_equal(*(_where_told(frame.drop("position", "offset_bytes")) for frame in (rows, again)))
    for message, (_, length) in zip(rows["message"], places, strict=True):
        assert len(message.encode()) <= 4 * length + 8, "a message says no more than its octets"


@QUICK
@given(LOGS)
def test_octets_and_patterns_read_the_same(data: bytes) -> None:
    assert_frame_equal(read(data), read(data, fast=False))


@QUICK
@given(LOGS, st.integers(64, 700))
def test_where_chunks_are_cut_does_not_matter(data: bytes, chunk_bytes: int) -> None:
    # the years of a source are decided by its first chunk, so state one
    one, many = read(data, year=2020), read(data, year=2020, chunk_bytes=chunk_bytes)
    if b"\0" * 16 in data:
        one, many = one.drop("message"), many.drop("message")
    assert_frame_equal(_where_told(one), _where_told(many))


def _where_told(frame: pl.DataFrame) -> pl.DataFrame:
    """Instants only where the line itself tells the year: what stands in the same chunk may tell that of others."""
    told = pl.col("year_basis") == "stated"
    return frame.with_columns(pl.when(told).then(pl.col("ts", "outer_at")), year_basis=pl.when(told).then("year_basis"))


@QUICK
@given(st.binary(max_size=4096))
def test_a_head_of_any_octets_has_a_likeness(head: bytes) -> None:
    assert 0.0 <= likeness(head) <= 1.0


def _generated() -> str:
    """Lines made of all combinations of the parts of the commonest framings."""
    stamps = [
        "2012-12-19 12:10:59",
        "2012-12-19 12:10:59.123",
        "2012-12-19 12:10:59,123",
        "2012-02-30 25:10:59",
        "2012-12-19 12:10:59.1",
    ]
    pids = ["", "7 ", "129745 ", "12345678901 ", "x "]
    levels = ["INFO", "TRACE", "ERROR", "AUDIT", "WARNING", "NOTE", "critical"]
    uuid = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
    contexts = [
        "",
        "[-] ",
        f"[{uuid} u p] ",
        f"[{uuid} None] ",
        f"[{uuid} ] ",
        f"[{uuid} - - - - -] ",
        f"[None {uuid} u p - - d d] ",
    ]
    contexts += [
        f"[{uuid} {uuid} a b] ",
        f"[None {uuid} a b] ",
        f"[{uuid[4:]} a b] ",
        "[x y] ",
        "[",
        "[-]",
        f"[{uuid}",
        "[UZ5-ABCDEFGHIJKLMNO1 a b] ",
    ]
    instances = [
        "",
        "[instance: 871e24ab-fc79-4dc9-8071-7b5dc1b50cd0] ",
        "[instance: 871e24abfc794dc980717b5dc1b50cd0] ",
        "[instance: x",
    ]
    inner = [
        f"{stamp} {pid}{level} {logger} {context}{instance}text {i}"
        for i, (stamp, pid, level, logger, context, instance) in enumerate(
            (s, p, v, g, c, n)
            for s in stamps
            for p in pids
            for v in levels
            for g in ("nova.compute.manager", "nova:x", "9a", "a" * 80)
            for c in contexts
            for n in instances
        )
        if i % 5 == 0
    ]
    heads = [
        "",
        "Dec 19 12:10:59 c03 ",
        "Dec 19 12:10:59.123456 c03 ",
        "Dec  9 12:10:59 c03 nova-api: ",
        "Dec  9 12:10:59 c03 nova-api[7]: ",
    ]
    heads += [
        "Dec 19 12:10:59 c03 nova-api ",
        "Dez 19 12:10:59 c03 ",
        "Dec 39 12:10:59 c03 x[y]: ",
        "Dec 19 12:10:59  c03 x: ",
        "<13>Dec 19 12:10:59 c03 x: ",
    ]
    return "\n".join(heads[i % len(heads)] + line for i, line in enumerate(inner)) + "\n"


def test_both_ways_agree_on_generated_lines() -> None:
    data = _generated()
    assert data.count("\n") > 8_000
    assert_frame_equal(read(data), read(data, fast=False))


HOSTILE = [
    b"[", b"2012-12-19 ", b"<1>", b"a:", b"#012", b"{", b'{"log":"', b"\r", b"\x1b[m", b"\xff", b"(a)", b"%A",
    (b"Dec 19 12:10:59 h ", b"["), (b"2012-12-19 12:10:59 INFO a [", b" "),
    b"\n", b"\n ", b"{}\n", b"#011a\n", b"Dec 19 12:10:5x h\n", b"2012-12-19 12:10:59 INFO\n", b"<1>1 - - - - - -\n",
    b"--\nx\n", b"\0" * 16 + b"x", b"\0" * 16 + b"x\n", b"a:Dec 19 12:10:59 h b: c\na-d\n",
]  # fmt: skip


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "patterns"])
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_lines_take_linear_time(unit: bytes | tuple[bytes, bytes], fast: bool) -> None:
    """R04, R45: delimiters, openers, near misses and disturbances without end, in one line and in very many."""

    def consumed(data: bytes) -> None:
        for _ in batches(stream_of(io.BytesIO(data), "x"), Origin("host1/x.log", modified_ns=NOON), fast=fast):
            pass

    head, again = unit if isinstance(unit, tuple) else (b"", unit)
    consumed(head + again)
    # the shortest records that there are cost what records cost
    takes_linear_time(consumed, repeated(again, head), size=SIZE // 2, s_per_mib=3.0 if b"--" in again else 1.0)


LONG = """
import sys
from forensics.evidence import stream_of
from forensics.loaders.lines._reader import batches
from forensics.loaders._reader import Origin
from forensics.records import LogRecord
class Long:
    def __init__(self):
        self.left = [b"2012-12-19 12:10:59 INFO nova [-] first\\n2012-12-19 12:11:00 INFO nova [-] "]
        self.left += [b"x" * (1 << 20)] * int(sys.argv[1])
        self.left += [b"\\n2012-12-19 12:11:01 INFO nova [-] last\\n"]
        self.rest = b""
    def read(self, size):
        while self.left and len(self.rest) < size:
            self.rest += self.left.pop(0)
            if len(self.rest) > 1 << 20:
                break
        part, self.rest = self.rest[:size], self.rest[size:]
        return part
rows = [row for batch in batches(stream_of(Long(), "x"), Origin("x")) for row in
        batch.rows[LogRecord].select("position", "offset_bytes", "length_bytes", "n_lines", "message").iter_rows()]
assert [row[0] for row in rows] == [1, 2, 3], rows
assert rows[1][2] == (int(sys.argv[1]) << 20) + 35, rows[1][:4]
assert len(rows[1][4]) in range(60_000, 66_000), len(rows[1][4])
assert rows[2][1] == rows[1][1] + rows[1][2] and rows[2][4] == "last"
print(peak_mib())
"""


def test_a_line_beyond_memory_is_one_row() -> None:
    megabytes = 1024 if SLOW else 200
    done = subprocess.run(
        [sys.executable, "-c", PEAK_MIB + LONG, str(megabytes)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) <= 512


def test_a_record_of_very_many_lines_is_one_row() -> None:
    data = (
        "2012-12-19 12:10:59 INFO nova [-] console:\n" + "login: \n" * 400_000 + "2012-12-19 12:11:00 INFO nova [-] x\n"
    )
    frame = read(data, chunk_bytes=1 << 20)
    assert frame["n_lines"].to_list() == [400_001, 1]
    assert frame["position"].to_list() == [1, 400_002]
    assert frame["message"].str.len_bytes().to_list() == [65_536, 1]


def test_a_line_of_ten_megabytes_is_shown_by_its_beginning() -> None:
    frame = read("2012-12-19 12:10:59 INFO nova [-] " + "é" * 5_000_000 + "\n")
    assert frame["length_bytes"][0] == 10_000_035
    assert re.fullmatch("é{32767,32768}", frame["message"][0])


def test_lines_of_no_framing_are_counted_and_merged() -> None:
    data = "Header1: abc\nHeader2: def\nNov  3 09:23:38 h a: b\n"
    _, found = whole(data)
    stretches = [s for batch in found for s in batch.stretches]
    assert [(s.kind, s.offset_bytes, s.length_bytes, s.position) for s in stretches] == [("reject", 0, 26, 1)]
    assert found[-1].facts["rejects"] == "2"


def test_memory_does_not_grow_with_the_file(tmp_path) -> None:
    line = b"Dec 19 12:11:02 c03 2012-12-19 12:10:59.123 77 INFO nova.compute.manager [-] something happened again\n"
    path = tmp_path / "big.log"
    with path.open("wb") as file:
        for _ in range(120):
            file.write(line * 10_000)
    code = (
        "import sys, polars as pl\nfrom forensics.loaders.log_files import scan_logs\n"
        "print(scan_logs(sys.argv[1]).select(pl.len()).collect(engine='streaming').item())\n"
        "print(peak_mib())"
    )
    done = subprocess.run(
        [sys.executable, "-c", PEAK_MIB + code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows, megabytes = map(int, done.stdout.split())
    assert rows == 1_200_000
    assert megabytes <= 512
