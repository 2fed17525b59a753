"""Shared layers that take text: stamps, zones, years, ``case.toml``, names of files, and escaping."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from forensics import clocks, escape
from forensics.case._config import read_case_file
from forensics.errors import CaseError
from forensics.evidence import capture_point, host_of, label_of, name_of, series_of, walk
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.lines._reader import grammar, likeness
from tests.fuzz import Target
from tests.test_escape import forbidden, unescaped


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()


def stamps(data: bytes) -> None:
    """Each line as a stamp in every notation: a time or a reason, never neither."""
    column = pl.Series(_text(data).split("\n"), dtype=pl.String)
    frames = [clocks.iso(column), clocks.traditional(column)]
    frames += [clocks.epoch(column, unit) for unit in ("s", "ms", "us", "ns")]
    for frame in frames:
        assert frame.height == len(column)
        time = "local_ns" if "local_ns" in frame.columns else "ts" if "ts" in frame.columns else "clock_ns"
        assert not frame.filter(pl.col(time).is_null() & pl.col("reason").is_null()).height, frame
    for line in _text(data).split("\n")[:20]:
        instant_of(line)
        instant_of(line, "Europe/Vienna")


def stamp_seeds() -> list[bytes]:
    stamps = (
        "2012-12-19T12:10:59.000000001-07:00", "2012-02-30 00:00:00", "2012-06-30 23:59:60,123", "2262-04-11T23:47:16Z",
        "Feb  5 01:40:18", "Feb 5 2013 01:40:18.123", "Feb 29 00:00:00", "1360892418", "1360892418.5", "1360892418123",
        "1677-09-21 00:12:43", "9999-12-31 23:59:59.999999999+14:00", "-1", "", "1e9", "Fri Feb 15 01:40:18 CET 2013",
    )  # fmt: skip
    return [*(stamp.encode() for stamp in stamps), "\n".join(stamps).encode()]


def zones(data: bytes) -> None:
    """The first line as a zone, the rest as wall clock times of eight octets."""
    name, _, rest = data.partition(b"\n")
    zone = _text(name)
    local = np.frombuffer(rest[: len(rest) // 8 * 8], dtype="<i8").copy()
    if not clocks.is_zone(zone):
        try:
            clocks.LocalClock(zone)
        except ValueError:
            zone = "Europe/Vienna"
        else:
            raise AssertionError(zone)
    frame = clocks.LocalClock(zone).utc(local)
    assert frame.height == len(local)
    assert set(frame["mark"].drop_nulls()) <= set(clocks.MARKS)
    for wall, ts in zip(local.tolist(), frame["ts"].dt.epoch("ns").to_list(), strict=True):
        assert ts is None or abs(wall - ts) < 2 * 86_400 * 10**9, (wall, ts)


def zone_seeds() -> list[bytes]:
    hour = 3_600_000_000_000
    times = np.array([1_351_382_400_000_000_000 + n * hour // 2 for n in range(12)], dtype="<i8").tobytes()
    names = (b"Europe/Vienna", b"America/St_Johns", b"+02:00", b"-14:00", b"UTC", b"Etc/GMT+5", b"Pacific/Apia", b"..")
    return [name + b"\n" + times for name in names]


def years(data: bytes) -> None:
    """Four octets a line: month, day and hour of stamps without a year."""
    given = np.frombuffer(data[: len(data) // 4 * 4], dtype=np.uint8).astype(np.int64).reshape(-1, 4)
    month, day, clock_ns = given[:, 0] % 14, given[:, 1] % 33, given[:, 2] % 24 * 3_600_000_000_000
    counter = clocks.YearCounter()
    counter.add(month, day, clock_ns)
    known = {"modified_ns": 1_360_892_418 * 10**9} if len(data) % 2 else {}
    found = counter.resolve(**known).years(month, day, clock_ns)
    assert found.height == len(month)


def year_seeds() -> list[bytes]:
    ahead = b"".join(bytes((1 + n // 28 % 12, 1 + n % 28, n % 24, 0)) for n in range(0, 700, 9))
    return [ahead, ahead[::-1], bytes((2, 29, 1, 0)) * 5, bytes((12, 31, 23, 0, 1, 1, 0, 0)) * 4]


def case_file(data: bytes) -> None:
    """What the operator wrote; a mistake is a `CaseError` that names the place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.toml"
        path.write_bytes(data)
        os.utime(path, (1, 1))
        (file,) = walk(path)
        try:
            found = read_case_file(file)
        except CaseError as error:
            named = error.where
        else:
            named = None
    if named is not None:
        assert named.startswith("case.toml"), named
        return
    declared = found.of("cc12/nova.log")
    if declared.zone is not None:
        assert clocks.is_zone(declared.zone), declared.zone
    assert found.and_host("cc12", ["a[1]*"]).of("a[1]*").host is not None


