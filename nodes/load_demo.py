"""Load Demo AR Model: the small model that ships, so that a workflow runs with no download."""

from __future__ import annotations

from comfy_api.latest import io

from .graph import CATEGORY, aliases


class HeadForcingLoadDemo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingLoadDemo",
            display_name="Load Demo AR Model",
            category=CATEGORY,
            description="The small model that ships with this pack: 64 x 64 pixels, a world of "
            "shapes, trained from nothing on two CPU cores. It knows few words and runs on any "
            "machine. Its head maps come with it.",
            inputs=[],
            outputs=[
                io.Model.Output(tooltip="For the Head Forcing Sampler, at 64 x 64 pixels."),
                io.Clip.Output(tooltip="Knows the words of the demo world."),
                io.Vae.Output(tooltip="For VAE Decode."),
            ],
            **aliases("head forcing demo", "small model", "test model"),
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from .host.demo_model import load_demo

        return io.NodeOutput(*load_demo())
