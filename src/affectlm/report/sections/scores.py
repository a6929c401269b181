"""Scores with their intervals between floor and ceiling; texts also against those of other records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from affectlm.report.content import Block, Figure, Run, Section, Table
from affectlm.report.drawing import dots
from affectlm.store.records import Report
from affectlm.types import Score


def scores(run: Run) -> Section:
    """Each score with its interval and its parts."""
    found = run.report.scores
    bounds = _bounds(found)
    columns = ("score", "value", "low", "high", "floor", "ceiling", "n")
    rows = [
        (score.name, score.value, score.low, score.high, *bound, score.count)
        for score, bound in zip(found, bounds, strict=True)
    ]
    blocks: list[Block] = [_figure(found)] if any(map(_is_drawable, found)) else []
    blocks += [Table(columns, rows, name="scores")] if rows else []
    parts = [(score.name, *part) for score in found for part in _parts(score.parts)]
    blocks += [Table(("score", "part", "value", "low", "high"), parts, "parts", "Parts of the scores")] if parts else []
    return Section("Scores", [*blocks, *_remarks(run.report)])


def similarity(run: Run) -> Section:
    """The scores that have a floor made of the texts of other records: only what is above it says something."""
    values = {score.name: score for score in run.report.scores}
    bounded = [score for name, score in values.items() if f"{name}_floor" in values and "gain" in score.parts]
    if not bounded:
        return Section("", [])
    gains = [(score.name, score.parts["gain"], *_ends(score)) for score in bounded]
    rows = [
        (score.name, score.value, values[f"{score.name}_floor"].value, *gain[1:])
        for score, gain in zip(bounded, gains, strict=True)
    ]
    drawing = dots(gains, "gains", "score minus floor")
    caption = "Score minus floor: how much more similar answers are to the texts about their own face than to others."
    table = Table(("score", "value", "floor", "gain", "low", "high"), rows, name="similarity", folded="Numbers")
    return Section("Similarity above the floor", [Figure(drawing, caption), table])


def _ends(score: Score) -> tuple[float | None, float | None]:
    return score.parts.get("gain_low"), score.parts.get("gain_high")


def _is_drawable(score: Score) -> bool:
    """Whether a score is on a scale from -1 to 1; floors are drawn beside theirs."""
    return -1 <= score.value <= 1 and not score.name.endswith("_floor")


def _bounds(found: Sequence[Score]) -> list[tuple[float | None, float | None]]:
    """The floor and the ceiling of each score."""
    values = {score.name: score.value for score in found}
    return [
        (score.parts.get("floor", values.get(f"{score.name}_floor")), score.parts.get("ceiling")) for score in found
    ]


def _figure(found: Sequence[Score]) -> Figure:
    pairs = [pair for pair in zip(found, _bounds(found), strict=True) if _is_drawable(pair[0])]
    rows = [(score.name, score.value, score.low, score.high) for score, _ in pairs]
    beside = [bounds for _, bounds in pairs]
    bounded = any(bound is not None for bounds in beside for bound in bounds)
    more = " Open triangles: floor (points right) and ceiling (points left)." if bounded else ""
    drawing = dots(rows, "scores", "scores with intervals, floors and ceilings", beside)
    return Figure(drawing, f"Scores with 95 % intervals.{more}")


def _remarks(report: Report) -> Iterator[str]:
    """What to know before reading the scores."""
    if report.scores and report.human_text:
        yield f"Metrics of texts compare answers with {report.human_text}."
    names = [score.name for score in report.scores if score.name.startswith("polarity")]
    echoes = ", ".join(name for name in names if "_floor" not in name)
    if echoes and report.questions.get("style") in ("words", "both"):
        yield f"The prompt's own words name the polarity, so these are an echo of it: {echoes}. Type style=numbers."
    if unscored := ", ".join(report.unscored):
        yield f"No score, because no record has what they need: {unscored}."


def _parts(values: Mapping[str, float]) -> Iterator[tuple[str, float, float | None, float | None]]:
    """The parts about the whole score; those about single labels, "name: label", have a section of their own."""
    for name, value in values.items():
        if ":" not in name and not name.endswith(("_low", "_high")):
            yield name, value, values.get(f"{name}_low"), values.get(f"{name}_high")
