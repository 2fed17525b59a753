"""How long a person waits for `forensics --help`, beside the bare interpreter and an import of polars."""

import shutil
import sys
from pathlib import Path

from _measure import Command, measure


def main() -> None:
    forensics = shutil.which("forensics", path=str(Path(sys.executable).parent))
    if forensics is None:
        sys.exit("forensics is not installed beside this interpreter")
    figures = measure(
        [
            Command("python -c pass", [sys.executable, "-c", "pass"]),
            Command("forensics --help", [forensics, "--help"]),
            Command("python -c 'import polars'", [sys.executable, "-c", "import polars"]),
        ],
        runs=9,
    )
    base = figures[0].wall_s
    for figure in figures:
        print(f"{figure.name:28} {figure.wall_s:6.3f} s   {figure.wall_s / base:5.1f} times the interpreter alone")


if __name__ == "__main__":
    main()
