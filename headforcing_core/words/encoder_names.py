"""Parameter names of umT5 encoders: from what a file calls them to what Wan's authors do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# tells an encoder: in the authors' names, and in those of its own authors
MARKS = (
    r"^(.*?)blocks\.0\.attn\.q\.weight$",
    r"^((?:.*\.)?)encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight$",
)
PARTS = (
    (r"^(?:shared|encoder\.embed_tokens)\.", "token_embedding."),
    (r"^encoder\.final_layer_norm\.", "norm."),
    (
        r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.relative_attention_bias\.",
        r"blocks.\1.pos_embedding.embedding.",
    ),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.", r"blocks.\1.attn."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.layer_norm\.", r"blocks.\1.norm1."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"blocks.\1.norm2."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_0\.", r"blocks.\1.ffn.gate.0."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_1\.", r"blocks.\1.ffn.fc1."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wo\.", r"blocks.\1.ffn.fc2."),
)
# the same numbers under two names
TWICE = "encoder.embed_tokens.weight"
# the sentencepiece model that hosts put into the file, as bytes
TOKENIZER = "spiece_model"
# of a whole model that translates, and what hosts write beside an encoder
OTHERS = ("decoder.", "lm_head.", "logit_scale")
KINDS = (
    (r"lora_|lokr_|hada_|\.diff\b", "a LoRA"),
    (r"(^|\.)text_model\.|(^|\.)transformer\.resblocks\.", "a CLIP encoder"),
    (r"(^|\.)patch_embedding\.weight$", "a video model"),
    (r"^(decoder|encoder)\.|first_stage_model|taesd", "a VAE"),
    (r"(^|\.)layers\.0\.self_attn\.|(^|\.)layers\.0\.mlp\.", "a language model"),
)


class EncoderNames(NamedTuple):
    """The authors' names of an encoder's tensors, and where its tokenizer is; both as stored."""

    tensors: dict[str, str]
    tokenizer: str | None


def encoder_names(stored: Mapping[str, object]) -> EncoderNames:
    """Map the authors' names to those under which a file stores an encoder.

    Raises:
        ValueError: if the file holds no umT5 encoder, saying what it seems to be.
    """
    prefixes = {one[1] for name in stored for mark in MARKS if (one := re.match(mark, name))}
    if len(prefixes) != 1:
        raise ValueError(
            f"the file must hold one umT5 encoder, got {_what_it_is(stored, len(prefixes))}"
        )
    (prefix,) = prefixes
    found: dict[str, str] = {}
    inside = {n.removeprefix(prefix): n for n in stored if n.startswith(prefix)}
    # all-in-one files name the tokenizer elsewhere
    spiece = inside.pop(TOKENIZER, None)
    if "shared.weight" in inside:
        inside.pop(TWICE, None)
    for name, at in inside.items():
        if name.startswith(OTHERS):
            continue
        own = _of_authors(name)
        if own in found:
            raise ValueError(f"the file must hold each weight once, got {found[own]} and {at}")
        found[own] = at
    return EncoderNames(found, spiece)


def _of_authors(name: str) -> str:
    for pattern, replacement in PARTS:
        name = re.sub(pattern, replacement, name)
    return name


def _what_it_is(names: Mapping[str, object], encoders: int) -> str:
    if encoders:
        return f"{encoders} of them"
    joined = "\n".join(names)
    for pattern, kind in KINDS:
        if re.search(pattern, joined, re.MULTILINE):
            return f"{kind}; give umt5_xxl or models_t5_umt5-xxl"
    return f"{len(names)} other tensors; give umt5_xxl or models_t5_umt5-xxl"
