"""Several charts of one case below each other, on one axis of time."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensics import escape
from forensics.case._figure import HEIGHT, page, save_page
from forensics.case._findings import CaseFinding

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST = 12


class Charts:
    """Charts whose axes of time are moved together: zoom into one, and all show that time."""

    def __init__(self, titles: list[str], figures: list[go.Figure]) -> None:
        self.titles = titles
        self.figures = figures

    def __len__(self) -> int:
        return len(self.figures)

    def __repr__(self) -> str:
        return "\n".join(map(escape.line, self.titles)) or "no finding has a chart over time"

    def _repr_html_(self) -> str:
        if not self.figures:
            return f"<p>{escape.html(repr(self))}</p>"
        height = 40 + sum(int(figure.layout.height or HEIGHT) for figure in self.figures)
        inner = html.escape(page(self.figures).decode())  # safe already: this is for the attribute that holds it
        frame = f"width:100%;height:{height}px;border:0"
        return f'<iframe sandbox="allow-scripts allow-downloads" style="{frame}" srcdoc="{inner}"></iframe>'

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write them into one HTML file that needs no network; each as a picture: `CaseFinding.save_chart`.

        Raises:
            CaseError: If the file does not end in ``.html``, or its folder is missing.
        """
        return save_page(self.figures, Path(path))


def stacked(findings: Iterable[CaseFinding], *, dark: bool) -> Charts:
    """Of each finding the first chart over time, at most a dozen; findings without one are left out."""
    titles, figures = [], []
    for finding in findings:
        for name in finding.charts:
            figure = finding.chart(name, dark=dark)
            if _timed(figure):
                titles.append(f"{name}: {finding.finding.title}")
                figures.append(figure)
                break
        if len(figures) == _MOST:
            break
    return Charts(titles, figures)


def _timed(figure: go.Figure) -> bool:
    """Whether an axis of it is time."""

    def first(values: Any) -> object:
        return next((value for value in values if value is not None), None) if values is not None else None

    if any(axis.type == "date" for axis in figure.select_xaxes()):
        return True
    return any(isinstance(first(getattr(trace, "x", None)), date) for trace in figure.data)
