"""Label sets, and how labels of different sets are related."""

from __future__ import annotations

import itertools
from pathlib import Path

import networkx
import pytest

from affectlm.affect.points import CLASS_MEANS
from affectlm.affect.relations import FARTHEST, OURS, crosswalk, opposites, place, tree_distance
from affectlm.affect.taxonomies import AFFECTNET, BASIC, EMOTIC, FERPLUS, OPPOSITES, PARROTT, PLUTCHIK, TAXONOMIES
from affectlm.scores.scores import score_all
from affectlm.types import AnyMetric, Outcome, Record, Sample, Score, Truth
from affectlm_categories.accuracy import Accuracy
from affectlm_categories.classification import Classification
from affectlm_categories.closeness import Opposites, TreeDistance
from affectlm_categories.multilabel import MultiLabel
from affectlm_categories.probabilities import AveragePrecision
from affectlm_categories.prompt import Categories
from affectlm_categories.reading import read_labels

DOCS = (Path(__file__).parents[2] / "docs" / "taxonomies.md").read_text(encoding="utf-8")
WORDS = sorted({word for branch in PARROTT.values() for row in branch.items() for word in (row[0], *row[1])})


def record(answer: str | None, *truth: str, name: str = "a") -> Record:
    return Record(
        id=name,
        outcome=Outcome.OK if answer else Outcome.UNPARSEABLE,
        labels=(answer,) if answer else (),
        truth=Truth(labels=truth),
    )


def score(metric: AnyMetric, *records: Record) -> Score:
    return score_all(records, [metric])[0]


def test_the_eight_expressions_are_one_set_in_several_orders() -> None:
    """FER+'s, AffectNet's, the basic six with two more, and those with a class mean."""
    orders = (FERPLUS, AFFECTNET, TAXONOMIES["basic8"], tuple(anchor.word for anchor in CLASS_MEANS))

    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(FERPLUS))}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("basic", 6), ("basic7", 7), ("basic8", 8), ("ferplus", 8), ("emotic", 26), ("plutchik", 8), ("parrott", 6),
        ("parrott25", 25), ("mikels", 8), ("leia", 5), ("c_expr", 7),
    ],
)  # fmt: skip
def test_a_set_has_as_many_labels_as_its_authors_name(name: str, size: int) -> None:
    """No label is there twice."""
    assert len(TAXONOMIES[name]) == len(set(TAXONOMIES[name])) == size


@pytest.mark.parametrize("name", TAXONOMIES)
def test_the_documentation_lists_every_set_with_its_labels(name: str) -> None:
    """As they stand in the prompt."""
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |"))

    assert ", ".join(TAXONOMIES[name]) in row


@pytest.mark.parametrize("name", TAXONOMIES)
def test_every_label_of_a_set_is_asked_for_and_read(name: str) -> None:
    """Bare, in capitals, and in a sentence."""
    prompt = Categories(labels=name)

    assert ", ".join(prompt.labels) in prompt.render(Sample("a", 0.1, 0.2)).messages[-1].text
    for label in prompt.labels:
        for reply in (label, label.upper(), f"The person's face shows {label}."):
            assert read_labels(reply, prompt.labels) == (label,)


@pytest.mark.parametrize(
    ("reply", "labels", "expected"),
    [
        ("They look proud and relieved.", "parrott25", ("pride", "relief")),
        ("Joyful!", "plutchik", ("joy",)),
        ("I trust this helps: fear", "plutchik", ("fear",)),
        ("a trusting look", "plutchik", ("trust",)),
        ("fearfully-surprised", "c_expr", ("fearfully surprised",)),
        ("An expression of fear and surprise.", "c_expr", ("fearfully surprised",)),
        ("amused", "mikels", ("amusement",)),
        ("awestruck", "mikels", ("awe",)),
        ("fearfully surprised", "basic", ("fear", "surprise")),
    ],
)
def test_forms_of_the_labels_of_other_sets_are_read(reply: str, labels: str, expected: tuple[str, ...]) -> None:
    """Adjectives and compounds."""
    assert read_labels(reply, TAXONOMIES[labels]) == expected


def test_the_distance_is_that_of_shortest_paths_in_the_tree() -> None:
    """For every pair of its words, by networkx on the tree itself."""
    tree = networkx.Graph()
    for word in WORDS:
        networkx.add_path(tree, [(), *itertools.accumulate(((step,) for step in place(word)), lambda a, b: a + b)])
    lengths = dict(networkx.all_pairs_shortest_path_length(tree))

    assert networkx.is_tree(tree)
    for one, other in itertools.product(WORDS, WORDS):
        assert tree_distance(one, other) == lengths[place(one)][place(other)]
    assert max(tree_distance(one, other) or 0 for one, other in itertools.product(WORDS, WORDS)) == FARTHEST


def test_our_own_places_hang_on_words_of_the_tree() -> None:
    """But for neutral, which is a branch of its own."""
    known = {place(word) for word in (*WORDS, *PARROTT)}

    assert {way for word, way in OURS.items() if word != "neutral"} <= known


