"""Memory of a ComfyUI that makes short and long videos: python benchmarks/flat.py --comfyui DIR.

With the demo's autoencoder: its model samples, pictures are decoded while it does, a file is
written and saved once more. With a random autoencoder of the size of Wan 2.1's, whose decoding of
64 x 64 pixels would take hours on a CPU: Video to File of a latent of 16 x 16 pixels. Every video
has a server of its own, warmed up with one of six seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
NAME, WARM = "random_wan.safetensors", 6.0
# of a frame: 16 channels of 8 x 8, or of 2 x 2
LATENT_BYTES = {"demo": 16 * 8 * 8 * 4, "wan": 16 * 2 * 2 * 4}
MAKE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
sys.argv = [sys.argv[0], "--cpu", *sys.argv[2:]]
path = sys.argv.pop()
import comfy.options
comfy.options.enable_args_parsing()
from comfy.ldm.wan.vae import WanVAE
from safetensors.torch import save_file
torch.manual_seed(0)
vae = WanVAE(dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
             temperal_downsample=[False, True, True])
for weight in vae.parameters():
    weight.data = 0.02 * torch.randn_like(weight)
save_file(vae.state_dict(), path)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comfyui", required=True, help="a working ComfyUI")
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 300.0])
    parser.add_argument("--vae", choices=["demo", "wan"], default="demo")
    parser.add_argument("--out", help="where to write what was measured, JSON")
    options = parser.parse_args()
    os.environ["COMFYUI_PATH"] = options.comfyui
    sys.path[:0] = [str(TESTS), str(TESTS / "host")]
    rows = [measured(seconds, options.vae) for seconds in options.seconds]
    grown = rows[-1]["above_start_mib"] - rows[0]["above_start_mib"]
    latents = rows[-1]["latents_mib"] - rows[0]["latents_mib"]
    found = {
        "command": f"python benchmarks/flat.py --comfyui DIR --vae {options.vae} --seconds "
        + " ".join(f"{seconds:g}" for seconds in options.seconds),
        "machine": f"CPU, {os.cpu_count()} cores",
        "videos": rows,
        "grown_beyond_latents_mib": round(grown - latents, 1),
    }
    text = json.dumps(found, indent=1)
    sys.stdout.write(text + "\n")
    if options.out:
        Path(options.out).write_text(text + "\n", "utf-8")


def measured(seconds: float, vae: str) -> dict[str, float]:
    """Make one video on a new server; return its peak memory."""
    from comfy_host import HOST, host_python
    from live_host import LiveHost

    with tempfile.TemporaryDirectory() as folder, LiveHost(Path(folder)) as host:
        prompt = chain if vae == "demo" else decoding
        if vae == "wan":
            place = Path(folder) / "models" / "vae" / NAME
            place.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([host_python(), "-c", MAKE, HOST, place], cwd=HOST, check=True)
            host.get("/object_info/VAELoader")
        host.run(prompt(WARM, 0), 3600)
        start = status(host.process.pid, "VmRSS")
        Path(f"/proc/{host.process.pid}/clear_refs").write_text("5")
        host.run(prompt(seconds, 1), 3600 * 4)
        peak = status(host.process.pid, "VmHWM")
    return {
        "seconds": seconds,
        "above_start_mib": round(peak - start, 1),
        "peak_mib": round(peak, 1),
        "latents_mib": round(seconds * 4 * LATENT_BYTES[vae] / 2**20, 1),
    }


def chain(seconds: float, seed: int) -> dict:
    """Return a prompt that samples, decodes and saves."""
    from prompts import demo, node

    prompt = demo(seed, seconds, vae=["1", 2])
    del prompt["4"]
    saved = {"filename_prefix": "saved/x", "format": "auto", "codec": "auto"}
    prompt["6"] = node("SaveVideo", video=["3", 2], **saved)
    return prompt


def decoding(seconds: float, seed: int) -> dict:
    """Return a prompt that decodes."""
    from prompts import node

    size = {"width": 16, "height": 16, "length": int(seconds * 16) + 1, "batch_size": 1}
    return {
        "1": node("EmptyHunyuanLatentVideo", **size),
        "2": node("VAELoader", vae_name=NAME),
        "3": node("HeadForcingVideoToFile", samples=["1", 0], vae=["2", 0]),
    }


def status(pid: int, name: str) -> float:
    """Return a line of a process's status in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc must tell {name}")


if __name__ == "__main__":
    main()
