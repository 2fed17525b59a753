"""From a folder of evidence to a cause: captures, logs and events of a private cloud as data frames and findings.

import forensics as fx

fx.scan_packets("compute*.pcap")      # lazily, straight from the file
case = fx.open_case("incident-0215/")  # a folder of evidence, or a case already loaded
case.findings
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m forensics` looks for every module in the current folder first, and that may be the
    # evidence. While a package is imported for -m, argv[0] is still "-m" (PEP 338).
    del sys.path[0]

TYPE_CHECKING = False  # as type checkers know it, without the import
if TYPE_CHECKING:
    from forensics._namespaces import pandas_accessor
    from forensics.case import Case, open_case
    from forensics.case._factors import common_factors
    from forensics.case._follow import follow
    from forensics.errors import (
        CaseError,
        EvidenceError,
        ForensicsError,
        NotUnderstoodError,
        StoppedError,
        StoreDamagedError,
        UnknownColumnError,
    )
    from forensics.loaders._scan_records import scan_dhcp, scan_notifications, scan_records, scan_requests
    from forensics.loaders.captures.packets import scan_packets
    from forensics.loaders.log_files import scan_logs
    from forensics.report._show import show
    from forensics.report._table import table

_HOMES = {
    "Case": "forensics.case",
    "common_factors": "forensics.case._factors",
    "follow": "forensics.case._follow",
    "open_case": "forensics.case",
    "scan_dhcp": "forensics.loaders._scan_records",
    "scan_logs": "forensics.loaders.log_files",
    "scan_notifications": "forensics.loaders._scan_records",
    "scan_packets": "forensics.loaders.captures.packets",
    "scan_records": "forensics.loaders._scan_records",
    "scan_requests": "forensics.loaders._scan_records",
    "pandas_accessor": "forensics._namespaces",
    "show": "forensics.report._show",
    "table": "forensics.report._table",
    "CaseError": "forensics.errors",
    "EvidenceError": "forensics.errors",
    "ForensicsError": "forensics.errors",
    "NotUnderstoodError": "forensics.errors",
    "StoppedError": "forensics.errors",
    "StoreDamagedError": "forensics.errors",
    "UnknownColumnError": "forensics.errors",
}

__all__ = [
    "Case",
    "CaseError",
    "EvidenceError",
    "ForensicsError",
    "NotUnderstoodError",
    "StoppedError",
    "StoreDamagedError",
    "UnknownColumnError",
    "common_factors",
    "follow",
    "open_case",
    "pandas_accessor",
    "scan_dhcp",
    "scan_logs",
    "scan_notifications",
    "scan_packets",
    "scan_records",
    "scan_requests",
    "show",
    "table",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: ``import forensics`` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    if _HOMES[name] != "forensics.errors":
        importlib.import_module("forensics._namespaces")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "polars" in sys.modules or "IPython" in sys.modules:  # elsewhere ``df.forensics`` comes with the first name used
    import forensics._namespaces  # noqa: F401 - for what it registers
