"""Load AR Model: a published autoregressive checkpoint as an ordinary MODEL."""

from __future__ import annotations

from functools import partial

import comfy.model_sampling
import comfy.sd
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.files import open_tensors
from ..headforcing_core.models import SUPPORTED, Family, choose_family, wan_names
from .graph import AUTO, CATEGORY, note_family
from .host import check_model

DEFAULT = "default"
DTYPES = {
    DEFAULT: None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "fp8_e4m3fn": torch.float8_e4m3fn,
}
FAMILIES = tuple(name for name in SUPPORTED if name != "demo")


class HeadForcingLoadARModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingLoadARModel",
            display_name="Load AR Model",
            category=CATEGORY,
            description="Load an autoregressive Wan 2.1 model (Self-Forcing, Causal-Forcing, "
            "LongLive and their kin) as its authors publish it: .pt or .safetensors, under any "
            "prefix. LoRA loaders and plain samplers work with it as with any model.",
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=folder_paths.get_filename_list("diffusion_models"),
                    tooltip="A file in models/diffusion_models.",
                ),
                io.Combo.Input(
                    "weight_dtype",
                    options=list(DTYPES),
                    default=DEFAULT,
                    tooltip="How weights are kept. default: as the host chooses, which is fp16 on "
                    "most GPUs; these models were trained in bf16. fp8 halves the memory.",
                ),
                io.Combo.Input(
                    "family",
                    options=[AUTO, *FAMILIES],
                    default=AUTO,
                    tooltip="How the model is run: frames per chunk, steps, window. auto: as the "
                    "file's name says; weights never tell.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model, unpatched, with its family noted.")],
        )

    @classmethod
    def execute(cls, model_name: str, weight_dtype: str, family: str) -> io.NodeOutput:
        path = folder_paths.get_full_path_or_raise("diffusion_models", model_name)
        chosen = choose_family(path, None if family == AUTO else family)
        return io.NodeOutput(load_model(path, chosen, DTYPES[weight_dtype]))


def load_model(
    path: str, family: Family, dtype: torch.dtype | None, disable_dynamic: bool = False
) -> ModelPatcher:
    """Load a file with the host's own loader, under the names it knows.

    Args:
        dtype: of the weights; None: as the host chooses.
        disable_dynamic: newer hosts' word for a model without weight streaming; others lack it.

    Raises:
        ValueError: if the file is no Wan 2.1 text-to-video model that can be run, and why.
    """
    source = open_tensors(path, prefer=family.weights)
    weights = {}
    for name, at in wan_names(source.shapes).items():
        with source.reading(at) as stored:
            weights[name] = stored.clone()
    load = comfy.sd.load_diffusion_model_state_dict
    if disable_dynamic:
        load = partial(load, disable_dynamic=True)
    model = load(weights, model_options={} if dtype is None else {"dtype": dtype})
    if model is None:
        raise ValueError(f"the file must be a Wan 2.1 model that this ComfyUI knows, got {path}")
    check_model(model)
    model.add_object_patch("model_sampling", _sampling(model, family))
    note_family(model, family)
    # newer hosts load a model anew by this, for another device or without weight streaming
    model.cached_patcher_init = (load_model, (path, family, dtype))
    return model


def _sampling(model: ModelPatcher, family: Family) -> torch.nn.Module:
    """Return the flow schedule the family was trained with, for plain samplers."""

    class Sampling(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    sampling = Sampling(model.model.model_config)
    sampling.set_parameters(shift=family.shift, multiplier=1000)
    return sampling
