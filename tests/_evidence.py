"""Where the collection of real public evidence lies, for the tests that compare with it."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def evidence_root() -> Path:
    """The folder of the collection; skips the calling test, with the reason, where there is none."""
    named = os.environ.get("FORENSICS_EVIDENCE")
    root = Path(named) if named else REPOSITORY.parent / "shared" / "evidence"
    if not (root / "MANIFEST.tsv").is_file():
        pytest.skip(f"the evidence collection is not here ({root}); set FORENSICS_EVIDENCE to its folder")
    return root
