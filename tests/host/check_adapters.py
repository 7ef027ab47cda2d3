"""Adapters as trainers publish them, in Load AR LoRA: patched as merging gives, or refused."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import WEIGHTS, theirs
from check_files import by_host, by_us, off

import torch
from published_adapters import published_adapters
from safetensors.torch import save_file

from headforcing.nodes.host import with_adapter

WRAPPED = "peft"


def file_of(folder, name, tensors):
    """As LongLive publishes one of them: in a torch file, wrapped."""
    if name == WRAPPED:
        torch.save({"generator_lora": tensors, "step": 700}, folder / "lora.pt")
        return folder / "lora.pt"
    save_file(tensors, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


@torch.inference_mode()
def main():
    folder, found = Path(tempfile.mkdtemp()), {"off": {}, "refused": {}}
    model = theirs()
    base = by_host(model)
    for name, adapter in published_adapters(WEIGHTS).items():
        path = file_of(folder, name, adapter.tensors)
        try:
            patched = with_adapter(model, str(path), 1.0)
        except ValueError as error:
            found["refused"][name] = str(error)
            continue
        got = by_host(patched)
        if adapter.made is not None:
            found["off"][name] = off(got, by_us(adapter.made)), off(got, base)
    half = with_adapter(model, str(folder / "lora.pt"), 0.5)
    twice = by_host(with_adapter(half, str(folder / "bare.safetensors"), 0.5))
    found["two halves"] = off(twice, by_us(published_adapters(WEIGHTS)["bare"].made))
    found["left on the model"] = off(by_host(model), base)
    print("FOUND", json.dumps(found))


main()
