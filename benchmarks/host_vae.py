"""ComfyUI's Wan VAE with random weights, and how long it takes to decode."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import torch


@torch.no_grad()
def seconds_per_chunk(
    host: Path, sizes: tuple[int, int, int], device: str, dtype: torch.dtype
) -> float:
    """Return the seconds in which a chunk inside a video is decoded.

    Args:
        host: folder of the ComfyUI.
        sizes: frames of a chunk, rows and columns of the latent.
    """
    sys.path.insert(0, str(host))
    sys.argv = [sys.argv[0], *["--cpu"] * (device == "cpu")]  # the host reads it
    import comfy.options

    comfy.options.enable_args_parsing()
    from comfy.ldm.wan.vae import WanVAE

    with torch.device(device):
        vae = WanVAE(dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                     temperal_downsample=[False, True, True], dropout=0.0)  # fmt: skip
    vae = vae.to(dtype).eval().requires_grad_(False)
    chunk, *size = sizes

    def seconds(frames: int) -> float:
        latent = torch.randn(1, 16, frames, *size, device=device, dtype=dtype)
        begin = time.perf_counter()
        vae.decode(latent).sum().item()  # waits for the device
        return time.perf_counter() - begin

    seconds(1)
    return median(seconds(4 * chunk) - seconds(3 * chunk) for _ in range(3))
