"""Writes the pictures of README: what `forensics demo` prints on a terminal, and the report of a bundled incident."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
COLUMNS = 100
THEME = TerminalTheme(
    (20, 23, 30),
    (232, 234, 240),
    [(20, 23, 30), (255, 107, 107), (43, 199, 155), (240, 185, 58), (86, 180, 233), (200, 140, 220), (86, 200, 220),
     (232, 234, 240)],
    [(107, 114, 128), (255, 107, 107), (43, 199, 155), (240, 185, 58), (86, 180, 233), (200, 140, 220),
     (86, 200, 220), (255, 255, 255)],
)  # fmt: skip


def demo(folder: Path) -> str:
    """What a terminal shows of `forensics demo`."""
    command = [Path(sys.executable).with_name("forensics"), "demo", "--out", "demo"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment.pop("NO_COLOR", None)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=quiet, env=environment) as running:  # noqa: S603
        os.close(theirs)
        told = bytearray()
        while part := _part(ours):
            told += part
    os.close(ours)
    if running.returncode not in (0, 3):
        raise SystemExit(f"forensics demo ended with {running.returncode}")
    return told.decode().replace("\r\n", "\n")


def _part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux: the other end is closed
        return b""


def drawn(text: str) -> str:
    """A terminal as SVG; it asks for no font on the network."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ forensics demo\n", style="bold"), Text.from_ansi(text.rstrip()), sep="")
    svg = console.export_svg(title="cloud-forensics", theme=THEME, unique_id="demo")
    return re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", svg, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")


def main() -> None:
    """Write both."""
    with tempfile.TemporaryDirectory() as folder:
        svg = drawn(demo(Path(folder)))
        (HERE / "demo.svg").write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()))
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            raise SystemExit("no Chromium here to take a picture of the report with")
        page = Path(folder, "demo", "lost_lease-guilty.case", "report.html").as_uri()
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        target = f"--screenshot={HERE / 'report.png'}"
        command = [browser, *options, "--window-size=1400,1270", target, page]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
