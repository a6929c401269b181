"""How many words and runs of words an answer shares with what people wrote: BLEU, METEOR, ROUGE.

Words are split by a rule here, or in ROUGE by rouge-score's own, so that no nltk data has to be downloaded.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import Fraction, SmoothingFunction, brevity_penalty
from nltk.translate.meteor_score import single_meteor_score
from numpy.typing import NDArray
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import fmeasure
from rouge_score.tokenizers import DefaultTokenizer

from affectlm.types import Record, Statistic
from affectlm.validators import flag, one_of
from affectlm_descriptions.pairs import (
    Figures,
    Floats,
    Pair,
    Pairs,
    Shuffling,
    TextMetric,
    best,
    pair_up,
    with_floors,
    with_gain,
)

ORDERS = (1, 2, 3, 4)  # lengths of the runs of words that BLEU counts
ROUGE = ("rouge1", "rouge2", "rougeL")
_WORD = r"\w[\w{0}]*(?:['’]\w[\w{0}]*)*"

Grams: TypeAlias = "list[Counter[tuple[str, ...]]]"  # count of each run of words, by its length


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; an apostrophe inside a word belongs to it.

    >>> words("They don't look well-rested.")
    ['they', "don't", 'look', 'well', 'rested']
    """
    text = unicodedata.normalize("NFC", text.lower())
    # Vowel signs, as in Hindi, are not letters to the pattern, but belong to their word.
    marks = (
        "" if text.isascii() else "".join(sorted(sign for sign in set(text) if unicodedata.category(sign)[0] == "M"))
    )
    return re.findall(_WORD.format(marks), text)


@attrs.frozen(kw_only=True)
class Bleu(TextMetric):
    """Sentence BLEU of up to four words, with all texts of a record as references; from 0 to 1.

    The brevity penalty times the geometric mean of four shares: of the answer's runs of 1, 2, 3 and 4 words, those that
    references have too, each counted at most as often as in the reference that has it most. Same values as
    `nltk.translate.sentence_bleu`.

    Source: Papineni et al. 2002, ACL.

    Args:
        smoothing: what replaces a share of 0, by its number in Chen & Cherry 2014, WMT: `method1` counts 0.1 runs,
            `method2` adds 1 to both counts of longer runs, `method3` halves from length to length (NIST).
    """

    smoothing: str = attrs.field(default="method1", validator=one_of("method1", "method2", "method3"))

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """BLEU of each pair."""
        smooth = getattr(SmoothingFunction(), self.smoothing)
        return {"bleu": np.array([_bleu(row, smooth) for row in shared_runs(pairs).tolist()])}


@attrs.frozen(kw_only=True)
class CorpusBleu(Shuffling):
    """BLEU of all answers together, as originally defined: counts are summed before the shares; from 0 to 1.

    A missing answer has no words, but the texts of its record keep their length. There is no smoothing, so the score
    is 0 if no run of four words is shared. Same values as `nltk.translate.corpus_bleu`.

    Source: Papineni et al. 2002, ACL.
    """

    judges_by: ClassVar[str] = "text"

    def score_names(self) -> tuple[str, ...]:
        """The names of the score and its floor."""
        return with_floors(["corpus_bleu"])

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[NDArray[np.bool_], Statistic]]:
        """`corpus_bleu` of the records with texts, and `corpus_bleu_floor`, the mean over the shuffles."""
        pairs = pair_up(records, self.seed, self.floor_pairs)
        known = np.zeros(len(records), np.bool_)
        known[list(pairs.rows)] = True
        order = np.argsort(np.argsort(pairs.rows))  # from the order of the records to that of the pairs
        figures = _corpus_figures(pairs)
        return [(known, lambda weights: figures(weights[:, order]))]

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """0 to 1."""
        return dict.fromkeys(self.score_names(), (0.0, 1.0))


@attrs.frozen(kw_only=True)
class Meteor(TextMetric):
    """METEOR with the best reference, without synonyms: a word matches the same word, or one with the same stem.

    From 0 to 1: 10 P R / (R + 9 P) of the shares of matching words, minus up to half of it if they are scattered.
    WordNet is not used, because nltk passes it stems, few of which it has; so the score is `meteor_exact_stem`. Same
    values as `nltk.translate.meteor_score` with an empty WordNet. Stems are Porter's.

    Source: Lavie & Agarwal 2007, WMT (alpha 0.9, beta 3, gamma 0.5).
    """

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """METEOR of each pair."""
        read, stems, nothing = cache(words), _Stems(), _NoSynonyms()

        def alike(answer: str, text: str) -> tuple[float]:
            return (float(single_meteor_score(read(text), read(answer), stemmer=stems, wordnet=nothing)),)

        return best(("meteor_exact_stem",), pairs, alike)


