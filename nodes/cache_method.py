"""Cache Method: how the past is kept, with every parameter of it."""

from __future__ import annotations

import re

from comfy_api.latest import io

from ..headforcing_core.methods import NAMES, MethodSettings, settings_named, with_values
from .graph import CATEGORY, CacheMethodSocket, aliases, settings_from, widgets_of


class HeadForcingCacheMethod(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingCacheMethod",
            display_name="Cache Method",
            category=CATEGORY,
            description="What each attention head keeps of the past. Methods that tell heads apart "
            "(head_forcing, pyramid, forcing_kv) need a head map: profile the model, or load one.",
            inputs=_inputs(),
            outputs=[
                CacheMethodSocket.Output(
                    "chosen", display_name="method", tooltip="The method, for the sampler."
                ),
                io.String.Output("says", display_name="says", tooltip="What it does, in words."),
            ],
            **aliases(
                "kv cache",
                "head forcing",
                "pyramid forcing",
                "rolling window",
                "attention sink",
                "memory",
            ),
        )

    @classmethod
    def execute(cls, method: dict | str, settings: str = "") -> io.NodeOutput:
        chosen = _chosen(method, settings)
        return io.NodeOutput(chosen, chosen.build().says)


def _chosen(method: dict | str, settings: str) -> MethodSettings:
    if isinstance(method, dict):
        return settings_from(method["method"], method)
    # values may have commas of their own
    assignments = [part for part in re.split(r",(?=\s*[\w.]+\s*=)", str(settings)) if part.strip()]
    return with_values(settings_named(method), assignments)


def _inputs() -> list[io.Input]:
    tooltip = "A method, perhaps one of its presets (after the colon)."
    if hasattr(io, "DynamicCombo"):
        options = [io.DynamicCombo.Option(name, widgets_of(settings_named(name))) for name in NAMES]
        return [io.DynamicCombo.Input("method", options=options, tooltip=tooltip)]
    # a host before 0.8 has no widgets that come and go with a choice
    return [
        io.Combo.Input("method", options=list(NAMES), default=NAMES[0], tooltip=tooltip),
        io.String.Input(
            "settings",
            default="",
            optional=True,
            tooltip="What differs from the method's own values: anchor_recent=0, on_switch=keep",
        ),
    ]
