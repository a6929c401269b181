"""Probabilities of given labels equal those of one full pass for each label, whatever is shared or in the batch."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from affectlm.errors import AffectlmError
from affectlm.types import ChoiceScorer, Completion, Message, Request
from affectlm_chat.transformers.choices import ChoiceModel, Question
from affectlm_chat.transformers.local import TransformersChat

LABELS = ("fear", "fearful", "anger", "annoyance", "annoyed", "joy", "joyful surprise", "doubt/confusion")
TEMPLATE = (
    "{{ '<|system|>Answer with one word.' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 0,
    "pad_token_id": 0, "initializer_range": 0.3,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "bos_token_id": None, "eos_token_id": 0}
BLOOM = {"hidden_size": 32, "n_layer": 2, "n_head": 4, "bos_token_id": None, "eos_token_id": 0}


def save(folder: Path, kind: str = "Llama", **options: object) -> Path:
    """A random model of two layers with a byte-level tokenizer that was trained on a few words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer
    raw.train_from_iterator(
        ["fear anger annoy joy doubt surprise the face looks " * 3],
        trainer(vocab_size=290, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    hf: Any = transformers
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|end|>")  # noqa: S106
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(hf, f"{kind}Config")(vocab_size=len(tokenizer), **(options or SIZES))
    hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("llama"))


def ask(name: str, text: str, choices: Sequence[str] = LABELS) -> Request:
    return Request(name, (Message("user", text),), choices=tuple(choices))


REQUESTS = [
    ask("a", "the face looks glad and calm."),
    ask("b", "the face looks glad and very much awake, as if in joy."),
    ask("c", "the face looks sad.", ("fear", "anger")),
    ask("d", "another beginning"),
    ask("e", "the face looks glad and calm, again."),
]


def scored(llm: ChoiceScorer, requests: Sequence[Request]) -> dict[str, Completion]:
    return {completion.id: completion for completion in llm.score_choices(requests)}


def one_pass_each(folder: Path, request: Request) -> dict[str, float]:
    """The plain way: the whole text of prompt and label through the model, and the logits of every position."""
    import torch
    import transformers

    hf: Any = transformers
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    turns = [{"role": message.role, "content": message.text} for message in request.messages]
    space = "" if turns[-1]["role"] == "user" else " "
    cue = turns.pop()["content"] if space else ""
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) + cue
    begin = len(tokenizer(prompt, add_special_tokens=False).input_ids)
    found = {}
    for label in request.choices:
        ids = torch.tensor([tokenizer(prompt + space + label, add_special_tokens=False).input_ids])
        with torch.no_grad():
            logprobs = model(ids, use_cache=False).logits[0].log_softmax(-1)
        found[label] = sum(float(logprobs[place - 1, ids[0, place]]) for place in range(begin, ids.shape[1]))
    return found


def chat(folder: Path, **options: Any) -> TransformersChat:
    return TransformersChat(model=str(folder), device="cpu", **options)


def test_every_choice_has_the_probability_of_a_pass_of_its_own(llama: Path) -> None:
    """Labels that share tokens, labels that begin others, prompts that share much, little or nothing."""
    found = scored(chat(llama, batch_size=3), REQUESTS)

    for request in REQUESTS:
        assert found[request.id].choice_logprobs == pytest.approx(one_pass_each(llama, request), abs=1e-4)
        assert list(found[request.id].choice_logprobs or ()) == list(request.choices)


def test_a_choice_follows_the_beginning_of_the_reply_after_a_space(llama: Path) -> None:
    """A last message of the assistant is continued, not answered."""
    cued = Request("a", (Message("user", "the face"), Message("assistant", "It looks")), choices=LABELS)
    [found] = chat(llama).score_choices([cued])

    assert found.choice_logprobs == pytest.approx(one_pass_each(llama, cued), abs=1e-4)


def test_local_models_score_choices(llama: Path) -> None:
    """The core finds the ability by its protocol."""
    assert isinstance(chat(llama), ChoiceScorer)


