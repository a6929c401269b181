"""Which answer each true label got."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup
from matplotlib.patches import Rectangle

from affectlm.report.content import Figure, Run, Section, Table
from affectlm.report.drawing import ACCENT, Drawing, label

MOST = 30  # labels in the figure; the table has all
_NUMBERED = 12  # labels up to which cells have their counts
_PART = "answers: "


def confusion(run: Run) -> Section:
    """Counts of answers by true label, of the records with one true label."""
    cells = _scored(run) or Counter(
        (record.truth.labels[0], record.labels[0] if record.labels else "no answer")
        for record in run.records
        if len(record.truth.labels) == 1
    )
    if not cells:
        return Section("", [])
    true = Counter[str]()
    for (truth, _), count in cells.items():
        true[truth] += int(count)
    table = Table(
        ("true", "answer", "records", "share of the true label"),
        [
            (*pair, int(count), count / true[pair[0]])
            for pair, count in sorted(cells.items(), key=lambda each: -each[1])
        ],
        name="confusion",
        folded="Numbers",
    )
    caption = f"Share of each true label (row) by answer (column), {sum(true.values()):,} records with one true label."
    return Section("Answers against truth", [Figure(_drawn(cells, true), caption), table])


def _scored(run: Run) -> Counter[tuple[str, str]]:
    """The counts among the parts of a score, which may have translated labels."""
    for score in run.report.scores:
        found = {name.removeprefix(_PART): count for name, count in score.parts.items() if name.startswith(_PART)}
        pairs = {name.partition(" -> "): count for name, count in found.items() if " -> " in name and count}
        if pairs:
            return Counter({(truth, answer): int(count) for (truth, _, answer), count in pairs.items()})
    return Counter()


def _drawn(cells: Counter[tuple[str, str]], true: Counter[str]) -> Markup:
    rows = [name for name, _ in true.most_common(MOST)]
    answers = Counter[str]()
    for (_, answer), count in cells.items():
        answers[answer] += count
    columns = [name for name in rows if answers[name]]
    columns += [name for name, _ in answers.most_common() if name not in columns][: MOST - len(columns)]
    drawing = Drawing(max(1.6, 1.0 + 0.3 * len(rows)))
    for (truth, answer), count in cells.items():
        if truth in rows and answer in columns:
            x, y, share = columns.index(answer), rows.index(truth), count / true[truth]
            drawing.axes.add_patch(Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, facecolor=ACCENT, alpha=0.7 * share))
            if max(len(rows), len(columns)) <= _NUMBERED:
                drawing.axes.text(x, y, str(count), ha="center", va="center", fontsize=9)
    drawing.axes.set_xticks(range(len(columns)), [label(name) for name in columns], rotation=40, ha="right")
    drawing.axes.set_yticks(range(len(rows)), [label(name) for name in rows])
    drawing.axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), xlabel="answer", ylabel="true")
    for spine in drawing.axes.spines.values():
        spine.set_visible(False)
    return drawing.svg("confusion", "answers by true label")
