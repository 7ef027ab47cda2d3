"""Drift Report in a ComfyUI that runs."""

import json

import pytest
from comfy_host import needs_host
from faulty_videos import flickering, save, world
from live_host import errors_of
from prompts import node

pytestmark = needs_host


@pytest.fixture(scope="module")
def videos(host):
    """Files in the host's input folder."""
    folder, calm = host.base / "input", world(1, 81)
    folder.mkdir(exist_ok=True)
    save(folder / "calm.mp4", calm)
    save(folder / "flicker.mp4", flickering(calm, 0.05))
    (folder / "words.mp4").write_text("none")
    return host


def prompt(first, second=None, **inputs):
    nodes = {
        "1": node("LoadVideo", file=first),
        "3": node("HeadForcingDriftReport", video=["1", 0], **inputs),
        "4": node("PreviewAny", source=["3", 2]),
        "5": node("SaveImage", images=["3", 0], filename_prefix="drift/plot"),
    }
    if second:
        nodes["2"] = node("LoadVideo", file=second)
        nodes["3"]["inputs"]["second"] = ["2", 0]
    return nodes


def test_two_videos_are_reported_on(videos):
    done = videos.wait(videos.queue(prompt("calm.mp4", "flicker.mp4")))
    assert errors_of(done) == []
    (table,) = done["outputs"]["3"]["text"]
    (row,) = [line for line in table.splitlines() if line.startswith("flicker +")]
    assert "out from" not in row.split("|")[2] and "out from" in row.split("|")[3]
    (text,) = done["outputs"]["4"]["text"]
    assert [list(each["left"]) for each in json.loads(text)["videos"]] == [[], ["flicker"]]
    assert list((videos.base / "output" / "drift").glob("plot_*.png"))


def test_a_cut_is_said(videos):
    done = videos.wait(videos.queue(prompt("calm.mp4", cuts="2.5")))
    (text,) = done["outputs"]["4"]["text"]
    assert [c["from"] for c in json.loads(text)["videos"][0]["chunks"] if c["cut"]] == [0, 2.5]


def test_pictures_of_the_host_are_a_video_too(videos):
    nodes = prompt("calm.mp4")
    nodes["1"] = node("CreateVideo", images=["6", 0], fps=16.0)
    nodes["6"] = node("EmptyImage", width=64, height=64, batch_size=60, color=255)
    done = videos.wait(videos.queue(nodes))
    assert errors_of(done) == []
    assert "video 1" in done["outputs"]["3"]["text"][0]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"first": "calm.mp4", "cuts": "soon"}, "cuts must be seconds like 10, 20.5, got 'soon'"),
        ({"first": "words.mp4"}, "words.mp4 must be a video that can be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(videos, inputs, said):
    (error,) = errors_of(videos.wait(videos.queue(prompt(**inputs))))
    assert error.strip().startswith(said) and error.strip().count("\n") == 0


def test_a_part_of_a_video_is_reported_on(videos):
    if "Video Slice" not in videos.info:
        pytest.skip("this host has no such node")
    nodes = prompt("flicker.mp4")
    cut = {"start_time": 0.0, "duration": 2.0, "strict_duration": False}
    nodes["6"] = node("Video Slice", video=["1", 0], **cut)
    nodes["3"]["inputs"]["video"] = ["6", 0]
    done = videos.wait(videos.queue(nodes))
    (text,) = done["outputs"]["4"]["text"]
    (video,) = json.loads(text)["videos"]
    assert video["seconds"] == 2.0 and video["left"] == {}
