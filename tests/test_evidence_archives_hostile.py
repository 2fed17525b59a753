"""Archives made to harm (R15) and archives that are damaged (R14): nothing is unpacked, what is whole is read."""

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forensics.evidence import archive_parts, open_stream, unfolded, walk
from tests._linear import SIZE, repeated, takes_linear_time
from tests._slow import SLOW
from tests.test_evidence_archives import COMPRESSED, MANY, content, spans, tar, zipped

ROUNDS = 500 if SLOW else 6
"""Archives damaged in each way."""
NAMES = [
    "../../out", "/tmp/out", "a/../../../out", "..", ".", "./../out", "//out", "a//../..//out", "..\\..\\out",
    "C:\\out", "\\\\host\\share\\out", "~/out", "$HOME/out", "-rf", "a\nb", "\x1b[2J", "\u202egpj.exe", "CON", "k=v/*",
    "a" * 5000, "d/" * 2000 + "out", " ", "http://127.0.0.1:9/out", "file:///etc/passwd", "/proc/self/environ",
]  # fmt: skip
LINKS = ["/etc/passwd", "../../../../etc/passwd", "/proc/self/root", ".", "/dev/zero"]
KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"V", b"M", b"\xff"]


def linked(kind: bytes, target: str) -> bytes:
    """A link of a name and, behind it, a file that would be written through it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("way")
        link.type, link.linkname = kind, target
        archive.addfile(link)
        behind = tarfile.TarInfo("way/out")
        behind.size = 4
        archive.addfile(behind, io.BytesIO(b"out\n"))
    return buffer.getvalue()


def header(**fields: bytes) -> bytes:
    """A tar header with fields as given, and a right checksum."""
    block = bytearray(tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT)[:512])
    places = {"size": (124, 12), "kind": (156, 1), "name": (0, 100)}
    for name, value in fields.items():
        at, size = places[name]
        block[at : at + size] = value.ljust(size, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def sparse() -> Iterator[bytes]:
    """Members that say they are as large as a disk, the old way, by PAX, and with a size that is no number."""
    for size in (b"77777777777", b"\x80" + bytes(5) + b"\xff" * 6, b"\xff" * 12, b"not a size", b"-1", b""):
        for kind in (b"0", b"S"):
            yield header(size=size, kind=kind) + b"data" * 512
    for key in ("GNU.sparse.realsize", "GNU.sparse.size", "size", "GNU.sparse.map", "path"):
        for value in ("1099511627776", "9" * 400, "-1", "0,1,2"):
            record = f" {key}={value}\n"
            body = f"{len(record) + len(str(len(record) + 3))}{record}".encode()
            pax = header(size=b"%011o\0" % len(body), kind=b"x") + body.ljust(-(-len(body) // 512) * 512, b"\0")
            yield pax + header(size=b"%011o\0" % 4) + b"data".ljust(512, b"\0") + bytes(1024)


def nested(depth: int, pack: Callable[[bytes], bytes]) -> bytes:
    """Archives in archives."""
    data = b"core"
    for _ in range(depth):
        data = pack(data)
    return data


def quine() -> bytes:
    """A member whose offset is that of the archive itself."""
    whole = bytearray(zipped({"q.zip": bytes(200)}, zipfile.ZIP_STORED))
    place = whole.rindex(b"PK\x01\x02")
    struct.pack_into("<II", whole, place + 20, len(whole), len(whole))
    struct.pack_into("<I", whole, place + 42, 0)
    struct.pack_into("<II", whole, 18, len(whole), len(whole))
    return bytes(whole)


def overlapping(count: int) -> bytes:
    """A directory that names the same member again and again."""
    whole = zipped({"a": bytes(1 << 20)})
    at = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    entry = whole[at:end]
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, at, 0)
    return whole[:at] + entry * count + tail


def hostile() -> dict[str, bytes]:
    """Archives by a name of their kind."""
    made: dict[str, bytes] = {}
    for n, name in enumerate(NAMES):
        made[f"name-{n}.tar"] = tar({name: b"out\n"})
        made[f"name-{n}.zip"] = zipped({name: b"out\n"})
    for n, target in enumerate(LINKS):
        for k, kind in enumerate(KINDS):
            made[f"link-{n}-{k}.tar"] = linked(kind, target)
    made |= {f"sparse-{n}.tar": data for n, data in enumerate(sparse())}
    packs: dict[str, Callable[[bytes], bytes]] = {
        "zip": lambda data: zipped({"n.zip": data}),
        "tar": lambda data: tar({"n.tar": data}),
        "tar.gz": lambda data: gzip.compress(tar({"n.tar.gz": data}), mtime=0),
        "stored.zip": lambda data: zipped({"n.zip": data}, zipfile.ZIP_STORED),
    }
    for end, pack in packs.items():
        for depth in (9, 60):
            made[f"nested-{depth}.{end}"] = nested(depth, pack)
    zeros = bytes(8 << 20)
    for name, compress in COMPRESSED.items():
        made[f"bomb.tar{name}"] = compress(tar({"zeros": zeros[: 4 << 20] if not name else zeros}))
    made["bomb.zip"] = zipped({"zeros": zeros})
    made["bomb-bzip2.zip"] = zipped({"zeros": zeros}, zipfile.ZIP_BZIP2)
    made["bomb.gz.gz"] = gzip.compress(gzip.compress(gzip.compress(zeros)))
    made["bomb.xz.bz2.gz"] = gzip.compress(bz2.compress(lzma.compress(zeros)))
    made["wide.zip"] = zipped({f"{n}.zip": zipped({f"{m}": zeros[: 1 << 18] for m in range(8)}) for n in range(8)})
    made["quine.zip"] = quine()
    made["overlapping.zip"] = overlapping(2_000)
    made["empty-members.tar"] = tar({f"{n}": b"" for n in range(2_000)})
    made["headers-alone.tar"] = header() * 1_000
    made["openers-alone.zip"] = (b"PK\x03\x04" + bytes(26)) * 20_000
    return made


def test_hostile_archives_make_nothing_and_end_soon(tmp_path: Path) -> None:
    """R15: at most ten seconds each, no file is made, no name leaves the archive, nothing is read through a link."""
    archives = hostile()
    assert len(archives) >= 120
    (tmp_path / "e").mkdir()
    passwords = Path("/etc/passwd").read_bytes() if os.name == "posix" else b"?"
    for name, data in archives.items():
        path = tmp_path / "e" / name
        path.write_bytes(data)
        start = time.process_time()
        for file in unfolded(walk(path)):
            parts = file.source.split("/")
            assert parts[0] == name, file.source
            assert ".." not in parts, file.source
            if file.refusal is None and file.within is not None:
                with open_stream(file) as stream:
                    head = stream.read(1 << 16)
                    while stream.read(1 << 20):
                        pass
                assert head != passwords
        assert time.process_time() - start < 10, name
        assert [one.name for one in tmp_path.rglob("*")] == ["e", name]
        path.unlink()


def endless() -> dict[str, Callable[[int], bytes]]:
    """Archives of any size that are nothing but one thing."""
    entry = zipped({"a": b"x"})
    local = entry[: entry.index(b"PK\x01\x02")]
    streamed = b"PK\x03\x04\x14\0\x08\0\x08\0" + bytes(16) + struct.pack("<HH", 1, 0) + b"a\x03\0"
    huge = b"PK\x03\x04\x14" + bytes(13) + b"\xff\xff\xff\x7f" * 2 + struct.pack("<HH", 1, 0) + b"a"
    named = header(kind=b"L", size=b"%011o\0" % 512)
    pax = header(kind=b"x", size=b"%011o\0" % 512) + b"9 path=a\n" * 56 + bytes(8)
    return {
        "one name.tar": repeated(header(size=b"%011o\0" % 3) + b"abc".ljust(512, b"\0")),
        "one name.zip": repeated(local),
        "headers.tar": repeated(header()),
        "near headers.tar": repeated(header()[:150] + b"?" + header()[151:], header()),
        "sizes.tar": repeated(header(size=b"77777777777"), header()),
        "names.tar": repeated(named + b"n" * 512, header()),
        "pax.tar": repeated(pax, header()),
        "openers.zip": repeated(b"PK\x03\x04" + bytes(26)),
        "directories.zip": repeated(b"PK\x01\x02", entry),
        "ends.zip": repeated(b"PK\x05\x06", entry),
        "streamed.zip": repeated(streamed),
        "sizes.zip": repeated(huge),
        "overlapping.zip": lambda size: overlapping(size // 47),
    }


@pytest.mark.parametrize("name", endless())
def test_hostile_archives_take_linear_time(tmp_path: Path, name: str) -> None:
    """R04: with every member opened and read, which takes some 60 microseconds each."""

    def consumed(data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        for file in unfolded(walk(tmp_path / name)):
            if file.refusal is None and file.within is not None:
                with open_stream(file) as stream:
                    while stream.read(1 << 20):
                        pass

    takes_linear_time(consumed, endless()[name], size=SIZE // 2, s_per_mib=5.0)


def damaged(way: str, whole: bytes, sound: list[tuple[int, int, str]], rng: random.Random) -> tuple[bytes, int, int]:
    """A spoilt archive, and the stretch of the sound one that was touched."""
    first, last, _ = rng.choice(sound[1:])  # what an archive is, is told by its first header
    if way == "header":  # a field of a tar header, whichever
        at = first + rng.randrange(0, 345)
        size = rng.choice((1, 8, 12))
        return (
            whole[:at] + bytes(octet ^ rng.randrange(1, 256) for octet in whole[at : at + size]) + whole[at + size :],
            at,
            at + size,
        )
    if way == "zeros":
        at = first // 512 * 512 + 512 * rng.randrange(3)
        return whole[:at] + bytes(512) + whole[at + 512 :], at, at + 512
    directory = whole.rindex(b"PK\x05\x06") - 46 if way in ("no end", "directory") else 0
    if way == "no end":
        return whole[: whole.rindex(b"PK\x05\x06")], directory + 46, len(whole)
    if way == "directory":
        directory = whole.index(b"PK\x01\x02")
        at = rng.randrange(directory, len(whole) - 30)
        return whole[:at] + rng.randbytes(30) + whole[at + 30 :], at, at + 30
    if way == "joined":
        return whole + whole, len(whole), len(whole)
    at = rng.randrange(first + 1, last)
    return whole[:at], at, len(whole)


@pytest.mark.parametrize("way", ["header", "zeros", "tar cut", "no end", "zip cut", "directory", "joined"])
def test_members_with_a_header_of_their_own_are_read(tmp_path: Path, way: str) -> None:
    """R14: fields of tar headers, blocks of zeros, cuts, ZIP archives without end or directory, two in one file."""
    rng = random.Random(f"R14 {way}")
    path = tmp_path / "x"
    for number in range(ROUNDS):
        kept = dict(rng.sample(sorted(MANY.items()), rng.randrange(3, 20)))
        whole = tar(kept) if way in ("header", "zeros", "tar cut") else zipped(kept)
        path.write_bytes(whole)
        lie = [(part.offset_bytes, part.length_bytes, part.member) for part in archive_parts(next(iter(walk(path))))]
        sound = [(at, at + size, member.name.decode()) for at, size, member in lie if member is not None]
        assert len(sound) == len(kept)
        data, low, high = damaged(way, whole, sound, rng)
        path.write_bytes(data)
        gaps = [stretch for stretch in spans(data, path.parent) if stretch[2] == "gap"]
        assert len(gaps) <= 1, (number, gaps)
        read = {file.source: file for file in unfolded(walk(path)) if file.within and not file.refusal}
        for first, last, name in sound:
            if last <= low or first >= high:
                assert content(read[f"x/{name}"]) == MANY[name], (number, name, low, high)
                if way == "joined":
                    assert content(read[f"x/{name} (2)"]) == MANY[name], (number, name)
