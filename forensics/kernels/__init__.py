"""The optional compiled kernels: small C beside the numpy and polars engines, equal to them in every value.

Where a compiler was there at install, ``forensics.kernels._compiled`` holds the functions of the C files beside this
one. They use nothing of Python: they are called through `ctypes`, which lets other threads run meanwhile. Without it
the reference engines do the same work more slowly. The environment variable ``FORENSICS_ENGINE`` forces one:
``compiled`` or ``reference``.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from collections.abc import Mapping, Sequence
from typing import Any

from forensics.errors import ForensicsError

__all__ = ["ENGINES", "VARIABLE", "Signatures", "engine", "functions", "library", "typed"]

ENGINES = ("compiled", "reference")
VARIABLE = "FORENSICS_ENGINE"
Signatures = Mapping[str, tuple[Any, Sequence[Any]]]
"""Types of results and of arguments, by name of the function."""


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled functions; None where the reference engines are to do the work.

    Raises:
        ForensicsError: If the environment asks for an engine that is unknown or not installed.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked and asked not in ENGINES:
        raise ForensicsError(f"there is no engine {asked!r}", where=VARIABLE, hint=f"set it to {' or '.join(ENGINES)}")
    found = None if asked == "reference" else importlib.util.find_spec("forensics.kernels._compiled")
    if found is not None and found.origin:
        return ctypes.CDLL(found.origin)
    if asked == "compiled":
        raise ForensicsError(
            "the compiled engine is not installed", where=VARIABLE, hint="install again where there is a C compiler"
        )
    return None


def functions(file: str, version: int, signatures: Signatures) -> ctypes.CDLL | None:
    """The functions of one C file, with their types; None where the reference engine does the work.

    Args:
        file: Its name; it exports ``FILE_version``.
        version: What that gives; functions of another version, left from an earlier installation, are not used.
        signatures: What is called.
    """
    found = library()
    told = getattr(found, f"{file}_version", None)
    return typed(found, signatures) if found is not None and told is not None and told() == version else None


def typed(found: ctypes.CDLL, signatures: Signatures) -> ctypes.CDLL:
    """The library, its functions knowing their types."""
    for name, (result, arguments) in signatures.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def engine() -> str:
    """Which engine reads headers and lines: one of `ENGINES`."""
    return "reference" if library() is None else "compiled"
