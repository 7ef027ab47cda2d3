"""Pictures without a host are what they are in it; see check_vae.py for what is done."""

import pytest
import torch
from comfy_host import needs_host
from host_script import found_by
from safetensors.torch import load_file, save_file

pytestmark = needs_host
FRAMES = 6


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    pytest.importorskip("diffusers")
    from published_vaes import write_vaes

    folder = tmp_path_factory.mktemp("vaes")
    rng = torch.Generator().manual_seed(4)
    for name, around in (("2.1", False), ("2.2", True)):
        write_vaes(folder / name, around)
    latents = {
        "2.1": torch.randn(1, 16, FRAMES, 4, 6, generator=rng),
        "2.2": torch.randn(1, 48, FRAMES, 3, 4, generator=rng),
    }
    save_file(latents, folder / "latents.safetensors")
    found_by("check_vae.py", str(folder))
    return folder, latents, load_file(folder / "seen.safetensors")


@pytest.mark.parametrize("name", ["2.1", "2.2"])
def test_pictures_are_the_hosts(seen, name):
    from headforcing.headforcing_core.autoencoders import open_vae

    folder, latents, theirs = seen
    vae = open_vae(folder / name / "wan_vae.safetensors").build()
    decoding = vae.decoder.begin()
    parts = vae.taken(latents[name]).split(2, 2)
    ours = torch.cat([decoding.decode(part) for part in parts])
    assert ours.shape == theirs[name].shape == (4 * FRAMES - 3, 3, *ours.shape[2:])
    assert theirs[name].std() > 0.05
    assert (ours - theirs[name]).abs().max() < 2e-5
