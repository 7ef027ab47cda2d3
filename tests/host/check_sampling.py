"""The sampler in a ComfyUI: equal to our own module, and without a trace afterwards."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import (
    CONFIG, FAMILY, SIZE, WEIGHTS, conditioning, ours, schedule, texts, theirs,
)  # fmt: skip

import comfy.model_management
import comfy.sample
import comfy.sd
import comfy.utils
import torch
from plans import map_for
from safetensors.torch import save_file

from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.models import fingerprint
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import Lora
from headforcing.headforcing_core.methods import settings_named
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.nodes.host.fingerprint import name_of
from headforcing.nodes.host.sampling import HostVideo

METHODS = ("rolling", "head_forcing", "pyramid", "full")
FRAMES, SWITCH = 60, 33


def request(name, frames=FRAMES, seed=3):
    method = settings_named(name).build()
    return VideoRequest(
        FAMILY,
        frames,
        *SIZE,
        seed,
        method=method,
        head_map=map_for(method, CONFIG.heads, CONFIG.layers),
    )


def by_us(model, name):
    prompts = schedule((0, SWITCH), texts(2))
    with torch.no_grad():
        run = request(name).rollout(model, prompts).run()
        return torch.cat([done.latent for done in run], 2)


def by_host(model, name, watch=None, rows=12, **options):
    prompts, said = schedule((0, SWITCH), ("p0", "p1")), conditioning(texts(2, rows))
    video = HostVideo(request(name, **options), prompts, said, watch=watch)
    with torch.inference_mode():
        return video.sample(model)


def plain(model):
    """A plain sampler's answer."""
    noise = torch.randn(1, 16, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    cond = [[texts(1)[0], {}]]
    with torch.inference_mode():
        return comfy.sample.sample(
            model, noise, 2, 1.0, "euler", "simple", cond, cond, torch.zeros_like(noise), seed=1
        )


def lora_file():
    """An adapter of every self-attention projection, in a temporary file."""
    rng, weights = torch.Generator().manual_seed(3), {}
    for layer in range(CONFIG.layers):
        for part in ("q", "k", "v", "o"):
            name = f"diffusion_model.blocks.{layer}.self_attn.{part}"
            weights[f"{name}.lora_A.weight"] = 0.1 * torch.randn(4, 256, generator=rng)
            weights[f"{name}.lora_B.weight"] = 0.1 * torch.randn(256, 4, generator=rng)
    path = Path(tempfile.mkdtemp()) / "lora.safetensors"
    save_file(weights, path)
    return path


def difference(model, own, name="head_forcing"):
    mine, its = by_us(own, name), model.model.process_latent_in(by_host(model, name))
    return float((mine - its).abs().max())


def with_lora(found):
    path, plain_model = lora_file(), theirs()
    merged = build_wan(TensorDict(WEIGHTS), lora=Lora.open(path, 0.7))
    weights = comfy.utils.load_torch_file(str(path))
    adapted, _ = comfy.sd.load_lora_for_models(plain_model, None, weights, 0.7, 0.0)
    found["error lora"] = difference(adapted, merged)
    found["lora matters"] = difference(adapted, ours())
    found["error without it again"] = difference(plain_model, ours())
    found["name with lora"] = name_of(adapted) == fingerprint(merged.state_dict())
    found["name without"] = name_of(plain_model) == fingerprint(ours().state_dict())


def with_fp8(found):
    """Weights rounded to fp8 by the host, against our module on the same rounded weights."""
    model = theirs(torch.float8_e4m3fn)
    kept = model.model.diffusion_model.state_dict()
    rounded = {name: weight.float() for name, weight in kept.items()}
    found["fp8 weights"] = sum(w.dtype == torch.float8_e4m3fn for w in kept.values())
    found["error fp8"] = difference(model, build_wan(TensorDict(rounded)))


def put_aside(found, model):
    """A prompt on the way, for whose encoder the host has put the model aside."""
    said, whole = conditioning(texts(2)), by_host(model, "head_forcing")
    after, loaded = schedule((0, SWITCH), ("p0", "p1")), []

    def steer(chunk):
        if chunk.start != SWITCH:
            return None
        loaded.append(len(comfy.model_management.current_loaded_models))
        comfy.model_management.unload_all_models()
        loaded.append(len(comfy.model_management.current_loaded_models))
        return after, said

    only = {"p0": said["p0"]}
    video = HostVideo(request("head_forcing"), schedule((0,), ("p0",)), only, steer=steer)
    with torch.inference_mode():
        found["put aside"] = bool(torch.equal(video.sample(model), whole))
    found["loaded"] = loaded


class Stop(Exception):
    pass


def stop(done):
    if done.chunk.index == 3:
        raise Stop


def main():
    model, own = theirs(), ours()
    before, found = plain(model), {}
    scale = model.model.process_latent_in
    for name in METHODS:
        mine, its = by_us(own, name), scale(by_host(model, name))
        found[f"error {name}"] = float((mine - its).abs().max())
        found[f"size {name}"] = float(mine.std())
    again = by_host(model, "head_forcing")
    found["same again"] = bool(torch.equal(again, by_host(model, "head_forcing")))
    found["another seed"] = bool(torch.equal(again, by_host(model, "head_forcing", seed=4)))
    try:
        by_host(model, "head_forcing", watch=stop)
        found["stopped"] = False
    except Stop:
        found["stopped"] = True
    found["same after a stop"] = bool(torch.equal(again, by_host(model, "head_forcing")))
    found["plain sampler unchanged"] = bool(torch.equal(before, plain(model)))
    options = model.model_options.get("transformer_options", {})
    found["left behind"] = sorted(key for key in options if "head" in key)
    found["patches left"] = len(model.object_patches)
    put_aside(found, model)
    with_lora(found)
    with_fp8(found)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
