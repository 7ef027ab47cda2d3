"""Autoencoders of every layout make diffusers' pictures; other files are one sentence."""

import shutil
from dataclasses import replace

import pytest
import torch
from live_bytes import LiveBytes
from needs import needs
from published_vaes import of_authors, random_vae, tiny, write_vaes
from safetensors.torch import save_file

from headforcing.headforcing_core.autoencoders import Autoencoder, LatentSpace, open_vae
from headforcing.headforcing_core.autoencoders.decoding_room import DecodingRoom
from headforcing.headforcing_core.autoencoders.latent_space import SPACES

pytestmark = needs("diffusers")

LAYOUTS = ("authors", "authors' folder", "host", "all in one", "diffusers", "diffusers' folder")
AROUND = {"2.1": False, "2.2": True}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vaes")
    return {version: write_vaes(folder / version, around) for version, around in AROUND.items()}


@pytest.mark.parametrize("version", AROUND)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_numbers_it_stands_for(files, version, layout):
    path, numbers = files[version][layout]
    published = open_vae(path)
    assert published.channels == (16 if version == "2.1" else 48)
    assert published.pixels == (8 if version == "2.1" else 16)
    there = published.build().module.state_dict()
    assert there.keys() == numbers.keys()
    assert all(torch.equal(there[name], numbers[name]) for name in there)


@pytest.mark.parametrize("version", AROUND)
def test_pictures_are_those_of_the_whole_video(files, version):
    assert set(files[version]) == set(LAYOUTS)
    vae = open_vae(files[version]["authors"][0]).build()
    z = torch.randn(1, vae.module.z_dim, 4, 2, 3, generator=torch.Generator().manual_seed(2))
    taken = vae.taken(z)
    with torch.no_grad():
        whole = vae.module.decode(taken).sample[0].transpose(0, 1) / 2 + 0.5
    decoding = vae.decoder.begin()
    seen = torch.cat([decoding.decode(part) for part in taken.split(3, 2)])
    assert seen.shape == (13, 3, *whole.shape[2:]) and seen.std() > 0.05
    torch.testing.assert_close(seen, whole, atol=1e-6, rtol=0)


def test_latents_are_taken_out_of_the_models_space():
    space = LatentSpace((1.0, -2.0), (0.5, 3.0))
    z = torch.ones(1, 2, 1, 1, 1)
    assert space.unnormalised(z).flatten().tolist() == [1.5, 1.0]


def test_spaces_are_those_that_diffusers_knows(files):
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        known = AutoencoderKLWan(base_dim=8).config
    assert tuple(known.latents_mean) == SPACES[16].mean
    assert tuple(known.latents_std) == SPACES[16].std
    assert {len(space.std) for space in SPACES.values()} == set(SPACES)


def test_an_autoencoder_works_in_a_chosen_dtype(files):
    vae = open_vae(files["2.1"]["host"][0]).build(torch.bfloat16)
    pictures = vae.decoder.begin().decode(vae.taken(torch.zeros(1, 16, 1, 2, 2)))
    assert {x.dtype for x in vae.module.parameters()} == {torch.bfloat16}
    assert pictures.dtype == torch.float32 and pictures.shape == (1, 3, 16, 16)


def test_pixels_may_be_packed(tmp_path):
    """As in decoders that draw twice as large."""
    path = tmp_path / "vae.safetensors"
    save_file(of_authors(random_vae(tiny(False, made=12)), False), path)
    published = open_vae(path)
    vae = published.build()
    pictures = vae.decoder.begin().decode(vae.taken(torch.zeros(1, 16, 2, 2, 3)))
    assert published.pixels == 16 and pictures.shape == (5, 3, 32, 48)


FULL, HALF = torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("around", "made", "last", "dtype", "rows", "columns"),
    [
        (False, 3, 96, FULL, 60, 104),
        (False, 3, 96, HALF, 30, 52),
        (False, 3, 8, HALF, 6, 4),
        (False, 12, 4, HALF, 2, 3),
        (False, 12, 96, FULL, 30, 52),
        (True, 12, 256, HALF, 44, 80),
        (True, 12, 12, FULL, 2, 3),
    ],
)
def test_what_decoding_takes_is_known_before(around, made, last, dtype, rows, columns):
    """Against what is alive at once, of tensors without numbers, so that sizes may be real ones."""
    sizes = replace(tiny(around, made), last=last)
    module = sizes.empty().to(dtype).eval().requires_grad_(False)
    vae = Autoencoder(module, SPACES[sizes.channels], sizes.patch)
    latent = torch.zeros(1, sizes.channels, 6, rows, columns, device="meta")
    with LiveBytes() as live:
        decoding = vae.decoder.begin()
        for part in latent.split(3, 2):
            decoding.decode(vae.taken(part))
    room = DecodingRoom(last, sizes.channels, made, around, rows, columns, dtype)
    pasts = [x for x in decoding.pasts.values() if isinstance(x, torch.Tensor)]
    assert room.remembered == sum(x.nbytes for x in pasts)
    assert 0.95 < sizes.room(rows, columns, dtype, 3) / live.peak < 1.35


