"""Free text beside what people wrote: overlap, embeddings, BERTScore, polarity, and their floors."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
import yaml
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu, sentence_bleu
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer
from safetensors.numpy import load_file, save_file
from scipy.stats import pearsonr

from affectlm.errors import AccessError, WeightsError
from affectlm.scores.scores import score_all
from affectlm.testing import check_metric
from affectlm.types import AnyMetric, Outcome, Record, Truth, ValuedMetric
from affectlm.weights.named import fetching, obtain
from affectlm_descriptions.encoders import Tokens
from affectlm_descriptions.models import MINILM, NETWORK, TOKENIZER
from affectlm_descriptions.overlap import Bleu, CorpusBleu, Meteor, Rouge, words
from affectlm_descriptions.pairs import Figures, Pair, TextMetric, pair_up, shuffles
from affectlm_descriptions.polarity import Polarity, PolarityCorrelation, compounds
from affectlm_descriptions.similarity import BertScore, Cosine, greedy_f1

CONF = Path(__file__).parents[3] / "conf" / "metric"
CLASSES = {
    "bleu": Bleu,
    "corpus_bleu": CorpusBleu,
    "meteor": Meteor,
    "rouge": Rouge,
    "cosine": Cosine,
    "bertscore": BertScore,
    "polarity": Polarity,
    "polarity_correlation": PolarityCorrelation,
}
WEATHER = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
PAIRS: tuple[Pair, ...] = (
    ("The person looks happy and calm.", ("A happy person who looks calm.", "She is smiling at somebody.")),
    ("The person looks happy and calm.", ("The person looks happy and calm.",)),
    ("He seems to be very tense, perhaps worried.", ("Worried", "He's tense; he seems worried about the exam.")),
    ("Sad.", ("A boy in a red shirt, crying.",)),
    ("She doesn't smile; she frowns and frowns.", ("Frowning, she smiles at nobody and frowns.",)),
)


class NoWordNet:
    def synsets(self, _: str) -> list[object]:
        return []


@attrs.frozen(kw_only=True)
class Length(TextMetric):
    """How long the answer is, times the longest text; it keeps what it was asked."""

    asked: list[Pair] = attrs.field(factory=list)

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        self.asked.extend(pairs)
        return {"length": np.array([len(answer) * max(map(len, texts)) for answer, texts in pairs], dtype=np.float64)}


def record(name: str, answer: str, *texts: str, valence: float | None = None, outcome: Outcome = Outcome.OK) -> Record:
    return Record(id=name, image=name, outcome=outcome, answer=answer, valence=valence, truth=Truth(text=texts))


def records() -> list[Record]:
    return [record(f"r{place}", answer, *texts) for place, (answer, texts) in enumerate(PAIRS)]


def value(metric: AnyMetric, name: str, given: Sequence[Record]) -> float:
    (found,) = (score.value for score in score_all(given, [metric]) if score.name == name)
    return float(found)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published weights as the folder that sentence-transformers expects."""
    folder = tmp_path_factory.mktemp("models") / "minilm"
    (folder / "1_Pooling").mkdir(parents=True)
    shutil.copyfile(obtain(NETWORK), folder / "model.safetensors")
    shutil.copyfile(obtain(TOKENIZER), folder / "tokenizer.json")
    sizes = {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12, "num_hidden_layers": 6}
    contents: dict[str, object] = {
        "config.json": {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, **sizes},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512},
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))
    return folder


# What all share


def test_a_missing_answer_is_like_nothing_and_a_record_without_texts_is_left_out() -> None:
    """A model must not gain by keeping silent, nor lose where nobody wrote anything."""
    given = [record("a", "calm", "calm"), record("b", "", "sad"), record("c", "calm", " "), record("d", "calm")]

    found = Rouge().values(given)["rouge1"]

    np.testing.assert_array_equal(found, [1, 0, np.nan, np.nan])


def test_a_reply_that_was_cut_off_or_refused_is_no_answer() -> None:
    """Its text is kept in the record, but the core does not count it as one."""
    given = [
        record("a", "calm", "calm", outcome=Outcome.TRUNCATED),
        record("b", "calm", "sad", outcome=Outcome.REFUSED),
    ]

    assert [score.value for score in score_all(given, [Rouge()])] == [0] * 6


