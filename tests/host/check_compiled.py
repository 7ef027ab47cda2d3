"""A model that its user has had compiled: whole, as the host's own node does it, or by blocks."""
# ruff: noqa: I001, T201

import json
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import CONFIG, random_weights, theirs
from check_sampling import by_host

import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from torch._dynamo.utils import counters

# more than the compiler makes versions of a function
LAYERS = 12
FRAMES = 36  # a new prompt begins with the last chunk
WAYS = {
    "whole": ["diffusion_model"],
    "blocks": [f"diffusion_model.blocks.{layer}" for layer in range(LAYERS)],
}


def believing(guards):
    """Do as the host's node: transformer options are taken never to change."""
    return ["transformer_options" not in guard.name for guard in guards]


def compiled(model, way):
    clone = model.clone()
    options = {"guard_filter_fn": believing}
    set_torch_compile_wrapper(clone, "aot_eager", options, keys=WAYS[way])
    return clone


def main():
    model = theirs(weights=random_weights(replace(CONFIG, layers=LAYERS)))
    plain, found = by_host(model, "rolling", frames=FRAMES), {}
    for way in WAYS:
        graphs = []
        torch.compiler.reset()
        counters.clear()

        def watch(done, graphs=graphs):
            graphs.append(counters["stats"]["unique_graphs"])

        other = by_host(compiled(model, way), "rolling", watch, frames=FRAMES)
        found[f"error {way}"] = float((other - plain).abs().max())
        found[f"graphs {way}"] = graphs
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
