"""Drift Report: how videos change from their first seconds on, as a plot, a table and JSON."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import comfy.model_management
import comfy.utils
from comfy_api.latest import Input, Types, io, ui

from ..headforcing_core.files import named
from ..headforcing_core.telemetry import (
    Measured,
    as_json,
    as_table,
    draw_reports,
    measure_file,
)
from .graph import CATEGORY, aliases, as_image

FURTHER = ("second", "third", "fourth")


class HeadForcingDriftReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingDriftReport",
            display_name="Drift Report",
            category=CATEGORY,
            description="How a video changes from its first 3 seconds on, without any network: "
            "lightness, contrast, chroma, sharpness, motion, seams, freezes, flicker and loops, "
            "each with a band, and the second at which it left it. Up to four videos over each "
            "other.",
            inputs=[
                io.Video.Input("video", tooltip="Of any length, format, size and frame rate."),
                *(
                    io.Video.Input(name, optional=True, tooltip="Another one, to compare with.")
                    for name in FURTHER
                ),
                io.String.Input(
                    "cuts",
                    default="",
                    optional=True,
                    tooltip="Seconds at which a new scene is meant to begin, like 10, 20.5: it is "
                    "compared with its own first seconds.",
                ),
            ],
            outputs=[
                io.Image.Output("plot", display_name="plot", tooltip="All measures over time."),
                io.String.Output("table", display_name="table", tooltip="The farthest of each."),
                io.String.Output("json", display_name="json", tooltip="Every piece's numbers."),
            ],
            is_output_node=True,
            **aliases("drift", "video quality", "compare videos", "flicker", "color shift"),
        )

    @classmethod
    def execute(
        cls,
        video: Input.Video,
        second: Input.Video | None = None,
        third: Input.Video | None = None,
        fourth: Input.Video | None = None,
        cuts: str = "",
    ) -> io.NodeOutput:
        given = [each for each in (video, second, third, fourth) if each is not None]
        moments, found = _seconds(cuts), []
        for number, each in enumerate(given):
            found.append(_measured(each, number, moments))
        table = as_table(found)
        plot = as_image(draw_reports(found))
        return io.NodeOutput(plot, table, as_json(found), ui=ui.PreviewText(table))


def _measured(video: Input.Video, number: int, cuts: list[float]) -> Measured:
    source = _source(video)
    name = named(Path(source)) if isinstance(source, str) else f"video {number + 1}"
    window = getattr(video, "get_active_trim_window", lambda: (0.0, 0.0))()
    bar = comfy.utils.ProgressBar(1)

    def progress(done: int, expected: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, max(expected, done))

    return measure_file(source, name, cuts, window, progress)


def _source(video: Input.Video) -> str | BytesIO:
    """Return a video's file; hosts such as 0.8 cannot name the format of one that has none."""
    try:
        return video.get_stream_source()
    except ValueError:
        buffer = BytesIO()
        video.save_to(buffer, format=Types.VideoContainer.MP4)
        buffer.seek(0)
        return buffer


def _seconds(text: str) -> list[float]:
    try:
        seconds = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        seconds = [-1.0]
    if not all(0 <= second < float("inf") for second in seconds):
        raise ValueError(f"cuts must be seconds like 10, 20.5, got {text[:60]!r}")
    return seconds
