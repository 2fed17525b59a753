"""One palette, one time axis, one set of fonts for every chart; safe for colour-blind eyes, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

import plotly.graph_objects as go

from forensics.escape import html

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by meaning. Hues are those of Okabe and Ito (2008), told apart by all common kinds of colour vision."""

    asks: str
    answers: str
    trouble: str
    good: str
    load: str
    quiet: str
    ink: str
    faint: str
    line: str
    paper: str


LIGHT = Palette(
    asks="#0072B2",
    answers="#E69F00",
    trouble="#D55E00",
    good="#009E73",
    load="#56B4E9",
    quiet="rgba(213,94,0,0.10)",
    ink="#1F2430",
    faint="#6B7280",
    line="#D5D9E0",
    paper="#FFFFFF",
)
DARK = Palette(
    asks="#56B4E9",
    answers="#F0B93A",
    trouble="#FF7F3F",
    good="#2BC79B",
    load="#3C7FA8",
    quiet="rgba(255,127,63,0.16)",
    ink="#E8EAF0",
    faint="#9AA3B2",
    line="#3A4150",
    paper="#14171E",
)


def palette(*, dark: bool = False) -> Palette:
    """The colours of one scheme.

    Examples:
        >>> palette().paper, palette(dark=True).paper
        ('#FFFFFF', '#14171E')
    """
    return DARK if dark else LIGHT


def template(*, dark: bool = False) -> go.layout.Template:
    """Plotly template of all charts: quiet grid, time in UTC to the resolution that is shown."""
    colours = palette(dark=dark)
    axis = {
        "gridcolor": colours.line,
        "linecolor": colours.line,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": colours.line,
        "title": {"font": {"size": 12, "color": colours.faint}},
    }
    return go.layout.Template(
        layout={
            "paper_bgcolor": colours.paper,
            "plot_bgcolor": colours.paper,
            "font": {"family": FONT, "size": 13, "color": colours.ink},
            "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 17}},
            "xaxis": axis,
            "yaxis": axis,
            "colorway": [colours.asks, colours.answers, colours.good, colours.trouble, colours.load],
            "hoverlabel": {"font": {"family": FONT}, "align": "left"},
            "hovermode": "closest",
            "modebar": {"remove": ["sendChartToCloud", "select2d", "lasso2d"]},  # evidence stays here
            "legend": {"orientation": "h", "yanchor": "top", "xanchor": "left", "x": 0},
        }
    )


def headline(title: str) -> str:
    """A title, which may hold text from evidence, in at most two lines that fit a page.

    Examples:
        >>> headline("<b> was down")
        '&lt;b&gt; was down'
    """
    return "<br>".join(str(html(line)) for line in wrap(title, 108, max_lines=2, placeholder=" …") or [""])
