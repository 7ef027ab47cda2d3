"""Load Head Map and Edit Head Map."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.head_map import HeadMap
from ..headforcing_core.head_map_files import PUBLISHED, read_head_map
from ..headforcing_core.head_map_pictures import COLOURS, draw_types
from .profile_heads import as_image
from .sockets import CATEGORY, MAP_KEY, HeadMapSocket

SHIPPED = "published: "
SUFFIXES = (".json", ".csv")


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
                    "file", options=_choices(), tooltip="In the input folder, or published."
                ),
                io.Model.Input("model", optional=True, tooltip="A model to attach the map to."),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, file: str, model: ModelPatcher | None = None) -> io.NodeOutput:
        head_map = read_head_map(_path(file))
        return io.NodeOutput(head_map, as_image(draw_types(head_map)), attached(model, head_map))

    @classmethod
    def fingerprint_inputs(cls, file: str, model: object = None) -> str:
        path = _path(file)
        known = path.stat() if path.is_file() else None
        return "" if known is None else f"{known.st_mtime_ns} {known.st_size}"


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
            outputs=_outputs(),
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
        changed = head_map.with_type(layer, head, type)
        return io.NodeOutput(changed, as_image(draw_types(changed)), attached(model, changed))


def _outputs() -> list[io.Output]:
    return [
        HeadMapSocket.Output("typed", display_name="head_map", tooltip="For the sampler."),
        io.Image.Output(tooltip="Which head is of which type."),
        io.Model.Output(tooltip="The model, with this map."),
    ]


def attached(model: ModelPatcher | None, head_map: HeadMap) -> ModelPatcher | None:
    """Return a clone of a model that brings a map, beside those of other schemes."""
    if model is None:
        return None
    clone = model.clone()
    known = model.attachments.get(MAP_KEY, {})
    clone.set_attachments(MAP_KEY, {**known, head_map.scheme: head_map})
    return clone


def _choices() -> list[str]:
    folder = Path(folder_paths.get_input_directory())
    own = (
        sorted(p.name for p in folder.iterdir() if p.suffix in SUFFIXES) if folder.is_dir() else []
    )
    shipped = sorted(p.name for p in PUBLISHED.iterdir() if p.suffix in SUFFIXES)
    return [*own, *(SHIPPED + name for name in shipped)]


def _path(file: str) -> Path:
    if file.startswith(SHIPPED):
        return PUBLISHED / Path(file.removeprefix(SHIPPED)).name
    return Path(folder_paths.get_annotated_filepath(file))
