"""Whatever the octets, and whichever reader gets them: nothing crashes, no octet is lost, every row is sound."""

import io
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin, Reader
from forensics.loaders._registry import _tier, readers
from forensics.records import Record

DOCUMENTS = [reader for reader in readers() if _tier(reader) == "documents"]
EXAMPLES = int(os.environ.get("FORENSICS_EXAMPLES", "5"))
CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").iterdir())}


def check(reader: Reader, octets: bytes, name: str = "cc12/x.txt") -> None:
    """Read, and hold what `Batch` promises."""
    origin = Origin(name, host="cc12", modified_ns=1_360_892_418 * 10**9)
    covered = bytearray(len(octets))
    stretches = []
    for batch in reader.batches(stream_of(io.BytesIO(octets), name), origin):
        for record, frame in batch.rows.items():
            assert isinstance(record, type)
            assert issubclass(record, Record)
            record.validate(frame, cast=False)
            for offset, length in frame.select("offset_bytes", "length_bytes").iter_rows():
                assert 0 <= offset <= offset + length <= len(octets)
                covered[offset : offset + length] = b"\1" * length
        stretches += batch.stretches
    for one in stretches:
        where = slice(one.offset_bytes, one.offset_bytes + one.length_bytes)
        assert one.length_bytes > 0, one
        assert not any(covered[where]), one
        covered[where] = b"\1" * one.length_bytes
    assert all(covered), (covered.index(0), octets[covered.index(0) :][:60])


def damaged(octets: bytes, rng: random.Random) -> bytes:
    """The same with a few places cut, doubled, swapped or overwritten."""
    out = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(out) + 1), rng.randint(1, 20)
        what = rng.randrange(5)
        if what == 0:
            del out[at : at + size]
        elif what == 1:
            out[at:at] = out[at : at + size]
        elif what == 2:
            out[at : at + 1] = bytes((rng.randrange(256),))
        elif what == 3:
            out[at:at] = rng.choice(
                (b"\n", b"\t", b"'", b'"', b"\\", b"|", b"(", b"]", b"\xff\xfe", b"\0", b"-1", b"9" * 25)
            )
        else:
            del out[at:]
    return bytes(out)


@pytest.mark.parametrize("reader", DOCUMENTS, ids=lambda reader: reader.name)
def test_every_reader_takes_every_document(reader: Reader) -> None:
    rng = random.Random(reader.name)
    for octets in CORPUS.values():
        check(reader, octets)
    for octets in rng.sample(list(CORPUS.values()), 6):
        check(reader, damaged(octets, rng))
    check(reader, b"")


@pytest.mark.parametrize("reader", DOCUMENTS, ids=lambda reader: reader.name)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    octets=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
)
def test_any_octets(reader: Reader, octets: bytes) -> None:
    # a reader sees what a compressed stream holds, and never its own octets
    assume(not octets.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"PK")))
    check(reader, octets)


def test_each_document_of_the_corpus_is_somebodys() -> None:
    """No document is read as a log, or by nobody; the last is noise."""
    from forensics.loaders._registry import pick

    for name, octets in CORPUS.items():
        reader = pick(octets, "cc12/etc/nova/nova.conf" if name == "flagfile" else "cc12/x.txt")
        if name in ("du", "noise"):
            continue  # a size and a name alone could be anything
        assert reader is not None, name
        assert reader in DOCUMENTS, (reader.name, name)
