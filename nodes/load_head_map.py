"""Load Head Map: a published head map, or one from a file."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.heads import EditedMap
from ..headforcing_core.methods import read_head_map
from .graph import CATEGORY, aliases, edits_widget, head_map_output, head_map_outputs
from .host import keep_map, map_choices, map_path


class HeadForcingLoadHeadMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingLoadHeadMap",
            display_name="Load Head Map",
            category=CATEGORY,
            description="Read a head map: this pack's JSON, Pyramid Forcing's CSV, Forcing-KV's "
            "JSON. Put files into the input folder. A map is of one model: another one's is wrong, "
            "even where it fits.",
            inputs=[
                io.Combo.Input(
                    "file", options=map_choices(), tooltip="In the input folder, or published."
                ),
                io.Model.Input("model", optional=True, tooltip="A model to attach the map to."),
                edits_widget(),
            ],
            outputs=head_map_outputs(),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            **aliases("pyramid forcing", "forcing kv", "head types"),
        )

    @classmethod
    def execute(
        cls, file: str, model: ModelPatcher | None = None, edits: str = ""
    ) -> io.NodeOutput:
        edited = EditedMap(read_head_map(map_path(file)), edits=edits)
        keep_map(cls.hidden, edited)
        return head_map_output(edited, model)

    @classmethod
    def fingerprint_inputs(cls, file: str, model: object = None, edits: str = "") -> str:
        path = map_path(file)
        known = path.stat() if path.is_file() else None
        return "" if known is None else f"{known.st_mtime_ns} {known.st_size}"
