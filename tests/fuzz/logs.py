"""Logs: the framings of each module through the reader of logs, and what programs say in each message format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

from polars.testing import assert_frame_equal

from forensics._discovery import modules
from forensics.loaders import log_files
from forensics.loaders._line_format import LineFormat
from forensics.loaders._message_format import MessageFormat, message_formats
from forensics.loaders.lines._reader import grammar
from tests.fuzz import Target
from tests.fuzz._promises import read as promised
from tests.loaders.lines._reading import read

(LOGS,) = log_files.READERS


def one(data: bytes) -> None:
    """The reader of the case; and framings alone, by octets and by patterns."""
    promised(LOGS, data, "cc12/x.log")
    if hashlib.sha256(data).digest()[0] % 8 == 0:
        assert_frame_equal(read(data), read(data, fast=False))


def many(inputs: Sequence[bytes]) -> None:
    """All as lines of one log, by octets and by patterns."""
    data = b"\n".join(inputs)
    assert_frame_equal(read(data), read(data, fast=False))


def messages_of(inputs: Sequence[bytes]) -> None:
    """All as lines of one log."""
    promised(LOGS, b"\n".join(inputs), "cc12/x.log")


def lines(formats: list[LineFormat]) -> list[bytes]:
    """Samples of framings, each alone and all together, with lines that belong to none between them."""
    texts = [sample.text.encode() for form in formats for sample in form.samples]
    return [*(text + b"\n" for text in texts), b"\n".join(texts), b"\n\tat x\nNone\n\n".join(texts * 2)]


def framed(form: MessageFormat, text: str) -> str:
    """A message as a line that names who said it."""
    if form.asks == "program":
        return f"Feb 15 01:40:23 cc12 {form.said_by}[7]: {text}"
    if form.asks == "logger":
        return f"2013-02-15 01:40:23.123 7 INFO {form.said_by} [-] {text}"
    named = next(one for one in grammar().formats if one.name == form.said_by)
    sample = named.samples[0]
    return sample.text.replace(str(sample.expected.get("message", "\0")), text)


def messages(name: str) -> list[bytes]:
    """Samples of the message formats of one record."""
    texts = [
        framed(form, sample.text).encode()
        for form in message_formats()
        if form.record.__name__ == name
        for sample in form.samples
    ]
    return [*(text + b"\n" for text in texts), b"\n".join(texts)]


def _framings() -> dict[str, list[LineFormat]]:
    known = {form.name for form in grammar().formats}
    found = {}
    for module in modules("forensics.loaders.lines"):
        formats = [*getattr(module, "FORMATS", ()), *([module.FORMAT] if hasattr(module, "FORMAT") else [])]
        own = [form for form in formats if isinstance(form, LineFormat) and form.name in known and form.samples]
        if own:
            found[module.__name__.rpartition(".")[2]] = own
    return found


TARGETS = (
    *(Target(f"lines-{name}", one, partial(lines, formats), many) for name, formats in _framings().items()),
    *(
        Target(f"messages-{name}", one, partial(messages, name), messages_of)
        for name in sorted({form.record.__name__ for form in message_formats()})
    ),
)
