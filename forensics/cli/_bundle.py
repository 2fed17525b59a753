"""The command that cuts a case down to what may be given away."""

from __future__ import annotations

from pathlib import Path

from forensics.bundle import Options, share
from forensics.cli import _show as show
from forensics.cli._case import _opened


def bundle(path: Path, out: Path | None, evidence: Path | None, options: Options, *, as_json: bool) -> int:
    """Write a bundle, and say what is in it and what is not."""
    case = _opened(path, evidence)
    name = case.path.name.removesuffix(".case") or "case"
    made = share(case, out if out is not None else Path(f"{name}.bundle"), options)
    if as_json:
        key = None if made.key is None else str(made.key)
        counts = {"files": made.files, "cited": made.cited, "left_out": made.left_out, "kept_names": made.kept_names}
        show.as_json({"bundle": str(made.path), **counts, "key": key})
        return 0
    files, cited = (f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in ((made.files, "file"), (made.cited, "place")))
    show.put(f"Bundle: {show.safe(str(made.path))} ({files}, {cited} that findings cite)")
    show.put(
        f"Secrets are {'as they are' if options.unmasked else 'masked'}; what packets carry is "
        f"{'in it' if options.payload else 'cut off behind their headers'}"
    )
    for source, why in sorted(made.left_out.items()):
        show.put(f"Left out: {show.safe(source)}: {why}")
    if made.key is not None:
        show.put(f"Key: {show.safe(str(made.key))} (keep it: it tells the original of every name)")
        if made.kept_names:
            text = f"Names that stay, because logs are made of such words: {', '.join(map(show.safe, made.kept_names))}"
            for line in show.wrapped(text, "", "  "):
                show.put(line)
        show.put("Read the bundle before you give it away: free text may tell what no rule finds")
    return 0