@pytest.mark.parametrize("metric", [Bleu(), CorpusBleu(), Meteor(), Rouge(), Polarity(), PolarityCorrelation()])
def test_nothing_to_judge_is_no_failure(metric: ValuedMetric) -> None:
    """No records, records without truth, one record, nothing readable: finite scores or none."""
    one = record("a", "calm and happy", "happy", valence=0.5)
    silent = [attrs.evolve(one, id=name, answer="", outcome=Outcome.UNPARSEABLE) for name in "abc"]

    check_metric(metric, [one])
    check_metric(metric, silent)
    assert score_all([record("a", "calm")], [metric]) == []
    assert score_all([], [metric]) == []
    assert {score.value for score in score_all(silent, [metric])} <= {0.0}


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "bertscore"])
def test_no_text_is_too_strange(name: str) -> None:
    """Models write anything: half a surrogate, no word at all, another alphabet, thousands of words."""
    texts = ("\ud800 sad", "\x00", "🙂🙂", "!!!", "calm " * 1000, "ß İ ﬁ", "calm")
    given = [
        record(f"r{place}", text, texts[-place - 1], texts[place - 1], valence=place / 10)
        for place, text in enumerate(texts)
    ]

    check_metric(CLASSES[name](), given)


def test_the_core_adds_intervals_and_scores_the_answered_records_again() -> None:
    """A mean without its interval, or one that mixes silence with error, says little."""
    given = [*records(), record("z", "", "sad", outcome=Outcome.UNPARSEABLE)]

    found = {score.name: score for score in score_all(given, [Meteor()])}

    own, answered = found["meteor_exact_stem"], found["meteor_exact_stem_answered"]
    assert own.low is not None
    assert own.high is not None
    assert own.low < own.value < own.high
    assert (own.count, answered.count) == (6, 5)
    assert answered.value == pytest.approx(own.value * 6 / 5)
    assert {"meteor_exact_stem_floor", "meteor_exact_stem_floor_answered"} <= set(found)


def test_equal_pairs_are_compared_once() -> None:
    """Thousands of faces share a few dozen values, and so their answers."""
    metric = Length()
    metric.values([record(f"r{place}", "calm", "happy" if place % 2 else "sad") for place in range(100)])

    assert Counter(metric.asked) == {("calm", ("happy",)): 1, ("calm", ("sad",)): 1}


@pytest.mark.parametrize("name", CLASSES)
def test_the_yaml_files_give_the_options_and_their_defaults(name: str) -> None:
    """What a user reads there is what happens."""
    (options,) = yaml.safe_load((CONF / f"{name}.yaml").read_text()).values()
    fields = {field.name: field.default for field in attrs.fields(CLASSES[name]) if field.init}

    assert options.pop("name") == name
    assert options == fields | ({"seed": "${seed}"} if "seed" in fields else {})


# The floor


def test_the_floor_is_the_same_measure_beside_the_texts_of_others() -> None:
    """With two records there is only one way to shuffle."""
    given = [record("a", "calm face", "calm face"), record("b", "calm smile", "a smile")]

    found = Rouge().values(given)

    np.testing.assert_allclose(found["rouge1"], [1, 0.5])
    assert found["rouge1_floor"].mean() == pytest.approx((0 + 0.5) / 2)


def test_in_each_shuffle_everybody_is_the_partner_of_another_one() -> None:
    """Nobody meets its own texts, and no text is met more often than another."""
    partners = shuffles(10, 0, 10_000, exact=False)

    assert partners.shape == (1000, 10)
    assert (partners != np.arange(10)).all()
    assert (np.sort(partners, axis=1) == np.arange(10)).all()


def test_every_other_one_is_as_likely() -> None:
    """The floor is that of a stranger drawn at random."""
    drawn = Counter(shuffles(5, 0, 50_000, exact=False)[:, 0].tolist())

    assert set(drawn) == {1, 2, 3, 4}
    assert max(drawn.values()) / min(drawn.values()) < 1.1