def test_a_choice_has_the_tokens_it_adds_to_the_prompt(llama: Path) -> None:
    """Counted as the tokenizer does, without an end; the prompt's are counted once, and there is no text."""
    [found] = chat(llama).score_choices([ask("a", "the face", ("joy", "joyx", "joyxyz"))])

    assert found.choice_tokens == {"joy": 1, "joyx": 2, "joyxyz": 4}
    assert found.text == ""
    assert found.usage is not None
    assert found.usage["prompt_tokens"] > 10


@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_is_in_the_batch_does_not_matter(llama: Path, size: int) -> None:
    """Also in another order, and when the model has read other prompts before."""
    llm = chat(llama, batch_size=size)
    scored(llm, REQUESTS[::-1])
    found = scored(llm, REQUESTS)
    alone = {request.id: scored(chat(llama), [request])[request.id] for request in REQUESTS}

    for name, completion in found.items():
        assert completion.choice_logprobs == pytest.approx(alone[name].choice_logprobs, abs=1e-4)


def test_the_shared_beginning_is_read_once(llama: Path) -> None:
    """Later prompts read only what is their own, and the labels' beginnings."""
    llm = chat(llama, batch_size=2)
    list(llm.score_choices([ask(str(number), f"the face looks as face {number} looks") for number in range(6)]))
    model = llm._chat.ready()._choices
    [question] = llm._chat.ready()._questions([ask("so", "the face looks so")])

    assert model._takes_rows
    assert len(model._start.tokens) > len(question.prompt) / 2
    assert model._block(question).rest < len(question.prompt) / 2


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Qwen2", SIZES),
        ("Mistral", {**SIZES, "sliding_window": 200}),
        ("Phi3", SIZES),
        ("Gemma2", {**SIZES, "head_dim": 8, "sliding_window": 200, "final_logit_softcapping": 2.0}),
        ("GPT2", GPT2),
    ],
)
def test_other_architectures_take_a_whole_batch_in_one_row(
    tmp_path: Path, kind: str, options: dict[str, object]
) -> None:
    """The mask is heeded, and what a model does to its logits is done to all."""
    folder = save(tmp_path, kind, **options)
    llm = chat(folder)
    found = scored(llm, REQUESTS)

    assert llm._chat.ready()._choices._takes_rows
    for request in REQUESTS:
        assert found[request.id].choice_logprobs == pytest.approx(one_pass_each(folder, request), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("Bloom", BLOOM, "it takes no position_ids"),
        ("Mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "eos_token_id": 0}, "position_ids"),
        ("MiniMax", {**SIZES, "head_dim": 8, "num_local_experts": 4, "block_size": 16}, "MiniMax uses cache of"),
        ("Roberta", {**SIZES, "is_decoder": True}, "it ignores the mask"),
    ],
)
def test_an_architecture_that_takes_no_row_is_asked_label_by_label_and_that_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, options: dict[str, object], why: str
) -> None:
    """It is noticed at the first request, and the probabilities are right."""
    folder = save(tmp_path, kind, **options)
    llm = chat(folder, batch_size=1)
    capsys.readouterr()
    found = scored(llm, REQUESTS[:2])

    assert llm._chat.ready()._choices._takes_rows is False
    for request in REQUESTS[:2]:
        assert found[request.id].choice_logprobs == pytest.approx(one_pass_each(folder, request), abs=1e-4)
    [said] = [line for line in capsys.readouterr().err.splitlines() if "slower" in line]
    assert said.startswith(f"affectlm: {kind}")
    assert why in said


def tiny(forward: Callable[[Any, dict[str, Any]], Any]) -> Any:
    """A Llama whose `forward` names its cache `past_key_values` and does what is given with what it was given."""
    import torch
    import transformers

    hf: Any = transformers

    class Tiny(hf.LlamaForCausalLM):  # type: ignore[misc]
        def forward(
            self,
            input_ids: Any,
            attention_mask: Any = None,
            position_ids: Any = None,
            past_key_values: Any = None,
            use_cache: Any = None,
            logits_to_keep: Any = 0,
        ) -> Any:
            given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
            return forward(super().forward, given)

    torch.manual_seed(0)
    return Tiny(hf.LlamaConfig(vocab_size=60, **SIZES)).train(False)


QUESTION = Question(tuple(range(2, 30)), {"a": (31, 32, 33), "b": (31, 34), "c": (35,)})


