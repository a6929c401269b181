"""Small real models, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m['role'] + ' : ' + m['content'] + ' ' }}{% endfor %}"
)


def save_llama(folder: Path) -> Path:
    """Saves a Llama of two layers with random weights, whose template refuses system messages; its folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers import PreTrainedTokenizerFast as Fast

    words = ["<unk>", "</s>", "user", "assistant", ":", *(f"w{number}" for number in range(59))]
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))  # noqa: S106
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Callable[..., Fast] = Fast
    tokenizer = fast(tokenizer_object=raw, unk_token="<unk>", eos_token="</s>")  # noqa: S106
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=None, eos_token_id=1, initializer_range=0.4,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_onnx(folder: Path) -> Path:
    """Saves a model for `estimator=onnx`, the mean of each channel; its file."""
    from onnx import TensorProto, helper, save

    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 8, 8])
    means = helper.make_tensor_value_info("means", TensorProto.FLOAT, ["n", 3])
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
    ]
    graph = helper.make_graph(nodes, "mean", [pixels], [means])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "mean.onnx")
    return folder / "mean.onnx"


def save_timm(folder: Path) -> Path:
    """Saves a random small network as `affectlm train` stores it; its file."""
    import torch

    from affectlm.neural.files import save_weights
    from affectlm_estimators.design import Design

    torch.manual_seed(0)
    design = Design(architecture="test_efficientnet", side=32, categories=("joy", "fear"), excitation=True)
    save_weights(design.build(), folder / "timm.safetensors", design.to_metadata())
    return folder / "timm.safetensors"