@pytest.mark.parametrize("metric", [Rouge(), Bleu(), CorpusBleu(), Meteor(), Polarity()])
def test_an_answer_that_is_the_same_for_everybody_is_at_its_floor(metric: TextMetric) -> None:
    """It says nothing about anybody, however many have the text that it is like."""
    said = "a calm and happy face"
    given = [record(f"r{place}", said, said if place % 10 else "a sad boy", valence=place % 10) for place in range(30)]
    found = {score.name: score.value for score in score_all(given, [metric])}
    own = next(iter(found))

    assert found[own] > 0.5
    assert found[f"{own}_floor"] == pytest.approx(found[own], abs=1e-12)


def test_the_floor_depends_on_the_seed_and_not_on_the_order_of_records() -> None:
    """Answers of many requests at once come in any order."""
    given = [record(f"r{place}", "calm " * place, "x" * place) for place in range(1, 30)]
    floor = value(Length(floor_pairs=29), "length_floor", given)

    assert value(Length(floor_pairs=29), "length_floor", given[::-1]) == pytest.approx(floor)
    assert value(Length(floor_pairs=29, seed=1), "length_floor", given) != pytest.approx(floor)


def test_the_floor_is_exact_where_there_are_few_pairs_and_near_it_elsewhere() -> None:
    """The mean over every pair of different records: computed where 400 pairs are allowed, estimated from 399."""
    given = [record(f"r{place}", "a" * place, "x" * place) for place in range(1, 21)]
    expected = np.mean([own * other for own in range(1, 21) for other in range(1, 21) if other != own])

    assert value(Length(floor_pairs=400), "length_floor", given) == pytest.approx(expected, rel=1e-12)
    assert value(Length(floor_pairs=399), "length_floor", given) == pytest.approx(expected, rel=0.2)