@pytest.mark.parametrize("version", AROUND)
def test_room_for_decoding_counts_the_weights(files, version):
    published = open_vae(files[version]["host"][0])
    vae = published.build(HALF)
    weights = sum(x.nbytes for x in vae.module.state_dict().values())
    latent = torch.zeros(1, published.channels, 2, 4, 6)
    with LiveBytes() as live:
        vae.decoder.begin().decode(vae.taken(latent))
    assert 0.95 < published.room(4, 6, HALF, 2) / (live.peak + weights) < 1.35


def test_a_folder_that_says_another_kind_is_one_sentence(files, tmp_path):
    """Qwen-Image's, whose weights have the same names and shapes."""
    folder = tmp_path / "vae"
    shutil.copytree(files["2.1"]["diffusers' folder"][0], folder)
    (folder / "config.json").write_text('{"_class_name": "AutoencoderKLQwenImage"}')
    for place in (folder, tmp_path):
        with pytest.raises(ValueError, match="must be a Wan VAE, AutoencoderKLWan, got 'Auto"):
            open_vae(place)
    (folder / "config.json").write_text("{")
    assert open_vae(folder).channels == 16


# made of whole weights where they are tried: what makes those brings Triton, see needs.py
GAMMA = "decoder.middle.0.residual.0.gamma"
BAD = {
    "checkpoint": (
        lambda w: {"blocks.0.x": torch.ones(1), "patch_embedding.weight": torch.ones(1)},
        "model",
    ),
    "lora": (lambda w: {"lora_unet_x.lora_down.weight": torch.ones(1)}, "got a LoRA"),
    "text encoder": (
        lambda w: {"encoder.block.0.layer.0.SelfAttention.q.weight": torch.ones(1)},
        "got a text encoder",
    ),
    "of images": (
        lambda w: {"decoder.mid.block_1.norm1.weight": torch.ones(1)},
        "got a VAE of images",
    ),
    "of images, diffusers": (
        lambda w: {"decoder.mid_block.resnets.0.norm1.weight": torch.ones(1)},
        "got a VAE of images",
    ),
    "for previews": (lambda w: {"decoder.1.weight": torch.ones(1)}, "got a small VAE for previews"),
    "of another video model": (
        lambda w: {"decoder.conv_in.conv.weight": torch.ones(1)},
        "of another kind",
    ),
    "unknown": (lambda w: {"x": torch.ones(1)}, "got 1 other tensors"),
    "two": (
        lambda w: {f"{one}.{name}": x.clone() for one in "ab" for name, x in w.items()},
        "got 2 of them",
    ),
    "decoder alone": (
        lambda w: {n: x for n, x in w.items() if not n.startswith("encoder.")},
        "has no encoder.conv_in.weight",
    ),
    "a layer lost": (
        lambda w: {n: x for n, x in w.items() if "upsamples.5." not in n},
        "got 6 missing: decoder.up_blocks.1.resnets.1.conv1.bias",
    ),
    "stray": (lambda w: w | {"memory.weight": torch.ones(1)}, "got 1 unknown: memory.weight"),
    "another shape": (lambda w: w | {GAMMA: torch.ones(5, 1, 1, 1)}, "got 1 of wrong shape"),
    "flat": (lambda w: w | {"conv2.weight": torch.ones(16, 16)}, "must be that of a video VAE"),
    "channels": (
        lambda w: w | {"conv2.weight": torch.ones(4, 4, 1, 1, 1)},
        "16 or 48 latent channels",
    ),
    "grey": (
        lambda w: w | {"decoder.head.2.weight": torch.ones(1, 8, 3, 3, 3)},
        "3 colours at least",
    ),
    "nan": (
        lambda w: w | {GAMMA: torch.full_like(w[GAMMA], torch.nan)},
        "NaN or infinity in 1 tensors",
    ),
    "int8": (lambda w: w | {"conv2.bias": torch.ones(16, dtype=torch.int8)}, "got torch.int8"),
}


@pytest.mark.parametrize("name", BAD)
def test_another_file_is_one_sentence(tmp_path, name):
    make, message = BAD[name]
    path = tmp_path / "file.safetensors"
    save_file(make(of_authors(random_vae(tiny(False)), False)), path)
    with pytest.raises(ValueError, match=message) as error:
        open_vae(path).build()
    assert "\n" not in str(error.value)


def test_a_folder_of_several_is_one_sentence(tmp_path):
    for number in (1, 2):
        (tmp_path / f"Wan2.{number}_VAE.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="must hold one VAE, got 2"):
        open_vae(tmp_path)
