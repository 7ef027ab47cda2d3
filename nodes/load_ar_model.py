"""Load AR Model: a published autoregressive checkpoint as an ordinary MODEL."""

from __future__ import annotations

import folder_paths
import torch
from comfy_api.latest import io

from ..headforcing_core.models import FAMILY_NAMES, choose_family
from .graph import AUTO, CATEGORY, aliases
from .host import load_model

DEFAULT = "default"
DTYPES = {
    DEFAULT: None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "fp8_e4m3fn": torch.float8_e4m3fn,
}
FAMILIES = tuple(name for name in FAMILY_NAMES if name != "demo")


class HeadForcingLoadARModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingLoadARModel",
            display_name="Load AR Model",
            category=CATEGORY,
            description="Load an autoregressive Wan 2.1 or 2.2 model (Self-Forcing, "
            "Causal-Forcing, LongLive and their kin) as its authors publish it: .pt or "
            ".safetensors, under any prefix. LoRA loaders and plain samplers work with it as with "
            "any model.",
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
            **aliases(
                "self forcing",
                "causal forcing",
                "longlive",
                "autoregressive",
                "wan loader",
                "unet loader",
            ),
        )

    @classmethod
    def execute(cls, model_name: str, weight_dtype: str, family: str) -> io.NodeOutput:
        path = folder_paths.get_full_path_or_raise("diffusion_models", model_name)
        chosen = choose_family(path, None if family == AUTO else family)
        return io.NodeOutput(load_model(path, chosen, DTYPES[weight_dtype]))
