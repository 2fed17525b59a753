"""Log lines by both engines: the compiled kernel and the reference say the same of any octets."""

from __future__ import annotations

from unittest import mock

from polars.testing import assert_frame_equal

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._reader import grammar
from tests.fuzz import Target
from tests.loaders.lines._reading import whole

_REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
_UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
_AWKWARD = (
    "Dec 19 12:11:02 c03 2012-12-19 12:10:59 INFO nova.a [-] ",
    "Dec 19 12:11:02 c03 2012-12-19 12:10:59 INFO  nova.a [-] two blanks",
    "Dec 19 12:11:02 c03 2012-12-19 12:10:59.123 0123456789 INFO nova.a [-] x",
    "Dec 19 12:11:02 c03 2012-12-19 12:10:59.123 01234567890 INFO nova.a [-] x",
    "Dec 32 12:11:02 c03 2012-02-30 25:10:59 CRITICAL nova.a [-] no such times",
    "Feb 29 12:11:60 c03 1899-01-01 12:10:59 CRITICAL nova.a [-] neither",
    f"2014-01-10 09:11:45.072 1 INFO nova.a [{_REQ} - None] x",
    f"2014-01-10 09:11:45.072 1 INFO nova.a [{_REQ}  ] x",
    f"2014-01-10 09:11:45.072 1 INFO nova.a [None {_REQ} a b] x",
    f"2014-01-10 09:11:45.072 1 INFO nova.a [{_REQ} {_REQ} a b c d e f] [instance: {_UUID}]",
    f"2014-01-10 09:11:45.072 1 INFO nova.a [{_REQ} {_REQ} a b c d e f g] x",
    f"2014-01-10 09:11:45.072 1 ERROR nova.a [instance: {_UUID}] bare",
    f"2014-01-10 09:11:45.072 1 ERROR nova.a [instance: {_UUID[:32]}] bare",
    "2014-01-10 09:11:45,072 INFO nova.a [871e24ab-fc79-4dc9-8071-7b5dc1b50cd0 a b] diablo",
    f"2014-01-10 09:11:45.072 1 ERROR {'n' * 64}",
    f"2014-01-10 09:11:45.072 1 ERROR {'n' * 65} x",
    "Feb 15 01:40:23 cc12 kernel: [12345.678901] br100: up",
    "Feb 15 01:40:23 cc12 CRON[77]: (root) CMD (run)",
    "Feb 15 01:40:23 cc12 CRON[77]: (nova.compute): TRACE: x",
    f"Feb 15 01:40:23 cc12 x: ({'a' * 62}): TRACE: x",
    f"Feb 15 01:40:23 cc12 x: ({'a' * 63}): TRACE: x",
    f"Feb 15 01:40:23 cc12 {'p' * 63}: x",
    f"Feb 15 01:40:23 cc12 {'p' * 64}: x",
    "Feb 15 01:40:23 cc12 prog[12345678901]: x",
    "Feb 15 01:40:23 cc12 prog[1]",
    "Feb 15 01:40:23 cc12 prog[1]:",
    "Feb 15 01:40:23.123456 cc12 prog: Feb 15 01:40:23 inner",
    "Feb 15 01:40:23 cc12 nova-api: 2014-01-10 09:11:45.072 1 TRACE nova.a x#012y #011z",
    "Traceback (most recent call last):",
    '  File "x.py", line 1',
    "Exit code: 1",
    "\x1b[31mFeb 15 01:40:23 cc12 x: red\x1b[0m\r",
    "Feb 15 01:40:23 cc12 x: caf\u00e9 \u2713 \U0001f600",
    "2014-01-10 09:11:45.072 1 ERROR nova.a [-] last message repeated 3 times",
    "Feb 15 01:40:23 cc12 kernel: ** 5 printk messages dropped **",
    "",
    " ",
    "F",
    "2",
)


def one(data: bytes) -> None:
    """Rows, stretches, losses and facts are equal, also where chunks are small."""
    for chunk_bytes in (1 << 20, 1 + len(data) % 300 if len(data) < 4000 else len(data) // 2):
        mine = whole(data, chunk_bytes=chunk_bytes)
        with mock.patch.object(_kernel, "kernel", return_value=None):
            theirs = whole(data, chunk_bytes=chunk_bytes)
        assert_frame_equal(mine[0], theirs[0])
        for one_, other in zip(mine[1], theirs[1], strict=True):
            assert (one_.stretches, one_.losses, one_.facts) == (other.stretches, other.losses, other.facts)


def seeds() -> list[bytes]:
    """Samples of every framing, and lines at the edges of the rules."""
    texts = [sample.text.encode() for form in grammar().formats for sample in form.samples]
    awkward = [line.encode() for line in _AWKWARD]
    return [*texts, *awkward, b"\n".join(awkward), b"Feb 15 01:40:23 cc12 x: \xff\xc3\xa9 \x80\0\0"]


TARGETS = (Target("log_lines", one, seeds, lambda inputs: one(b"\n".join(inputs))),)
