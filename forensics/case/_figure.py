"""A figure as a file for a document: PNG and SVG drawn by an installed browser, or HTML; none asks the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensics import escape
from forensics.errors import CaseError

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH, HEIGHT = 1200, 600
"""Pixels; a figure that states its height keeps it. A PNG has twice as many, for print."""
_SUFFIXES = (".png", ".svg", ".html")
_PICTURE_HINT = "or write an .html file, which needs neither"


def save(figure: Callable[[], go.Figure], path: Path) -> Path:
    """Write a figure.

    Args:
        figure: Draws it; not called where there is no place for it.
        path: The file; ``.png``, ``.svg`` or ``.html``.

    Raises:
        CaseError: If the suffix is another, the folder is missing, or a picture cannot be drawn here.
    """
    suffix = _checked(path, _SUFFIXES)
    data = page([figure()]) if suffix == ".html" else _picture(figure(), suffix[1:])
    path.write_bytes(data)
    return path


def save_page(figures: list[go.Figure], path: Path) -> Path:
    """Write several figures into one HTML file."""
    _checked(path, (".html",))
    path.write_bytes(page(figures, "Charts"))
    return path


def _checked(path: Path, suffixes: tuple[str, ...]) -> str:
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise CaseError("no kind of picture", where=str(path), hint=f"end the name in {' or '.join(suffixes)}")
    if path.is_dir() or not path.parent.is_dir():
        raise CaseError("no place for a picture", where=str(path), hint="name a file in a folder that exists")
    return suffix


def _picture(figure: go.Figure, kind: str) -> bytes:
    """The octets of a PNG or an SVG; the same figure gives the same."""
    if find_spec("kaleido") is None:
        hint = f"pip install 'cloud-forensics[charts]' and have Chromium or Chrome, {_PICTURE_HINT}"
        raise CaseError("kaleido, which draws pictures, is not installed", hint=hint)
    import kaleido  # type: ignore[import-untyped]
    import plotly
    from kaleido import errors

    own = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").as_uri()
    size = {"width": figure.layout.width or WIDTH, "height": figure.layout.height or HEIGHT}
    try:
        data: bytes = kaleido.calc_fig_sync(
            figure.to_dict(),
            opts={"format": kind, "scale": 2 if kind == "png" else 1, **size},
            kopts={"plotlyjs": own, "mathjax": False},  # not from the network, and evidence is no formula
        )
    except errors.ChromeNotFoundError as error:
        hint = f"install Chromium or Chrome, name it in BROWSER_PATH, {_PICTURE_HINT}"
        raise CaseError("there is no browser to draw with", hint=hint) from error
    except (errors.BrowserClosedError, errors.BrowserFailedError, errors.KaleidoError, TimeoutError) as error:
        hint = f"see that Chromium or Chrome starts here, {_PICTURE_HINT}"
        raise CaseError(f"the browser could not draw: {escape.line(str(error))[:200]}", hint=hint) from error
    return _settled(data) if kind == "svg" else data


def _settled(svg: bytes) -> bytes:
    """An SVG without the names that plotly draws by lot: same figure, same octets.

    Examples:
        >>> _settled(b'<defs id="defs-de0995"><clipPath id="clipde0995x"/></defs><g clip-path="url(#clipde0995x)"/>')
        b'<defs id="defs-chart"><clipPath id="clipchartx"/></defs><g clip-path="url(#clipchartx)"/>'
        >>> _settled(b'<defs id="defs-de0995"/><g class="trace scatter trace2c667f">')
        b'<defs id="defs-chart"/><g class="trace scatter">'
    """
    svg = re.sub(rb'(<g class="trace [a-z]+) trace[0-9a-f]{6}"', rb'\1"', svg)
    drawn = re.search(rb'<defs id="defs-([0-9a-f]{6})"', svg)
    if drawn is None:
        return svg
    name = rb"""((?:\bid="|\bclass="|url\(['"]?(?:&quot;)?#|href="#)[a-z-]*)""" + drawn[1]
    return re.sub(name, rb"\1chart", svg)


# All charts begin with the same time, below each other; then all axes of time follow the one that is moved, and a
# double click shows the whole again, everywhere.
_LINKED = """
(() => {
  const plots = [...document.querySelectorAll(".plotly-graph-div")];
  const axes = (plot) => Object.keys(plot._fullLayout).filter(
    (name) => /^xaxis[0-9]*$/.test(name) && plot._fullLayout[name].type === "date");
  const all = plots.flatMap((plot) => axes(plot).map((name) => plot._fullLayout[name].range));
  if (!all.length) return;
  const instant = (text) => Date.parse(text.replace(" ", "T") + "Z");
  const at = (side, first) => all.map((range) => range[side]).sort((a, b) => first * (instant(a) - instant(b)))[0];
  const whole = [at(0, 1), at(1, -1)];
  const told = (plot, range) => Object.fromEntries(axes(plot).map((name) => [name + ".range", [...range]]));
  let busy = false;
  const move = (some, range, more) => {
    busy = true;
    return Promise.all(some.map((plot) => Plotly.relayout(plot, { ...told(plot, range), ...more })))
      .finally(() => { busy = false; });
  };
  for (const plot of plots) plot.on("plotly_relayout", (change) => {
    if (busy) return;
    for (const axis of axes(plot)) {
      if (change[axis + ".autorange"]) return move(plots, whole);
      const range = change[axis + ".range"] || [change[axis + ".range[0]"], change[axis + ".range[1]"]];
      if (range[0] !== undefined) return move(plots.filter((other) => other !== plot), range);
    }
  });
  const widest = (side) => Math.max(...plots.map((plot) => plot._fullLayout._size[side]));
  move(plots, whole, { "margin.l": widest("l"), "margin.r": widest("r") });
})();
"""


def page(figures: list[go.Figure], title: str = "Chart") -> bytes:
    """One HTML file of figures below each other whose axes of time are moved together; it loads nothing."""
    import plotly.io as pio
    from plotly.offline import get_plotlyjs

    config: dict[str, Any] = {"responsive": True, "displaylogo": False, "showTips": False}
    drawn = [
        pio.to_html(figure, config, include_plotlyjs=False, include_mathjax=False, full_html=False, div_id=f"chart-{n}")
        for n, figure in enumerate(figures)
    ]
    paper = (figures[0].layout.template.layout.paper_bgcolor if figures else None) or "#FFFFFF"
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{policy}"><meta name="viewport" content="width=device-width"><title>{escape.html(title)}</title>'
        f"<style>body{{margin:0 auto;max-width:{WIDTH}px;padding:16px;background:{paper}}}</style>"
    )
    linked = f"<script>{_LINKED}</script>" if len(figures) > 1 else ""
    return f"{head}<script>{get_plotlyjs()}</script></head><body>{''.join(drawn)}{linked}</body></html>".encode(
        "utf-8", "backslashreplace"
    )
