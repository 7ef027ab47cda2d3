"""Write the workflows that ship, from the descriptions below and a running host's /object_info.

python tests/host/build_workflows.py OBJECT_INFO.json
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from ui_workflow import build

OUT = Path(__file__).parents[2] / "workflows"
RED, YELLOW = (
    f"a {colour} ball and a blue square moving slowly on striped olive"
    for colour in ("red", "yellow")
)
SMALL = {"width": 64, "height": 64}
DEMO_METHOD = {
    "method": "head_forcing:compact",
    "method.anchor_recent": 0,
    "method.on_switch": "keep",
}
DEMO = ("HeadForcingLoadDemo", {}, (0, 0))
MODEL = (
    "HeadForcingLoadARModel",
    {"model_name": "self_forcing_dmd.pt", "weight_dtype": "bf16"},
    (0, 0),
)
CLIP = (
    "CLIPLoader",
    {"clip_name": "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "type": "wan"},
    (0, 3),
)
VAE = ("VAELoader", {"vae_name": "wan_2.1_vae.safetensors"}, (0, 6))
MINUTE = "A corgi runs along a beach at sunset, waves behind it, film grain."
STORY = (
    "[0:10] A fox walks through a snowy forest.\n"
    "[10:20] The fox stops and looks at the camera.\n"
    "[20:30] The fox runs away between the trees.\n"
    "[30:40#] The sea at night under a full moon."
)


def saved(pictures, prefix, column, row=0):
    return {
        "Decode": ("VAEDecode", pictures, (column, row)),
        "Video": ("CreateVideo", {"images": ("Decode", 0), "fps": 16.0}, (column, row + 2)),
        "Save": (
            "SaveVideo",
            {"video": ("Video", 0), "filename_prefix": prefix},
            (column, row + 4),
        ),
    }


def demo():
    story = f"[0:10] {RED}\n[10:20] {YELLOW}\n[20:30] {RED}"
    return {
        "Demo model": DEMO,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {"clip": ("Demo model", 1), "text": story, "seconds": 30.0},
            (1, 0),
        ),
        "Method": ("HeadForcingCacheMethod", DEMO_METHOD, (1, 5)),
        "Sampler": (
            "HeadForcingSampler",
            {
                "model": ("Demo model", 0),
                "prompts": ("Prompts", 0),
                "method": ("Method", 0),
                "seconds": 30.0,
                **SMALL,
            },
            (2, 0),
        ),
        "Plan": ("PreviewAny", {"source": ("Prompts", 1)}, (2, 6)),
        **saved({"samples": ("Sampler", 0), "vae": ("Demo model", 2)}, "head_forcing/demo", 3),
    }


def minute():
    return {
        "Model": MODEL,
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompt": ("CLIPTextEncode", {"clip": ("Text encoder", 0), "text": MINUTE}, (1, 0)),
        "Heads": (
            "HeadForcingProfileHeads",
            {"model": ("Model", 0), "prompts": ("Prompt", 0)},
            (1, 2),
        ),
        "Method": ("HeadForcingCacheMethod", {"method": "head_forcing"}, (2, 2)),
        "Sampler": (
            "HeadForcingSampler",
            {
                "model": ("Heads", 0),
                "prompts": ("Prompt", 0),
                "method": ("Method", 0),
                "seconds": 60.0,
            },
            (3, 0),
        ),
        "Head types": ("PreviewImage", {"images": ("Heads", 2)}, (1, 8)),
        **saved({"samples": ("Sampler", 0), "vae": ("VAE", 0)}, "head_forcing/minute", 4),
    }


def story():
    return {
        "Model": MODEL,
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {
                "clip": ("Text encoder", 0),
                "text": STORY,
                "prefix": "Nature documentary.",
                "seconds": 40.0,
            },
            (1, 0),
        ),
        "Method": ("HeadForcingCacheMethod", {"method": "sink_window"}, (1, 5)),
        "Plan": ("PreviewAny", {"source": ("Prompts", 1)}, (2, 6)),
        "Sampler": (
            "HeadForcingSampler",
            {
                "model": ("Model", 0),
                "prompts": ("Prompts", 0),
                "method": ("Method", 0),
                "seconds": 40.0,
            },
            (2, 0),
        ),
        **saved({"samples": ("Sampler", 0), "vae": ("VAE", 0)}, "head_forcing/story", 3),
    }


def profile():
    words = f"{RED} | a green ring moving fast on plain navy | a blue cross on plain brown"
    return {
        "Demo model": DEMO,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {"clip": ("Demo model", 1), "text": words},
            (1, 0),
        ),
        "Heads": (
            "HeadForcingProfileHeads",
            {"model": ("Demo model", 0), "prompts": ("Prompts", 0), **SMALL},
            (2, 0),
        ),
        "Head types": ("PreviewImage", {"images": ("Heads", 2)}, (3, 0)),
        "How sure": ("PreviewAny", {"source": ("Heads", 3)}, (3, 4)),
        "One head changed": (
            "HeadForcingEditHeadMap",
            {"head_map": ("Heads", 1), "layer": 0, "head": 0, "type": "hf.anchor"},
            (2, 6),
        ),
        "After the change": ("PreviewImage", {"images": ("One head changed", 1)}, (3, 7)),
    }


def methods():
    graph = {
        "Demo model": DEMO,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {"clip": ("Demo model", 1), "text": RED, "seconds": 30.0},
            (0, 2),
        ),
    }
    for row, name in enumerate(("rolling", "head_forcing", "pyramid")):
        graph |= {
            f"Method {name}": ("HeadForcingCacheMethod", {"method": name}, (1, 9 * row)),
            name: (
                "HeadForcingSampler",
                {
                    "model": ("Demo model", 0),
                    "prompts": ("Prompts", 0),
                    "method": (f"Method {name}", 0),
                    "seconds": 30.0,
                    **SMALL,
                },
                (2, 9 * row),
            ),
            f"Decode {name}": (
                "VAEDecode",
                {"samples": (name, 0), "vae": ("Demo model", 2)},
                (3, 9 * row),
            ),
        }
    graph["Two"] = (
        "ImageStitch",
        {"image1": ("Decode rolling", 0), "image2": ("Decode head_forcing", 0)},
        (4, 0),
    )
    graph["Three"] = (
        "ImageStitch",
        {"image1": ("Two", 0), "image2": ("Decode pyramid", 0)},
        (4, 3),
    )
    graph["Video"] = ("CreateVideo", {"images": ("Three", 0), "fps": 16.0}, (5, 0))
    graph["Save"] = (
        "SaveVideo",
        {"video": ("Video", 0), "filename_prefix": "head_forcing/methods"},
        (5, 2),
    )
    return graph


def image():
    return {
        "Demo model": DEMO,
        "First": (
            "HeadForcingSampler",
            {"model": ("Demo model", 0), "prompts": ("Prompt", 0), "seconds": 0.75, **SMALL},
            (1, 2),
        ),
        "Prompt": ("CLIPTextEncode", {"clip": ("Demo model", 1), "text": RED}, (0, 2)),
        "Its pictures": ("VAEDecode", {"samples": ("First", 0), "vae": ("Demo model", 2)}, (2, 0)),
        "An image (put your own here)": (
            "ImageFromBatch",
            {"image": ("Its pictures", 0), "batch_index": 0, "length": 1},
            (2, 2),
        ),
        "Encode": (
            "VAEEncode",
            {"pixels": ("An image (put your own here)", 0), "vae": ("Demo model", 2)},
            (2, 4),
        ),
        "Sampler": (
            "HeadForcingSampler",
            {
                "model": ("Demo model", 0),
                "prompts": ("Prompt", 0),
                "start": ("Encode", 0),
                "seconds": 10.0,
                "seed": 7,
                **SMALL,
            },
            (3, 0),
        ),
        **saved({"samples": ("Sampler", 0), "vae": ("Demo model", 2)}, "head_forcing/image", 4),
    }


WORKFLOWS = {
    "demo_without_downloads": demo,
    "self_forcing_one_minute": minute,
    "prompts_that_change": story,
    "profile_and_inspect": profile,
    "compare_methods": methods,
    "image_to_video": image,
}


def main():
    info = json.loads(Path(sys.argv[1]).read_text())
    OUT.mkdir(exist_ok=True)
    for name, graph in WORKFLOWS.items():
        workflow = build(graph(), info)
        (OUT / f"{name}.json").write_text(json.dumps(workflow, indent=1) + "\n")


if __name__ == "__main__":
    main()
