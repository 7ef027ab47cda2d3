"""Measure Drift: how much the end of a video differs from its beginning, in numbers."""

from __future__ import annotations

from dataclasses import fields

from comfy_api.latest import io
from torch import Tensor

from ..headforcing_core.models import WAN_VIDEO
from ..headforcing_core.video import Drift, appearance, drift
from .graph import CATEGORY, aliases

HEADINGS = {
    "lightness": "lightness +",
    "contrast": "contrast x",
    "chroma": "colour x",
    "sharpness": "sharpness x",
    "motion": "motion x",
    "flicker": "flicker +",
}


class HeadForcingMeasureDrift(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingMeasureDrift",
            display_name="Measure Drift",
            category=CATEGORY,
            description="How much the last seconds of a video differ from its first, without any "
            "network. Lightness and flicker are differences (0: no drift), the others ratios "
            "(1: no drift; motion near 0: frozen). Chain several for a table of methods.",
            inputs=[
                io.Image.Input("images", tooltip="All pictures of a video, in order."),
                io.String.Input("name", default="video", tooltip="The row's name in the table."),
                io.Float.Input(
                    "stretch",
                    default=3.0,
                    min=0.25,
                    max=3600.0,
                    step=0.25,
                    round=0.01,
                    tooltip="Seconds of the beginning, and of the end, that are compared.",
                ),
                io.String.Input(
                    "table",
                    optional=True,
                    force_input=True,
                    tooltip="Of another Measure Drift: this row comes under it.",
                ),
                io.Float.Input(
                    "fps",
                    default=WAN_VIDEO.fps,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    optional=True,
                    tooltip="Pictures per second of the video: 16, but 24 of LongLive 2.0.",
                ),
            ],
            outputs=[io.String.Output("table", display_name="table", tooltip="The numbers.")],
            **aliases("drift", "compare videos", "video quality", "flicker", "color shift"),
        )

    @classmethod
    def execute(
        cls,
        images: Tensor,
        name: str,
        stretch: float,
        table: str | None = None,
        fps: float = WAN_VIDEO.fps,
    ) -> io.NodeOutput:
        if not name.strip() or any(sign in name for sign in "|\n"):
            raise ValueError(f"name must be words without | and line breaks, got {name!r}")
        count = round(stretch * fps)
        if len(images) < 2 * count or count < 2:
            raise ValueError(
                "images must be a video of two stretches at least, "
                f"{2 * count} pictures for {stretch:g} s each, got {len(images)}; lower stretch or "
                "make a longer video"
            )
        pictures = images[..., :3].movedim(-1, 1).float()
        measured = drift(appearance(pictures[:count]), appearance(pictures[-count:]))
        return io.NodeOutput(_table(name, measured, table))


def _table(name: str, measured: Drift, before: str | None) -> str:
    """Return a table with one more row, set so that columns stand under each other."""
    names = [field.name for field in fields(measured)]
    rows = [line.split(" | ") for line in before.splitlines()] if before else []
    rows = rows or [["last against first seconds", *(HEADINGS[each] for each in names)]]
    rows = [[cell.strip() for cell in row] for row in rows]
    if any(len(row) != 1 + len(names) for row in rows):
        raise ValueError(f"table must come from another Measure Drift, got {before[:40]!r}")
    rows.append([name, *(f"{getattr(measured, each):.2f}" for each in names)])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
