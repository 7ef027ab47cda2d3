"""Prompt Schedule: what is said when."""

from __future__ import annotations

from comfy_api.latest import io

from ..headforcing_core.models import WAN_VIDEO
from ..headforcing_core.video import FORMS, ChunkClock, Unit, parse_prompts, plan_text, with_prefix
from .graph import CATEGORY, EncodedPrompts, ScheduleSocket


class HeadForcingPromptSchedule(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingPromptSchedule",
            display_name="Prompt Schedule",
            category=CATEGORY,
            description=f"Prompts that take each other's place on the way. Forms: {FORMS}. A # "
            "after a time is a cut: the scene before is not remembered.",
            inputs=_inputs(),
            outputs=[
                ScheduleSocket.Output(
                    "schedule", display_name="schedule", tooltip="For the sampler."
                ),
                io.String.Output(
                    "plan", display_name="plan", tooltip="What begins when, as it will be."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, clip, text: str, prefix: str, units: str, seconds: float, frames_per_chunk: int
    ) -> io.NodeOutput:
        if clip is None:
            raise ValueError("clip must be a text encoder, got none; load the model's own")
        prompts = with_prefix(parse_prompts(text, WAN_VIDEO.fps, Unit(units)), prefix)
        clock = ChunkClock.covering(WAN_VIDEO.latent_frames(seconds), frames_per_chunk)
        plan = plan_text(prompts, clock, WAN_VIDEO)
        encoded = tuple(
            clip.encode_from_tokens_scheduled(clip.tokenize(prompt.text)) for prompt in prompts
        )
        return io.NodeOutput(EncodedPrompts(prompts, encoded), plan)


def _inputs() -> list[io.Input]:
    return [
        io.Clip.Input("clip", tooltip="The text encoder of the model."),
        io.String.Input(
            "text",
            multiline=True,
            default="[0:5] a cat walks\n[5:10] the cat runs",
            tooltip="Prompts and when they begin, in seconds.",
        ),
        io.String.Input(
            "prefix",
            multiline=True,
            default="",
            tooltip="Words in front of every prompt: style, and the subject told anew.",
        ),
        io.Combo.Input(
            "units",
            options=[unit.value for unit in Unit],
            default=Unit.AUTO.value,
            tooltip="What a number without an s means. auto: seconds in brackets, pictures "
            "(16 per second) before @ and in quotes.",
        ),
        io.Float.Input(
            "seconds",
            default=10.0,
            min=0.75,
            max=86_400.0,
            step=0.25,
            round=0.01,
            tooltip="Length of the video, for the plan; the sampler has its own.",
        ),
        io.Int.Input(
            "frames_per_chunk",
            default=3,
            min=1,
            max=64,
            tooltip="Latent frames per chunk, for the plan: prompts begin where chunks do.",
        ),
    ]