@pytest.mark.parametrize(
    ("label", "labels", "expected"),
    [
        ("happy", PLUTCHIK, ("joy",)),
        ("contempt", PLUTCHIK, ("disgust",)),
        ("neutral", PLUTCHIK, ()),
        ("anticipation", BASIC, ()),
        ("disgust", ("anger", "fear"), ("anger",)),
        ("anger", ("disgust", "fear"), ()),
        ("amusement", BASIC, ("happiness",)),
        ("annoyed", BASIC, ("anger",)),
        ("doubt/confusion", BASIC, ()),
        ("sadly angry", BASIC, ("sadness", "anger")),
        ("sadly angry", ("anger", "fear"), ()),
        ("very happy", BASIC, ()),
    ],
)
def test_a_label_is_taken_for_what_it_is_a_kind_of(
    label: str, labels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Up the tree, never down or aside."""
    assert crosswalk(label, labels) == expected


def test_a_crosswalk_of_a_set_to_itself_changes_nothing() -> None:
    """Each label is its own kind."""
    for labels in TAXONOMIES.values():
        assert all(crosswalk(label, labels) == (label,) for label in labels)


def test_the_documented_kinds_are_those_of_the_crosswalk() -> None:
    """The table of EMOTIC's categories as basic emotions."""
    rows = {
        label: tuple(kind.strip() for kind in (line.split("|")[2],) if kind.strip() != "none")
        for label in EMOTIC
        for line in DOCS.splitlines()
        if line.startswith(f"| {label} |")
    }

    assert rows == {label: crosswalk(label, BASIC) for label in EMOTIC}


def test_opposites_lie_across_the_wheel() -> None:
    """Four pairs; a kind of an emotion has its opposite."""
    assert OPPOSITES["joy"] == "sadness"
    assert OPPOSITES["trust"] == "disgust"
    assert OPPOSITES["fear"] == "anger"
    assert OPPOSITES["surprise"] == "anticipation"
    assert all(OPPOSITES[OPPOSITES[label]] == label for label in PLUTCHIK)
    assert opposites("suffering") == {"joy"}
    assert opposites("neutral") == frozenset()


def test_the_tree_distance_counts_steps_to_the_nearest_true_label() -> None:
    """No answer is as far away as the tree allows; a truth outside the tree is left out."""
    metric = TreeDistance(labels="emotic")
    records = [
        record("annoyance", "anger", "sadness", name="a"),  # 2 and 4 steps
        record("happiness", "happiness", name="b"),
        record(None, "fear", name="c"),
        record("engagement", "fear", name="d"),
        record("fear", "engagement", name="e"),
    ]

    found = score(metric, *records)

    assert (found.name, found.value, found.count) == ("tree_distance", (2 + 0 + 6 + 6) / 4, 4)
    assert found.parts["majority"] < found.parts["chance"]


def test_an_opposite_answer_is_counted_and_a_merely_wrong_one_is_not() -> None:
    """Faces whose labels have no opposite are left out."""
    metric = Opposites(labels="basic7")
    records = [
        record("sadness", "happiness", name="a"),
        record("fear", "happiness", name="b"),
        record("anger", "fear", name="c"),
        record(None, "fear", name="d"),
        record("sadness", "neutral", name="e"),
    ]

    found = score(metric, *records)

    assert (found.name, found.value, found.count) == ("opposite", 2 / 4, 4)


def test_with_a_crosswalk_labels_of_other_sets_count_as_their_kinds() -> None:
    """Truth and answers alike; without it they are outside."""
    records = [
        record("joy", "amusement", name="a"),
        record("fear", "annoyance", name="b"),
        record("anger", "contempt", name="c"),
        record("anger", "engagement", name="d"),
    ]

    plain = score_all(records, [Accuracy(labels="basic")])
    walked = score(Accuracy(labels="basic", crosswalk=True), *records)

    assert plain == []
    assert (walked.value, walked.count, walked.parts["outside"]) == (1 / 3, 3, 1)


def test_with_a_crosswalk_several_labels_of_one_kind_are_one() -> None:
    """Pain and suffering are sadness, once, so that such a face has one true label."""
    truth = Truth(labels=("pain", "suffering"))
    sad = Record(id="a", outcome=Outcome.OK, labels=("sadness",), truth=truth)

    assert score(Classification(labels="basic", crosswalk=True), sad).count == 1
    assert {found.value for found in score_all([sad], [MultiLabel(labels="basic", crosswalk=True)])} == {1.0}


def test_with_a_crosswalk_probabilities_of_one_kind_add_up() -> None:
    """A compound's is shared by its kinds."""
    metric = AveragePrecision(labels="basic", crosswalk=True)
    given = {"amusement": 0.3, "pleasure": 0.3, "fearfully surprised": 0.4}
    face = Record(id="a", outcome=Outcome.OK, labels=("amusement",), truth=Truth(labels=("fear",)), probabilities=given)

    _, _, replies = metric.read([face])

    found = dict(zip(replies.names, replies.probabilities[0].tolist(), strict=True))
    assert found == pytest.approx(dict.fromkeys(BASIC, 0.0) | {"happiness": 0.6, "fear": 0.2, "surprise": 0.2})
