"""Memory of a ComfyUI that makes short and long videos: python benchmarks/flat.py --comfyui DIR.

The demo model samples, an autoencoder decodes while it does, a file is written. Every video has a
server of its own. The autoencoder is the demo's, or a random one of the size and shape of Wan 2.1's.
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
LATENT_BYTES = 16 * 8 * 8 * 4
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
        "command": " ".join(["python", "benchmarks/flat.py", *sys.argv[1:]]),
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
    from prompts import demo, node

    with tempfile.TemporaryDirectory() as folder, LiveHost(Path(folder)) as host:
        prompt = demo(0, seconds, vae=["1", 2])
        del prompt["4"]
        if vae == "wan":
            place = Path(folder) / "models" / "vae" / "random_wan.safetensors"
            place.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([host_python(), "-c", MAKE, HOST, place], cwd=HOST, check=True)
            prompt["9"] = node("VAELoader", vae_name=place.name)
            prompt["3"]["inputs"]["vae"] = ["9", 0]
        prompt["6"] = node(
            "SaveVideo", video=["3", 2], filename_prefix="saved/x", format="auto", codec="auto"
        )
        warm = {**prompt, "3": {**prompt["3"], "inputs": {**prompt["3"]["inputs"], "seconds": 6.0}}}
        host.run(warm)
        start = status(host.process.pid, "VmRSS")
        Path(f"/proc/{host.process.pid}/clear_refs").write_text("5")
        done = host.wait(host.queue({**prompt, "3": seeded(prompt["3"])}), 3600 * 4)
        assert done["status"]["status_str"] == "success", host.said()[-2000:]
        peak = status(host.process.pid, "VmHWM")
    return {
        "seconds": seconds,
        "above_start_mib": round(peak - start, 1),
        "peak_mib": round(peak, 1),
        "latents_mib": round(seconds * 4 * LATENT_BYTES / 2**20, 1),
    }


def seeded(sampler: dict) -> dict:
    return {**sampler, "inputs": {**sampler["inputs"], "seed": 1}}


def status(pid: int, name: str) -> float:
    """Return a line of a process's status in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc must tell {name}")


if __name__ == "__main__":
    main()
