"""Consoles of instances, found where nova keeps them: how large they are, whatever a guest wrote into them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders.documents._document import Document, head_of
from forensics.loaders.documents._places import owners
from forensics.records import FileSize, Record

_NAME = re.compile(r"(?:^|/)console\.log(?:\.\d+)?(?:\.(?:gz|bz2|xz|zst|lz4))?$")
_ROOT = re.compile(r"(?:^|/)(?P<path>(?:var|srv|opt|mnt|home)/.*)$")
_PART_BYTES = 1 << 20


def _place(source: str) -> str:
    """Path of the file on the host that it was taken from, as far as its path in the evidence tells.

    Examples:
        >>> _place("cc12/var/lib/nova/instances/instance-00000e05/console.log")
        '/var/lib/nova/instances/instance-00000e05/console.log'
    """
    found = _ROOT.search(source)
    return "/" + found["path"] if found else source


class ConsoleLog:
    """One row: a guest writes what it likes, without instants; its octets and lines are what there is to say."""

    name = "console-log"
    record: type[Record] = FileSize
    bases: tuple[type[Record], ...] = (FileSize,)
    yields: tuple[type[Record], ...] = (FileSize,)
    reference = "nova virt/libvirt/utils.py get_console_log_path; libvirt virtlogd, rotated from Ocata on"

    def likeness(self, head: bytes, name: str) -> float:
        """Its name alone tells: what a guest wrote may look like the log of any program."""
        return 1.0 if head and _NAME.search(name) and owners(name) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        head = head_of(stream.peek(), origin.source)
        part = memoryview(bytearray(_PART_BYTES))
        size = lines = 0
        while count := stream.readinto(part):
            size += count
            lines += part.obj.count(b"\n", 0, count)  # type: ignore[attr-defined]
        document = Document([""], origin, head, {})
        path = _place(origin.source)
        document.add(
            FileSize, 0, path=path, kind="file", size_bytes=size, low_bytes=size, high_bytes=size, lines=lines,
            modified_at=origin.modified_ns, tool="the file itself", **owners(path),
        )  # fmt: skip
        yield document.batch([0, size], self.name, records)


READERS: tuple[Reader, ...] = (ConsoleLog(),)
