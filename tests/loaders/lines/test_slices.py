"""A log read slice by slice says what it says read whole, batch for batch, whatever its octets are."""

import io
import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forensics.evidence import Stream, stream_of
from forensics.loaders import log_files
from forensics.loaders._reader import Batch, Cuts, Origin
from forensics.loaders.lines import _chunks, _reader
from forensics.loaders.lines._reader import batches
from forensics.loaders.log_files import LogFiles
from forensics.records import ApiRequest, DhcpMessage, LogRecord
from tests._evidence import evidence_root
from tests.loaders.lines.test_accounting import LOGS

NOON = int(datetime(2013, 2, 1, tzinfo=UTC).timestamp()) * 10**9
EVERY = 4096
(READER,) = log_files.READERS


class Lines:
    """The reader of lines alone, as a reader of slices: it takes a tenth of the time of reading messages, too."""

    yields = (LogRecord,)

    def batches(self, stream: Stream, origin: Origin, *, records: object = None, cuts: Cuts) -> Iterator[Batch]:
        for batch in batches(stream, origin, cuts=cuts):
            yield batch
            if batch.mark is not None and cuts.single:
                return


LINES = Lines()
EXAMPLES = int(os.environ.get("FORENSICS_EXAMPLES", "5"))


def told(batch: Batch) -> tuple[object, ...]:
    return batch.stretches, batch.losses, batch.mark, sorted(record.__name__ for record in batch.rows)


def same(octets: bytes, every_bytes: int = EVERY, reader: Lines | LogFiles = LINES, **origin: object) -> list[Batch]:
    """Compares whole, survey and slices; the batches of the whole."""

    def read(cuts: Cuts, records: object = None) -> list[Batch]:
        base = cuts.mark["base"] if cuts.mark else 0
        return list(reader.batches(stream_of(io.BytesIO(octets[base:]), "x"), known, records=records, cuts=cuts))

    known = Origin("h/x.log", **{"modified_ns": NOON} | origin)
    whole, survey = read(Cuts(every_bytes)), read(Cuts(every_bytes), ())
    assert [(batch.mark, batch.facts) for batch in survey] == [(batch.mark, batch.facts) for batch in whole]
    slices: list[Batch] = []
    mark = None
    while not slices or mark is not None:
        slices += read(Cuts(every_bytes, mark, single=True), reader.yields)
        mark = slices[-1].mark and json.loads(json.dumps(slices[-1].mark))
    assert list(map(told, slices)) == list(map(told, whole))
    for batch, other in zip(slices, whole, strict=True):
        for record, rows in batch.rows.items():
            assert_frame_equal(rows, other.rows[record])
    uncut = list(batches(stream_of(io.BytesIO(octets), "x"), known, chunk_bytes=every_bytes))
    assert [batch.rows[LogRecord].height for batch in uncut] == [batch.rows[LogRecord].height for batch in whole]
    return whole


def marks(found: list[Batch]) -> list[int]:
    return [batch.mark["base"] for batch in found if batch.mark]


def rows(found: list[Batch], record: type = LogRecord) -> pl.DataFrame:
    return pl.concat([batch.rows[record] for batch in found if record in batch.rows])


REQUEST = "req-1e2f3a4b-0000-4000-8000-00000000{:04x}"


