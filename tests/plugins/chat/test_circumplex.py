"""How likely the baseline without a language model finds each label."""

from __future__ import annotations

import math
from itertools import product

import pytest
from scipy.stats import multivariate_normal

from affectlm.affect.points import find_anchor
from affectlm.errors import ConfigError
from affectlm.registry import Registry
from affectlm.types import ChoiceScorer, Completion, Message, Request, Sample
from affectlm_chat.circumplex import MODEL, Circumplex

BASIC7 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EMOTIC = (
    "Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval", "Disconnection",
    "Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem", "Excitement", "Fatigue", "Fear",
    "Happiness", "Pain", "Peace", "Pleasure", "Sadness", "Sensitivity", "Suffering", "Surprise", "Sympathy", "Yearning",
)  # fmt: skip
GRID = [Sample(f"{v},{a}", v, a) for v, a in product((-1, -0.6, -0.1, 0, 0.4, 1), repeat=2)]


def request(sample: Sample | None, *choices: str) -> Request:
    return Request("a", (Message("user", "?"),), choices=choices, sample=sample)


def score(sample: Sample | None, *choices: str, spread: float = 0.3) -> Completion:
    (completion,) = Circumplex(spread=spread).score_choices([request(sample, *choices)])
    return completion


def logprobs(sample: Sample | None, *choices: str, spread: float = 0.3) -> dict[str, float]:
    found = score(sample, *choices, spread=spread).choice_logprobs
    assert found is not None
    return dict(found)


@pytest.mark.parametrize("spread", [0.1, 0.3, 2.0])
def test_log_probabilities_are_those_of_normal_distributions_around_the_points(spread: float) -> None:
    """Bayes' rule with equal priors, against scipy's densities."""
    points = [anchor for label in BASIC7 if (anchor := find_anchor(label))]
    for sample in GRID:
        place = (sample.valence, sample.arousal)
        logs = [multivariate_normal([each.valence, each.arousal], spread**2).logpdf(place) for each in points]
        whole = max(logs) + math.log(sum(math.exp(each - max(logs)) for each in logs))

        found = logprobs(sample, *BASIC7, spread=spread)

        assert found == pytest.approx(dict(zip(BASIC7, (each - whole for each in logs), strict=True)))


@pytest.mark.parametrize("choices", [BASIC7, EMOTIC])
def test_the_likeliest_label_is_the_one_it_names(choices: tuple[str, ...]) -> None:
    """Both ways to ask give one answer; a label without a point is never given."""
    for sample in GRID:
        found = logprobs(sample, *choices)
        (named,) = Circumplex().complete([request(sample, *choices)])

        assert max(found, key=lambda label: found[label]) == named.text


def test_a_label_without_a_point_is_as_unlikely_as_the_plane_is_wide() -> None:
    """Its log-probability is finite and below that of every other, wherever the face is."""
    for sample in GRID:
        found = logprobs(sample, "esteem", *BASIC7)

        assert math.isfinite(found["esteem"])
        assert min(found, key=lambda label: found[label]) == "esteem"
        assert sum(map(math.exp, found.values())) == pytest.approx(1)


def test_without_numbers_all_labels_are_alike() -> None:
    """So normalised scores are the plain ones, but for a constant."""
    assert logprobs(None, "joy", "fear", "esteem") == pytest.approx(
        dict.fromkeys(("joy", "fear", "esteem"), -math.log(3))
    )


def test_a_set_without_any_point_is_an_error_and_no_guess() -> None:
    """As when it is asked to name one; also of the question without numbers, so that a run stops at once."""
    for sample in (None, GRID[0]):
        completion = score(sample, "esteem", "yearning")

        assert "none of the labels esteem, yearning has a published point; known: afraid" in str(completion.error)
        assert completion.choice_logprobs is None


def test_each_label_counts_as_one_token() -> None:
    """There is no tokenizer, and means equal sums."""
    completion = score(GRID[0], *BASIC7)

    assert isinstance(Circumplex(), ChoiceScorer)
    assert completion.choice_tokens == dict.fromkeys(BASIC7, 1)
    assert (completion.id, completion.text, completion.model, completion.error) == ("a", "", MODEL, None)


@pytest.mark.parametrize("spread", [0, -1, float("nan"), 0.001])
def test_a_spread_is_a_standard_deviation(spread: float) -> None:
    """So small a one that log-probabilities lose their meaning is refused."""
    with pytest.raises(ConfigError, match=r"llm 'circumplex': 'spread' must be >= 0.01"):
        Registry.installed().build("llm", {"name": "circumplex", "spread": spread})


def test_fourteen_of_emotics_categories_have_a_point() -> None:
    """The others are told, not invented."""
    missing = [label for label in EMOTIC if find_anchor(label) is None]

    assert missing == [
        *("Affection", "Anticipation", "Confidence", "Disapproval", "Doubt/Confusion", "Embarrassment", "Engagement"),
        *("Esteem", "Pain", "Sensitivity", "Sympathy", "Yearning"),
    ]
