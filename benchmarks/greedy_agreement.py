"""Whether one model says the same through three adapters: `python benchmarks/greedy_agreement.py [PROMPTS]`.

SmolLM2-135M-Instruct answers greedily in process by llama.cpp, by llama-cpp-python's own server on the loopback through
llm=openai, and by transformers in float32. Needs `pip install 'llama-cpp-python[server]'`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from affectlm.types import Completion, Request, Sample
from affectlm.weights.named import obtain
from affectlm_chat import affectlm_weights
from affectlm_chat.llamacpp.adapter import LlamaCpp
from affectlm_chat.openai.service import OpenAIChat
from affectlm_chat.transformers.smollm2 import SmolLM2
from affectlm_descriptions.prompt import Description

TOKENS = 48
CONTEXT = 1024
PATIENCE = 300  # seconds for the server to load the model


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The address of llama-cpp-python's server while it runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--n_ctx", str(CONTEXT), "--verbose", "false"]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(server, f"http://127.0.0.1:{port}/v1/models")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait()


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    begin = time.monotonic()
    while server.poll() is None and time.monotonic() - begin < PATIENCE:
        try:
            urlopen(address, timeout=5).close()  # noqa: S310  # the loopback
        except OSError:
            time.sleep(0.5)
        else:
            return
    sys.exit("llama-cpp-python's server does not start: pip install 'llama-cpp-python[server]'")


def compare(name: str, one: Sequence[Completion], other: Sequence[Completion]) -> None:
    """Prints how many replies are equal, and where the first that differs does."""
    pairs = [(left.error or left.text, right.error or right.text) for left, right in zip(one, other, strict=True)]
    print(f"{name}: {sum(left == right for left, right in pairs)} of {len(pairs)} replies equal")
    for number, (left, right) in enumerate(pairs):
        if left != right:
            shorter = min(len(left), len(right))
            place = next((place for place in range(shorter) if left[place] != right[place]), shorter)
            print(f"  first difference: prompt {number}, character {place}:\n    {left!r}\n    {right!r}")
            return


def main(count: int = 20) -> None:
    """Prints the agreement of each two."""
    file = obtain(affectlm_weights()[0])
    places = np.random.default_rng(0).uniform(-1, 1, (count, 2))
    asked: list[Request] = [
        Description().render(Sample(str(row), float(v), float(a))) for row, (v, a) in enumerate(places)
    ]
    in_process = list(LlamaCpp(model="smollm2", context_size=CONTEXT, max_new_tokens=TOKENS).complete(asked))
    torch = list(SmolLM2(device="cpu", dtype="float32", max_new_tokens=TOKENS).complete(asked))
    with served(file) as address:
        plain = {"repeat_penalty": 1.0}  # the server lowers the probability of repeated tokens unless told not to
        service = OpenAIChat(
            model="smollm2", base_url=address, key_needed=False, max_new_tokens=TOKENS, extra_body=plain
        )
        behind = [service.complete_one(request) for request in asked]
    compare("llamacpp and openai (llama-cpp-python's server)", in_process, behind)
    compare("llamacpp and smollm2 (transformers, float32)", in_process, torch)
    compare("openai and smollm2", behind, torch)


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:]])
