"""FileSize: one file's size and line count at one instant."""

from __future__ import annotations

from forensics.records._record import choice, instant, number, size, text
from forensics.records.snapshot import Snapshot


class FileSize(Snapshot):
    """One file or folder, as ls, du, wc, find or stat showed it, or as it is; or a file system (``mount``), as df did.

    A rounded figure stands in its column as it was printed; ``low_bytes`` and ``high_bytes`` say what it allows.
    They are those of ``size_bytes`` where that is told, else of ``allocated_bytes``; of a mount, of what is used.
    """

    path = text("path; absolute where the listing or the prompt's folder tells")
    kind = choice("what it is", "file", "folder", "link", "other", "total", "mount", "unknown")
    size_bytes = size("apparent size", nullable=True)
    allocated_bytes = size("blocks on disk", nullable=True)
    low_bytes = size("least size that the rounded figure allows", nullable=True)
    high_bytes = size("greatest size that the rounded figure allows", nullable=True)
    lines = number("lines (newlines)", nullable=True)
    modified_at = instant("modification time of the file", nullable=True)
    owner = text("owner", nullable=True)
    links = number("hard links", nullable=True)
    inode = number("inode", nullable=True)
    target = text("where a link leads", nullable=True)
    tool = text("ls, du, wc, find, stat, df; ``the file itself`` where it is there")
    instance = text("instance whose folder it is in, by uuid", nullable=True)
    instance_name = text("instance whose folder it is in, by name", nullable=True)
    image_hash = text("SHA-1 in the name of a base file", nullable=True)
