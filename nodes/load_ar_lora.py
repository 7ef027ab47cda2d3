"""Load AR LoRA: an adapter of an autoregressive model, under whatever names it is published."""

from __future__ import annotations

import folder_paths
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from .graph import CATEGORY, aliases
from .host import check_model, with_adapter


class HeadForcingLoadARLora(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingLoadARLora",
            display_name="Load AR LoRA",
            category=CATEGORY,
            description="Put an adapter on a model as its trainer publishes it: LongLive's lora.pt "
            "and every other naming. A file of which anything would be passed over is refused.",
            inputs=[
                io.Model.Input("model", tooltip="From Load AR Model, or with other LoRAs on it."),
                io.Combo.Input(
                    "lora_name",
                    options=folder_paths.get_filename_list("loras"),
                    tooltip="A file in models/loras.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-100.0,
                    max=100.0,
                    step=0.01,
                    tooltip="How much of it is added; LongLive's adapter belongs on its base at 1.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model with the adapter on it.")],
            **aliases("lora", "longlive lora", "adapter", "lokr", "dora"),
        )

    @classmethod
    def execute(cls, model: ModelPatcher, lora_name: str, strength: float) -> io.NodeOutput:
        check_model(model)
        path = folder_paths.get_full_path_or_raise("loras", lora_name)
        return io.NodeOutput(with_adapter(model, path, strength))
