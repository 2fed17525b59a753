"""The report on paper: a browser that is installed here prints the page, without a network."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from forensics.errors import CaseError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_AFTER_S = 120


def pdf(page: bytes, target: Path) -> Path:
    """Print a page.

    Args:
        page: The report in HTML; it loads nothing, and its policy forbids that it would.
        target: The file to write.

    Raises:
        CaseError: If no browser is installed, or it fails.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        hint = "install Chromium or Chrome, or open the report in a browser and print it from there"
        raise CaseError("there is no browser to print with", where=str(target), hint=hint)
    with tempfile.TemporaryDirectory(prefix="forensics-pdf-") as folder:
        source, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_bytes(page)
        options = ["--headless", "--disable-gpu", "--no-sandbox", "--no-pdf-header-footer", "--disable-extensions",
                   "--disable-background-networking", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
                   f"--user-data-dir={folder}/profile", f"--print-to-pdf={made}"]  # fmt: skip
        try:
            command = [browser, *options, source.as_uri()]
            done = subprocess.run(command, capture_output=True, timeout=_AFTER_S, cwd=folder, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            hint = "print the HTML report from a browser"
            raise CaseError(f"the browser did not print within {_AFTER_S} s", where=browser, hint=hint) from error
        if done.returncode or not made.exists():
            said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
            raise CaseError(f"the browser could not print: {said}", where=browser)
        target.write_bytes(made.read_bytes())
    return target
