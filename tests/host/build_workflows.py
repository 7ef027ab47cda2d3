"""Write the workflows that ship, from what stands below and the /object_info of a running host.

The oldest host that is supported: its nodes have the fewest widgets.

python tests/host/build_workflows.py OBJECT_INFO.json
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from ui_workflow import CLOSED, OWN, Column, Model, as_prompt, build, fields

OUT = Path(__file__).parents[2] / "workflows"
RED, YELLOW = (
    f"a {colour} ball and a blue square moving slowly on striped olive"
    for colour in ("red", "yellow")
)
SMALL = {"width": 64, "height": 64}
DEMO_METHOD = {"method": "head_forcing:compact", "method.on_switch": "keep"}
DEMO = ("HeadForcingLoadDemo", {})
MODEL = ("HeadForcingLoadARModel", {"model_name": "self_forcing_dmd.pt", "weight_dtype": "bf16"})
CLIP = ("CLIPLoader", {"clip_name": "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "type": "wan"})
VAE = ("VAELoader", {"vae_name": "wan_2.1_vae.safetensors"})
REPACKAGED = "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
FILES = {
    "Model": Model(
        "self_forcing_dmd.pt",
        "https://huggingface.co/gdhe17/Self-Forcing/resolve/main/checkpoints/self_forcing_dmd.pt",
        "diffusion_models",
    ),
    "Text encoder": Model(
        CLIP[1]["clip_name"],
        f"{REPACKAGED}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        "text_encoders",
    ),
    "VAE": Model(VAE[1]["vae_name"], f"{REPACKAGED}/vae/wan_2.1_vae.safetensors", "vae"),
}
MINUTE = "A corgi runs along a beach at sunset, waves behind it, film grain."
STORY = (
    "[0:10] A fox walks through a snowy forest.\n"
    "[10:20] The fox stops and looks at the camera.\n"
    "[20:30] The fox runs away between the trees.\n"
    "[30:40#] The sea at night under a full moon."
)
TWO_STEPS = Model(
    "framewise-2step.pt",
    "https://huggingface.co/zhuhz22/Causal-Forcing/resolve/main/causal-forcing%2B%2B/"
    "framewise-2step.pt",
    "diffusion_models",
)
KREA = Model(
    "krea-realtime-video-14b.safetensors",
    "https://huggingface.co/krea/krea-realtime-video/resolve/main/"
    "krea-realtime-video-14b.safetensors",
    "diffusion_models",
)
OCEAN = (
    "[0:6] A sailing ship crosses a calm sea at noon, seen from the side.\n"
    "[6:12] A sailing ship crosses a rough sea under dark clouds, seen from the side.\n"
    "[12:18] A sailing ship lies in a harbour at night, lanterns on the water."
)
NOTHING_NEEDED = "**Needs** nothing: the small model comes with the pack. Queue it."


def needed(files):
    return "**Needs** three files (ComfyUI offers to load them; then press R):\n\n" + "\n".join(
        f"- [{file.name}]({file.url}) in `models/{file.directory}`" for file in files.values()
    )


WEIGHTS = needed(FILES)
OTHERS = (
    " Another model of the kind (Causal-Forcing, LongLive, yours): choose it in Load AR Model; "
    "for a LoRA such as LongLive's put *Load AR LoRA* behind it."
)
PLAYS = (
    "The file grows in `output/head_forcing` and plays while it is made; *Stop here* ends it with "
    "what is finished."
)


VIDEO = Column("3  Video", 360, {"Sampler": OWN})
DRIFT = {"Drift": CLOSED, "Drift over time": 380}
RESULT = Column("4  Result", 330, DRIFT)
STORY_RESULT = Column("4  Result", 330, {"What ruled when": 150, **DRIFT})


def watched(sampler, **more):
    """What is seen of a video beside the sampler, which writes and plays it."""
    return {
        "Drift": ("HeadForcingDriftReport", {"video": (sampler, 2), **more}),
        "Drift over time": ("PreviewImage", {"images": ("Drift", 0)}),
    }


def sampler(model, prompts, seconds, **more):
    inputs = {"model": model, "prompts": prompts, "seconds": seconds, **more}
    return ("HeadForcingSampler", inputs)


def to_file(vae, name):
    """Inputs of a sampler that writes its video."""
    return {"vae": vae, "filename_prefix": f"head_forcing/{name}"}


def demo():
    story = f"[0:10] {RED}\n[10:20] {YELLOW}\n[20:30] {RED}"
    note = (
        f"## A video from a small model\n\n{NOTHING_NEEDED}\n\n**Change** the prompts (a red ball, "
        "a green ring, on plain navy, ...; an unknown word is answered with those it knows), "
        f"**seconds**, or the **method** of the cache. {PLAYS}"
    )
    graph = {
        "Read me": note,
        "Demo model": DEMO,
        "Prompts": ("HeadForcingPromptSchedule", {"clip": ("Demo model", 1), "text": story}),
        "Method": ("HeadForcingCacheMethod", DEMO_METHOD),
        "Sampler": sampler(
            *(("Demo model", 0), ("Prompts", 0), 30.0),
            **{"method": ("Method", 0), **SMALL, **to_file(("Demo model", 2), "demo")},
        ),
        "What ruled when": ("PreviewAny", {"source": ("Sampler", 1)}),
        **watched("Sampler"),
    }
    columns = [
        Column("1  Model", 360, {"Read me": 210, "Demo model": OWN, "Prompts": OWN}),
        Column("2  What heads remember", 320, {"Method": OWN}),
        VIDEO,
        STORY_RESULT,
    ]
    app = [("Prompts", "text"), ("Sampler", "seconds"), ("Sampler", "seed")]
    return graph, columns, {}, (app, ["Sampler"])


def minute():
    note = (
        f"## A minute from Self-Forcing\n\n{WEIGHTS}\n\n**Change** the prompt, **seconds** and the "
        f"seed. {PLAYS}{OTHERS}"
    )
    graph = {
        "Read me": note,
        "Model": MODEL,
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompt": ("CLIPTextEncode", {"clip": ("Text encoder", 0), "text": MINUTE}),
        "Heads": ("HeadForcingProfileHeads", {"model": ("Model", 0), "prompts": ("Prompt", 0)}),
        "Method: head_forcing (open to change)": (
            "HeadForcingCacheMethod",
            {"method": "head_forcing"},
        ),
        "Head types": ("PreviewImage", {"images": ("Heads", 2)}),
        "Sampler": sampler(
            *(("Heads", 0), ("Prompt", 0), 60.0),
            method=("Method: head_forcing (open to change)", 0),
            **to_file(("VAE", 0), "minute"),
        ),
        **watched("Sampler"),
    }
    columns = [
        Column(
            *("1  Model", 370),
            {"Read me": 270, "Model": OWN, "Text encoder": OWN, "VAE": OWN},
        ),
        Column(
            "2  Prompt and heads",
            340,
            {"Prompt": 130, "Method: head_forcing (open to change)": CLOSED, "Heads": OWN},
        ),
        VIDEO,
        Column("4  Result", 330, {"Head types": 260, **DRIFT}),
    ]
    app = [("Prompt", "text"), ("Sampler", "seconds"), ("Sampler", "seed")]
    return graph, columns, FILES, (app, ["Sampler"])


def story():
    note = (
        f"## Prompts that change\n\n{WEIGHTS}\n\n**Change** the times and texts; `#` is a cut: the "
        "scene before is forgotten. Other ways to write them are on the help page of *Prompts*. "
        f"{PLAYS}"
    )
    graph = {
        "Read me": note,
        "Model": MODEL,
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {"clip": ("Text encoder", 0), "text": STORY, "prefix": "Nature documentary."},
        ),
        "Method": ("HeadForcingCacheMethod", {"method": "sink_window"}),
        "Sampler": sampler(
            *(("Model", 0), ("Prompts", 0), 40.0),
            **{"method": ("Method", 0), **to_file(("VAE", 0), "story")},
        ),
        "What ruled when": ("PreviewAny", {"source": ("Sampler", 1)}),
        **watched("Sampler", cuts="30"),
    }
    columns = [
        Column(
            *("1  Model", 370),
            {"Read me": 270, "Model": OWN, "Text encoder": OWN, "VAE": OWN},
        ),
        Column("2  Prompts and memory", 370, {"Prompts": OWN, "Method": OWN}),
        VIDEO,
        STORY_RESULT,
    ]
    return graph, columns, FILES, None


def profile():
    words = f"{RED} | a green ring moving fast on plain navy | a blue cross on plain brown"
    note = (
        f"## Which head is what\n\n{NOTHING_NEEDED}\n\n*Heads* makes short videos, measures where "
        "each head looks, and types it. **Change** the method's scheme, or one head by hand. With "
        "your model: *Load AR Model* and its text encoder in place of the demo's."
    )
    graph = {
        "Read me": note,
        "Demo model": DEMO,
        "Prompts": ("HeadForcingPromptSchedule", {"clip": ("Demo model", 1), "text": words}),
        "Heads": (
            "HeadForcingProfileHeads",
            {"model": ("Demo model", 0), "prompts": ("Prompts", 0), **SMALL},
        ),
        "One head changed": (
            "HeadForcingEditHeadMap",
            {"head_map": ("Heads", 1), "layer": 0, "head": 0, "type": "hf.anchor"},
        ),
        "Head types": ("PreviewImage", {"images": ("Heads", 2)}),
        "After the change": ("PreviewImage", {"images": ("One head changed", 1)}),
        "How sure": ("PreviewAny", {"source": ("Heads", 3)}),
    }
    columns = [
        Column("1  Model", 360, {"Read me": 210, "Demo model": OWN, "Prompts": OWN}),
        Column("2  Heads", 330, {"Heads": OWN}),
        Column("3  What they are", 330, {"Head types": 300, "How sure": 330}),
        Column("4  By hand", 330, {"One head changed": OWN, "After the change": 270}),
    ]
    graph["One head changed"][1]["head_map"] = ("Heads", 1)
    return graph, columns, {}, None


def methods():
    note = (
        f"## Three memories side by side\n\n{NOTHING_NEEDED}\n\nThe table says how much the last "
        "seconds differ from the first; the video shows the three beside each other. **Change** "
        "seconds and seed once for all; open a closed node with the dot at its left."
    )
    graph = {
        "Read me": note,
        "Demo model": DEMO,
        "Prompt": ("CLIPTextEncode", {"clip": ("Demo model", 1), "text": RED}),
        "Seconds": ("PrimitiveFloat", {"value": 30.0}),
        "Seed": ("PrimitiveInt", {"value": 0}),
    }
    names = ("rolling", "head_forcing:compact", "pyramid")
    before = None
    for name in names:
        settings = {"method.on_switch": "keep"} if name != "rolling" else {}
        graph[f"Method {name}"] = ("HeadForcingCacheMethod", {"method": name, **settings})
        graph[f"Video of {name}"] = sampler(
            *(("Demo model", 0), ("Prompt", 0), ("Seconds", 0)),
            **{"seed": ("Seed", 0), "method": (f"Method {name}", 0), **SMALL},
        )
        graph[f"Decode {name}"] = (
            "VAEDecode",
            {"samples": (f"Video of {name}", 0), "vae": ("Demo model", 2)},
        )
    for name in names:
        row = {"images": (f"Decode {name}", 0), "name": name}
        graph[f"Drift of {name}"] = (
            "HeadForcingMeasureDrift",
            {**row, "table": (before, 0)} if before else row,
        )
        before = f"Drift of {name}"
    first, second, third = (f"Decode {name}" for name in names)
    graph["Two beside"] = ("ImageStitch", {"image1": (first, 0), "image2": (second, 0)})
    graph["Three beside"] = ("ImageStitch", {"image1": ("Two beside", 0), "image2": (third, 0)})
    graph["Drift"] = ("PreviewAny", {"source": (before, 0)})
    graph["Video"] = ("CreateVideo", {"images": ("Three beside", 0), "fps": 16.0})
    graph["Save"] = (
        "SaveVideo",
        {"video": ("Video", 0), "filename_prefix": "head_forcing/methods"},
    )
    closed = {part: {f"{part} {name}": CLOSED for name in names} for part in ("Method", "Decode")}
    columns = [
        Column("1  Model", 320, {"Read me": 230, "Demo model": OWN, "Prompt": 130}),
        Column("2  For all three", 230, {"Seconds": OWN, "Seed": OWN, **closed["Method"]}),
        Column(
            *("3  Videos", 230),
            {**{f"Video of {name}": CLOSED for name in names}, **closed["Decode"]},
        ),
        Column(
            "4  Drift",
            240,
            {f"Drift of {name}": OWN for name in names}
            | {"Two beside": CLOSED, "Three beside": CLOSED},
        ),
        Column("5  Result", 340, {"Drift": 150, "Video": OWN, "Save": OWN}),
    ]
    return graph, columns, {}, None


def image():
    note = (
        f"## From an image\n\n{NOTHING_NEEDED}\n\nThe image is the first frame. Here it is made by "
        "the model itself; **put your own in**: *Load Image* into *Encode*, of the video's size. A "
        "video that is connected to **start** is gone on with."
    )
    own = "An image (put yours here)"
    graph = {
        "Read me": note,
        "Demo model": DEMO,
        "Prompt": ("CLIPTextEncode", {"clip": ("Demo model", 1), "text": RED}),
        "Another video": sampler(("Demo model", 0), ("Prompt", 0), 0.75, **SMALL),
        "Its pictures": ("VAEDecode", {"samples": ("Another video", 0), "vae": ("Demo model", 2)}),
        own: (
            "ImageFromBatch",
            {"image": ("Its pictures", 0), "batch_index": 0, "length": 1},
        ),
        "The image": ("PreviewImage", {"images": (own, 0)}),
        "Encode": ("VAEEncode", {"pixels": (own, 0), "vae": ("Demo model", 2)}),
        "Sampler": sampler(
            *(("Demo model", 0), ("Prompt", 0), 10.0),
            **{"start": ("Encode", 0), "seed": 7, **SMALL},
            **to_file(("Demo model", 2), "image"),
        ),
        **watched("Sampler"),
    }
    columns = [
        Column("1  Model", 350, {"Read me": 210, "Demo model": OWN, "Prompt": 130}),
        Column(
            "2  Image",
            300,
            {"Another video": CLOSED, "Its pictures": CLOSED, own: OWN, "The image": 270,
             "Encode": CLOSED},

        ),
        VIDEO,
        RESULT,
    ]  # fmt: skip
    return graph, columns, {}, None


def two_steps():
    files = {**FILES, "Model": TWO_STEPS}
    note = (
        f"## Two steps a frame: Causal-Forcing++\n\n{needed(files)}\n\nEvery frame is made by "
        "itself, in two steps, the first in four. The model was trained on 5 seconds. **Change** "
        f"the prompt, **seconds** and the seed. The file's name does not tell its family: it is "
        f"chosen in *Model*. {PLAYS}"
    )
    graph = {
        "Read me": note,
        "Model": (MODEL[0], {**MODEL[1], "model_name": TWO_STEPS.name,
                             "family": "causal_forcing_pp_2step"}),
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompt": ("CLIPTextEncode", {"clip": ("Text encoder", 0), "text": MINUTE}),
        "Sampler": sampler(
            *(("Model", 0), ("Prompt", 0), 5.0), **to_file(("VAE", 0), "two_steps")
        ),
        **watched("Sampler"),
    }  # fmt: skip
    columns = [
        Column(
            *("1  Model", 370),
            {"Read me": 290, "Model": OWN, "Text encoder": OWN, "VAE": OWN},
        ),
        Column("2  Prompt", 340, {"Prompt": 130}),
        VIDEO,
        RESULT,
    ]
    return graph, columns, files, None


def krea():
    files = {**FILES, "Model": KREA}
    note = (
        f"## Prompts that come in slowly: Krea Realtime\n\n{needed(files)}\n\nA new prompt comes "
        "in over some 3 seconds; with `#` after its time it is a cut. 14 billion weights are kept "
        "as fp8, in 14 GB: choose bf16 on a card of 48 GB. The **VAE must be connected**: pictures "
        f"of the video are encoded again while it is made. **Change** times and texts. {PLAYS}"
    )
    graph = {
        "Read me": note,
        "Model": (MODEL[0], {"model_name": KREA.name, "weight_dtype": "fp8_e4m3fn"}),
        "Text encoder": CLIP,
        "VAE": VAE,
        "Prompts": (
            "HeadForcingPromptSchedule",
            {"clip": ("Text encoder", 0), "text": OCEAN, "prefix": "Cinematic."},
        ),
        "Sampler": sampler(*(("Model", 0), ("Prompts", 0), 18.0), **to_file(("VAE", 0), "krea")),
        "What ruled when": ("PreviewAny", {"source": ("Sampler", 1)}),
        **watched("Sampler"),
    }
    columns = [
        Column(
            *("1  Model", 370),
            {"Read me": 310, "Model": OWN, "Text encoder": OWN, "VAE": OWN},
        ),
        Column("2  Prompts", 370, {"Prompts": OWN}),
        VIDEO,
        STORY_RESULT,
    ]
    return graph, columns, files, None


WORKFLOWS = {
    "demo_without_downloads": demo,
    "self_forcing_one_minute": minute,
    "prompts_that_change": story,
    "causal_forcing_two_steps": two_steps,
    "krea_realtime": krea,
    "profile_and_inspect": profile,
    "compare_methods": methods,
    "image_to_video": image,
}


# of a workflow, what is sent to hosts (workflows/api): a short video, and nothing that watches it
SENT = "demo_without_downloads"
SHORT = {("Prompts", "text"): RED, ("Sampler", "seconds"): 6.0}
NOT_SENT = {"What ruled when", "Drift", "Drift over time"}
SAVES = "Video to File"


def as_exported(workflow, info):
    """Return what the page's Export (API) gives of the workflow that is sent.

    Its video is written by a node that saves: of others a host tells no file once it has what they
    made at hand.
    """
    prompt, problems = as_prompt(workflow, info)
    assert not problems, problems
    titles = {str(node["id"]): node["title"] for node in workflow["nodes"]}
    sent = {titles[n]: (n, node) for n, node in prompt.items() if titles[n] not in NOT_SENT}
    for (title, name), value in SHORT.items():
        sent[title][1]["inputs"][name] = value
    number, sampler = sent["Sampler"]
    film = [name for name, _ in fields(info["HeadForcingVideoToFile"]) if name != "samples"]
    taken = {name: sampler["inputs"].pop(name) for name in film if name in sampler["inputs"]}
    del sampler["inputs"]["keep_latents"]  # it has no file beside which to keep them
    saves = {"class_type": "HeadForcingVideoToFile", "inputs": {"samples": [number, 0], **taken}}
    sent[SAVES] = (str(workflow["last_node_id"] + 1), saves)
    return {
        n: {"inputs": node["inputs"], "class_type": node["class_type"], "_meta": {"title": title}}
        for title, (n, node) in sent.items()
    }


def main():
    info = json.loads(Path(sys.argv[1]).read_text())
    OUT.mkdir(exist_ok=True)
    for name, described in WORKFLOWS.items():
        workflow = build(*described(), info)
        (OUT / f"{name}.json").write_text(json.dumps(workflow, indent=1) + "\n")
        if name == SENT:
            exported = json.dumps(as_exported(workflow, info), indent=2) + "\n"
            (OUT / "api" / "demo.json").write_text(exported)


if __name__ == "__main__":
    main()
