"""Every error the toolkit raises: where it happened, what is wrong, and what to try."""

from __future__ import annotations


class ForensicsError(Exception):
    """Base of all errors of this package.

    Args:
        what: What is wrong, as one clause without a full stop.
        where: The place: ``file``, ``file:position`` or the name of an option.
        hint: What the reader can do about it.

    Examples:
        >>> print(EvidenceError("no such folder", where="incident-0215", hint="give the folder that holds the files"))
        incident-0215: no such folder
        Hint: give the folder that holds the files
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where, hint)  # all of it in args, so that the error survives pickling
        self.what = what
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.hint))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\nHint: {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"


def _rebuild(kind: type[ForensicsError], what: str, where: str | None, hint: str | None) -> ForensicsError:
    return kind(what, where=where, hint=hint)


class EvidenceError(ForensicsError):
    """A file or folder of evidence could not be opened or read at all."""


class NotUnderstoodError(ForensicsError):
    """The bytes are readable, but in no format that was asked for."""


class UnknownColumnError(ForensicsError):
    """A column was asked for that the record does not have; the message lists those it has."""


class CaseError(ForensicsError):
    """A case, its ``case.toml`` or a question put to it makes no sense."""


class DatabaseError(ForensicsError):
    """A live database could not be reached or read; the message never holds its password."""


class StoppedError(ForensicsError):
    """The system refused what a case needs: room, a descriptor, a write; run again, it goes on from there."""


class StoreDamagedError(ForensicsError):
    """A file of the case store no longer matches its digest."""
