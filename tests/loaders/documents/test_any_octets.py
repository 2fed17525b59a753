"""Whatever the octets, and whichever reader gets them: nothing crashes, no octet is lost, every row is sound."""

import io
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin, Reader
from forensics.loaders._registry import _tier, pick, readers
from tests._linear import SIZE, repeated, takes_linear_time
from tests.fuzz import notifications
from tests.fuzz._mutation import mutated
from tests.fuzz._promises import read

DOCUMENTS = [reader for reader in readers() if _tier(reader) == "documents"]
EXAMPLES = int(os.environ.get("FORENSICS_EXAMPLES", "500"))
CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").iterdir())}
FILES = list(CORPUS.values())
LINES = [octets.splitlines(keepends=True) for octets in FILES]
LONGEST = 1500


def likely(reader: Reader) -> list[bytes]:
    """Documents that a reader thinks its own."""
    return [octets for octets in FILES if reader.likeness(octets[:65536], "cc12/x.txt") > 0]


@pytest.mark.parametrize("reader", DOCUMENTS, ids=lambda reader: reader.name)
def test_every_reader_takes_every_document(reader: Reader) -> None:
    rng = random.Random(reader.name)
    own = likely(reader)
    for octets in [*own, *rng.sample(FILES, 6), b""]:
        read(reader, octets)
    for octets in [*own[:3], *rng.sample(FILES, 3)]:
        read(reader, mutated(octets, rng, FILES))


def piece(seed: int) -> bytes:
    """Some lines of a document, most often the first ones, damaged."""
    rng = random.Random(seed)
    lines = rng.choice(LINES)
    at = rng.choice((0, 0, rng.randrange(len(lines))))
    return mutated(b"".join(lines[at : at + rng.randint(1, 8)])[:LONGEST], rng)


MADE = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    *[st.integers(0, 1 << 32).map(piece)] * 2,
)


@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(octets=MADE)
def test_any_octets_are_accounted_for_by_every_reader(octets: bytes) -> None:
    """R01: each made file, half of them damaged documents, goes through all readers, which most refuse at a glance."""
    for reader in DOCUMENTS:
        try:
            read(reader, octets, validated=False)
        except BaseException as error:
            error.add_note(f"{reader.name} of {octets!r}")
            raise


@pytest.mark.parametrize("reader", DOCUMENTS, ids=lambda reader: reader.name)
def test_hostile_documents_take_linear_time(reader: Reader) -> None:
    """R04: a document again and again, and its first lines before lines that are hardly there, or one without end."""

    def consumed(octets: bytes) -> None:
        for _ in reader.batches(stream_of(io.BytesIO(octets), "x"), Origin("cc12/x.txt")):
            pass

    whole = max(likely(reader), default=reader.name.encode() + b"\n", key=len)
    head = b"".join(whole.splitlines(keepends=True)[:2])
    for unit in (b"a\n", b"\n", b"('"):
        takes_linear_time(consumed, repeated(unit, head), size=SIZE // 16, s_per_mib=5.0)
    # what has a table a line takes ten milliseconds each
    takes_linear_time(consumed, repeated(whole), size=SIZE // 128, s_per_mib=5.0)


def test_a_thousand_rows_read_again_from_their_octets_say_the_same() -> None:
    """R01: notifications, in another order, and without what stood between them."""
    (reader,) = (reader for reader in DOCUMENTS if reader.name == "notifications")
    rng = random.Random(1)
    first = rows_of(reader, b"noise\n".join(line + b"\n" for line in notifications.lines()))
    assert first
    drawn = [rng.choice(first) for _ in range(1000)]
    again = rows_of(reader, b"".join(octets for octets, _ in drawn))
    assert sorted(told for _, told in again) == sorted(told for _, told in drawn)


def rows_of(reader: Reader, octets: bytes) -> list[tuple[bytes, str]]:
    """The octets of each row, and what it says less where it stands."""
    found = []
    for batch in reader.batches(stream_of(io.BytesIO(octets), "x"), Origin("cc12/x.txt")):
        for record, frame in batch.rows.items():
            places = frame.select("offset_bytes", "length_bytes").rows()
            told = frame.drop("offset_bytes", "position").rows(named=True)
            found += [
                (octets[at : at + n], f"{record.__name__} {row}") for (at, n), row in zip(places, told, strict=True)
            ]
    return found


def test_each_document_of_the_corpus_is_somebodys() -> None:
    """No document is read as a log, or by nobody; the last is noise."""
    for name, octets in CORPUS.items():
        reader = pick(octets, "cc12/etc/nova/nova.conf" if name == "flagfile" else "cc12/x.txt")
        if name in ("du", "noise"):
            continue  # a size and a name alone could be anything
        assert reader is not None, name
        assert reader in DOCUMENTS, (reader.name, name)
