"""Language models in process, the access checks before them, and the baseline without a model."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

import attrs
import pytest

from affectlm.affect.points import EMOTIONS, FEELINGS, known_labels
from affectlm.errors import AccessError, AffectlmError, ConfigError
from affectlm.registry import Registry
from affectlm.types import Completion, Message, Request, Sample
from affectlm_chat.circumplex import MODEL, Circumplex
from affectlm_chat.transformers.local import TransformersChat
from tests.artefacts import save_llama

if TYPE_CHECKING:
    from affectlm_chat.transformers.generation import ChatModel

Options: TypeAlias = dict[str, object]
LLAMA3 = "meta-llama/Meta-Llama-3-8B-Instruct"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, whose template refuses system messages."""
    return save_llama(tmp_path_factory.mktemp("tiny"))


def ask(number: int, text: str | None = None) -> Request:
    text = text or " ".join(f"w{word}" for word in range(number, 3 * number + 1))
    return Request(f"r{number}", (Message("user", text),))


def answers(llm: TransformersChat, requests: list[Request]) -> dict[str, Completion]:
    return {completion.id: completion for completion in llm.complete(requests)}


def chat(tiny: Path, **options: object) -> TransformersChat:
    return TransformersChat(model=str(tiny), **{"device": "cpu", "max_new_tokens": 8, **options})  # type: ignore[arg-type]


def test_the_registry_builds_a_local_model(tiny: Path) -> None:
    """The hook offers it under its name."""
    assert isinstance(Registry.installed().build("llm", {"name": "transformers", "model": str(tiny)}), TransformersChat)


def test_a_reply_does_not_depend_on_its_batch(tiny: Path) -> None:
    """Padding on the left is masked: alone or with longer requests, the same text."""
    requests = [ask(number) for number in (1, 9, 4, 15)]

    assert answers(chat(tiny, batch_size=1), requests) == answers(chat(tiny, batch_size=4), requests)


def test_a_sampled_reply_does_not_depend_on_its_batch(tiny: Path) -> None:
    """Each request draws from a generator of its own."""
    requests = [ask(number) for number in (1, 9, 4, 15)]
    options = {"temperature": 1.5, "top_p": 0.9}

    assert answers(chat(tiny, batch_size=1, **options), requests) == answers(chat(tiny, **options), requests)


def test_the_seed_decides_what_is_drawn(tiny: Path) -> None:
    """The same seed gives the same reply, another one another."""
    drawn = [answers(chat(tiny, temperature=2.0, seed=seed), [ask(5)])["r5"].text for seed in (1, 1, 2)]

    assert drawn[0] == drawn[1] != drawn[2]


def test_each_repeat_draws_with_a_seed_of_its_own(tiny: Path) -> None:
    """Within one batch too; the first is that of a run without repeats."""
    requests = [attrs.evolve(ask(5), id=f"r{repeat}", repeat=repeat) for repeat in (1, 2, 3)]
    drawn = answers(chat(tiny, temperature=2.0, seed=1), requests)

    assert len({each.text for each in drawn.values()}) == 3
    assert drawn["r1"].text == answers(chat(tiny, temperature=2.0, seed=1), [ask(5)])["r5"].text


def test_a_reply_that_was_cut_off_says_so(tiny: Path) -> None:
    """Without an end token within max_new_tokens the reason is length, and all tokens are counted."""
    [completion] = chat(tiny, max_new_tokens=1).complete([ask(3)])

    assert completion.finish_reason == "length"
    assert completion.usage == {"prompt_tokens": 9, "completion_tokens": 1}


