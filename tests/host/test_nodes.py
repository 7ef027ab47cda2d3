"""The nodes and workflows in a ComfyUI that runs."""

import json
import re

import av
import pytest
from comfy_host import ROOT, needs_host
from live_host import errors_of
from prompts import demo
from prompts import node as made
from ui_workflow import as_prompt

pytestmark = needs_host
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
OURS = "HeadForcing"
# of a node's inputs; what is hidden the host fills in
SHOWN = ("required", "optional")


def test_every_node_explains_itself(host):
    ours = {name: info for name, info in host.info.items() if name.startswith(OURS)}
    assert len(ours) == 13
    searched = [name for name, info in ours.items() if info.get("search_aliases")]
    assert len(searched) in (0, len(ours))  # hosts before 0.11 know no other names
    for name, info in ours.items():
        assert info["description"], name
        shown = {f: spec for part in SHOWN for f, spec in info["input"].get(part, {}).items()}
        for field, spec in shown.items():
            assert (spec[1] if len(spec) > 1 else {}).get("tooltip"), (name, field)
        for language in ("en", "zh"):
            assert (ROOT / "web" / "docs" / name / f"{language}.md").is_file()
    known = host.get("/i18n")
    for language in ("en", "zh"):
        assert set(ours) <= set(known[language]["nodeDefs"])
        for name, info in ours.items():
            told = known[language]["nodeDefs"][name]["inputs"]
            fields = {field for part in SHOWN for field in info["input"].get(part, {})}
            # hosts before 0.8 have this in place of a widget for every setting
            assert fields - {"settings"} == set(told), (language, name)


def before_0_8(host):
    return "settings" in host.info["HeadForcingCacheMethod"]["input"].get("optional", {})


def test_every_setting_of_every_method_is_a_widget(host):
    if before_0_8(host):
        pytest.skip("this host has no widgets that come and go with a choice")
    spec = host.info["HeadForcingCacheMethod"]["input"]["required"]["method"]
    by_name = {option["key"]: option["inputs"] for option in spec[1]["options"]}
    widgets = by_name["head_forcing"]["optional"]
    assert {"local_recent", "anchor_recent", "episodes_count", "positions", "on_switch"} <= set(
        widgets
    )
    for name, inputs in by_name.items():
        for field, (_, options) in inputs.get("optional", {}).items():
            assert len(options["tooltip"]) > 40, (name, field)


def seldom(inputs):
    """Which of a node's inputs the page is told to fold."""
    every = {name: spec for part in SHOWN for name, spec in inputs.get(part, {}).items()}
    return {name for name, spec in every.items() if len(spec) > 1 and spec[1].get("advanced")}


def test_what_is_seldom_changed_is_folded(host):
    known = {name: info["input"] for name, info in host.info.items() if name.startswith(OURS)}
    sampler = seldom(known["HeadForcingSampler"])
    if not sampler:
        pytest.skip("this host knows no widgets of two ranks")
    film = {"container", "quality", "fps", "tile"}
    assert sampler == film | {"family", "steps", "shift", "keep_latents"}
    assert seldom(known["HeadForcingVideoToFile"]) == film
    rules = {"family", "tau_anchor", "tau_local", "doubt", "tau_return"}
    assert seldom(known["HeadForcingProfileHeads"]) == rules
    for option in known["HeadForcingCacheMethod"]["required"]["method"][1]["options"]:
        every = option["inputs"].get("optional", {})
        folded = seldom(option["inputs"])
        assert 0 < len(every) - len(folded) <= 6, option["key"]
        # a line for one or two would take as much room
        assert not folded or len(folded) > 1, option["key"]


def skip_widgets_of_0_8(host, path):
    if before_0_8(host) and "HeadForcingCacheMethod" in path.read_text():
        pytest.skip("its Cache Method has widgets that this host does not know")


def test_settings_of_a_newer_host_are_not_dropped_in_silence(host):
    """An older host's page puts the first of them into the text of settings."""
    if not before_0_8(host):
        pytest.skip("this host knows them")
    prompt = demo(prefix="old/x", method="head_forcing:compact")
    for settings, message in (("3", "a setting must be name=value, got '3'"), ("sink=0", None)):
        prompt["5"]["inputs"] = {"method": "sink_window:short", "settings": settings}
        done = host.wait(host.queue(prompt))
        assert [said.strip() for said in errors_of(done)] == ([message] if message else [])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_is_one_the_host_knows(host, path):
    skip_widgets_of_0_8(host, path)
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


def sooner(times):
    """The times of a prompt, five times as early."""
    return ":".join(f"{int(time) / 5:g}" for time in times.groups())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_runs(host, path):
    """Those that need published weights run on random ones, smaller; the others shorter."""
    skip_widgets_of_0_8(host, path)
    prompt, _ = as_prompt(json.loads(path.read_text()), host.info)
    kinds = {node["class_type"] for node in prompt.values()}
    absent = "CLIPLoader" in kinds
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "CLIPLoader":
            node["class_type"] = "StubClip"
            inputs.clear()
            inputs["clip_name"] = "x"
        if absent and "width" in inputs:
            inputs |= {"width": 64, "height": 48}
        if isinstance(inputs.get("seconds"), float):
            inputs["seconds"] = min(inputs["seconds"], 8.0)
        if node["class_type"] == "PrimitiveFloat":  # the seconds of several
            inputs["value"] = 9.0
        if node["class_type"] == "HeadForcingPromptSchedule":
            inputs["text"] = re.sub(r"(\d+):(\d+)", sooner, inputs["text"])
    done = host.run(prompt)
    files = [f for out in done["outputs"].values() for f in out.get("images", [])]
    assert files
    for file in files:
        if file["filename"].endswith(".mp4"):
            path = host.base / file["type"] / file["subfolder"] / file["filename"]
            with av.open(str(path)) as video:
                shown = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert len(shown) > 9 and shown[0].std() > 5


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, None),
        ({"table": ["3", 0]}, None),
        ({"name": "a|b"}, "name must be words without | and line breaks, got 'a|b'"),
        ({"table": ["4", 0]}, "table must come from another Measure Drift, got 'from 0 s: a cat'"),
        ({"stretch": 5.0}, "images must be a video of two stretches at least, 160 pictures"),
    ],
)
def test_drift_is_measured_or_refused(host, inputs, message):
    images = {"images": ["1", 0], "stretch": 3.0}
    prompt = {
        "1": made("EmptyImage", width=32, height=32, batch_size=100, color=255),
        "2": made("HeadForcingMeasureDrift", **{"name": "blue", **images, **inputs}),
        "3": made("HeadForcingMeasureDrift", name="first", **images),
        "4": made("PrimitiveString", value="from 0 s: a cat"),
        "5": made("PreviewAny", source=["2", 0]),
    }
    done = host.wait(host.queue(prompt))
    (said, *_) = [*errors_of(done), ""]
    assert said.strip().startswith(message or "") and bool(said) == bool(message)
    if message is None:
        (text,) = done["outputs"]["5"]["text"]
        rows = [line.split(" | ") for line in text.splitlines()]
        assert len(rows) == 2 + ("table" in inputs) and {len(row) for row in rows} == {7}
        assert rows[-1][0].strip() == "blue" and float(rows[-1][1]) == 0
