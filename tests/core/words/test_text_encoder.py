"""Prompts through encoders of every layout: equal to transformers', whatever the file is."""

from dataclasses import replace

import pytest
import torch
from needs import needs
from published_encoders import (
    SIZES,
    as_tensor,
    of_transformers,
    random_encoder,
    spiece,
    write_encoders,
)
from published_files import rounded
from safetensors.torch import save_file

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.words import TextEncoder
from headforcing.headforcing_core.words import encoder as at_work
from headforcing.headforcing_core.words.encoder import buckets_of, encoded
from headforcing.headforcing_core.words.published_encoder import read_encoder

pytestmark = needs("sentencepiece")

PROMPTS = ("a cat walks on the red sands", "naïve 他走路", "", "a dog " * 30)
LAYOUTS = (
    *("authors", "authors' folder", "host fp16", "host fp32", "host fp8 old", "host fp8 new"),
    *("diffusers", "diffusers' folder"),
)


@pytest.fixture(scope="module")
def model():
    return spiece()


@pytest.fixture(scope="module")
def files(tmp_path_factory, model):
    return write_encoders(tmp_path_factory.mktemp("encoders"), model)


def reference(numbers, tokens):
    transformers = pytest.importorskip("transformers")
    config = transformers.UMT5Config(
        vocab_size=SIZES.vocabulary,
        d_model=SIZES.width,
        d_kv=SIZES.inner // SIZES.heads,
        d_ff=SIZES.hidden,
        num_layers=SIZES.layers,
        num_heads=SIZES.heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )
    encoder = transformers.UMT5EncoderModel(config).eval()
    named = of_transformers(numbers)
    missing = encoder.load_state_dict(named, strict=False).missing_keys
    assert missing in ([], ["encoder.embed_tokens.weight"])
    with torch.no_grad():
        return encoder(torch.tensor([tokens])).last_hidden_state[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_what_its_numbers_stand_for(files, layout):
    path, numbers = files[layout]
    encoder = TextEncoder.open(path)
    assert encoder.width == SIZES.width
    texts = encoder.texts(PROMPTS, 400)
    for text, got in zip(texts, encoder.encode(texts, 100), strict=True):
        rows = len(text.tokens)
        assert got.shape == (1, max(rows, 100), SIZES.width) and text.tokens[-1] == 1
        expected = reference(numbers, text.tokens)
        torch.testing.assert_close(got[0, :rows], expected, rtol=1e-5, atol=1e-5)
        assert not got[0, rows:].any()


def test_heads_may_be_read_one_by_one(files, monkeypatch):
    """As of long texts, whose scores are many."""
    encoder = TextEncoder.open(files["host fp32"][0])
    texts = encoder.texts(PROMPTS, 400)
    together = encoder.encode(texts, 8)
    monkeypatch.setattr(at_work, "MOST_SCORES", 1)
    for one, other in zip(together, encoder.encode(texts, 8), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [False, True])
def test_an_embedding_may_have_scales(rows):
    weights = random_encoder()
    small, scale = rounded(weights["token_embedding.weight"], torch.float8_e4m3fn, rows)
    stored = weights | {
        "token_embedding.weight": small,
        "token_embedding.scale_weight": scale,
        "scaled_fp8": torch.zeros(2),
    }
    numbers = (small.float() * scale)[[3, 9, 1]]
    assert torch.equal(read_encoder(TensorDict(stored)).rows([3, 9, 1]), numbers)
    for lie in (torch.ones(7), -scale, torch.ones((), dtype=torch.int32)):
        lying = TensorDict(stored | {"token_embedding.scale_weight": lie})
        with pytest.raises(ValueError, match="with one positive scale per tensor or row"):
            read_encoder(lying).rows([3, 9, 1])


@pytest.mark.parametrize("model", [torch.ones(9, dtype=torch.bfloat16), torch.ones(9).char()])
def test_a_tokenizer_is_bytes(tmp_path, model):
    save_file(HOST | {"spiece_model": model}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="spiece_model must be at most 67108864 bytes, got 9 of"):
        TextEncoder.open(tmp_path / "x.safetensors")


def test_layouts_are_those_that_are_written(files):
    assert set(files) == set(LAYOUTS)


def test_words_in_brackets_count_as_much_as_is_said(files):
    encoder = TextEncoder.open(files["host fp32"][0])
    plain, weighted, other = encoder.texts(("cat", "(cat:1.5)", "(cat)"), 50)
    assert plain.tokens == weighted.tokens and weighted.weights == (*[1.5] * 4, 1.0)
    assert other.weights == pytest.approx((*[1.1] * 4, 1.0))
    x, y, nothing = encoder.encode([plain, weighted, *encoder.texts([""], 50)], 8)
    moved = (x[0, 0] - nothing[0, 0]) * 1.5 + nothing[0, 0]
    torch.testing.assert_close(y[0, 0], moved)
    torch.testing.assert_close(y[0, 1:4], 1.5 * x[0, 1:4])
    assert torch.equal(y[0, 4], x[0, 4])


def test_prompts_do_not_mix_and_equal_ones_are_encoded_once(files, caplog):
    encoder = TextEncoder.open(files["host fp32"][0])
    texts = encoder.texts(("a cat", "a dog runs", "a cat"), 50)
    with caplog.at_level("INFO", "headforcing"):
        together = encoder.encode(texts, 20)
    assert "encoding 2 prompts" in caplog.text
    assert torch.equal(together[0], together[2])
    assert torch.equal(together[1], encoder.encode(texts[1:2], 20)[0])


def test_every_weight_is_read_once_layer_by_layer(files, monkeypatch):
    source = TensorDict(random_encoder())
    read = []
    lend = TensorDict.reading

    def reading(self, name):
        read.append(name)
        return lend(self, name)

    monkeypatch.setattr(TensorDict, "reading", reading)
    encoded(read_encoder(source), [[3, 4, 1]])
    layers = [name.split(".")[1] for name in read if name.startswith("blocks.")]
    assert layers == sorted(layers) and set(read) == set(source.shapes)
    # of the embedding's rows a second time, when they are few
    assert len(read) == len(set(read)) + 1


def test_far_tokens_are_as_far_as_any():
    buckets = buckets_of(400, 32)
    assert buckets[0, 0] == 0 and buckets.min() == 0 and buckets.max() == 31
    # to the left and to the right
    assert buckets[7, 0] == 7 and buckets[0, 7] == 16 + 7
    assert buckets[399, 0] == buckets[128, 0] == 15 and buckets[0, 128] == 31
    assert (buckets[300, :172] == 15).all() and buckets[300, 210] < 15


def test_a_tokenizer_can_be_given(files, tmp_path, model):
    lone = tmp_path / "umt5.safetensors"
    save_file(of_transformers(random_encoder()), lone)
    with pytest.raises(ValueError, match=r"spiece\.model, must lie in google/umt5-xxl .*tokenizer"):
        TextEncoder.open(lone)
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "spiece.model").write_bytes(model)
    for given in ("of", "of/spiece.model"):
        encoder = TextEncoder.open(lone, str(tmp_path / given))
        assert len(encoder.texts(["cat"], 9)[0].tokens) == 5
    (tmp_path / "spiece.model").write_bytes(model)
    assert TextEncoder.open(lone).width == SIZES.width


