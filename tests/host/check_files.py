"""Files as people have them, in Load AR Model: run as what they stand for, or refused."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import CONFIG, FAMILY, SIZE, WEIGHTS, conditioning, schedule, texts

import comfy.sd
import torch
from published_files import PublishedFile, published_files
from random_model import random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import HEADS_KEY, PREDICTS_KEY
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.nodes.graph import family_of
from headforcing.nodes.host import HostVideo, load_model

FRAMES = 6
# computed in float32: what is compared is the weights
DTYPES = {"plain": torch.float32, "too_large": torch.float16}


def request():
    return VideoRequest(FAMILY, FRAMES, *SIZE, 3)


def by_us(numbers):
    model = build_wan(TensorDict(numbers))
    with torch.no_grad():
        run = request().rollout(model, schedule((0,), texts(1))).run()
        return torch.cat([done.latent for done in run], 2)


def by_host(model):
    video = HostVideo(request(), schedule((0,), ("p0",)), conditioning(texts(1)))
    return model.model.process_latent_in(video.sample(model))


def off(got, expected):
    return ((got - expected).std() / expected.std()).item()


def others():
    """What a node can be told, or told wrongly, where the command line asks or runs it."""
    large = WEIGHTS["blocks.0.ffn.0.weight"].clone()
    large[0, 0] = 1e6
    return {
        "other_heads": PublishedFile(dict(WEIGHTS), {HEADS_KEY: "4"}, None),
        "clean": PublishedFile(dict(WEIGHTS), {PREDICTS_KEY: "clean"}, None),
        "too_large": PublishedFile(WEIGHTS | {"blocks.0.ffn.0.weight": large}, {}, None),
    }


def told(model):
    """The family of a model from the host's own loader; None where the host forgets its file."""
    if not hasattr(model, "cached_patcher_init"):
        return None
    return family_of(model.clone(), "auto").name


@torch.inference_mode()  # as the host runs nodes
def main():
    folder, found = Path(tempfile.mkdtemp()), {"off": {}, "refused": {}}
    files = published_files(WEIGHTS) | others()
    for layout, file in files.items():
        path = folder / f"self_forcing_{layout}.safetensors"
        save_file(file.tensors, path, file.header)
        try:
            model = load_model(str(path), FAMILY, DTYPES.get(layout))
        except ValueError as error:
            found["refused"][layout] = str(error)
            continue
        if file.numbers is not None:
            got = by_host(model)
            found["off"][layout] = off(got, by_us(file.numbers))
            if layout == "fp8_header":
                # the host's own loader knows this file, whose names are its own
                own = comfy.sd.load_diffusion_model(str(path))
                found["told by the name"] = told(own)
                found["as the host's own"] = off(got, by_host(own))
    five = random_weights(replace(CONFIG, in_dim=48, out_dim=48, layers=1))
    save_file(five, folder / "self_forcing_5b.safetensors")
    try:
        load_model(str(folder / "self_forcing_5b.safetensors"), FAMILY, None)
    except ValueError as error:
        found["refused"]["5b"] = str(error)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
