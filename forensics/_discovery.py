"""Formats, analyses and charts are found by listing their folders: nothing is registered by hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def modules(package: str) -> Iterator[ModuleType]:
    """Import and yield the public modules of a package, in alphabetical order.

    Args:
        package: Dotted name, such as ``forensics.analysis``. Modules whose name
            starts with an underscore are helpers and are passed over.
    """
    parent = importlib.import_module(package)
    for name in sorted(info.name for info in pkgutil.iter_modules(parent.__path__)):
        if not name.startswith("_"):
            yield importlib.import_module(f"{package}.{name}")
