"""Load Head Map: a published head map, or one from a file."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.methods import PUBLISHED, read_head_map
from .graph import CATEGORY, aliases, head_map_output, head_map_outputs

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
            outputs=head_map_outputs(),
            **aliases("pyramid forcing", "forcing kv", "head types"),
        )

    @classmethod
    def execute(cls, file: str, model: ModelPatcher | None = None) -> io.NodeOutput:
        return head_map_output(read_head_map(_path(file)), model)

    @classmethod
    def fingerprint_inputs(cls, file: str, model: object = None) -> str:
        path = _path(file)
        known = path.stat() if path.is_file() else None
        return "" if known is None else f"{known.st_mtime_ns} {known.st_size}"


def _choices() -> list[str]:
    try:
        there = list(Path(folder_paths.get_input_directory()).iterdir())
    except OSError:  # no such folder, or not for us to see: the nodes are listed all the same
        there = []
    own = sorted(map(_name, filter(_is_map, there)))
    shipped = sorted(map(_name, filter(_is_map, PUBLISHED.iterdir())))
    return [*own, *(SHIPPED + name for name in shipped)]


def _is_map(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _name(path: Path) -> str:
    return path.name


def _path(file: str) -> Path:
    if file.startswith(SHIPPED):
        return PUBLISHED / Path(file.removeprefix(SHIPPED)).name
    return Path(folder_paths.get_annotated_filepath(file))
