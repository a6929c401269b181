"""Scores with their intervals between floor and ceiling; texts also against those of other records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from affectlm.report.content import Block, Figure, Run, Section, Table
from affectlm.report.drawing import dots
from affectlm.store.records import Report
from affectlm.types import Score


def scores(run: Run) -> Section:
    """Each score with its interval and its parts."""
    columns = ("score", "value", "low", "high", "n", "parts")
    found = run.report.scores
    rows = [(score.name, score.value, score.low, score.high, score.count, _parts(score.parts)) for score in found]
    blocks: list[Block] = [_figure(drawn, found)] if (drawn := _drawable(found)) else []
    blocks += [Table(columns, rows, name="scores")] if rows else []
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


def _drawable(found: Sequence[Score]) -> list[Score]:
    """The scores on a scale from -1 to 1; floors are drawn beside theirs."""
    return [score for score in found if -1 <= score.value <= 1 and not score.name.endswith("_floor")]


def _figure(drawn: Sequence[Score], found: Sequence[Score]) -> Figure:
    values = {score.name: score.value for score in found}
    beside = [
        (score.parts.get("floor", values.get(f"{score.name}_floor")), score.parts.get("ceiling")) for score in drawn
    ]
    rows = [(score.name, score.value, score.low, score.high) for score in drawn]
    bounded = " Open triangles: floor (points right) and ceiling (points left)." if any(map(any, beside)) else ""
    caption = f"Scores with 95 % intervals.{bounded}"
    return Figure(dots(rows, "scores", "scores with intervals, floors and ceilings", beside), caption)


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


def _parts(values: Mapping[str, float]) -> str:
    """The parts about the whole score; those about single labels, "name: label", have a section of their own."""
    whole = [name for name in values if ":" not in name and not name.endswith(("_low", "_high"))]
    return ", ".join(f"{name} {_brief(values[name])}{_interval(values, name)}" for name in whole)


def _interval(values: Mapping[str, float], name: str) -> str:
    low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _brief(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and value > 1 else f"{value:.3f}"  # counts, and shares
