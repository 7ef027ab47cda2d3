"""The nodes and workflows in a ComfyUI that runs."""

import json
import re
import time

import av
import pytest
from comfy_host import ROOT, needs_host
from live_host import LiveHost, errors_of
from safetensors.torch import load_file
from ui_workflow import as_prompt

pytestmark = needs_host
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
OURS = "HeadForcing"
RED = "a red ball and a blue square moving slowly on striped olive"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with LiveHost(tmp_path_factory.mktemp("host")) as running:
        yield running


def demo(seed=0, seconds=3.0, method=None, prefix="latents/x", **sampler):
    """A prompt that samples the demo model and saves the latent."""
    inputs = {"model": ["1", 0], "prompts": ["2", 0], "seed": seed, "seconds": seconds}
    inputs |= {"width": 64, "height": 64, "family": "auto", "steps": "", "shift": 0.0}
    prompt = {
        "1": {"class_type": "HeadForcingLoadDemo", "inputs": {}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": RED}},
        "3": {"class_type": "HeadForcingSampler", "inputs": inputs | sampler},
        "4": {
            "class_type": "SaveLatent",
            "inputs": {"samples": ["3", 0], "filename_prefix": prefix},
        },
    }
    if method:
        prompt["5"] = {"class_type": "HeadForcingCacheMethod", "inputs": {"method": method}}
        inputs["method"] = ["5", 0]
        prompt["3"]["inputs"]["method"] = ["5", 0]
    return prompt


def latents(host, pattern):
    files = sorted((host.base / "output").rglob(pattern))
    return [load_file(path)["latent_tensor"] for path in files]


def test_every_node_explains_itself(host):
    ours = {name: info for name, info in host.info.items() if name.startswith(OURS)}
    assert len(ours) == 8
    for name, info in ours.items():
        assert info["description"], name
        for part in info["input"].values():
            for field, spec in part.items():
                assert (spec[1] if len(spec) > 1 else {}).get("tooltip"), (name, field)
        for language in ("en", "zh"):
            assert (ROOT / "web" / "docs" / name / f"{language}.md").is_file()
    known = host.get("/i18n")
    for language in ("en", "zh"):
        assert set(ours) <= set(known[language]["nodeDefs"])
        for name, info in ours.items():
            told = known[language]["nodeDefs"][name]["inputs"]
            fields = {field for part in info["input"].values() for field in part}
            assert fields == set(told), (language, name)


def test_every_setting_of_every_method_is_a_widget(host):
    spec = host.info["HeadForcingCacheMethod"]["input"]["required"]["method"]
    by_name = {option["key"]: option["inputs"] for option in spec[1]["options"]}
    widgets = by_name["head_forcing"]["optional"]
    assert {"local_recent", "anchor_recent", "episodes_count", "positions", "on_switch"} <= set(
        widgets
    )
    for name, inputs in by_name.items():
        for field, (_, options) in inputs.get("optional", {}).items():
            assert len(options["tooltip"]) > 40, (name, field)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_is_one_the_host_knows(host, path):
    prompt, problems = as_prompt(json.loads(path.read_text()), host.info)
    assert problems == []
    for number, node in prompt.items():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and len(value) == 2 and value[0] in prompt:
                source = host.info[prompt[value[0]]["class_type"]]
                known = host.info[node["class_type"]]["input"]
                wanted = (known.get("required", {}) | known.get("optional", {}))[name][0]
                given = source["output"][value[1]]
                assert wanted == "*" or given in str(wanted).split(","), (number, name)
    assert path.with_suffix(".jpg").is_file()


def test_templates_are_listed(host):
    listed = host.get("/workflow_templates")
    assert sorted(next(iter(listed.values()))) == [path.stem for path in WORKFLOWS]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_runs(host, path):
    """Those that need published weights run on random ones, smaller; the others shorter."""
    prompt, _ = as_prompt(json.loads(path.read_text()), host.info)
    absent = any(node["class_type"] == "CLIPLoader" for node in prompt.values())
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "CLIPLoader":
            node["class_type"] = "StubClip"
            inputs.clear()
            inputs["clip_name"] = "x"
        if absent and "width" in inputs:
            inputs |= {"width": 64, "height": 48}
        if node["class_type"] == "HeadForcingSampler" and not absent:
            inputs["seconds"] = min(inputs["seconds"], 6.0)
        if node["class_type"] == "HeadForcingPromptSchedule" and not absent:
            inputs["text"] = re.sub(r"\[\d+:\d+\] ", "| ", inputs["text"]).lstrip("| ")
    done = host.run(prompt)
    files = [f for out in done["outputs"].values() for f in out.get("images", [])]
    assert files
    for file in files:
        if file["filename"].endswith(".mp4"):
            path = host.base / file["type"] / file["subfolder"] / file["filename"]
            with av.open(str(path)) as video:
                shown = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert len(shown) > 9 and shown[0].std() > 5


def test_a_longer_video_begins_the_same_and_another_seed_does_not(host):
    host.run(demo(prefix="same/a"))
    host.run(demo(seed=5, prefix="same/b"))
    changed = demo(prefix="same/c")
    changed["3"]["inputs"]["seconds"] = 3.75  # runs again: longer, with the same beginning
    host.run(changed)
    a, b, c = (latents(host, f"{name}_*.latent")[0] for name in "abc")
    assert a.shape[2] == 12 and c.shape[2] == 15
    assert (a - c[:, :, :12]).abs().max() < 1e-4 < (a - b).abs().max()


def test_an_interrupted_run_keeps_its_chunks_and_goes_on(host):
    prompt_id = host.queue(demo(seconds=120.0, seed=9, prefix="never/x"))
    deadline = time.monotonic() + 60
    while "chunk 6 of 160" not in host.said():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.post("/interrupt", {})
    done = host.wait(prompt_id)
    assert any(kind == "execution_interrupted" for kind, _ in done["status"]["messages"])
    (kept,) = latents(host, "head_forcing_unfinished_*.latent")
    assert kept.shape[2] >= 18
    (path,) = (host.base / "output").rglob("head_forcing_unfinished_*.latent")
    start = host.base / "input" / "begun.latent"
    start.parent.mkdir(exist_ok=True)
    start.write_bytes(path.read_bytes())
    seconds = kept.shape[2] / 4 + 1.5
    going_on = demo(seconds=seconds, seed=9, prefix="on/gone", start=["6", 0])
    going_on["6"] = {"class_type": "LoadLatent", "inputs": {"latent": "begun.latent"}}
    host.run(going_on)
    host.run(demo(seconds=seconds, seed=9, prefix="on/whole"))
    (gone,), (whole,) = (latents(host, f"{name}_*.latent") for name in ("gone", "whole"))
    assert (gone - whole).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 72, "height": 70}, "height must be a positive multiple of 8"),
        ({"steps": "a few"}, "steps must be whole numbers"),
        ({"family": "longlive", "steps": "1000,1200"}, "steps"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(host, changes, message):
    done = host.wait(host.queue(demo(prefix="bad/x", **changes)))
    (said,) = errors_of(done)
    assert message in said and said.strip().count("\n") == 0


def test_a_model_without_a_map_is_refused_where_one_is_needed(host):
    prompt = demo(prefix="bad/y", model=["7", 0])
    prompt["7"] = {
        "class_type": "HeadForcingLoadARModel",
        "inputs": {"model_name": "self_forcing_dmd.pt", "weight_dtype": "fp32", "family": "auto"},
    }
    prompt["5"] = {"class_type": "HeadForcingCacheMethod", "inputs": {"method": "head_forcing"}}
    prompt["3"]["inputs"]["method"] = ["5", 0]
    done = host.wait(host.queue(prompt))
    (said,) = errors_of(done)
    assert "must have a head map of this model" in said