WEIGHTS = random_encoder()
HOST = of_transformers(WEIGHTS)


def without(*names, of=HOST):
    return {name: x for name, x in of.items() if name not in names}


def renamed(pattern, by):
    return {name.replace(pattern, by): x for name, x in HOST.items()}


def bare(suffix):
    """As T5, whose first layer alone knows positions."""
    return {n: x for n, x in HOST.items() if suffix not in n or ".block.0." in n}


QUERY = "encoder.block.1.layer.0.SelfAttention.q.weight"
BAD = {
    "vae": ({"decoder.conv1.weight": torch.ones(1)}, "got a VAE; give umt5_xxl"),
    "video model": ({"patch_embedding.weight": torch.ones(1)}, "got a video model"),
    "lora": ({"lora_unet.blocks.0.attn.lora_A.weight": torch.ones(1)}, "got a LoRA"),
    "clip": ({"text_model.encoder.layers.0.self_attn.q_proj.weight": torch.ones(1)}, "got a CLIP"),
    "llama": ({"model.layers.0.self_attn.q_proj.weight": torch.ones(1)}, "got a language model"),
    "nothing known": ({"x": torch.ones(1)}, "got 2 other tensors"),
    "t5": (bare("relative_attention_bias"), "whose first layer alone does: a T5 encoder"),
    "a layer lost": (
        {n: x for n, x in HOST.items() if ".block.1." not in n},
        "got 10 missing: blocks.1.attn.k.weight",
    ),
    "no norm": (without("encoder.final_layer_norm.weight"), "got 1 missing: norm.weight"),
    "no embedding": (without("shared.weight"), "but its token_embedding.weight is missing"),
    "one shape": (HOST | {QUERY: torch.ones(3, 64)}, "got 1 of wrong shape: blocks.1.attn.q"),
    "unknown": (HOST | {"encoder.block.0.gate": torch.ones(1)}, "got 1 unknown: encoder.block.0"),
    "heads": (
        HOST | {n: torch.ones(32, 5) for n in HOST if n.endswith("relative_attention_bias.weight")},
        "must share 24 channels",
    ),
    "int8": (HOST | {QUERY: torch.ones(24, 64, dtype=torch.int8)}, "got torch.int8"),
    "nan": (HOST | {QUERY: torch.full((24, 64), torch.nan)}, "NaN or infinity in 1 tensors"),
    "nan in words": (
        HOST | {"shared.weight": torch.full((160, 64), torch.nan)},
        "NaN or infinity in 1 tensors: token_embedding",
    ),
    "infinite norm": (
        HOST | {"encoder.final_layer_norm.weight": torch.full((64,), torch.inf)},
        "NaN or infinity in 1 tensors: the embedding of prompt 1",
    ),
    "embedding of integers": (
        HOST | {"shared.weight": torch.ones(160, 64, dtype=torch.int8)},
        "shared.weight must be floating point numbers, got torch.int8",
    ),
    "scales lost": (
        HOST | {QUERY: torch.ones(24, 64).to(torch.float8_e4m3fn), "scaled_fp8": torch.zeros(2)},
        "must have scales, got none for blocks.1.attn.q.weight",
    ),
    "two": (
        {f"{one}.{name}": x.clone() for one in "ab" for name, x in HOST.items()},
        "one umT5 encoder, got 2 of them",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_another_file_is_one_sentence(tmp_path, model, name):
    tensors, message = BAD[name]
    path = tmp_path / "file.safetensors"
    save_file(
        {n: x.contiguous() for n, x in tensors.items()} | {"spiece_model": as_tensor(model)}, path
    )
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as error:
        encoder = TextEncoder.open(path)
        encoder.encode(encoder.texts(["cat"], 9), 9)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a sentencepiece model, got 0 bytes of another kind"),
        (b"{}", "must be a sentencepiece model, got 2 bytes of another kind"),
        (None, "the tokenizer must exist"),
        ("smaller", "which knows 800 pieces, got one of"),
    ],
)
def test_another_tokenizer_is_one_sentence(tmp_path, model, content, message):
    path, given = tmp_path / "file.safetensors", tmp_path / "spiece.model"
    sizes = replace(SIZES, vocabulary=800) if content == "smaller" else SIZES
    save_file(of_transformers(random_encoder(sizes)), path)
    if content is not None:
        given.write_bytes(model if content == "smaller" else content)
    with pytest.raises(ValueError, match=message):
        TextEncoder.open(path, str(given))


def test_a_long_prompt_is_refused(files):
    encoder = TextEncoder.open(files["host fp32"][0])
    with pytest.raises(ValueError, match=r"at most 20 tokens, got \d+ of 'walks"):
        encoder.texts(["walks " * 20], 20)
