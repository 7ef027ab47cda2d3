"""Continue Video: a finished video as the beginning of another, whole or up to a second."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.files import CONTAINERS
from ..headforcing_core.reel import MadeVideo
from ..headforcing_core.video import prompts_text
from .graph import CATEGORY, aliases

NONE = "none yet: videos of Head Forcing Sampler with keep_latents"


class HeadForcingContinueVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingContinueVideo",
            display_name="Continue Video",
            category=CATEGORY,
            description="Go on with a finished video, or make it anew from some second on: what "
            "comes before stays bit by bit. Connect start to Head Forcing Sampler, and prompts to "
            "the text of Prompt Schedule.",
            inputs=[
                io.Model.Input("model", tooltip="The model that made it."),
                io.Combo.Input(
                    "video", options=_videos() or [NONE], tooltip="In the output folder."
                ),
                io.Float.Input(
                    "from_second",
                    default=0.0,
                    min=0.0,
                    max=86_400.0,
                    step=0.25,
                    round=0.01,
                    tooltip="What comes after is made anew. 0: nothing, the video goes on at its "
                    "end.",
                ),
                io.String.Input(
                    "then",
                    multiline=True,
                    default="",
                    tooltip="Prompts of what follows, their times counted from there; empty: the "
                    "video's own.",
                ),
            ],
            outputs=[
                io.Latent.Output("start", display_name="start", tooltip="For the sampler."),
                io.String.Output(
                    "prompts",
                    display_name="prompts",
                    tooltip="The video's own until then, and what follows: for Prompt Schedule.",
                ),
                io.Int.Output("seed", display_name="seed", tooltip="That it was made with."),
                io.Float.Output(
                    "seconds", display_name="seconds", tooltip="How much of it is kept."
                ),
            ],
            **aliases("extend video", "redo", "branch", "resume", "go on", "video continuation"),
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, video: str, from_second: float, then: str
    ) -> io.NodeOutput:
        made = MadeVideo.read(_path(video))
        channels = model.get_model_object("diffusion_model").in_dim
        if made.size[0] != channels:
            raise ValueError(
                f"model must make latents of {made.size[0]} channels, as {video} was made with, "
                f"got {channels}"
            )
        frames = made.frames_before(from_second)
        end = made.video.moment(frames)
        # of plain CONDITIONING no words are known, nor are any needed if it is connected again
        known = made.prompts or then.strip()
        text = prompts_text(made.prompts_then(end, then)) if known else ""
        latents = made.latents(frames)
        latent = torch.cat([model.model.process_latent_out(part) for part in latents], 2)
        return io.NodeOutput({"samples": latent}, text, made.seed, end)

    @classmethod
    def fingerprint_inputs(
        cls, video: str, model: object = None, from_second: float = 0.0, then: str = ""
    ) -> float | str:
        try:
            return (_path(video)).stat().st_mtime
        except (OSError, ValueError):
            return video


def _path(video: str) -> Path:
    if video == NONE:
        raise ValueError(f"video must be one in the output folder, got {NONE}")
    folder = Path(folder_paths.get_output_directory()).resolve()
    path = (folder / video).resolve()
    if folder not in path.parents:
        raise ValueError(f"video must be in the output folder, got {video}")
    return path


def _videos() -> list[str]:
    """Return the videos whose latents are kept, newest first."""
    folder = Path(folder_paths.get_output_directory())
    found = [
        beside.with_suffix(f".{container}")
        for beside in folder.rglob("*.latents")
        for container in CONTAINERS
        if beside.with_suffix(f".{container}").is_file()
    ]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.relative_to(folder).as_posix() for path in found]
