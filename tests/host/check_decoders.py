"""The host's autoencoders decoded while a video is made, against the host's own decoding."""
# ruff: noqa: I001, T201

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import in_host  # noqa: F401

import comfy.latent_formats
import comfy.ldm.wan.vae
import comfy.ldm.wan.vae2_2
import comfy.sd
import comfy.taesd.taehv
import torch
from comfy.model_patcher import ModelPatcher

from headforcing.headforcing_core.decoding import OverlappedDecoder
from headforcing.nodes.host import HostDecoder

SMALL = {"num_res_blocks": 2, "attn_scales": [], "temperal_downsample": [False, True, True]}
FRAMES = 41
CUTS = ([3] * 13 + [2], [1] * FRAMES, [1, *[4] * 10], [FRAMES])


def filled(module, seed=0):
    rng = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        spread = 0.6 / max(1, weight[0].numel()) ** 0.5 if weight.ndim > 1 else 0.1
        values = spread * torch.randn(weight.shape, generator=rng)
        weight.data = torch.ones_like(values) if "gamma" in name else values
    return module


def wan21(dim=8):
    return filled(comfy.ldm.wan.vae.WanVAE(dim=dim, z_dim=16, dim_mult=[1, 2, 4, 4], **SMALL))


def as_vae(module, channels):
    """A VAE of the host around a small module; its loaders take one size for granted."""
    vae = comfy.sd.VAE(sd=wan21().state_dict())
    vae.first_stage_model = module.to(torch.float32)
    vae.patcher = ModelPatcher(module, torch.device("cpu"), torch.device("cpu"))
    vae.latent_channels = channels
    vae.vae_dtype = torch.float32
    return vae


def in_parts(decoder, latent, cut):
    decoding = decoder.begin()
    return torch.cat([decoding.decode(part) for part in latent.split(cut, 2)])


def compared(module, channels, finish=None, frames=FRAMES):
    vae = as_vae(module, channels)
    if finish is not None:
        vae.process_output = finish
    decoder = HostDecoder.of(vae, 0, channels)
    latent = torch.randn(1, channels, frames, 4, 6, generator=torch.Generator().manual_seed(1))
    whole = vae.process_output(module.decode(latent.clone()).float())[0].transpose(0, 1).clamp(0, 1)
    parts = [in_parts(decoder, latent, cut) for cut in CUTS]
    late = decoder.begin()
    late.decode(latent[:, :, frames - 2 - decoder.reach : frames - 2])
    tiled = in_parts(HostDecoder.of(vae, 32, channels), latent, CUTS[0])
    return {
        "shapes": [list(part.shape) for part in parts] == [list(whole.shape)] * len(parts),
        "off": max(float((part - whole).abs().max()) for part in parts),
        "alike": all(part.equal(parts[0]) for part in parts),
        "from the middle": late.decode(latent[:, :, -2:]).equal(parts[0][-8:]),
        "spread": float(whole.std()),
        "tiled": float((tiled - whole).abs().mean()),
    }


def refused(make):
    try:
        make()
    except ValueError as error:
        return str(error)
    return "taken"


def main():
    found = {}
    with torch.inference_mode():
        found["wan 2.1"] = compared(wan21(), 16)
        found["wan 2.2"] = compared(
            filled(
                comfy.ldm.wan.vae2_2.WanVAE(
                    dim=8, dec_dim=8, z_dim=48, dim_mult=[1, 2, 4, 4], **SMALL
                )
            ),
            48,
        )
        for name, channels, form in (
            ("taew2.1", 16, comfy.latent_formats.Wan21),
            ("lighttaew2.1", 16, None),
            ("taew2.2", 48, None),
        ):
            tiny = filled(comfy.taesd.taehv.TAEHV(latent_channels=channels, latent_format=form))
            tiny.show_progress_bar = False
            found[name] = compared(tiny, channels, lambda x: x)

        class Other(torch.nn.Module):
            """An autoencoder whose inside is not known."""

            def __init__(self):
                super().__init__()
                self.inner = wan21()

            def decode(self, latent):
                return self.inner.decode(latent)

        vae = as_vae(Other(), 16)
        decoder = HostDecoder.of(vae, 0, 16)
        latent = torch.randn(1, 16, 24, 4, 6, generator=torch.Generator().manual_seed(1))
        whole = vae.decode(latent.clone())[0].movedim(-1, 1)
        seen = in_parts(decoder, latent, [3] * 8)
        found["unknown"] = {
            "overlapped": isinstance(decoder._whole, OverlappedDecoder),
            "shapes": list(seen.shape) == list(whole.shape),
            "mean off": float((seen - whole).abs().mean()),
        }
        plain = as_vae(wan21(), 16)
        pictures = as_vae(wan21(), 16)
        pictures.latent_dim = 2
        large = as_vae(wan21(), 16)
        large.conv_out_channels = 12
        found["refused"] = [
            refused(lambda: HostDecoder.of("x", 0, 16)),
            refused(lambda: HostDecoder.of(plain, 0, 48)),
            refused(lambda: HostDecoder.of(pictures, 0, 16)),
            refused(lambda: HostDecoder.of(large, 0, 16)),
        ]
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
