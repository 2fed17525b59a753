"""A file that changes while it is read: no more is read than there was, and every change is told."""

import os
import random
import threading
import time

import pytest

from forensics.evidence import open_stream, walk

posix = pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced elsewhere")


def grow(path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def shrink(path) -> None:
    os.truncate(path, 60_000)


def replace(path) -> None:
    os.rename(path, f"{path}.1")
    with open(path, "wb") as file:
        file.write(b"b" * 100_000)


def modify(path) -> None:
    with open(path, "r+b") as file:
        file.seek(70_000)
        file.write(b"c" * 1000)


def remove(path) -> None:
    os.unlink(path)


@pytest.mark.parametrize(
    ("act", "words"),
    [(grow, "grown by 4"), (shrink, "cut by 40000"), (replace, "replaced"), (modify, "modified"), (remove, "removed")],
)
@posix
def test_r13_every_change_between_open_and_finish_is_told(act, words, tmp_path):
    """75 races of each kind, some before the first octet, some in the middle, some after the last."""
    source = random.Random(13)
    for number in range(75):
        path = tmp_path / f"{number}" / "nova.log"
        path.parent.mkdir()
        path.write_bytes(b"a" * 100_000)
        (file,) = walk(path)
        with open_stream(file, digest=bool(number % 2)) as stream:
            worker = threading.Timer(source.choice([0, 0.0005, 0.001]), act, [path])
            worker.start()
            size = 0
            while part := stream.read(10_000):
                size += len(part)
                if number % 3:
                    time.sleep(0.0003)
            worker.join()
            told = stream.finish()
            assert size <= 100_000
            assert size in (100_000, 60_000) or act is shrink
            assert (size == 100_000) == (stream.gaps == [])
            assert told.changed is not None
            assert words in told.changed
    with open_stream(*untouched(tmp_path)) as stream:
        stream.read()
        assert stream.finish().changed is None


def untouched(tmp_path):
    (tmp_path / "untouched").write_bytes(b"a")
    return walk(tmp_path / "untouched")


def test_not_more_is_read_than_there_was_when_it_was_opened(tmp_path):
    path = tmp_path / "nova.log"
    path.write_bytes(b"a" * 10)
    with open_stream(*walk(path), digest=True) as stream:
        grow(path)
        assert stream.read() == b"a" * 10
        told = stream.finish()
    assert told.size_bytes == 10
    assert told.changed == "grown by 4 octets while it was read"
