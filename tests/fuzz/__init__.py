"""Fuzzing: any octets into every reader and shared layer, and the promises that must hold whatever they are.

A target is data: a function of octets that runs the real reader and asserts, and the seeds to start from. A module
of this folder that has ``TARGETS``, or a function ``one`` with ``seeds`` beside it, is found by listing the folder.
`make fuzz` runs them; `test_fuzz.py` replays what once failed, and a few inputs of each.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
"""Inputs that failed once: a folder a target."""


@dataclass(frozen=True)
class Target:
    """Something that takes octets from outside."""

    name: str
    one: Callable[[bytes], None]
    """Reads the octets and asserts the promises; any exception is a finding."""
    seeds: Callable[[], list[bytes]]
    """Inputs to start from, sound ones."""
    many: Callable[[Sequence[bytes]], None] | None = None
    """The same of many inputs, where one reading can take them all: a reading costs more than what it reads."""
    replayed: int = 200
    """So many inputs, always the same, are tried on each run."""

    @property
    def regressions(self) -> list[Path]:
        """Inputs that failed once."""
        return sorted(path for path in (CORPUS / self.name).glob("*") if path.is_file())


def targets() -> dict[str, Target]:
    """All targets, by name."""
    found: dict[str, Target] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith(("_", "test_")):
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        given = getattr(module, "TARGETS", None)
        if given is None:
            given = [Target(info.name, module.one, module.seeds)] if hasattr(module, "one") else []
        for target in given:
            assert target.name not in found, target.name
            found[target.name] = target
    return dict(sorted(found.items()))
