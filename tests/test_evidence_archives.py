"""Archives are read as evidence where they lie: every member, whatever is damaged or hostile around it."""

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forensics
from forensics.case import verify
from forensics.evidence import EvidenceFile, archive_parts, open_stream, unfolded, walk
from forensics.records import Span
from tests._small_evidence import log

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
FILES = {
    "compute47/var/log/syslog": log(40),
    "compute47/var/log/syslog.1.gz": gzip.compress(log(25), mtime=0),
    "compute47/empty": b"",
    "n" * 120 + "/" + "m" * 130: b"long name",
    "sp ace/\u00fcml\u00e4ut \u202e.log": b"text\n" * 700,
}


def tar(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_360_000_000
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, piped: bool = False) -> bytes:
    """The same as ZIP; ``piped`` as from a program that could not go back to write the lengths."""
    buffer = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return buffer.write(data)  # type: ignore[arg-type]

    with zipfile.ZipFile(Pipe() if piped else buffer, "w", method) as archive:  # type: ignore[arg-type]
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2013, 2, 4, 17, 46, 40)), data, method)
    return buffer.getvalue()


def members(folder: Path) -> dict[str, EvidenceFile]:
    """What stands behind the files of a folder, by label."""
    return {file.source: file for file in unfolded(walk(folder)) if file.within is not None}


def content(file: EvidenceFile) -> bytes:
    """What a member holds, decompressed."""
    with open_stream(file) as stream:
        return stream.read()