def test_a_reply_that_ended_stops(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end token makes the reason stop; it is counted and not part of the text."""
    llm = chat(tiny)
    [first] = llm.complete([ask(3)])
    ends = llm._chat.ready()._tokenizer(first.text.split()[2], add_special_tokens=False).input_ids
    llm._chat.ready()._model.generation_config.eos_token_id = ends
    monkeypatch.setattr(llm._chat.ready(), "_ends", ends)
    [again] = llm.complete([ask(3)])

    assert again.finish_reason == "stop"
    assert first.text.startswith(again.text)
    assert again.usage is not None
    assert again.usage["completion_tokens"] == len(again.text.split()) + 1


def test_a_refused_system_message_goes_in_front_of_the_user_message(tiny: Path) -> None:
    """A template without a system role still gets what the prompt says."""
    model = chat(tiny)._chat.ready()

    assert model.prompt([{"role": "system", "content": "w1"}, {"role": "user", "content": "w2"}]) == "user : w1\n\nw2 "


def test_thoughts_are_left_out(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thought that was cut off leaves nothing and still says why; strip_reasoning=false keeps all."""
    from affectlm_chat.transformers.generation import Reply

    thought = Reply(text="<think>valence is", prompt_tokens=1, completion_tokens=3, finished=False)
    kept = chat(tiny, strip_reasoning=False)
    for llm in (stripped := chat(tiny), kept):
        monkeypatch.setattr(llm._chat.ready(), "answer", lambda *_: [thought])
    [found] = stripped.complete([ask(1)])

    assert (found.text, found.finish_reason) == ("", "length")
    assert next(kept.complete([ask(1)])).text == "<think>valence is"


def test_requests_are_drawn_one_batch_at_a_time(tiny: Path) -> None:
    """A long run never lies in memory."""
    drawn = []

    def requests() -> Iterator[Request]:
        for number in range(1, 7):
            drawn.append(number)
            yield ask(number)

    next(chat(tiny, batch_size=2).complete(requests()))

    assert drawn == [1, 2]


def test_a_request_that_fails_does_not_take_its_batch_along(tiny: Path) -> None:
    """One prompt the template cannot hold has an error, the others an answer."""
    bad = Request("bad", (Message("system", "w1"),))
    found = answers(chat(tiny), [ask(1), bad, ask(2)])

    assert "no system role" in str(found["bad"].error)
    assert found["r1"].error is found["r2"].error is None


def test_a_model_that_cannot_be_loaded_gives_errors(tiny: Path, tmp_path: Path) -> None:
    """A broken folder is told in every completion and raises nothing."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    [completion] = chat(tmp_path).complete([ask(1)])

    assert "cannot be loaded" in str(completion.error)


def test_a_model_that_cannot_be_loaded_is_loaded_once(tiny: Path) -> None:
    """Later batches and calls get the reason at once, for loading may take gigabytes or a fetch."""
    loads = []

    class Broken(TransformersChat):
        def load(self) -> ChatModel:
            loads.append(self.model)
            raise OSError("no space left")

    llm = Broken(model=str(tiny), batch_size=1)
    found = [*llm.complete([ask(1), ask(2)]), *llm.score_choices([ask(3)])]

    assert {completion.error for completion in found} == {"the model cannot be loaded: OSError: no space left"}
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [({}, {"device": "cuda"}), ({"device": "auto"}, {"device": "cuda"}), ({}, {"device_map": "auto"})],
)
def test_another_arithmetic_is_described_otherwise(tiny: Path, one: Options, other: Options) -> None:
    """With `dtype=auto` the device decides it, and no cache key holds the device."""
    assert chat(tiny, **one).describe() != chat(tiny, **other).describe()


def test_a_chosen_arithmetic_is_the_same_on_every_device(tiny: Path) -> None:
    """What one machine answered, another need not ask again."""
    options = {"dtype": "bfloat16"}

    assert chat(tiny, **options).describe() == chat(tiny, device="cuda", **options).describe()


def test_smollm2_says_its_arithmetic() -> None:
    """As the other models in process do."""
    from affectlm_chat.transformers.smollm2 import SmolLM2

    try:
        kinds = [SmolLM2(device=device).describe()["arithmetic"] for device in ("cpu", "cuda")]
    except AffectlmError as error:
        pytest.skip(f"the weights cannot be fetched here: {error}")

    assert kinds == ["float32", "as stored"]


def test_changed_files_are_another_model(tiny: Path, tmp_path: Path) -> None:
    """What a folder holds enters the cache keys."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("a")
    before = chat(tmp_path).describe()
    (tmp_path / "model.safetensors").write_text("bb")

    assert chat(tmp_path).describe() != before


def test_building_a_model_imports_no_torch(tiny: Path) -> None:
    """A run whose answers are all cached starts at once."""
    code = (
        "import sys; from affectlm_chat.transformers.local import TransformersChat; "
        f"TransformersChat(model={str(tiny)!r}).describe(); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "options", [{"device": "tpu"}, {"dtype": "int3"}, {"batch_size": 0}, {"temperature": -1}, {"top_p": 0}]
)
def test_wrong_options_are_refused(tiny: Path, options: dict[str, object]) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Registry.installed().build("llm", {"name": "transformers", "model": str(tiny), **options})


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """It is said before the first picture is read."""
    with pytest.raises(AccessError, match=r"has no config\.json"):
        TransformersChat(model=str(tmp_path)).check_access()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """A folder without safetensors is never loaded."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_text("")
    with pytest.raises(AccessError, match="never loaded"):
        TransformersChat(model=str(tmp_path)).check_access()


def helps(message: str) -> bool:
    """Whether a message says everything a user without access can do."""
    ways = (f"https://huggingface.co/{LLAMA3}", "HF_TOKEN", "llm.model=FOLDER", "llm=smollm2", "llm=circumplex")
    return all(way in message for way in ways)


class _Hub(BaseHTTPRequestHandler):
    """A hub that keeps every model behind a licence."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stays silent."""


@pytest.fixture
def empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "AFFECTLM_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_llama3_behind_its_licence_says_what_to_do(tmp_path: Path) -> None:
    """Licence page, token, local folder and models that need neither are named."""
    code = f"""
from affectlm.errors import AccessError
from affectlm_chat.transformers.local import TransformersChat
try:
    TransformersChat(model="{LLAMA3}").check_access()
except AccessError as error:
    print(error)
"""
    with HTTPServer(("127.0.0.1", 0), _Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path)}
        away = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_HUB_OFFLINE", "AFFECTLM_OFFLINE")
        kept = {name: value for name, value in os.environ.items() if name.upper() not in away}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**kept, **settings}, capture_output=True, text=True, check=True
        )
        server.shutdown()

    assert "behind a licence" in done.stdout
    assert helps(done.stdout)


