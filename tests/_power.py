"""A disk that loses power: what is on it is what was synced, and of the rest whatever chance lets through.

The model is harsher than file systems are: each sector of 512 octets and each name in a folder that were not synced
are, independently, as they were or as they are to be; a file that was renamed may have both names, or none.
"""

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SECTOR = 512
Names = dict[str, int]
Left = dict[str, bytes | None]
"""Octets of files by their path; folders, whose path ends with a slash, have none."""


def lay(left: Left, place: Path) -> None:
    """Write it where there is nothing yet."""
    for name, octets in left.items():
        if octets is None:
            (place / name).mkdir()
        else:
            (place / name).write_bytes(octets)


@dataclass(frozen=True)
class Moment:
    """What programs see, and what is on the disk: octets of files and names in folders, by inode."""

    root: int
    files: dict[int, bytes]
    folders: dict[int, Names]
    synced_files: dict[int, bytes]
    synced_folders: dict[int, Names]

    def cut(self, rng: random.Random) -> Left:
        """What is left after the power is gone here."""
        left: Left = {}
        self._folder(self.root, "", left, rng, rng.choice((0.0, 0.1, 0.5, 0.9, 1.0)))
        return left

    def _folder(self, inode: int, place: str, left: Left, rng: random.Random, late: float) -> None:
        left[place] = None
        old, new = self.synced_folders.get(inode, {}), self.folders.get(inode, {})
        for name in sorted({*old, *new}):
            is_late = rng.random() < late
            own = old.get(name) if old.get(name) == new.get(name) or not is_late else new.get(name)
            if own is None:
                continue
            if own in self.folders or own in self.synced_folders:
                self._folder(own, f"{place}{name}/", left, rng, late)
            else:
                left[place + name] = self._file(own, rng, late)

    def _file(self, inode: int, rng: random.Random, late: float) -> bytes:
        old, new = self.synced_files.get(inode, b""), self.files.get(inode, b"")
        if old == new:
            return new
        size = len(new) if rng.random() < late else rng.choice((len(old), rng.randint(0, len(new))))
        pieces = []
        for at in range(0, size, SECTOR):
            piece = (new if rng.random() < late else old)[at : min(at + SECTOR, size)]
            pieces.append(piece.ljust(min(SECTOR, size - at), b"\0"))
        return b"".join(pieces)


class Disk:
    """Watches a folder while something is written there, and keeps a moment before and after each sync and rename.

    Args:
        root: The folder. What is in it is on the disk already.
        honest: Whether a sync does anything.
    """

    def __init__(self, root: Path, *, honest: bool = True) -> None:
        self.root, self.honest = root, honest
        self.moments: list[Moment] = []
        self._open: dict[int, int] = {}  # lest the numbers of inodes are used again
        self._lock = threading.Lock()
        self._files, self._folders = self._seen()
        for path in (root, *root.rglob("*")):
            self._hold(os.open(path, os.O_RDONLY))

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """From here on; ends with the patch."""
        for name in ("rename", "replace", "mkdir", "rmdir"):
            patch.setattr(os, name, self._noted(getattr(os, name)))
        sync = os.fsync

        def fsync(handle: int) -> None:
            with self._lock:
                self._note()
                sync(handle)
                if self.honest:
                    self._sync(handle)
                self._note()

        patch.setattr(os, "fsync", fsync)

    def _noted(self, call: Callable[..., None]) -> Callable[..., None]:
        def noted(*arguments: object, **named: object) -> None:
            with self._lock:
                self._note()
                call(*arguments, **named)
                self._note()

        return noted

    def _sync(self, handle: int) -> None:
        path, inode = Path(f"/proc/self/fd/{handle}"), os.fstat(handle).st_ino
        self._hold(os.dup(handle))
        if path.is_dir():
            with os.scandir(path) as entries:
                self._folders[inode] = {entry.name: entry.inode() for entry in entries}
        else:
            self._files[inode] = path.read_bytes()

    def _hold(self, handle: int) -> None:
        inode = os.fstat(handle).st_ino
        if inode in self._open:
            os.close(handle)
        self._open.setdefault(inode, handle)

    def _seen(self) -> tuple[dict[int, bytes], dict[int, Names]]:
        files, folders = {}, {}
        for here, _, names in os.walk(self.root):
            with os.scandir(here) as entries:
                folders[os.stat(here).st_ino] = {entry.name: entry.inode() for entry in entries}
            for name in names:
                path = Path(here, name)
                files[path.stat().st_ino] = path.read_bytes()
        return files, folders

    def _note(self) -> None:
        files, folders = self._seen()
        if self.moments:  # octets are shared by the moments that have them
            last = self.moments[-1].files
            files = {inode: last[inode] if last.get(inode) == data else data for inode, data in files.items()}
        root = self.root.stat().st_ino
        self.moments.append(Moment(root, files, folders, dict(self._files), dict(self._folders)))

    def close(self) -> None:
        """Let go of what was held."""
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()
