"""GGUF files in process: which file is meant, replies as llama.cpp's own, probabilities of given labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from affectlm.errors import AccessError, AffectlmError, ConfigError
from affectlm.registry import Registry
from affectlm.types import ChoiceScorer, Completion, Message, Request, Sample
from affectlm_categories.prompt import Categories
from affectlm_chat import affectlm_weights
from affectlm_chat.llamacpp import adapter
from affectlm_chat.llamacpp.adapter import LlamaCpp
from affectlm_chat.llamacpp.files import find_file
from affectlm_chat.loading import Once

LABELS = ("fear", "anger", "annoyance", "doubt/confusion", "doubt", "happiness")
Build = Callable[..., LlamaCpp]


@pytest.fixture(scope="session")
def smollm2() -> Build:
    """Builds the adapter with the weights that are always at hand."""
    pytest.importorskip("llama_cpp")
    try:
        find_file("smollm2")
    except AffectlmError as error:
        pytest.skip(f"the weights cannot be fetched here: {error}")
    return lambda **options: LlamaCpp(
        **{"model": "smollm2", "context_size": 512, "threads": 1, "max_new_tokens": 12, **options}
    )


@pytest.fixture(scope="session")
def shared(smollm2: Build) -> LlamaCpp:
    return smollm2()


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub cache without a network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")
    return tmp_path


def ask(name: str, text: str = "Say what you see.", choices: Sequence[str] = LABELS) -> Request:
    return Request(name, (Message("user", text),), choices=tuple(choices))


def one_pass_each(request: Request) -> dict[str, float]:
    """The plain way: each label behind its prompt in an empty context that keeps the logits of every position."""
    import llama_cpp
    import numpy as np
    from scipy.special import log_softmax

    file: Any = find_file("smollm2")
    llama: Any = llama_cpp.Llama(str(file.path), n_ctx=256, logits_all=True, verbose=False)
    prompt = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{request.messages[0].text}<|im_end|>\n<|im_start|>assistant\n"
    )
    begin = len(llama.tokenize(prompt.encode(), add_bos=False, special=True))
    found = {}
    for label in request.choices:
        tokens = llama.tokenize((prompt + label).encode(), add_bos=False, special=True)
        llama.reset()
        llama.eval(tokens[:begin])
        for token in tokens[begin:]:
            llama.eval([token])
        logprobs = log_softmax(llama.scores[: len(tokens)].astype(np.float64), axis=1)
        found[label] = sum(logprobs[place - 1, tokens[place]] for place in range(begin, len(tokens)))
    return found


def test_the_registry_builds_it(smollm2: Build) -> None:
    """The hook offers it under its name, and it can score choices."""
    built = Registry.installed().build("llm", {"name": "llamacpp", "model": "smollm2"})

    assert isinstance(built, LlamaCpp)
    assert isinstance(built, ChoiceScorer)


def test_replies_are_those_of_llama_cpp(shared: LlamaCpp) -> None:
    """The file's own chat template, the likeliest token at every step, usage counted."""
    [found] = shared.complete([ask("a", "Name a colour.")])
    llama = shared._model.ready()._llama
    llama.reset()
    expected = llama.create_chat_completion(
        [{"role": "user", "content": "Name a colour."}], temperature=0, max_tokens=12, repeat_penalty=1.0
    )

    assert found.text == expected["choices"][0]["message"]["content"].strip() != ""
    assert found.usage is not None
    assert found.usage["prompt_tokens"] == expected["usage"]["prompt_tokens"]


def test_replies_and_probabilities_do_not_depend_on_what_was_read_before(shared: LlamaCpp, smollm2: Build) -> None:
    """Prompts that share any number of tokens with the one before say what they say alone."""
    asked = [ask(str(count), "Name one " + "bright " * count + "colour.") for count in (0, 3, 4, 9, 10, 3)]
    texts = [completion.text for completion in shared.complete(asked)]
    scores = [completion.choice_logprobs for completion in shared.score_choices(asked)]

    for request, text, score in list(zip(asked, texts, scores, strict=True))[1::2]:
        assert [completion.text for completion in smollm2().complete([request])] == [text]
        assert [completion.choice_logprobs for completion in smollm2().score_choices([request])] == [score]


