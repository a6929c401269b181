"""Speed of label probabilities beside lm-evaluation-harness.

`python benchmarks/choices_speed.py [PROMPTS [ROUNDS [BATCH]]]`, BATCH being the harness' batch size; without it the
quickest of some is found first. Both read the same prompts of SmolLM2-135M-Instruct on the CPU in float32, in turn, in
one process; the best of the rounds counts. Without the harness, affectlm alone is timed.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from affectlm.types import Request, Sample
from affectlm_categories.prompt import Categories
from affectlm_chat import affectlm_weights
from affectlm_chat.conversation import turns
from affectlm_chat.transformers.smollm2 import SmolLM2, convert

try:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
except ImportError as error:
    HFLM = None
    sys.stderr.write(f"affectlm alone, since lm-evaluation-harness is missing ({error}): pip install 'lm_eval[hf]'\n")

EMOTIC = (
    "affection", "anger", "annoyance", "anticipation", "aversion", "confidence", "disapproval", "disconnection",
    "disquietment", "doubt/confusion", "embarrassment", "engagement", "esteem", "excitement", "fatigue", "fear",
    "happiness", "pain", "peace", "pleasure", "sadness", "sensitivity", "suffering", "surprise", "sympathy", "yearning",
)  # fmt: skip
BATCH_SIZES = (1, 4, 16, 64)


@contextmanager
def counting(model: torch.nn.Module) -> Iterator[dict[str, int]]:
    """Counts tokens that go through the layers and rows that are projected to the vocabulary."""
    counts = {"tokens": 0, "rows": 0}

    def count(name: str) -> Callable[[Any, Any], None]:
        def add(_: Any, inputs: Any) -> None:
            counts[name] += inputs[0].shape[:2].numel()

        return add

    parts: Any = model
    hooks = [parts.model.embed_tokens.register_forward_pre_hook(count("tokens"))]
    hooks.append(parts.lm_head.register_forward_pre_hook(count("rows")))
    yield counts
    for hook in hooks:
        hook.remove()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, seconds of all cores together, and what came back."""
    begin = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - begin[0], time.process_time() - begin[1], found


def requests(count: int) -> list[Request]:
    """Prompts of experiment 1 about places all over the plane."""
    places = np.random.default_rng(0).uniform(-1, 1, (count, 2))
    prompt = Categories(labels=EMOTIC, style="both", answer="choices")
    return [prompt.render(Sample(str(row), float(v), float(a))) for row, (v, a) in enumerate(places)]


def harness(theirs: Any, texts: Sequence[str], labels: Sequence[str], size: int) -> list[float]:
    """The harness' log-likelihood of every label behind every text."""
    theirs.batch_size_per_gpu = size
    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=(text, f" {label}"), idx=0)
        for text in texts
        for label in labels
    ]
    return [value for value, _ in theirs.loglikelihood(asked, disable_tqdm=True)]


def quickest(theirs: Any, texts: Sequence[str]) -> int:
    """The batch size that suits the harness best."""
    tried = {size: timed(partial(harness, theirs, texts, EMOTIC, size))[0] for size in BATCH_SIZES}
    print("batch size of the harness: " + ", ".join(f"{size}: {seconds:.1f} s" for size, seconds in tried.items()))
    return min(tried, key=lambda size: tried[size])


def main(count: int = 200, rounds: int = 3, batch: int | None = None) -> None:
    """Prints seconds, their ratio, the largest difference and what each had to compute."""
    logging.disable(logging.WARNING)
    asked = requests(count)
    ours = SmolLM2(device="cpu", dtype="float32", batch_size=16)
    chat = ours._chat.ready()
    folder = str(convert(affectlm_weights()[0]))
    theirs: Any = HFLM and HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=1)
    texts = [chat.prompt(turns(request.messages[:-1])) + request.messages[-1].text for request in asked]
    best = (batch or quickest(theirs, texts[:2])) if theirs else 0
    seconds: dict[str, list[list[float]]] = {"affectlm": [], **({"harness": []} if theirs else {})}
    counts: dict[str, dict[str, int]] = {}
    values: list[float] = []
    for _ in range(rounds):
        fresh = SmolLM2(device="cpu", dtype="float32", batch_size=16)  # nothing is remembered from the round before
        with counting(fresh._chat.ready()._model) as counts["affectlm"]:
            *spent, completions = timed(partial(list, fresh.score_choices(asked)))
        seconds["affectlm"].append(spent)
        if theirs:
            with counting(theirs.model) as counts["harness"]:
                *spent, values = timed(partial(harness, theirs, texts, EMOTIC, best))
            seconds["harness"].append(spent)

    print("\n| | seconds | seconds of all cores | prompts a second | tokens through the layers | rows of logits |")
    print("|---|---|---|---|---|---|")
    for name, times in seconds.items():
        wall, cores = np.min(times, axis=0)
        tokens, rows = counts[name]["tokens"], counts[name]["rows"]
        print(f"| {name} | {wall:.1f} | {cores:.1f} | {count / wall:.3f} | {tokens} | {rows} |")
    print(f"\n{count} prompts, {len(EMOTIC)} labels, {rounds} rounds, batch size of the harness {best}")
    print(f"{torch.get_num_threads()} threads on {os.cpu_count()} cores")
    if theirs:
        wall, cores = np.min(seconds["harness"], axis=0) / np.min(seconds["affectlm"], axis=0)
        found = np.array([[done.choice_logprobs[label] for label in EMOTIC] for done in completions])
        print(f"throughput ratio {wall:.1f}; by seconds of all cores, which other programs disturb less, {cores:.1f}")
        difference = np.abs(found - np.array(values).reshape(count, -1)).max()
        print(f"largest difference of a log-probability {difference:.1e}")
    with torch.profiler.profile() as profile:
        list(ours.score_choices(asked[:16]))
    events = sorted(profile.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    shares = ", ".join(f"{event.key} {event.self_cpu_time_total / total:.0%}" for event in events[:4])
    print(f"what affectlm's time goes into: {shares}")


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:]])