def test_the_gain_over_the_floor_has_an_interval_of_its_own() -> None:
    """Score and floor vary together, so their difference is far more certain than either."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 60, 80)
    given = [record(f"r{place:02}", "a " * (10 + size % 2), "a " * size) for place, size in enumerate(lengths.tolist())]

    found = {score.name: score for score in score_all(given, [Rouge()])}
    own = found["rouge1"]

    assert own.parts["gain"] == pytest.approx(own.value - found["rouge1_floor"].value)
    assert own.low is not None
    assert own.high is not None
    assert own.parts["gain_high"] - own.parts["gain_low"] < 0.2 * (own.high - own.low)


@pytest.mark.parametrize("metric", [Rouge(), Polarity()])
def test_the_interval_of_a_floor_is_that_of_other_people(metric: ValuedMetric) -> None:
    """An answer that is the same for everybody varies as its floor does, however many shuffles steady the floor."""
    given = [
        record(f"r{place:02}", "happy", "sad" if place % 4 else "happy", valence=-0.5 if place % 4 else 0.5)
        for place in range(60)
    ]
    found = {score.name: score for score in score_all(given, [metric])}
    name = next(iter(found))
    own, shuffled = found[name], found[f"{name}_floor"]

    assert own.low is not None
    assert shuffled.low is not None
    assert shuffled.value - shuffled.low == pytest.approx(own.value - own.low, rel=0.15)


@pytest.mark.parametrize(("texts", "pairs"), [(("joy", "calm"), 0), (("joy", "joy"), 2000)])
def test_there_is_no_floor_without_others_or_when_it_is_not_wanted(texts: tuple[str, str], pairs: int) -> None:
    """Beside the same texts it would be no floor."""
    given = [record("a", "calm", texts[0]), record("b", "calm", texts[1])]

    assert [score.name for score in score_all(given, [Length(floor_pairs=pairs)])] == ["length"]
    assert len(pair_up(given, 0, pairs).others) == 0


# Overlap


def test_words_are_taken_without_data_of_nltk() -> None:
    """Lower case, no punctuation, apostrophes and other alphabets kept."""
    assert words("They DON'T look well-rested – naïve?") == ["they", "don't", "look", "well", "rested", "naïve"]


def test_signs_above_and_below_letters_belong_to_the_word() -> None:
    """Hindi writes vowels so, and some keyboards accents; a smiley with such a sign is no word all the same."""
    assert words("वह खुश है ☺️") == ["वह", "खुश", "है"]
    assert words("nai\u0308ve") == words("naïve") == ["naïve"]


@pytest.mark.parametrize("smoothing", ["method1", "method2", "method3"])
def test_bleu_is_that_of_nltk(smoothing: str) -> None:
    """All texts are references at once."""
    smooth = getattr(SmoothingFunction(), smoothing)
    expected = [
        sentence_bleu([words(text) for text in texts], words(answer), smoothing_function=smooth)
        for answer, texts in PAIRS
    ]

    np.testing.assert_allclose(Bleu(smoothing=smoothing).values(records())["bleu"], expected, rtol=1e-12)


def test_bleu_by_hand() -> None:
    """Shares 3/5, 2/4, 1/3 and 0.1/2 of runs of 1 to 4 words; the answer is one word shorter than the reference."""
    given = [record("a", "the face looks rather tired", "the face looks tired from too")]
    shares = (4 / 5) * (2 / 4) * (1 / 3) * (0.1 / 2)

    assert value(Bleu(), "bleu", given) == pytest.approx(math.exp(1 - 6 / 5) * shares ** (1 / 4), rel=1e-12)


def test_corpus_bleu_is_that_of_nltk_with_missing_answers_empty() -> None:
    """Counts are added up before they are divided."""
    given = [*records(), record("z", "", "A man asleep.")]
    answers = [words(each.answer) for each in given]
    references = [[words(text) for text in each.truth.text] for each in given]

    assert value(CorpusBleu(), "corpus_bleu", given) == pytest.approx(corpus_bleu(references, answers), rel=1e-12)


def test_corpus_bleu_has_an_interval_and_a_floor() -> None:
    """By picture like those of means, and the same each time."""
    given = [attrs.evolve(each, id=f"{each.id}{copy}", image=each.image + copy) for each in records() for copy in "ab"]
    own, floor = score_all(given, [CorpusBleu()])

    assert own.low is not None
    assert own.high is not None
    assert 0 <= own.low < own.value < own.high <= 1
    assert floor.name == "corpus_bleu_floor"
    assert floor.value < own.value
    assert score_all(given[::-1], [CorpusBleu()]) == [own, floor]


def test_corpus_bleu_without_a_record_is_that_of_the_others() -> None:
    """The draws of its interval leave records out; the records' order says nothing."""
    given = records()[::-1]
    [(known, figures)] = CorpusBleu().statistics(given)
    expected = [
        corpus_bleu([[*map(words, texts)] for _, texts in each], [words(answer) for answer, _ in each])
        for each in (PAIRS[3::-1], (*PAIRS[4:2:-1], *PAIRS[1::-1]))
    ]
    weights = np.array([[0.0, 1, 1, 1, 1], [1.0, 1, 0, 1, 1]])

    assert known.all()
    np.testing.assert_allclose(figures(weights)["corpus_bleu"], expected, rtol=1e-12)


def test_the_interval_of_the_floor_of_corpus_bleu_is_that_of_other_people() -> None:
    """As of the means: an answer that is the same for everybody varies as its floor does."""
    texts = ("a calm and happy face", "somebody who looks rather sad today", "a happy face", "a calm face, I think")
    given = [record(f"r{place:02}", "a calm and happy face", texts[place % 4]) for place in range(60)]
    own, shuffled = score_all(given, [CorpusBleu()])

    assert own.low is not None
    assert shuffled.low is not None
    assert shuffled.value == pytest.approx(own.value, rel=0.02)
    assert shuffled.value - shuffled.low == pytest.approx(own.value - own.low, rel=0.15)


def test_meteor_is_that_of_nltk_with_a_wordnet_that_knows_nothing() -> None:
    """The best reference counts."""
    expected = [
        meteor_score([words(text) for text in texts], words(answer), wordnet=NoWordNet()) for answer, texts in PAIRS
    ]

    np.testing.assert_allclose(Meteor().values(records())["meteor_exact_stem"], expected, rtol=1e-12)