def test_a_reply_bound_to_a_schema_is_what_it_allows(smollm2: Build) -> None:
    """A small model that would ramble names one label of the set, as JSON."""
    prompt = Categories(labels=["joy", "fear", "anger"], structured="auto")
    request = prompt.render(Sample("face", 0.7, 0.3))

    [found] = smollm2(max_new_tokens=32).complete([request])

    assert set(json.loads(found.text)) == {"emotion"}
    assert len(prompt.parse(found).labels) == 1
    assert found.finish_reason == "stop"


def test_a_reply_that_was_cut_off_says_so(smollm2: Build) -> None:
    """Without an end within max_new_tokens the reason is length."""
    [found] = smollm2(max_new_tokens=2).complete([ask("a")])

    assert found.finish_reason == "length"
    assert found.usage is not None
    assert found.usage["completion_tokens"] == 2


def test_what_is_drawn_depends_on_the_seed_and_not_on_earlier_requests(smollm2: Build) -> None:
    """Every prompt has a seed of its own."""

    def drawn(seed: int, requests: list[Request]) -> str:
        return list(smollm2(temperature=1.5, seed=seed).complete(requests))[-1].text

    assert drawn(1, [ask("a")]) == drawn(1, [ask("b", "Another one?"), ask("a")])
    assert drawn(1, [ask("a")]) != drawn(2, [ask("a")])
    assert drawn(1, [ask("a")]) != drawn(1, [attrs.evolve(ask("a"), repeat=2)])


def test_every_choice_has_the_probability_of_a_pass_of_its_own(shared: LlamaCpp) -> None:
    """Whatever was read before, and for labels that begin others."""
    requests = [ask("a", "How does she feel?"), ask("b", "How does he feel today?"), ask("c", "Something else")]
    list(shared.complete(requests[2:]))
    found = {completion.id: completion for completion in shared.score_choices(requests)}

    for request in requests:
        assert found[request.id].choice_logprobs == pytest.approx(one_pass_each(request), abs=1e-4)
        assert found[request.id].text == ""


def test_a_choice_has_the_tokens_it_adds_to_the_prompt(shared: LlamaCpp) -> None:
    """Counted without an end."""
    [found] = shared.score_choices([ask("a", choices=("anger", "doubt/confusion"))])

    assert found.choice_tokens == {"anger": 1, "doubt/confusion": 5}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask("bad", choices=()), "no choices"),
        (ask("bad", choices=("",)), "no tokens"),
        (ask("bad", "many words " * 300), "context_size=512"),
    ],
)
def test_what_cannot_be_scored_is_an_error(shared: LlamaCpp, request_: Request, reason: str) -> None:
    """The others go on."""
    bad, good = shared.score_choices([request_, ask("good")])

    assert reason in str(bad.error)
    assert good.choice_logprobs


def test_a_prompt_beyond_the_context_is_an_error(shared: LlamaCpp) -> None:
    """Nothing is cut off in silence."""
    bad, good = shared.complete([ask("bad", "many words " * 300), ask("good")])

    assert "exceed" in str(bad.error)
    assert good.text