def test_a_model_that_names_its_cache_past_key_values_takes_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """As all did before transformers 5.24; the models above name it as the installed version does."""

    def passed_on(forward: Any, given: dict[str, Any]) -> Any:
        name = next(name for name in ("cache", "past_key_values") if name in inspect.signature(forward).parameters)
        given[name] = given.pop("past_key_values")
        return forward(**given)

    model = ChoiceModel(tiny(passed_on))
    [found, _] = model.score([QUESTION, QUESTION])

    assert model._takes_rows
    assert found == pytest.approx(model._plain(QUESTION), abs=1e-4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [FutureWarning("deprecated"), KeyError("a defect"), MemoryError()])
def test_what_is_no_refusal_is_seen(error: Exception) -> None:
    """A library's warning or a defect does not make a model slow."""

    def failing(forward: Any, given: dict[str, Any]) -> Any:
        if given["use_cache"]:
            raise error
        given.pop("past_key_values")
        return forward(**given)

    with pytest.raises(type(error)):
        ChoiceModel(tiny(failing)).score([QUESTION])


def test_a_prompt_beyond_the_sliding_window_is_asked_label_by_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where not all tokens see each other, the model itself masks; that is said."""
    folder = save(tmp_path, "Mistral", **SIZES, sliding_window=24)
    request = ask("long", "the face looks glad and calm, and then again " * 2)
    found = scored(chat(folder), [REQUESTS[0], request])

    assert found["long"].choice_logprobs == pytest.approx(one_pass_each(folder, request), abs=1e-4)
    assert "slower: a prompt has more than the 24 tokens" in capsys.readouterr().err


def test_half_precision_stays_near(llama: Path) -> None:
    """The logarithm is taken in float32 whatever the model computes in."""
    [exact] = chat(llama).score_choices(REQUESTS[:1])
    [rounded] = chat(llama, dtype="bfloat16").score_choices(REQUESTS[:1])

    assert rounded.choice_logprobs == pytest.approx(exact.choice_logprobs, abs=0.5)


def test_probabilities_of_all_single_tokens_add_up_to_one(llama: Path) -> None:
    """They are natural logarithms of a distribution."""
    llm = chat(llama)
    letters = [chr(code) for code in range(33, 127)]
    [found] = llm.score_choices([ask("a", "the face", letters)])
    total = sum(math.exp(value) for value in (found.choice_logprobs or {}).values())

    assert 0.2 < total < 1


@pytest.mark.parametrize(
    ("request_", "reason"), [(ask("bad", "x", ()), "no choices"), (ask("bad", "x", ("joy", "")), "'' has no tokens")]
)
def test_a_request_that_cannot_be_scored_does_not_take_its_batch_along(
    llama: Path, request_: Request, reason: str
) -> None:
    """It alone has an error."""
    found = scored(chat(llama), [REQUESTS[0], request_, REQUESTS[1]])

    assert reason in str(found["bad"].error)
    assert found["a"].error is found["b"].error is None


def test_a_batch_that_does_not_fit_is_split(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request has its probabilities although only one at a time fits into memory."""
    import torch

    llm = chat(llama)
    model = llm._chat.ready()._choices
    row: Callable[..., Any] = model._row

    def small(questions: Sequence[Any]) -> Any:
        if len({question.prompt for question in questions}) > 1:
            raise torch.OutOfMemoryError("no room")
        return row(questions)

    monkeypatch.setattr(model, "_row", small)

    assert all(completion.choice_logprobs for completion in llm.score_choices(REQUESTS))
    assert model._takes_rows


def test_smollm2_scores_as_one_pass_each() -> None:
    """The default model, with its own tokenizer and template."""
    from affectlm_chat.transformers.smollm2 import SmolLM2, _weights, convert

    try:
        llm = SmolLM2(dtype="float32", device="cpu")
    except AffectlmError as error:
        pytest.skip(f"the weights cannot be fetched here: {error}")
    requests = [ask(str(number), f"The face looks {word}.") for number, word in enumerate(["glad", "sad", "very sad"])]
    found = scored(llm, requests)
    expected = one_pass_each(convert(_weights()), requests[1])

    assert found["1"].choice_logprobs == pytest.approx(expected, abs=1e-4)