def test_llama3_without_a_network_says_so_within_seconds(
    empty_hub_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not resolve is not asked again and again."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    start = time.monotonic()
    with pytest.raises(AccessError, match="cannot be reached") as raised:
        TransformersChat(model=LLAMA3).check_access()

    assert time.monotonic() - start < 30
    assert helps(str(raised.value))


def test_llama3_offline_names_the_setting(empty_hub_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """AFFECTLM_OFFLINE=1 asks nobody."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")
    with pytest.raises(AccessError, match="AFFECTLM_OFFLINE"):
        TransformersChat(model=LLAMA3).check_access()


def test_the_hub_cache_is_looked_at_first(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was fetched before needs no network."""
    from huggingface_hub import constants

    commit = "a" * 40
    model = tmp_path / "models--some--tiny"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    (model / "snapshots" / commit).parent.mkdir()
    (model / "snapshots" / commit).symlink_to(tiny)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    assert TransformersChat(model="some/tiny").describe()["weights"] == commit


def test_smollm2_describes_faces_of_both_signs() -> None:
    """The default model tells a pleasant face from an unpleasant one."""
    from affectlm_chat.transformers.smollm2 import SmolLM2
    from affectlm_descriptions.prompt import Description

    try:
        llm = SmolLM2(batch_size=2, max_new_tokens=48)
    except AffectlmError as error:
        pytest.skip(f"the weights cannot be fetched here: {error}")
    prompt = Description()
    glad, sad = llm.complete([prompt.render(Sample("glad", 0.5, 0.3)), prompt.render(Sample("sad", -0.5, -0.8))])

    assert any(word in glad.text.lower() for word in ("joy", "happ", "positive", "excite"))
    assert any(word in sad.text.lower() for word in ("distress", "sad", "upset", "exhaust"))
    assert glad.finish_reason == sad.finish_reason == "stop"


def test_smollm2_is_one_model(fresh_cache: Path) -> None:
    """Another model is asked for by another adapter."""
    with pytest.raises(ConfigError, match="llm=transformers"):
        Registry.installed().build("llm", {"name": "smollm2", "model": "other"})


def one(sample: Sample | None, *choices: str) -> Completion:
    return next(Circumplex().complete([Request("a", (Message("user", "?"),), choices=choices, sample=sample)]))


@pytest.mark.parametrize(
    ("valence", "arousal", "label"),
    [(0.8, 0.5, "happiness"), (-0.5, 0.6, "anger"), (-0.6, -0.3, "sadness"), (0.4, 0.7, "surprise"), (0, 0, "neutral")],
)
def test_the_baseline_names_the_nearest_anchor(valence: float, arousal: float, label: str) -> None:
    """Published points decide."""
    choices = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

    assert one(Sample("a", valence, arousal), *choices).text == label


def test_the_baseline_passes_over_labels_without_an_anchor() -> None:
    """It chooses among those it knows, in the spelling of the set."""
    assert one(Sample("a", -0.6, -0.6), "Esteem", "Boredom", "Joy").text == "Boredom"


def test_the_baseline_says_which_labels_it_knows() -> None:
    """Where it knows none, that is an error and no guess."""
    assert "known: afraid" in str(one(Sample("a", 0, 0), "esteem", "yearning").error)


def test_the_baseline_describes_each_quadrant_differently() -> None:
    """Without choices it says a sentence about the place."""
    texts = {one(Sample("a", v, a)).text for v in (-0.7, 0, 0.7) for a in (-0.7, 0, 0.7)}

    assert len(texts) == 9


def test_the_baseline_needs_the_sample() -> None:
    """Without valence and arousal there is nothing to go by."""
    assert "needs valence and arousal" in str(one(None).error)


def test_the_baseline_is_never_taken_for_a_model() -> None:
    """Its name says what it is and cannot be changed."""
    assert one(Sample("a", 0, 0)).model == MODEL == "circumplex baseline (no language model)"
    with pytest.raises(ValueError, match="no language model"):
        Circumplex(model="gpt")


def test_every_anchor_is_cited_and_lies_in_the_plane() -> None:
    """Numbers have sources, and no word two points of one source."""
    for anchor in (*EMOTIONS, *FEELINGS):
        assert anchor.citation
        assert max(abs(anchor.valence), abs(anchor.arousal)) <= 1
    assert len({attrs.astuple(anchor)[:1] for anchor in FEELINGS}) == len(FEELINGS)
    assert "happiness" in known_labels()


def test_only_the_first_of_two_conversions_is_kept(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that finds the folder made meanwhile throws its own away."""
    from affectlm_chat.transformers import smollm2

    def write(source: Path, folder: Path) -> None:
        target = smollm2._converted(smollm2._weights())
        target.mkdir()
        (target / "config.json").write_text("other")
        (folder / "config.json").write_text("own")

    monkeypatch.setattr(smollm2, "obtain", lambda weights: Path("unused"))
    monkeypatch.setattr(smollm2, "_write", write)
    folder = smollm2.convert(smollm2._weights())

    assert (folder / "config.json").read_text() == "other"
    assert list(folder.parent.iterdir()) == [folder]
