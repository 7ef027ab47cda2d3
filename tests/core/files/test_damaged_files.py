"""Files of every kind, damaged at random: each is read to something valid, or is one sentence."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic

import pytest
import torch
from damage import BYTES, Damage, header_damaged, json_damaged, pickle_damaged
from planted import planted_profile
from published_encoders import SIZES, as_tensor, of_transformers, random_encoder, spiece
from published_encoders import scaled as scaled_encoder
from published_vaes import of_authors, random_vae, tiny
from random_model import TINY, random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.autoencoders import open_vae
from headforcing.headforcing_core.files import (
    is_latent_file,
    open_tensors,
    read_latents,
    read_settings,
    read_space,
    read_text_embedding,
    write_latents,
)
from headforcing.headforcing_core.heads import CLASSIFIERS, classify, read_profile, write_profile
from headforcing.headforcing_core.methods import PUBLISHED, read_head_map, write_head_map
from headforcing.headforcing_core.models import HEADS_KEY, Lora, WanConfig, load_checkpoint
from headforcing.headforcing_core.models.published import weight_shapes
from headforcing.headforcing_core.words import TextEncoder

SMALL = WanConfig(24, 24, 8, 8, 16, 16, 2, 1, (1, 2, 2), TINY.eps)
SHAPES = weight_shapes(SMALL)
SIZE = (1, 4, 2, 3)
# for one file, on a machine that does other things
LONGEST = 10.0
# words of Python and of libraries, which no user can do anything with
RAW = (
    *("recursion", "Exceeds the limit", "has no attribute", "NoneType", "field larger", "codec"),
    *("not subscriptable", "unhashable", "invalid literal", "out of range", "unpack", "<class"),
    *("Traceback", "object is not", "positional argument", "keyword argument", "KeyError"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file: how a whole one is written, read, and damaged beside its bytes."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], None]
    inner: tuple[Damage, ...] = ()
    tries: int = 200


def read_map(path: Path) -> None:
    head_map = read_head_map(path)
    assert 0 < len(head_map.types) <= 1024 and 0 < len(head_map.types[0]) <= 1024
    assert {type(kind) for row in head_map.types for kind in row} == {str}
    if head_map.evidence is not None:
        assert all(0 <= vote <= 1 for row in head_map.evidence.votes for vote in row)
        assert all(head_map.types[layer][head] for layer, head in head_map.evidence.doubted)
    again = path.with_suffix(".again")
    write_head_map(again, head_map)
    assert read_head_map(again).types == head_map.types
    assert read_head_map(again).source == head_map.source


def read_whole_profile(path: Path) -> None:
    for sample in read_profile(path).samples:
        assert sample.mass.shape == sample.scores.shape == (2, 6, len(sample.frames))
        assert sample.mass.isfinite().all() and sample.scores.isfinite().all()
        torch.testing.assert_close(sample.mass.sum(-1), torch.ones(2, 6), atol=2e-3, rtol=0)
        assert 1 <= sample.current <= len(sample.frames) and min(sample.frames) >= 0


def read_start(path: Path) -> None:
    ours = is_latent_file(path)
    latents = read_latents(path, SIZE)
    assert latents.shape[2] >= 1 and latents.dtype == torch.float32 and latents.isfinite().all()
    assert read_settings(path) is None or isinstance(read_settings(path), dict)
    assert not ours or isinstance(read_settings(path), dict)
    assert read_space(path) is None or isinstance(read_space(path), str)


def read_text(path: Path) -> None:
    text = read_text_embedding(path, 8, 6)
    assert text.shape[1:] == (6, 8) and text.isfinite().all()


def read_model(path: Path) -> None:
    model = load_checkpoint(path, family="self_forcing", heads=2).model
    assert {name: tuple(w.shape) for name, w in model.state_dict().items()} == SHAPES
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


def read_lora(path: Path) -> None:
    merger = Lora.open(path).on(SHAPES)
    for name, shape in SHAPES.items():
        if "self_attn" in name:
            assert merger.merged(name, torch.ones(shape)).isfinite().all()


def read_shards(path: Path) -> None:
    source = open_tensors(path)
    for name, shape in source.shapes.items():
        with source.reading(name) as tensor:
            assert tuple(tensor.shape) == shape


def write_index(path: Path) -> None:
    parts = {f"m-{number}.safetensors": {f"w{number}": torch.ones(2)} for number in range(3)}
    for name, tensors in parts.items():
        save_file(tensors, path.parent / name)
    where = {name: part for part, tensors in parts.items() for name in tensors}
    path.write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": where}))


def write_measured(number: int, path: Path) -> None:
    write_head_map(path, classify(planted_profile(), CLASSIFIERS[number]))


def write_published(name: str, path: Path) -> None:
    path.write_bytes((PUBLISHED / name).read_bytes())


def write_start(path: Path) -> None:
    settings = {"seed": 1, "shift": 5.0, "prompt": "a fox", "start_settings": {"seed": 2}}
    write_latents(path, torch.randn(1, 4, 3, 2, 3), settings)


def write_model(path: Path) -> None:
    said = {"layers": {"blocks.0.ffn.0": {"format": "float8_e4m3fn"}}}
    metadata = {HEADS_KEY: "2", "_quantization_metadata": json.dumps(said)}
    tensors = {name: weight.half() for name, weight in random_weights(SMALL).items()}
    tensors["blocks.0.ffn.0.weight"] = tensors["blocks.0.ffn.0.weight"].to(torch.float8_e4m3fn)
    tensors["blocks.0.ffn.0.weight_scale"] = torch.ones(1)
    save_file(tensors, path, metadata)


def write_torch(zipped: bool, path: Path) -> None:
    weights = random_weights(SMALL)
    weights["head.head.bias"] = torch.nn.Parameter(weights["head.head.bias"])
    kept = {"generator": weights, "step": 3, "lr": [1e-4, 0.5], "betas": (0.9, 0.99)}
    torch.save(kept, path, _use_new_zipfile_serialization=zipped)


def write_encoder(path: Path) -> None:
    pytest.importorskip("sentencepiece")
    weights = random_encoder(replace(SIZES, vocabulary=90, width=8, inner=6, hidden=6, layers=2))
    tensors, _ = scaled_encoder(weights, "weight_scale")
    tensors = of_transformers(tensors) | {"spiece_model": as_tensor(spiece(90))}
    layer = "encoder.block.0.layer.0.SelfAttention.q"
    said = {"layers": {layer: {"format": "float8_e4m3fn"}}}
    save_file(tensors, path, {"_quantization_metadata": json.dumps(said)})


def read_encoder(path: Path) -> None:
    encoder = TextEncoder.open(path)
    texts = encoder.texts(["a cat (walks:1.2)"], 99)
    (embedding,) = encoder.encode(texts, 8)
    assert embedding.shape[2] == encoder.width and embedding.isfinite().all()


def write_authors_encoder(path: Path) -> None:
    pytest.importorskip("sentencepiece")
    (path.parent / "spiece.model").write_bytes(spiece(90))
    weights = random_encoder(replace(SIZES, vocabulary=90, width=8, inner=6, hidden=6, layers=2))
    torch.save({name: weight.bfloat16() for name, weight in weights.items()}, path)


def write_vae(path: Path) -> None:
    pytest.importorskip("diffusers")
    save_file(of_authors(random_vae(tiny(False)), False), path)


def read_vae(path: Path) -> None:
    vae = open_vae(path).build()
    assert all(weight.isfinite().all() for weight in vae.module.state_dict().values())


def write_lora(path: Path) -> None:
    module = "diffusion_model.blocks.0.self_attn.q"
    parts = {"lora_A.weight": torch.ones(2, 24), "lora_B.weight": torch.ones(24, 2)}
    save_file({f"{module}.{name}": x for name, x in parts.items()}, path)


KINDS = (
    Kind("head_map.json", partial(write_measured, 0), read_map, (json_damaged,) * 5),
    Kind("pyramid.json", partial(write_measured, 1), read_map, (json_damaged,) * 5),
    Kind(
        "kv.json", partial(write_published, "forcing_kv_longlive.json"), read_map, (json_damaged,)
    ),
    Kind("labels.csv", partial(write_published, "pyramid_self_forcing.csv"), read_map),
    Kind(
        "profile.safetensors",
        lambda path: write_profile(path, planted_profile()),
        read_whole_profile,
        (header_damaged,) * 5,
    ),
    Kind("latents.safetensors", write_start, read_start, (header_damaged,) * 5),
    Kind("text.pt", lambda path: torch.save(torch.ones(3, 8), path), read_text, (pickle_damaged,)),
    Kind("model.safetensors", write_model, read_model, (header_damaged,) * 5),
    Kind("model.pt", partial(write_torch, True), read_model, (pickle_damaged,) * 5),
    Kind("old.pt", partial(write_torch, False), read_model),
    Kind("lora.safetensors", write_lora, read_lora, (header_damaged,)),
    Kind("umt5.safetensors", write_encoder, read_encoder, (header_damaged,) * 5),
    Kind("umt5.pth", write_authors_encoder, read_encoder, (pickle_damaged,) * 5),
    # half a second each: its module is made twice
    Kind("vae.safetensors", write_vae, read_vae, (header_damaged,) * 5, tries=20),
    Kind("m.safetensors.index.json", write_index, read_shards, (json_damaged,) * 5),
)


def outcome(kind: Kind, path: Path) -> bool:
    """Read a damaged file; whether it was read. What is said of it is checked."""
    began = monotonic()
    try:
        kind.read(path)
        return True
    except ValueError as error:
        said = str(error)
        assert " must " in said and len(said.splitlines()) == 1 and len(said) < 1500, said
        assert not any(words in said for words in RAW), said
        return False
    finally:
        assert monotonic() - began < LONGEST


def damage_and_read(kind: Kind, folder: Path, seeds: range) -> int:
    """Return how many of the damaged files were read."""
    path = folder / kind.name
    kind.write(path)
    whole = path.read_bytes()
    assert outcome(kind, path)
    read = 0
    with warnings.catch_warnings():
        # of torch, that a pickle is of another protocol
        warnings.simplefilter("ignore")
        for seed in seeds:
            rng = Random(f"{kind.name} {seed}")
            path.write_bytes(rng.choice((*BYTES, *kind.inner))(whole, rng))
            try:
                read += outcome(kind, path)
            except BaseException as error:
                raise AssertionError(f"seed {seed} of {kind.name}: {error!r:.300}") from error
    return read


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_damaged_file_is_read_rightly_or_refused(kind, tmp_path):
    assert damage_and_read(kind, tmp_path, range(kind.tries)) < kind.tries


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_many_damaged_files_are_read_rightly_or_refused(kind, tmp_path):
    damage_and_read(kind, tmp_path, range(1000, 1000 + 20 * kind.tries))
