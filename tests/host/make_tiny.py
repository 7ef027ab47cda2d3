"""Random weights that a ComfyUI's own loaders take for Wan's; runs in the host's python.

make_tiny.py HOST MODELS_FOLDER
"""
# ruff: noqa: E402, I001

import sys
from pathlib import Path

FOLDER = Path(sys.argv.pop(2))
sys.path.insert(0, str(Path(__file__).parent))
from in_host import WEIGHTS

import torch
from comfy.ldm.wan.vae import WanVAE
from safetensors.torch import save_file


def filled(module, seed):
    rng, weights = torch.Generator().manual_seed(seed), {}
    for name, value in module.state_dict().items():
        if name.endswith("gamma"):
            weights[name] = torch.ones_like(value)
        elif value.ndim > 1:
            weights[name] = torch.randn(value.shape, generator=rng) / value[0].numel() ** 0.5
        else:
            weights[name] = 0.02 * torch.randn(value.shape, generator=rng)
    return weights


def lora():
    rng = torch.Generator().manual_seed(3)
    weights = {}
    for layer in range(3):
        for part in ("q", "k", "v", "o"):
            name = f"diffusion_model.blocks.{layer}.self_attn.{part}"
            weights[f"{name}.lora_A.weight"] = 0.1 * torch.randn(4, 256, generator=rng)
            weights[f"{name}.lora_B.weight"] = 0.1 * torch.randn(256, 4, generator=rng)
    return weights


def main():
    for name in ("diffusion_models", "vae", "loras"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    renamed = {f"model.{name}": weight for name, weight in WEIGHTS.items()}
    both = {"generator": renamed, "generator_ema": renamed, "critic": {"x": torch.zeros(1)}}
    for name in ("self_forcing_dmd.pt", "framewise-2step.pt"):
        torch.save(both, FOLDER / "diffusion_models" / name)
    save_file(renamed, FOLDER / "diffusion_models" / "krea-realtime-video-14b.safetensors")
    vae = WanVAE(
        dim=16,
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        attn_scales=[],
        temperal_downsample=[False, True, True],
        dropout=0.0,
    )
    save_file(filled(vae, 2), FOLDER / "vae" / "wan_2.1_vae.safetensors")
    save_file(lora(), FOLDER / "loras" / "tiny_lora.safetensors")


main()
