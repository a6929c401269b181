"""Seconds of each metric over EMOTIC's test people: `python benchmarks/metrics_speed.py test.csv [OVERRIDES ...]`.

The table is the usual one, its labels being the texts; the answers are the circumplex baseline's, with its
probabilities. Each further word is one configuration ("labels=emotic metric=[accuracy,multilabel]"); without any, the
complex and description experiments. All metrics are timed at once and then each alone, with what they share (baselines,
models) at hand by then. Processor seconds of the whole process, beside those of the clock, for there may be other work
on the machine.
"""

import sys
import time
from ast import literal_eval
from csv import DictReader
from math import exp
from pathlib import Path
from typing import cast

import numpy as np

from affectlm.affect.taxonomies import EMOTIC
from affectlm.config import compose as configuration
from affectlm.errors import AffectlmError
from affectlm.registry import Registry
from affectlm.scores.scores import score_all
from affectlm.types import AnyMetric, Outcome, Record, Request, Sample, Truth
from affectlm_chat.circumplex import Circumplex, describe_place
from affectlm_data.emotic.definitions import find_label

NOISE = 0.1  # between rated and measured valence and arousal, so that both have their classifiers


def records(table: Path) -> list[Record]:
    """A record a person, with an answer and probabilities."""
    generator = np.random.default_rng(0)
    found = []
    with table.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(DictReader(file)):
            rated = [(float(value) - 5.5) / 4.5 for value in literal_eval(row["Continuous_Labels"])[:2]]
            told = np.clip(rated + generator.normal(0, NOISE, 2), -1, 1).tolist()
            sample = Sample(str(number), *told)
            [completion] = Circumplex().score_choices([Request(str(number), (), choices=EMOTIC, sample=sample)])
            probabilities = {label: exp(value) for label, value in (completion.choice_logprobs or {}).items()}
            true = tuple(filter(None, map(find_label, literal_eval(row["Categorical_Labels"]))))
            found.append(
                Record(
                    id=str(number),
                    outcome=Outcome.OK,
                    image=row["Filename"],
                    valence=told[0],
                    arousal=told[1],
                    labels=(max(probabilities, key=lambda label: probabilities[label]),),
                    answer=describe_place(sample),
                    probabilities=probabilities,
                    truth=Truth(labels=true, valence=rated[0], arousal=rated[1], text=(", ".join(true),)),
                )
            )
    return found


def metrics(words: list[str]) -> dict[str, AnyMetric]:
    """The metrics of a configuration by key."""
    chosen = cast("dict[str, dict[str, object]]", configuration.to_plain(configuration.compose(words))["metric"])
    return {key: cast(AnyMetric, Registry.installed().build("metric", options)) for key, options in chosen.items()}


people = records(Path(sys.argv[1]))
for name in sys.argv[2:] or ["experiment=complex", "experiment=description"]:
    try:
        found = metrics(name.split())
    except AffectlmError as error:
        sys.exit(str(error))
    print(f"\n{name}, {len(people)} people\n\n| metric | scores | processor seconds | seconds |\n|---|---|---|---|")
    for key, chosen in [("all at once", None), *found.items()]:
        begin, began = time.process_time(), time.monotonic()
        scores = score_all(people, list(found.values()) if chosen is None else [chosen])
        spent, waited = time.process_time() - begin, time.monotonic() - began
        print(f"| {key} | {len(scores)} | {spent:.1f} | {waited:.1f} |", flush=True)
