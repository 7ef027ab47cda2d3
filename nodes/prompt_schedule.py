"""Prompt Schedule: what is said when."""

from __future__ import annotations

from functools import partial

from comfy_api.latest import io

from ..headforcing_core.video import FORMS, Unit, times_text
from .graph import (
    CATEGORY,
    EncodedPrompts,
    ScheduleSocket,
    Written,
    aliases,
)


class HeadForcingPromptSchedule(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingPromptSchedule",
            display_name="Prompt Schedule",
            category=CATEGORY,
            description=f"Prompts that take each other's place on the way. Forms: {FORMS}. A # "
            "after a time is a cut: the scene before is forgotten.",
            inputs=_inputs(),
            outputs=[
                ScheduleSocket.Output(
                    "schedule", display_name="schedule", tooltip="For the sampler."
                ),
                io.String.Output(
                    "plan",
                    display_name="plan",
                    tooltip="What begins when, as it was read; the sampler's, as it will be.",
                ),
            ],
            **aliases(
                "prompt travel",
                "batch prompt schedule",
                "timed prompts",
                "prompt timeline",
                "storyboard",
            ),
        )

    @classmethod
    def execute(cls, clip, text: str, prefix: str, units: str, fps: float = 0.0) -> io.NodeOutput:
        if clip is None:
            raise ValueError("clip must be a text encoder, got none; load the model's own")
        written = Written(text, prefix, Unit(units), fps)
        said = EncodedPrompts.of(written, partial(_encoded, clip))
        return io.NodeOutput(said, times_text(said.prompts))


def _encoded(clip, text: str) -> list:
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


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
            "before @ and in quotes.",
        ),
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=120.0,
            step=0.01,
            optional=True,
            tooltip="Pictures per second, for numbers that count pictures. 0: the model's own, 16 "
            "or, of LongLive 2.0, 24.",
        ),
    ]