def test_meteor_by_hand() -> None:
    """Of 4 and 3 words one is the same and one has the same stem, in two runs: P 1/2, R 2/3, penalty 1/2."""
    given = [record("a", "she was smiling happily", "happily he smiles")]
    precision, recall = 2 / 4, 2 / 3
    mean = precision * recall / (0.9 * precision + 0.1 * recall)

    assert value(Meteor(), "meteor_exact_stem", given) == pytest.approx(mean * (1 - 0.5), rel=1e-12)


@pytest.mark.parametrize("stems", [False, True])
def test_rouge_is_that_of_rouge_score(stems: bool) -> None:
    """Each figure beside its own best reference."""
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stems)
    found = Rouge(stems=stems).values(records())

    for name in ("rouge1", "rouge2", "rougeL"):
        expected = [scorer.score_multi(texts, answer)[name].fmeasure for answer, texts in PAIRS]
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)


def test_rouge_of_any_texts_is_that_of_rouge_score() -> None:
    """Short and long, with repeated words, and with none that it knows."""
    generator = np.random.default_rng(0)
    drawn = [" ".join(generator.choice(["she", "smiles", "calm", "face", "高兴"], size)) for size in range(1, 80)]
    scorer = RougeScorer(["rougeL"])
    found = Rouge(floor_pairs=0).values([record(f"{place:02}", *drawn[place - 2 : place]) for place in range(2, 80)])

    expected = [scorer.score(drawn[place - 1], drawn[place - 2])["rougeL"].fmeasure for place in range(2, 80)]
    np.testing.assert_array_equal(found["rougeL"], expected)


def test_rouge_by_hand() -> None:
    """Three of four words are shared, one of three pairs, and two in the same order."""
    given = [record("a", "calm happy tired face", "happy calm tired person")]
    found = {score.name: score.value for score in score_all(given, [Rouge()])}

    assert found == {"rouge1": pytest.approx(3 / 4), "rouge2": 0, "rougeL": pytest.approx(2 / 4)}


# Embeddings


def test_cosines_of_minilm_are_the_published_ones() -> None:
    """As on the first page of sentence-transformers' documentation."""
    found = Cosine(device="cpu").compare(
        [(WEATHER[0], WEATHER[1:2]), (WEATHER[0], WEATHER[2:]), (WEATHER[1], WEATHER[2:])]
    )

    np.testing.assert_allclose(found["cosine"], [0.6660, 0.1046, 0.1411], atol=5e-5)


def test_cosines_are_those_of_sentence_transformers(minilm: Path) -> None:
    """The same weights, read by its own rules from a folder, one text at a time."""
    other = Cosine(model=str(minilm), device="cpu", batch_size=1).compare(PAIRS)

    assert set(other) == {"cosine_minilm"}
    np.testing.assert_allclose(Cosine(device="cpu").compare(PAIRS)["cosine"], other["cosine_minilm"], atol=1e-6)


def test_the_best_reference_counts() -> None:
    """A person is not wrong because another one wrote something else."""
    found = Cosine(device="cpu").compare([(WEATHER[0], WEATHER[1:]), (WEATHER[0], WEATHER[2:])])["cosine"]

    assert found[0] > found[1]


def test_no_text_is_embedded_twice_and_none_without_an_answer() -> None:
    """Nor when the core scores the answered records again."""
    asked: list[str] = []

    @attrs.frozen(kw_only=True)
    class Counting(Cosine):
        def encode(self, texts: Sequence[str]) -> Iterable[object]:
            asked.extend(texts)
            return [np.ones(3) / math.sqrt(3) for _ in texts]

    silent = [record("a", "", "sad"), record("b", "", "calm")]
    score_all(silent, [Counting()])
    assert asked == []

    score_all([record("a", "calm", "sad"), record("b", "calm", "calm"), *silent[1:]], [Counting()])
    assert Counter(asked) == {"calm": 1, "sad": 1}


