"""Edit Head Map: the type of one head, changed by hand."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.heads import COLOURS
from ..headforcing_core.methods import HeadMap
from .graph import CATEGORY, HeadMapSocket, aliases, head_map_output, head_map_outputs


class HeadForcingEditHeadMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingEditHeadMap",
            display_name="Edit Head Map",
            category=CATEGORY,
            description="Change the type of one head. Chain several for more. Where the map comes "
            "from, and what was changed, stays told.",
            inputs=[
                HeadMapSocket.Input("head_map", tooltip="From Profile Heads or Load Head Map."),
                io.Int.Input("layer", default=0, min=0, max=1023, tooltip="From 0."),
                io.Int.Input("head", default=0, min=0, max=1023, tooltip="From 0, in its layer."),
                io.Combo.Input(
                    "type", options=list(COLOURS), tooltip="A type of the map's own scheme."
                ),
                io.Model.Input("model", optional=True, tooltip="A model to attach the map to."),
            ],
            outputs=head_map_outputs(),
            **aliases("head types", "attention heads"),
        )

    @classmethod
    def execute(
        cls, head_map: HeadMap, layer: int, head: int, type: str, model: ModelPatcher | None = None
    ) -> io.NodeOutput:
        own = next(iter(head_map.counts)).partition(".")[0]
        if type.partition(".")[0] != own:
            raise ValueError(
                f"type must be one of {head_map.scheme}, which begin with {own}., got {type}"
            )
        return head_map_output(head_map.with_type(layer, head, type), model)
