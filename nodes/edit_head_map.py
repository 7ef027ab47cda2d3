"""Edit Head Map: types of heads, changed by hand."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.heads import COLOURS, EditedMap
from ..headforcing_core.methods import HeadMap
from .graph import (
    CATEGORY,
    HeadMapSocket,
    aliases,
    edits_widget,
    head_map_output,
    head_map_outputs,
)
from .host import keep_map

# what layer, head and type say when they change nothing
UNCHANGED = "unchanged"


class HeadForcingEditHeadMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingEditHeadMap",
            display_name="Edit Head Map",
            category=CATEGORY,
            description="Change types of heads: of one with the widgets, of any on the picture. "
            "Where the map comes from, and what was changed, stays told.",
            inputs=[
                HeadMapSocket.Input("head_map", tooltip="From Profile Heads or Load Head Map."),
                io.Int.Input("layer", default=0, min=0, max=1023, tooltip="From 0."),
                io.Int.Input("head", default=0, min=0, max=1023, tooltip="From 0, in its layer."),
                io.Combo.Input(
                    "type",
                    options=[UNCHANGED, *COLOURS],
                    default=UNCHANGED,
                    tooltip="Of the head at layer and head: a type of the map's own scheme.",
                ),
                io.Model.Input("model", optional=True, tooltip="A model to attach the map to."),
                edits_widget(),
                HeadMapSocket.Input(
                    "beside", optional=True, tooltip="Another map of this model, shown beside it."
                ),
            ],
            outputs=head_map_outputs(),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            **aliases("head types", "attention heads"),
        )

    @classmethod
    def execute(
        cls,
        head_map: HeadMap,
        layer: int,
        head: int,
        type: str,
        model: ModelPatcher | None = None,
        edits: str = "",
        beside: HeadMap | None = None,
    ) -> io.NodeOutput:
        own = next(iter(head_map.counts)).partition(".")[0]
        if type != UNCHANGED and type.partition(".")[0] != own:
            raise ValueError(
                f"type must be one of {head_map.scheme}, which begin with {own}., got {type}"
            )
        change = "" if type == UNCHANGED else f"{layer}.{head}={type}"
        edited = EditedMap(head_map, change, edits)
        keep_map(cls.hidden, edited, "layer", "head", "type", "beside")
        return head_map_output(edited, model, beside)