@attrs.frozen(kw_only=True)
class Rouge(TextMetric):
    """F-measures of shared words, word pairs and the longest common subsequence, each with the best reference.

    From 0 to 1, by rouge-score with its own words: runs of the letters a to z and of digits, in lower case.

    Source: Lin 2004, Text Summarization Branches Out.

    Args:
        stems: whether to compare Porter's stems of words with more than three letters.
    """

    stems: bool = attrs.field(default=False, validator=flag)

    def compare(self, pairs: Sequence[Pair]) -> Figures:
        """The three F-measures of each pair."""
        taken = _Words(use_stemmer=self.stems)
        scorer = RougeScorer(ROUGE[:2], tokenizer=taken)

        def alike(answer: str, text: str) -> list[float]:
            found = scorer.score(text, answer)
            longest = rouge_l(taken.tokenize(answer), taken.tokenize(text))
            return [float(found["rouge1"].fmeasure), float(found["rouge2"].fmeasure), longest]

        return best(ROUGE, pairs, alike)


def rouge_l(answer: Sequence[str], text: Sequence[str]) -> float:
    """The F-measure of the longest common subsequence of two texts' words, as in rouge-score but much faster.

    The length is computed as in Hyyrö 2004, AWOCA: one bit per word of the answer, cleared where the subsequence grows,
    and one addition per word of the text.

    >>> rouge_l(["happy", "calm", "tired", "person"], ["calm", "happy", "tired", "face"])
    0.5
    """
    if not answer or not text:
        return 0.0
    places: dict[str, int] = {}
    for place, word in enumerate(answer):
        places[word] = places.get(word, 0) | 1 << place
    everywhere = unmatched = (1 << len(answer)) - 1
    for word in text:
        here = unmatched & places.get(word, 0)
        unmatched = (unmatched + here | unmatched - here) & everywhere
    length = len(answer) - unmatched.bit_count()
    return float(fmeasure(length / len(answer), length / len(text)))


def shared_runs(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """The counts from which BLEU is computed, shape (pairs, 10).

    For runs of 1 to 4 words: how many the references share, then how many the answer has (at least 1); then the number
    of words in the answer, and in the reference closest to it in length (the shorter of two).
    """
    read = cache(_grams)
    most = cache(lambda texts: [reduce(or_, counters) for counters in zip(*map(read, texts), strict=True)])
    return np.array([_shared(read(answer), most(texts), map(read, texts)) for answer, texts in pairs]).reshape(-1, 10)


def _grams(text: str) -> Grams:
    found = words(text)
    return [Counter(zip(*(found[start:] for start in range(order)), strict=False)) for order in ORDERS]


def _shared(answer: Grams, most: Grams, references: Iterable[Grams]) -> list[int]:
    shared = [
        sum(min(number, theirs[run]) for run, number in mine.items() if run in theirs)
        for mine, theirs in zip(answer, most, strict=True)
    ]
    length = answer[0].total()
    nearest = min((text[0].total() for text in references), key=lambda other: (abs(other - length), other))
    return [*shared, *(max(1, runs.total()) for runs in answer), length, nearest]


def _bleu(row: Sequence[int], smooth: Callable[..., Any]) -> float:
    """BLEU of one pair from its `shared_runs`; 0 without a shared word, even with smoothing."""
    if not row[0]:
        return 0.0
    shares = [Fraction(*counts, _normalize=False) for counts in zip(row[:4], row[4:8], strict=True)]
    smoothed = smooth(shares, references=None, hypothesis=None, hyp_len=row[8])
    return float(brevity_penalty(row[9], row[8]) * math.exp(sum(map(math.log, smoothed)) / len(ORDERS)))


def _corpus_figures(pairs: Pairs) -> Statistic:
    """A function for BLEU of all pairs and its floor, from how often each draw has each pair.

    An answer with another record's texts counts as often as the draw has both records: the product of the two counts
    (Arcones & Gine 1992, Ann. Statist. 20). In a single shuffle it counts as often as the answer, as in `floor`.
    """
    runs = shared_runs(pairs.distinct).astype(np.float64)

    def figures(weights: Floats) -> Figures:
        own = _corpus_bleu(weights @ runs[pairs.own])
        beside = [
            _corpus_bleu((weights * weights[:, partners] if len(pairs.others) > 1 else weights) @ runs[others])
            for partners, others in zip(pairs.partners, pairs.others, strict=True)
        ]
        return with_gain("corpus_bleu", own, np.mean(beside, axis=0) if beside else None)

    return figures


def _corpus_bleu(sums: Floats) -> Floats:
    """BLEU from sums of `shared_runs`, shape (draws, 10); NaN without any pair."""
    with np.errstate(divide="ignore", invalid="ignore"):  # one share of 0 makes the whole 0
        mean = np.log(sums[:, :4] / sums[:, 4:8]).mean(axis=1)
    penalty = np.minimum(1 - sums[:, 9] / np.maximum(sums[:, 8], 1), 0)
    return np.asarray(np.exp(mean + penalty))


class _Stems:
    """Porter's stemmer, run once per word."""

    def __init__(self) -> None:
        self.stem = cache(PorterStemmer().stem)


class _NoSynonyms:
    """Replaces WordNet, which would have to be downloaded."""

    def synsets(self, _: str) -> list[object]:
        """No synonyms for any word."""
        return []


class _Words(DefaultTokenizer):  # type: ignore[misc]
    """The words of rouge-score, split once per text."""

    def __init__(self, *, use_stemmer: bool) -> None:
        super().__init__(use_stemmer)
        self.tokenize = cache(super().tokenize)
