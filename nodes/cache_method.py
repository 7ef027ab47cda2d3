"""Cache Method: how the past is kept, with every parameter of it."""

from __future__ import annotations

from comfy_api.latest import io

from ..headforcing_core.methods import NAMES, settings_named
from .method_widgets import settings_from, widgets_of
from .sockets import CATEGORY, CacheMethodSocket


class HeadForcingCacheMethod(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingCacheMethod",
            display_name="Cache Method",
            category=CATEGORY,
            description="What each attention head keeps of the past. Methods that tell heads apart "
            "(head_forcing, pyramid, forcing_kv) need a head map: profile the model, or load one.",
            inputs=[_choice()],
            outputs=[
                CacheMethodSocket.Output("method", tooltip="The method, for the sampler."),
                io.String.Output("says", tooltip="What it does, in words."),
            ],
        )

    @classmethod
    def execute(cls, method: dict | str) -> io.NodeOutput:
        if isinstance(method, dict):
            name = method["method"]
            chosen = settings_from(name, method)
        else:
            chosen = settings_from(method, {})
        return io.NodeOutput(chosen, chosen.build().says)


def _choice() -> io.Input:
    tooltip = "A method, perhaps one of its presets (after the colon)."
    if not hasattr(io, "DynamicCombo"):  # a host before 0.8: defaults and presets only
        return io.Combo.Input("method", options=list(NAMES), default=NAMES[0], tooltip=tooltip)
    options = [io.DynamicCombo.Option(name, widgets_of(settings_named(name))) for name in NAMES]
    return io.DynamicCombo.Input("method", options=options, tooltip=tooltip)