def case_seeds() -> list[bytes]:
    block = (
        '[[source]]\nmatch = "cc*/nova*"\nzone = "Europe/Vienna"\nyear = 2013\nhost = "cc12"\nclock_offset_s = -1.5\n'
    )
    return [
        text.encode()
        for text in (
            'title = "Lost lease"\n' + block, block * 2, "", "title = 1", "[source]\nmatch = 1",
            'source = [{match="*"}]',
            '[[source]]\nmatch = "*"\nzone = "+02:00"', '[[source]]\nmatch = "*"\nyear = 99999', "a = " + "[" * 60,
            '[[source]]\nmatch = "*"\nclock_offset_s = nan', '[[source]]\nmatch = "[!"\nyear = 1970-01-01',
        )
    ]  # fmt: skip


def names(data: bytes) -> None:
    """Names of files: labelled reversibly, shown without a control character, and asked for what they tell."""
    for name in data.split(b"\n")[:50]:
        whole = name.replace(b"\0", b"") or b"x"
        label = label_of(whole)
        assert name_of(label) == whole
        assert not any(map(forbidden, label)), label
        assert "\n" not in label
        host_of(label)
        capture_point(label)
        series_of(label)


def name_seeds() -> list[bytes]:
    return [
        b"cc12/var/log/nova/nova-compute.log.1.gz", b"cc12/syslog-20130215.gz", b"sosreport-cc12-2013/etc/hostname",
        b"tap0.pcap", b"cc12/tcpdump_qvo871e24ab-fc.pcap00", "für/\u202ex".encode(), b"\xff\xfe/a\nb", b"a[1].csv",
        b"k=v/x", b"a" * 255, b"2013-02-15T01:40/CON", b"messages-20131332", b"log.99999999999999999999",
    ]  # fmt: skip


def escaped(data: bytes) -> None:
    """Text for terminals, pages and spreadsheets: reversible, and nothing in it acts."""
    text = data.decode("utf-8", "surrogateescape")
    for shown in (escape.terminal(text), escape.line(text)):
        assert not any(map(forbidden, shown))
        assert unescaped(shown) == text
    assert not set("<>\"'") & set(str(escape.html(text)))
    cell = escape.csv(text)
    assert not cell.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t", "\r")), cell
    escape.markdown(text)
    escape.masked(text)
    escape.masked_command(text)


def escape_seeds() -> list[bytes]:
    return [
        b"\x1b]0;title\x07\x1b[2J", b"<script>alert(1)</script>", b"=cmd|' /C calc'!A0", b" \xc2\xa0@SUM(1)",
        b"a\\n\\x1b", "\u202eevil\u2066 \ufeff\u2028".encode(), b"[x](javascript:alert(1)) `code` **b**",
        b"\xed\xa0\x80\xff",
        b"mysql -u nova -pSecret --password=x nova", b"connection = mysql://nova:secret@db/nova",
        b"X-Auth-Token: abcdef", b"curl -u a:b -H 'Authorization: Bearer eyJ0.eyJ1.sig'",
        b"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END",
    ]  # fmt: skip


def head(data: bytes) -> None:
    """The first octets of a file, of which every format says how likely it is its own."""
    from forensics.loaders._registry import pick, readers

    assert 0.0 <= likeness(data) <= 1.0
    picked = pick(data[:65536], "cc12/x.txt")
    assert picked is None or picked in readers()


def head_seeds() -> list[bytes]:
    texts = [form.samples[0].text.encode() for form in grammar().formats if form.samples]
    return [*texts, b"\n".join(texts[:20])]


TARGETS = (
    Target("stamps", stamps, stamp_seeds, lambda inputs: stamps(b"\n".join(inputs))),
    Target("zones", zones, zone_seeds, replayed=20),
    Target("years", years, year_seeds),
    Target("case-toml", case_file, case_seeds),
    Target("file-names", names, name_seeds),
    Target("escape", escaped, escape_seeds),
    Target("pick", head, head_seeds, replayed=20),
)
