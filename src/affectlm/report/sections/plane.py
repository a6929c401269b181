"""Faces on the plane of valence and arousal, by answer and by truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from markupsafe import Markup
from matplotlib.collections import PathCollection

from affectlm.report.content import Block, Figure, Run, Section, Table
from affectlm.report.drawing import ACCENT, INK, MARKERS, MUTED, RULE, SERIES, Drawing, label
from affectlm.types import Record

OTHER = "other"
_GRID = 50  # points per unit: faces this close are one point, drawn larger
Name = Callable[[Record], str]


def plane(run: Run) -> Section:
    """Where the faces are, which answers they got, and which labels are true."""
    placed = [record for record in run.records if record.valence is not None and record.arousal is not None]
    kinds: dict[str, Name] = {
        "answer": lambda record: record.labels[0] if record.labels else "",
        "truth": lambda record: record.truth.labels[0] if record.truth.labels else "",
    }
    named = {kind: name for kind, name in kinds.items() if any(map(name, placed))}
    if placed and not named:
        named = {"face": lambda _: "face"}
    blocks: list[Block] = []
    for kind, name in named.items():
        caption = f"{len(placed):,} faces, one shape and colour per {kind}; larger points are more faces."
        first = " Of several labels the first counts." if _several(placed, kind) else ""
        blocks.append(Figure(_drawn(placed, name, kind), caption + first))
    rows = [row for kind, name in named.items() for row in _means(placed, name, kind)]
    columns = ("by", "label", "faces", "mean valence", "mean arousal")
    return Section("Valence and arousal", [*blocks, *([Table(columns, rows, "plane", "Numbers")] if rows else [])])


def _several(records: Sequence[Record], kind: str) -> bool:
    return any(len(record.labels if kind == "answer" else record.truth.labels) > 1 for record in records)


def _drawn(records: Sequence[Record], name: Name, kind: str) -> Markup:
    counts = Counter(filter(None, map(name, records)))
    frequent = [each for each, _ in counts.most_common(len(SERIES))]
    points = Counter((_spot(record), found if (found := name(record)) in frequent else OTHER) for record in records)
    most = max(points.values())
    drawing = Drawing(5.6)
    axes = drawing.axes
    axes.axhline(0, color=RULE, linewidth=0.8)
    axes.axvline(0, color=RULE, linewidth=0.8)
    for number, each in enumerate([OTHER, *frequent]):
        spots = [(*spot, count) for (spot, found), count in points.items() if found == each]
        if not spots:
            continue
        x, y, sizes = zip(*spots, strict=True)
        colour = (ACCENT if kind == "face" else SERIES[number - 1]) if number else MUTED
        areas = [12 + 180 * size / most if most > 1 else 40 for size in sizes]
        marker = MARKERS[number - 1] if number else "."
        axes.scatter(x, y, s=areas, marker=marker, color=colour, alpha=0.65, linewidths=0, label=label(each))
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal", xlabel="valence", ylabel="arousal")
    axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1))
    if kind != "face":
        legend = drawing.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9, markerscale=0.9)
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            if isinstance(handle, PathCollection):
                handle.set_sizes([36])
            text.set_color(INK)
    return drawing.svg(f"plane-{kind}", f"valence and arousal of the faces by {kind}")


def _spot(record: Record) -> tuple[float, float]:
    return round((record.valence or 0) * _GRID) / _GRID, round((record.arousal or 0) * _GRID) / _GRID


def _means(records: Sequence[Record], name: Name, kind: str) -> list[tuple[str, str, int, float, float]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(name(record), []).append(record)
    return [
        (
            kind,
            each or "none",
            len(group),
            sum(record.valence or 0 for record in group) / len(group),
            sum(record.arousal or 0 for record in group) / len(group),
        )
        for each, group in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
