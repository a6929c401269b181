"""How fast a language model behind a network is asked: `python benchmarks/asking_rate.py`.

A server on loopback answers every request after 200 ms. As many questions are asked, 64 at once, by affectlm, and by
inspect_ai and lm-evaluation-harness where they are installed (`pip install inspect_ai 'lm_eval[api]'`), each in a
process of its own, in turn. The rate is the server's: requests between the first and the last it got, and one latency.
Then 5,000 questions are asked twice by affectlm; the second run finds every answer stored.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

MODEL = "loopback-1"
QUESTION = (
    "Choose the emotion that fits best. Emotions: anger, fear. A person's face looks like valence {}, arousal {}."
)


def serve(latency: float, pipe: Connection) -> None:
    """A server in this process: sends its address, then for every word it gets what came in since the last."""
    from tests.loopback import LoopbackServer

    with LoopbackServer(latency=latency) as server:
        pipe.send(server.url)
        while pipe.recv() is not None:
            times = [received.at for received in server.requests]
            pipe.send((len(times), times[-1] - times[0] + latency if times else 0.0, server.peak))
            server.requests.clear()
            server.peak = 0


def affectlm(url: str, count: int, most: int, folder: Path, cache: str = "off") -> None:
    """Asks through the whole line, records and all."""
    import affectlm

    questions = folder / f"{count}.csv"
    points = np.random.default_rng(0).uniform(-1, 1, (count, 2))
    lines = [f"{number},{valence:.4f},{arousal:.4f}" for number, (valence, arousal) in enumerate(points)]
    questions.write_text("\n".join(["id,valence,arousal", *lines]))
    report = affectlm.run(
        *("dataset=manifest", f"dataset.path={questions}", "prompt=categories", "style=numbers"),
        *("prompt.decimals=4", "llm=openai", f"llm.model={MODEL}", f"llm.base_url={url}", f"llm.concurrency={most}"),
        *(f"cache={cache}", f"hydra.run.dir={folder / f'run-{time.monotonic_ns()}'}"),
    )
    print(json.dumps({"seconds": report.usage["seconds"], "requests": report.usage["requests"]}))


def prompts(count: int) -> list[str]:
    """Questions like those of affectlm, all different."""
    points = np.random.default_rng(0).uniform(-1, 1, (count, 2))
    return [QUESTION.format(f"{valence:.4f}", f"{arousal:.4f}") for valence, arousal in points]


def inspect_ai(url: str, count: int, most: int, folder: Path) -> None:
    """Asks by inspect_ai's OpenAI-compatible provider."""
    os.environ.update(LOOPBACK_API_KEY="none", LOOPBACK_BASE_URL=url)
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig
    from inspect_ai.solver import generate

    task = inspect_ai.Task(
        dataset=[Sample(input=prompt) for prompt in prompts(count)],
        solver=generate(),
        config=GenerateConfig(max_connections=most, max_tokens=16, temperature=0),
    )
    model = f"openai-api/loopback/{MODEL}"
    inspect_ai.eval(task, model=model, display="none", log_dir=str(folder / "inspect"), max_samples=most)


def lm_eval(url: str, count: int, most: int, folder: Path) -> None:
    """Asks by lm-evaluation-harness' model for local chat servers."""
    os.environ["OPENAI_API_KEY"] = "none"
    from lm_eval.api.instance import Instance
    from lm_eval.models.api_models import JsonChatStr
    from lm_eval.models.openai_completions import LocalChatCompletion

    model: Any = LocalChatCompletion(base_url=f"{url}/chat/completions", model=MODEL, num_concurrent=most)
    messages = [JsonChatStr(json.dumps([{"role": "user", "content": prompt}])) for prompt in prompts(count)]
    options = {"until": [], "max_gen_toks": 16, "do_sample": False}
    model.generate_until(
        [
            Instance(request_type="generate_until", doc={}, arguments=(message, options), idx=number)
            for number, message in enumerate(messages)
        ]
    )


ASKERS = {"affectlm": affectlm, "inspect_ai": inspect_ai, "lm_eval": lm_eval}


def measure(words: argparse.Namespace) -> None:
    """Prints the rates of all in turn, then the cached run."""
    here, there = Pipe()
    process = Process(target=serve, args=(words.latency, there), daemon=True)
    process.start()
    url = here.recv()
    ideal = words.most / words.latency
    print(f"{words.count} requests, {words.most} under way, {words.latency * 1000:.0f} ms: ideal {ideal:.0f} a second")
    with tempfile.TemporaryDirectory() as folder:
        for name in (name for name in ASKERS if find_spec(name)):
            for _ in range(words.repeats):
                run(name, url, words, folder)
                here.send("figures")
                count, seconds, peak = here.recv()
                rate = count / seconds
                print(
                    f"{name:10} {rate:5.0f} a second, {rate / ideal:.2f} of the ideal, at most {peak} at once",
                    flush=True,
                )
        cached(url, folder, here)
    here.send(None)


def cached(url: str, folder: str, pipe: Connection) -> None:
    """Prints how long a run takes whose answers are all stored, and whether it asked anything."""
    words = argparse.Namespace(count=5000, most=64)
    for _ in range(2):
        found = run("affectlm", url, words, folder, "on")
        pipe.send("figures")
        count, *_ = pipe.recv()
        print(f"5,000 questions: {found['seconds']:.1f} s, {count} requests reached the server")


def run(name: str, url: str, words: argparse.Namespace, folder: str, cache: str = "off") -> dict[str, float]:
    """What one asker says of itself, in a process of its own."""
    command = [sys.executable, __file__, "--asker", name, "--url", url, "--folder", folder, "--cache", cache]
    command += ["--count", str(words.count), "--most", str(words.most)]
    environment = {**os.environ, "AFFECTLM_CACHE": f"{folder}/cache"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    last = done.stdout.strip().splitlines()[-1:] if name == "affectlm" else []
    return dict(json.loads(last[0])) if last else {}


def main() -> None:
    """Measures, or is one of those who are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--most", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--asker", choices=list(ASKERS), help=argparse.SUPPRESS)
    for hidden in ("--url", "--folder", "--cache"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.asker == "affectlm":
        affectlm(words.url, words.count, words.most, Path(words.folder), words.cache)
    elif words.asker:
        ASKERS[words.asker](words.url, words.count, words.most, Path(words.folder))
    else:
        measure(words)


if __name__ == "__main__":
    main()
