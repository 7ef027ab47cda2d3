"""Latents through the host's VAE and through ours, from the same file."""
# ruff: noqa: E402, I001, T201

import json
import sys
from pathlib import Path

FILES = Path(sys.argv.pop(2))
sys.path.insert(0, str(Path(__file__).parent))
import in_host  # noqa: F401

import comfy.latent_formats
import comfy.sd
import comfy.utils
import torch
from comfy.ldm.wan.vae2_2 import WanVAE
from safetensors.torch import load_file, save_file


def main():
    z = load_file(FILES / "latents.safetensors")
    seen = {}
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(FILES / "2.1" / "wan_vae.safetensors")))
    taken = comfy.latent_formats.Wan21().process_out(z["2.1"])
    seen["2.1"] = vae.decode(taken)[0].movedim(-1, 1)
    # the host knows the sizes of Wan 2.2 by heart: its module with smaller ones
    small = WanVAE(dim=8, dec_dim=12, z_dim=48, temperal_downsample=[False, True, True])
    small.load_state_dict(
        {n: x.float() for n, x in load_file(FILES / "2.2" / "wan_vae.safetensors").items()}
    )
    raw = small.eval().decode(comfy.latent_formats.Wan22().process_out(z["2.2"]))
    seen["2.2"] = ((raw + 1) / 2).clamp(0, 1)[0].movedim(1, 0)
    save_file({n: x.contiguous().float() for n, x in seen.items()}, FILES / "seen.safetensors")
    print("FOUND", json.dumps({n: list(x.shape) for n, x in seen.items()}))


if __name__ == "__main__":
    with torch.inference_mode():
        main()