def test_llama_cpp_is_quiet(smollm2: Build, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither loading nor a request writes to the terminal."""
    list(smollm2(max_new_tokens=1).complete([ask("a")]))

    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_gives_errors(smollm2: Build, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What begins as a GGUF file and is none is told in the completion, in one line."""
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\1" * 100)
    [found] = smollm2(model=str(tmp_path / "broken.gguf")).complete([ask("a")])

    assert "cannot be loaded" in str(found.error)
    assert capfd.readouterr().out == ""


def test_a_file_that_cannot_be_loaded_is_loaded_once(smollm2: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later requests get the reason at once, for loading may take gigabytes or a fetch."""
    loads = []

    def load(llm: LlamaCpp) -> None:
        loads.append(llm.model)
        raise OSError("no space left")

    monkeypatch.setattr(LlamaCpp, "load", load)
    llm = smollm2()
    found = [*llm.complete([ask("a"), ask("b")]), *llm.score_choices([ask("c")])]

    assert {completion.error for completion in found} == {"the model cannot be loaded: OSError: no space left"}
    assert len(loads) == 1


def test_thoughts_are_left_out(smollm2: Build) -> None:
    """Unless they are asked for."""

    class Thinking:
        def prompt(self, _: object) -> str:
            return ""

        def reply(self, *_: object, **__: object) -> dict[str, object]:
            usage = {"prompt_tokens": 1, "completion_tokens": 1}
            return {"choices": [{"text": "<think>so</think> joy", "finish_reason": "stop"}], "usage": usage}

    def text(**options: object) -> str:
        llm = smollm2(**options)
        llm._model = Once(Thinking)  # type: ignore[arg-type]  # its abilities are asked for later
        [found] = llm.complete([ask("a")])
        assert isinstance(found, Completion)
        return found.text

    assert text() == "joy"
    assert text(strip_reasoning=False) == "<think>so</think> joy"


def test_named_weights_are_described_by_their_digest(smollm2: Build) -> None:
    """It enters the report and the cache keys."""
    assert smollm2().describe() == {"weights": affectlm_weights()[0].digest}


def test_another_file_is_another_model(tmp_path: Path) -> None:
    """A local file is told by name, size and time."""
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF")
    before = find_file(str(file)).fingerprint
    file.write_bytes(b"GGUF and more")

    assert find_file(str(file)).fingerprint != before


def test_without_llama_cpp_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first picture is read."""
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'affectlm\[llamacpp\]'"):
        LlamaCpp(model="smollm2")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what may stand there."""
    with pytest.raises(AccessError, match=r"absent\.gguf.* cannot be read"):
        find_file(str(tmp_path / "absent.gguf"))


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    """Its first bytes decide, not its name."""
    (tmp_path / "model.gguf").write_bytes(b"\x80\x04pickle")
    with pytest.raises(AccessError, match="is not a GGUF file"):
        find_file(str(tmp_path / "model.gguf"))


def test_a_repository_needs_a_file() -> None:
    """There are many in each."""
    with pytest.raises(ConfigError, match=r"llm\.file="):
        find_file("some/repository")


def test_a_file_of_the_hub_cache_needs_no_network(unreachable: Path) -> None:
    """A pattern that one file fits means that file."""
    commit = "a" * 40
    model = unreachable / "models--some--tiny"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    for name in ("tiny-Q4_K_M.gguf", "tiny-Q8_0.gguf"):
        (snapshot / name).write_bytes(b"GGUF")
    found: Any = find_file("some/tiny", "*Q4_K_M.gguf")

    assert (found.path, found.fingerprint) == (snapshot / "tiny-Q4_K_M.gguf", f"{commit} tiny-Q4_K_M.gguf")
    with pytest.raises(ConfigError, match=r"tiny-Q4_K_M\.gguf, tiny-Q8_0\.gguf"):
        find_file("some/tiny", "*.gguf")


def test_a_hub_that_cannot_be_reached_is_told(unreachable: Path) -> None:
    """With models that need none."""
    with pytest.raises(AccessError, match="llm=llamacpp_smollm2"):
        find_file("some/tiny", "*Q4_K_M.gguf")


@pytest.mark.parametrize("options", [{"threads": 0}, {"gpu_layers": -2}, {"top_p": 0}, {"context_size": -1}])
def test_wrong_options_are_refused(smollm2: Build, options: dict[str, object]) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Registry.installed().build("llm", {"name": "llamacpp", "model": "smollm2", **options})
