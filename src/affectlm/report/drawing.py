"""SVG drawings inside a page: colours are the page's own variables, so that they suit light and dark."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import matplotlib
from markupsafe import Markup, escape

matplotlib.use("agg", force=False)

import matplotlib.figure

from affectlm.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that become variables of the page's style.
INK, MUTED, RULE, ACCENT = "#010101", "#010102", "#010103", "#010104"
SERIES = tuple(f"#02020{number}" for number in range(7))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_NAMES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent"}
_NAMES |= {colour: f"s{number}" for number, colour in enumerate(SERIES)}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
MOST_LABEL = 28  # characters of a name in a figure


class Drawing:
    """A figure of one panel, `axes`; `svg` makes it a part of a page."""

    def __init__(self, height: float, width: float = 5.2) -> None:
        with matplotlib.rc_context(_STYLE):
            self.figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
            self.axes: Axes = self.figure.add_subplot()
        self.axes.patch.set_visible(False)
        self.figure.patch.set_visible(False)

    def svg(self, name: str, title: str) -> Markup:
        """The drawing; `name` tells its parts from those of other drawings on the page."""
        file = StringIO()
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # letters that the measuring font lacks; the reader's font has them
            self.figure.savefig(file, format="svg", metadata={"Date": None})
        return _inline(file.getvalue(), name, title)


def _inline(content: str, name: str, title: str) -> Markup:
    content = content[content.index("<svg") :]
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    content = re.sub(r' xmlns(:xlink)?="[^"]*"| version="1.1"', "", content).replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(|href=")#([\w-]+)', content))
    content = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", content)
    content = re.sub(r'(url\(|href=")#', rf"\1#{name}-", content)
    for colour, variable in _NAMES.items():
        content = content.replace(colour, f"var(--{variable})")
    content = re.sub(r"\s*\n\s*", "\n", content)
    said = escape(title)
    opening = f'<svg role="img" aria-label="{said}"'
    content = content.replace("<svg", opening, 1).replace(">", f"><title>{said}</title>", 1)
    return Markup(content)  # noqa: S704  # matplotlib escapes


def label(text: str) -> str:
    """A name as a figure shows it."""
    return shortened(text, MOST_LABEL)


Row = tuple[str, float, "float | None", "float | None"]  # name, value, ends of the interval


def dots(
    rows: Sequence[Row], name: str, title: str, beside: Sequence[tuple[float | None, float | None]] = ()
) -> Markup:
    """Values with intervals, one per row, and their floors and ceilings (triangles that point at each other)."""
    drawing = Drawing(0.7 + 0.3 * len(rows))
    axes = drawing.axes
    for place, (_, value, low, high) in enumerate(rows):
        axes.axhline(place, color=RULE, linewidth=0.6, zorder=0)
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=ACCENT, linewidth=2.4, solid_capstyle="butt")
        axes.plot(value, place, "o", color=ACCENT, markersize=6)
    for place, bounds in enumerate(beside):
        for bound, marker in zip(bounds, (">", "<"), strict=True):
            if bound is not None:
                axes.plot(bound, place, marker, markersize=6, markerfacecolor="none", markeredgecolor=MUTED)
    lowest = min([0.0, *(value for _, *values in rows for value in values if value is not None)])
    axes.set_yticks(range(len(rows)), [label(row[0]) for row in rows])
    axes.set(xlim=(lowest - 0.02, 1.02), ylim=(len(rows) - 0.4, -0.6))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)
    return drawing.svg(name, title)