def test_missing_weights_are_told_before_the_first_request(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run must not find out after hours of asking."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with pytest.raises(WeightsError, match="'minilm' are not on this machine"):
        Cosine()


@pytest.mark.parametrize("metric", [Cosine, BertScore])
@pytest.mark.parametrize("file", ["tokenizer.json", "model.safetensors"])
def test_a_folder_with_a_broken_file_is_told_before_the_first_request(
    metric: type[Cosine | BertScore], file: str, minilm: Path, tmp_path: Path
) -> None:
    """A download that was cut off must not be found out after hours of asking."""
    shutil.copytree(minilm, tmp_path / "broken")
    (tmp_path / "broken" / file).write_bytes((minilm / file).read_bytes()[:100])

    with pytest.raises(
        AccessError, match=rf"broken' cannot be loaded .* give metric\.{metric.__name__.lower()}\.model="
    ):
        metric(model=str(tmp_path / "broken"), device="cpu")


@pytest.mark.parametrize("metric", [Cosine, BertScore])
def test_a_network_without_all_its_weights_is_refused(
    metric: type[Cosine | BertScore], minilm: Path, tmp_path: Path
) -> None:
    """What is missing would be drawn at random, and the figures with it."""
    shutil.copytree(minilm, tmp_path / "partly")
    weights = load_file(minilm / "model.safetensors")
    kept = {name: values for name, values in weights.items() if "encoder.layer.3.attention" not in name}
    save_file(kept, tmp_path / "partly" / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(AccessError, match="lacks weights of its network"):
        metric(model=str(tmp_path / "partly"), device="cpu")


@pytest.mark.parametrize("metric", [Cosine, BertScore])
def test_a_model_that_cannot_be_had_is_told_before_the_first_request(
    metric: type[Cosine | BertScore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the option to type."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with pytest.raises(
        AccessError, match=rf"AFFECTLM_OFFLINE forbids .*; give metric\.{metric.__name__.lower()}\.model="
    ):
        metric(model="nobody/nothing")


def test_looking_for_what_is_missing_fetches_nothing() -> None:
    """As `affectlm doctor` does."""
    token = fetching.set(False)
    try:
        with pytest.raises(AccessError, match="a run fetches it"):
            Cosine(model="nobody/nothing")
    finally:
        fetching.reset(token)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"has no config\.json"),
        ({"config.json": "{}"}, "no .safetensors file"),
        ({"config.json": "{}", "model.safetensors": "", "2_Dense/pytorch_model.bin": ""}, "part that is not"),
        (
            {"config.json": "{}", "model.safetensors": "", "modules.json": '[{"type": "evil.Run"}]'},
            "needs its own code",
        ),
        ({"config.json": "{}", "model.safetensors": "", "modules.json": "["}, "cannot be read"),
        ({"config.json": "[]", "model.safetensors": ""}, "cannot be read"),
        ({"config.json": "{}", "model.safetensors": ""}, "without a model_type"),
    ],
)
def test_a_folder_that_is_not_safe_to_load_is_refused(files: dict[str, str], message: str, tmp_path: Path) -> None:
    """No pickle and no code from data."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    with pytest.raises(AccessError, match=message):
        Cosine(model=str(tmp_path))


# BERTScore


def tokens(states: Sequence[Sequence[float]], marks: Sequence[bool]) -> Tokens:
    return Tokens(np.array(states, dtype=np.float32), np.array(marks))


def test_bertscore_by_hand() -> None:
    """Two answer tokens with nearest cosines 1 and 0.6, one of the text with 1: P 0.8, R 1."""
    answer = tokens([[1, 0], [0.6, 0.8]], [False, False])
    text = tokens([[1, 0]], [False])

    assert greedy_f1(answer, text) == pytest.approx(2 * 0.8 / 1.8, rel=1e-6)


def test_a_mark_may_be_the_nearest_token_but_is_not_averaged_over() -> None:
    """As in the authors' program; a text of marks alone is like nothing."""
    answer = tokens([[0, 1], [1, 0]], [True, False])
    text = tokens([[0, 1], [0.8, 0.6]], [True, False])

    assert greedy_f1(answer, text) == pytest.approx(0.8, rel=1e-6)
    assert greedy_f1(tokens([[0, 1]], [True]), text) == 0