def plain(data: bytes) -> bytes:
    """What reading gives: compressed data is decompressed on the way."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def contents(folder: Path) -> list[bytes]:
    """What all members hold, in their order."""
    return [content(file) for file in members(folder).values() if file.refusal is None]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_tar_archive_holds_its_files(tmp_path: Path, form: int, compression: str) -> None:
    (tmp_path / f"a.tar{compression}").write_bytes(COMPRESSED[compression](tar(FILES, form)))
    found = members(tmp_path)
    assert [content(file) for file in found.values()] == [plain(data) for data in FILES.values()]
    assert {file.modified_ns for file in found.values()} == {1_360_000_000_000_000_000}
    assert f"a.tar{compression}/compute47/var/log/syslog" in found
    assert content(found[f"a.tar{compression}/compute47/var/log/syslog"]) == log(40)  # back to the first


@pytest.mark.parametrize(
    ("method", "piped"), [(0, False), (0, True), (8, False), (8, True), (zipfile.ZIP_BZIP2, False)]
)
def test_a_zip_archive_holds_its_files(tmp_path: Path, method: int, piped: bool) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(FILES, method, piped=piped))
    assert contents(tmp_path) == [plain(data) for data in FILES.values()]


def test_archives_in_archives_are_followed(tmp_path: Path) -> None:
    inner = gzip.compress(tar({"x/syslog": log(30)}), mtime=0)
    (tmp_path / "all.zip").write_bytes(zipped({"compute47.tar.gz": inner, "b.zip": zipped({"k/messages": log(9)})}))
    found = members(tmp_path)
    assert list(found) == [
        "all.zip/compute47.tar.gz",
        "all.zip/compute47.tar.gz/x/syslog",
        "all.zip/b.zip",
        "all.zip/b.zip/k/messages",
    ]
    assert content(found["all.zip/compute47.tar.gz/x/syslog"]) == log(30)
    assert content(found["all.zip/b.zip/k/messages"]) == log(9)


def test_a_case_of_an_archive_is_a_case_of_its_files(tmp_path: Path) -> None:
    files = {name: data for name, data in FILES.items() if "syslog" in name}
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "logs.tar.xz").write_bytes(lzma.compress(tar(files)))
    for name, data in files.items():
        path = tmp_path / "plain" / "logs.tar.xz" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_360_000_000, 1_360_000_000))
    case = forensics.open_case(tmp_path / "evidence", out=tmp_path / "a.case")
    other = forensics.open_case(tmp_path / "plain", out=tmp_path / "b.case")
    assert case.log_records.collect().equals(other.log_records.collect())
    kept = ["source", "status", "rows", "sha256", "host"]
    own = case.sources.filter(pl.col("archive").is_not_null())
    assert own.select(kept).equals(other.sources.select(kept))
    archive = case.sources.filter(pl.col("archive").is_null()).row(0, named=True)
    assert (archive["format"], archive["status"], archive["note"]) == ("tar archive", "read", "2 members")
    assert case.cite(case.log_records.head(1))["raw"][0] == log(40).split(b"\n")[0] + b"\n"
    assert verify(tmp_path / "a.case") == []
    assert (tmp_path / "a.case" / "evidence.sha256").read_bytes().count(b"\n") == 1
    assert forensics.open_case(tmp_path / "evidence", out=tmp_path / "a.case").sources.equals(case.sources)


def spans(data: bytes, folder: Path) -> list[tuple[int, int, str]]:
    """Stretches of an archive, proven to cover it exactly."""
    (folder / "a").write_bytes(data)
    parts = list(archive_parts(next(iter(walk(folder / "a")))))
    at = 0
    for part in parts:
        assert part.offset_bytes == at
        at += part.length_bytes
    assert at == len(data)
    return [(part.offset_bytes, part.length_bytes, part.kind) for part in parts]


NAMES = [f"node{n}/syslog" for n in range(20)]
MANY = {name: random.Random(name).randbytes(n * 97) for n, name in enumerate(NAMES)}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_costs_the_members_that_it_hits(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([tar, zipped, lambda files: zipped(files, zipfile.ZIP_STORED)]))
    whole = make(MANY)
    folder = tmp_path_factory.mktemp("a")
    (folder / "x").write_bytes(whole)
    sound = {part.member.name: part for part in archive_parts(next(iter(walk(folder)))) if part.member}
    kind = data.draw(st.sampled_from(["flip", "zero", "cut", "insert", "delete", "length"]))
    first = data.draw(st.integers(600, len(whole) - 40))
    size = data.draw(st.integers(1, 30))
    last = first + size
    damaged = {
        "flip": whole[:first] + bytes(octet ^ 0x55 for octet in whole[first:last]) + whole[last:],
        "zero": whole[:first] + bytes(size) + whole[last:],
        "cut": whole[:first],
        "insert": whole[:first] + b"\xa5" * size + whole[first:],
        "delete": whole[:first] + whole[last:],
        "length": whole[:first] + b"7" * size + whole[last:],
    }[kind]
    if kind == "cut":
        last = len(whole)
    (folder / "x").write_bytes(damaged)
    spans_found = spans(damaged, folder)
    assert all(length > 0 for _, length, _ in spans_found)
    read = {file.source: file for file in unfolded(walk(folder / "x")) if file.within and not file.refusal}
    for name, part in sound.items():
        begin, end = part.offset_bytes, part.offset_bytes + part.length_bytes
        if end <= first or begin >= last:
            found = read.get(f"x/{name.decode()}")
            assert found is not None, (kind, name, first, last)
            assert content(found) == MANY[name.decode()]


def test_what_cannot_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (
            ("l", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("f", tarfile.FIFOTYPE),
            ("d", tarfile.CHRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        sparse = tarfile.TarInfo("s")
        sparse.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(sparse)
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    link = zipfile.ZipInfo("z")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    secret = bytearray(zipped({"e": b"x" * 50}))
    secret[6] |= 1
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as linked:
        linked.writestr(link, "/etc/passwd")
    (tmp_path / "c.zip").write_bytes(secret)
    assert {name: file.refusal for name, file in members(tmp_path).items()} == {
        "a.tar/l": "symbolic link",
        "a.tar/h": "hard link inside the archive",
        "a.tar/f": "FIFO",
        "a.tar/d": "device",
        "a.tar/s": "sparse member: unpack it and read the folder",
        "b.zip/z": "symbolic link",
        "c.zip/e": "encrypted",
    }


NAMES = ("../../etc/passwd", "/etc/passwd", "a/../../b", "..", "./x", "a\nb", "C:\\x", "-rf", "", "a" * 4000)


def test_a_hostile_name_is_a_label_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    for n, name in enumerate(NAMES):
        (tmp_path / "e" / f"{n}.tar").write_bytes(tar({name: log(30 + n)}))
    before = sorted(tmp_path.rglob("*"))
    case = forensics.open_case(tmp_path / "e", out=tmp_path / "a.case")
    rows = dict(case.log_records.collect().group_by("source").len().rows())
    assert [rows[label] for label in sorted(rows)] == [30 + n for n in range(len(NAMES))]
    for n, label in enumerate(sorted(rows)):
        assert label.startswith(f"{n}.tar/")
        assert ".." not in label.split("/")
    outside = [p for p in sorted(tmp_path.rglob("*")) if (tmp_path / "a.case") not in (p, *p.parents)]
    assert outside == before


def test_an_archive_of_one_name_keeps_every_copy(tmp_path: Path) -> None:
    both = tar({"syslog": log(12)})
    (tmp_path / "a.tar").write_bytes(both + tar({"syslog": log(31)}))  # as `cat` and `tar --append` make it
    assert {name: content(file) for name, file in members(tmp_path).items()} == {
        "a.tar/syslog": log(12),
        "a.tar/syslog (2)": log(31),
    }


def test_a_document_stays_one_file(tmp_path: Path) -> None:
    (tmp_path / "report.docx").write_bytes(zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}))
    assert members(tmp_path) == {}


def test_a_bomb_ends_at_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forensics.evidence._archives.MOST_MEMBERS", 50)
    monkeypatch.setattr("forensics.evidence._archives.MOST_BYTES", 1 << 20)
    data = zipped({"0": bytes(100_000)})
    for _ in range(12):
        data = zipped({str(n): data for n in range(3)})
    (tmp_path / "a.zip").write_bytes(data)
    found = list(unfolded(walk(tmp_path)))
    assert len(found) <= 51
    refused = {file.refusal for file in found}
    assert refused & {"archive inside too many archives", "beyond what compressed archives may unfold to"}


def test_an_honest_log_may_compress_ten_thousand_to_one(tmp_path: Path) -> None:
    line = b"Feb 15 01:40:18 cc12 kernel: up\n"
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "a.zip").write_bytes(zipped({"syslog.xz": lzma.compress(line * 60_000)}))
    case = forensics.open_case(tmp_path / "e", out=tmp_path / "a.case")
    assert case.log_records.collect().height == 60_000


def test_the_stretches_of_an_archive_are_in_the_case(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    whole = tar(MANY)
    (tmp_path / "e" / "a.tar").write_bytes(whole[:1024] + b"\xff" * 700 + whole[1724:])
    case = forensics.open_case(tmp_path / "e", out=tmp_path / "a.case")
    own = case.records(Span).filter(pl.col("source") == "a.tar").sort("offset_bytes").collect()
    ends = own["offset_bytes"] + own["length_bytes"]
    assert own["offset_bytes"].to_list() == [0, *ends.to_list()[:-1]]
    assert ends[-1] == len(whole)
    assert case.sources.filter(pl.col("source") == "a.tar")["status"].item() == "damaged"


def test_scans_look_into_archives(tmp_path: Path) -> None:
    path = tmp_path / "node1.tar.gz"
    path.write_bytes(
        gzip.compress(tar({"etc/motd": b"hello", "var/log/syslog": log(12), "var/log/daemon.log": log(5)}))
    )
    for given_ in (path, tmp_path):
        rows = forensics.scan_logs(given_).collect()
        assert rows["source"].unique(maintain_order=True).to_list() == [
            f"{path}/var/log/syslog",
            f"{path}/var/log/daemon.log",
        ]
        assert rows.height == 17