def made(seed: int, lines: int = 540) -> str:
    """A log from the last Sunday of October to January: stamps without years, and all that later lines depend on."""
    rng = random.Random(seed)
    at = datetime(2012, 10, 28, 2, 0)
    text = []
    for n in range(lines):
        at += timedelta(seconds=rng.randrange(40)) if n < lines // 2 else timedelta(hours=rng.randrange(7200 // lines))
        if n == lines // 4:
            at = at.replace(day=28, hour=2, minute=0)
        stamp, inner = f"{at:%b} {at.day:2d} {at:%H:%M:%S} c3 ", f"{at:%Y-%m-%d %H:%M:%S} "
        request = REQUEST.format(n // 90)
        kind = rng.randrange(12)
        if n % 90 == 0:
            text += [stamp + f"dhclient: Listening on LPF/eth{n // 90}/fa:16:3e:24:e7:{n // 90:02x}"]
            said = "0.9s 10.0.0.9 POST /services/Cloud/ CloudController:DescribeInstances 200 [B] a b"
            text += [f"{stamp}{inner}INFO nova.api.ec2 [{request} u p] {said}"]
        elif kind == 0:
            text += [stamp + f"dhclient: DHCPREQUEST on eth{n // 90} to 255.255.255.255 port 67"]
        elif kind == 1:
            said = '10.0.0.9 "POST /services/Cloud/ HTTP/1.1" status: 200 len: 9 time: 1.5'
            text += [f"{stamp}{inner}INFO nova.ec2.wsgi.server [{request} u p] {said}"]
        elif kind == 2:
            text += [f"{inner}ERROR nova.compute [{request} u p] failed", "Traceback (most recent call last):"]
            text += [f'  File "x.py", line {line}' for line in range(rng.randrange(60))] + ["", "ValueError: no"]
        elif kind == 3:
            head = f"{inner}7 ERROR nova.compute "
            text += [f"{head}[{request} u p] failed", *[f"{head}  at {line}" for line in range(rng.randrange(40))]]
        elif kind == 4:
            text += [stamp + f"rsyslogd: imuxsock lost {n} messages from pid 7 due to rate-limiting", "--", "$ ls"]
        elif kind == 5:
            text += [stamp + "nova: last message repeated 3 times", "", "\0" * rng.randrange(16, 40)]
        else:
            text += [stamp + f"nova: {'x' * rng.randrange(200)}"]
    return "\n".join(text) + "\n"


def test_what_later_lines_depend_on() -> None:
    octets = made(1, 420).encode()
    found = same(octets, 2 * EVERY, READER, zone="Europe/Vienna")
    assert len(marks(found)) > len(octets) // EVERY // 3 > 3
    records = rows(found)
    assert records["ts"].null_count() == 0
    assert {ts.year for ts in records["ts"]} == {2012, 2013}
    assert rows(found, DhcpMessage)["chaddr"].null_count() == 0
    assert set(rows(found, ApiRequest)["operation"]) == {"DescribeInstances"}
    assert sum(len(batch.losses) for batch in found) > 20
    known = [batch.mark for batch in found if batch.mark]
    assert "fa:16:3e:24:e7:00" in known[-1]["messages"]["dhclient"]["mac"]
    # the first pass of the repeated hour, and the second one
    assert {mark["clock"]["inner"][2] for mark in known if mark["clock"]["inner"]} == {False, True}


@pytest.mark.parametrize("every_bytes", [1500, 2 * EVERY])
def test_wherever_it_is_cut(every_bytes: int) -> None:
    octets = made(2, 200).encode()
    found = same(octets, every_bytes, zone="Europe/Vienna")
    assert_frame_equal(rows(found), rows(same(octets, 1 << 20, zone="Europe/Vienna")))


def test_slices_begin_behind_multiples() -> None:
    line = "Dec 19 12:10:59 h a: " + "x" * 78 + "\n"
    places = marks(same((line * 1000).encode(), 10_000))
    assert [place // 10_000 for place in places] == list(range(1, 10))
    assert all(place % 100 == 0 for place in places)


def test_what_is_too_long_to_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reader, "LONGEST_MESSAGE", 9_000)
    monkeypatch.setattr(_chunks, "PREVIEW_BYTES", 1_000)
    monkeypatch.setattr(_reader, "Chunks", partial(_chunks.Chunks, longest_line=9_000))
    line = "Dec 19 12:10:59 h a: x\n"
    long = line + "  more of it\n" * 2000
    octets = (line * 300 + long + line * 300 + "y" * 70_000 + "\n" + line * 300).encode()
    found = same(octets)
    assert not [place for place in marks(found) if 300 * len(line) < place < 300 * len(line) + len(long) - EVERY]
    assert len(marks(found)) > 4
    assert max(rows(found)["n_lines"]) == 2001


def test_holes_and_what_is_no_record() -> None:
    line = b"Dec 19 12:10:59 h a: x\n"
    sizes = range(1000, 10_000, 777)
    octets = b"".join(line * 20 + b"$ ls\n" * 50 + b"\0" * size + line * 50 for size in sizes)
    found = same(octets)
    assert len(marks(found)) > 3
    gaps = [one for batch in found for one in batch.stretches if one.kind == "gap"]
    assert sum(gap.length_bytes for gap in gaps) == sum(sizes)


def test_a_slice_is_no_file_of_its_own() -> None:
    line = b"Dec 19 12:10:59 h a: x\n"
    for begin in (b"\xff\xfe", b"\xef\xbb\xbf"):
        found = same(line * 2 + b"$ ls\n" + (begin + b"x" * 50 + b"\n") * 400)
        assert len(marks(found)) > 3


def test_times_of_day_go_on_over_midnight() -> None:
    octets = "".join(f"[{n // 60 % 24:02d}:{n % 60:02d}:00.000] x{n}\n" for n in range(0, 6000, 3)).encode()
    found = same(octets, taken_ns=NOON)
    assert marks(found)
    last = [batch.mark["clock"]["days"] for batch in found if batch.mark]
    assert last


def test_marks_take_little_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = made(3, 300).encode()
    every = marks(same(octets, 2 * EVERY))
    monkeypatch.setattr(log_files, "_MARKS_BYTES", 5_000)
    some = marks(same(octets, 2 * EVERY, READER))
    assert 1 < len(some) < len(every)
    assert some == every[: len(some)]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(LOGS, min_size=1, max_size=4), st.sampled_from([500, 2500]), st.integers(1, 4))
def test_any_octets(parts: list[bytes], every_bytes: int, times: int) -> None:
    same(b"\n".join(parts * times), every_bytes)


def test_real_logs() -> None:
    root = evidence_root() / "logs"
    one_each = {path.relative_to(root).parts[:2]: path for path in sorted(root.rglob("*.log"))}
    assert sum(len(marks(same(path.read_bytes()[: 1 << 15], 1 << 13))) for path in one_each.values()) > 3