def test_bertscore_of_a_network_is_that_of_its_states(minilm: Path) -> None:
    """Computed from the states that transformers gives for each text alone, with the layer that was asked for."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm)

    def states(text: str) -> torch.Tensor:
        with torch.inference_mode():
            output = network(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        return torch.nn.functional.normalize(output.hidden_states[4][0], dim=-1)

    answer, text = WEATHER[:2]
    cosines = states(answer) @ states(text).T
    precision, recall = cosines.max(1).values[1:-1].mean(), cosines.max(0).values[1:-1].mean()

    for model, name in ((MINILM, MINILM), (str(minilm), "minilm")):
        found = BertScore(model=model, layer=4, device="cpu").compare([(answer, (text,)), (text, (text, answer))])
        expected = [float(2 * precision * recall / (precision + recall)), 1.0]
        np.testing.assert_allclose(found[f"bertscore_{name}"], expected, atol=1e-5)


def test_a_layer_that_the_model_does_not_have_is_refused() -> None:
    """Before the first request."""
    with pytest.raises(ValueError, match=f"layer is 7, but '{MINILM}' has 6"):
        BertScore(model=MINILM, layer=7)


# Polarity


@pytest.mark.parametrize(
    ("text", "compound"),
    [
        ("VADER is smart, handsome, and funny.", 0.8316),
        ("VADER is not smart, handsome, nor funny.", -0.7424),
        ("The book was good.", 0.4404),
        ("Today SUX!", -0.5461),
        ("A face.", 0),
    ],
)
def test_compounds_are_those_that_the_authors_publish(text: str, compound: float) -> None:
    """The examples of VADER's own page."""
    assert compounds([text])[0] == pytest.approx(compound, abs=5e-5)


def test_polarity_agrees_when_both_are_positive_neutral_or_negative() -> None:
    """A valence of exactly 0.1 has a sign; without a valence there is nothing to agree with, and silence disagrees."""
    cases: list[tuple[str, float, float]] = [
        ("happy", 0.1, 1),
        ("happy", 0.09, 0),
        ("a face", -0.09, 1),
        ("sad", -0.1, 1),
        ("sad", 0.5, 0),
    ]
    given = [record(f"r{place}", answer, valence=valence) for place, (answer, valence, _) in enumerate(cases)]
    given += [record("s", "", valence=0.0, outcome=Outcome.NO_FACE), record("t", "happy")]

    found = Polarity().values(given)["polarity_agreement"]

    np.testing.assert_array_equal(found, [*(expected for _, _, expected in cases), 0, np.nan])


def test_the_floor_of_polarity_is_the_agreement_with_another_valence() -> None:
    """Three records: each positive answer meets a positive valence in half of the draws, the negative one never."""
    given = [record("a", "happy", valence=0.5), record("b", "happy", valence=0.8), record("c", "sad", valence=-0.5)]

    assert value(Polarity(floor_pairs=30_000), "polarity_agreement_floor", given) == pytest.approx(1 / 3, abs=0.01)


def test_polarity_correlation_is_pearsons_over_the_answered() -> None:
    """Silence has no place on the scale."""
    answers = ["happy", "sad", "a calm face", "terrible grief", "very pleased and proud"]
    valences = [0.4, -0.3, 0.2, -0.9, 0.6]
    given = [
        record(f"r{place}", answer, valence=valence)
        for place, (answer, valence) in enumerate(zip(answers, valences, strict=True))
    ]

    given.append(record("z", "", valence=1.0))

    (score,) = score_all(given, [PolarityCorrelation()])

    assert score.value == pytest.approx(pearsonr(compounds(answers), valences).statistic, rel=1e-12)
    assert (score.count, score.low) == (5, None)


def test_there_is_no_correlation_with_a_constant() -> None:
    """One record, or one and the same answer to all."""
    given = [record("a", "happy", valence=0.5), record("b", "happy", valence=-0.5)]

    assert score_all(given, [PolarityCorrelation()]) == []
    assert score_all(given[:1], [PolarityCorrelation()]) == []
