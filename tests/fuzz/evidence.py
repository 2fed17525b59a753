"""Compressed data and archives: what can be decoded comes out, in whatever steps it is asked for, within bounds."""

from __future__ import annotations

import io
import os
import random
import tarfile
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from forensics.errors import ForensicsError
from forensics.evidence import archive_parts, open_stream, stream_of, unfolded, walk
from tests.fuzz import Target
from tests.fuzz._promises import MOST_BYTES, all_of, covered
from tests.test_evidence_stream import COMPRESSIONS, text


def decoded(data: bytes) -> None:
    """Whole, and in steps: the same octets, and the same gaps."""
    whole = stream_of(io.BytesIO(data), "x")
    octets = whole.read(MOST_BYTES)
    assert whole.offset == len(octets)
    places = [place for place, _ in whole.gaps]
    assert places == sorted(places)
    if len(octets) == MOST_BYTES:
        return
    if whole.compression is None:
        assert octets == data
    assert not places or places[-1] <= len(octets)
    steps = stream_of(io.BytesIO(data), "x")
    rng, parts = random.Random(data), []
    while part := steps.read(rng.choice((1, 17, 4096, 300_000))):
        parts.append(part)
    assert b"".join(parts) == octets
    assert steps.gaps == whole.gaps


def compressed(name: str) -> list[bytes]:
    """One member, several, none, one inside another, and with what follows."""
    pack, rng = COMPRESSIONS[name], random.Random(name)
    small, large = pack(text(rng, 3)), pack(text(rng, 200))
    return [
        small, large, pack(b""), small + large, small + bytes(700), small + b"garbage" * 9, pack(small),
        large[: len(large) // 2], large[:-3], pack(bytes(100_000)), small * 5, large[:40] + small,
    ]  # fmt: skip


def archived(data: bytes) -> None:
    """An archive on disk: its parts cover it, and each member can be read to its end, or says why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tar"
        path.write_bytes(data)
        os.utime(path, (1, 1))
        files = list(unfolded(walk(Path(folder))))
        assert files[0].path == path
        assert len({file.source for file in files}) == len(files)
        try:
            parts = list(archive_parts(files[0]))
        except ForensicsError:
            parts = None
        if parts is not None:
            size = len(all_of(open_stream(files[0])))
            if size < MOST_BYTES:
                covered([(part.offset_bytes, part.length_bytes, False) for part in parts], size, disjoint=True)
        for file in files[:200]:
            try:
                all_of(open_stream(file), 1 << 20)
            except ForensicsError:
                assert file.refusal is not None, file.source


def tars() -> list[bytes]:
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for name, octets in (
                ("cc12/nova.log", b"2013-02-15 01:40:23 up\n" * 9),
                (f"{'d' * 60}/{'l' * 90}", b""),
                ("e", b"x" * 600),
            ):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime = len(octets), 1_360_892_418
                archive.addfile(entry, io.BytesIO(octets))
            link = tarfile.TarInfo("../link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        found.append(buffer.getvalue())
    inner = found[0]
    return [*found, COMPRESSIONS["gzip"](inner), COMPRESSIONS["zstd"](inner), inner[:700], inner + bytes(1024) + inner]


def zips() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("cc12/nova.log", b"2013-02-15 01:40:23 up\n" * 50)
            archive.writestr("empty/", b"")
            archive.writestr("inner.gz", COMPRESSIONS["gzip"](b"inner"))
        found.append(buffer.getvalue())
    return [*found, found[0][:-30], found[1] + found[0], found[1][:90], COMPRESSIONS["gzip"](found[1])]


TARGETS = (
    *(Target(f"decode-{name}", decoded, partial(compressed, name)) for name in COMPRESSIONS),
    Target("archive-tar", archived, tars),
    Target("archive-zip", archived, zips),
)
