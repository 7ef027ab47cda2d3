"""Files of one random umT5 encoder as people have them, and a tokenizer of a few words."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from published_files import rounded
from safetensors.torch import save_file
from torch import Tensor

from headforcing.headforcing_core.words.published_encoder import EncoderSizes

ROWS = 160
SIZES = EncoderSizes(vocabulary=ROWS, width=64, inner=24, hidden=40, heads=3, buckets=32, layers=3)
WORDS = "a cat walks, the dog runs (fast) on 2 red sands: rain & sun; waves fall 他走路 naïve it's"
PARTS = {
    "attn.": "layer.0.SelfAttention.",
    "pos_embedding.embedding.": "layer.0.SelfAttention.relative_attention_bias.",
    "norm1.": "layer.0.layer_norm.",
    "norm2.": "layer.1.layer_norm.",
    "ffn.gate.0.": "layer.1.DenseReluDense.wi_0.",
    "ffn.fc1.": "layer.1.DenseReluDense.wi_1.",
    "ffn.fc2.": "layer.1.DenseReluDense.wo.",
}


def random_encoder(sizes: EncoderSizes = SIZES, seed: int = 0) -> dict[str, Tensor]:
    """Draw weights under the authors' names; a layer adds about as much as it is given."""
    rng, weights = torch.Generator().manual_seed(seed), {}
    for name, shape in sizes.shapes().items():
        draw = torch.randn(shape, generator=rng)
        if "norm" in name:
            weights[name] = 1 + 0.1 * draw
        elif "embedding" in name:
            weights[name] = draw
        else:
            weights[name] = draw / shape[1] ** 0.5
    return weights


def of_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names of transformers, which hosts use."""
    named = {}
    for name, weight in weights.items():
        name = {"token_embedding.weight": "shared.weight"}.get(name, name)
        name = re.sub(r"^norm\.", "encoder.final_layer_norm.", name)
        found = re.match(r"blocks\.(\d+)\.", name)
        if found:
            rest = name.removeprefix(found[0])
            own = next(own for own in PARTS if rest.startswith(own))
            name = f"encoder.block.{found[1]}.{PARTS[own]}{rest.removeprefix(own)}"
        named[name] = weight
    return named


def spiece(rows: int = ROWS, words: str = WORDS) -> bytes:
    """Train a tokenizer of umT5's kind: 0 pads, 1 ends, 2 is unknown."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([words] * 20),
        model_writer=model,
        vocab_size=rows - 4,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        byte_fallback=False,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def as_tensor(model: bytes) -> Tensor:
    return torch.tensor(list(model), dtype=torch.uint8)


def scaled(weights: Mapping[str, Tensor], suffix: str) -> tuple[dict, dict]:
    """Return a file of fp8 layers with scales, and the numbers it stands for."""
    tensors, numbers = {}, {}
    for name, weight in weights.items():
        if weight.ndim == 2 and ("attn" in name or "ffn" in name):
            small, scale = rounded(weight, torch.float8_e4m3fn, False)
            tensors[name] = small
            tensors[name.removesuffix("weight") + suffix] = scale
            numbers[name] = small.float() * scale
        else:
            tensors[name], numbers[name] = weight.half(), weight.half().float()
    return tensors, numbers


def write_encoders(folder: Path, model: bytes, sizes: EncoderSizes = SIZES) -> dict[str, dict]:
    """Write a random encoder in every layout, with its tokenizer.

    Returns:
        the path of each, by name: (path, the numbers it stands for, by the authors' names).
    """
    weights, files = random_encoder(sizes), {}
    authors = folder / "authors"
    (authors / "google" / "umt5-xxl").mkdir(parents=True)
    (authors / "google" / "umt5-xxl" / "spiece.model").write_bytes(model)
    small = {name: weight.bfloat16() for name, weight in weights.items()}
    torch.save(small, authors / "models_t5_umt5-xxl-enc-bf16.pth")
    rounded_ = {name: weight.float() for name, weight in small.items()}
    files["authors"] = authors / "models_t5_umt5-xxl-enc-bf16.pth", rounded_
    files["authors' folder"] = authors, rounded_
    host = of_transformers(weights) | {"spiece_model": as_tensor(model)}
    half = {name: x.half() if x.is_floating_point() else x for name, x in host.items()}
    path = folder / "umt5_xxl_fp16.safetensors"
    save_file(half, path)
    files["host fp16"] = path, {name: x.half().float() for name, x in weights.items()}
    path = folder / "umt5_xxl_fp32.safetensors"
    save_file(host, path)
    files["host fp32"] = path, weights
    for name, suffix in (("old", "scale_weight"), ("new", "weight_scale")):
        tensors, numbers = scaled(weights, suffix)
        tensors = of_transformers(tensors) | {"spiece_model": as_tensor(model)}
        if name == "old":
            tensors["scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
        else:
            said = as_tensor(json.dumps({"format": "float8_e4m3fn"}).encode())
            tensors |= {
                n.removesuffix("weight_scale") + "comfy_quant": said.clone()
                for n in tensors
                if n.endswith(".weight_scale")
            }
        path = folder / f"umt5_xxl_fp8_e4m3fn_scaled_{name}.safetensors"
        save_file(tensors, path)
        files[f"host fp8 {name}"] = path, numbers
    files |= _diffusers(folder / "diffusers", weights, model)
    return files


def _diffusers(root: Path, weights: Mapping[str, Tensor], model: bytes) -> dict[str, tuple]:
    """A sharded encoder as diffusers lays it, whose embedding has both of its names."""
    (root / "text_encoder").mkdir(parents=True)
    (root / "tokenizer").mkdir()
    (root / "tokenizer" / "spiece.model").write_bytes(model)
    tensors = of_transformers(weights)
    tensors["encoder.embed_tokens.weight"] = tensors["shared.weight"].clone()
    names, where = sorted(tensors), {}
    for number in (0, 1):
        shard = f"model-0000{number + 1}-of-00002.safetensors"
        part = names[number::2]
        save_file({name: tensors[name] for name in part}, root / "text_encoder" / shard)
        where |= dict.fromkeys(part, shard)
    index = root / "text_encoder" / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}), "utf-8")
    return {"diffusers": (root, weights), "diffusers' folder": (root / "text_encoder", weights)}
