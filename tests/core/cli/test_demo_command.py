"""``headforcing demo`` with the model that ships."""

import re

import av
import pytest
import torch
from PIL import Image

from headforcing.headforcing_core.cli import demo, main
from headforcing.headforcing_core.cli.demo import PROMPTS, story_of
from headforcing.headforcing_core.demo.world import parse
from headforcing.headforcing_core.files import write_latents

FILES = {"video.mp4", "contact_sheet.png", "latents.safetensors"}
FILES |= {"video.drift.json", "video.drift.png", "side_by_side.png"}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def command(*options):
        code = main(["demo", *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def pictures(path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


def test_it_writes_what_it_says(run, tmp_path):
    code, out, err = run("--seconds", 6, "--zoom", 2)
    assert code == 0, err
    assert {path.name for path in (tmp_path / "demo_out").iterdir()} == FILES
    assert pictures(tmp_path / "demo_out" / "video.mp4") == 93
    assert "24 latent frames, 93 pictures" in out
    with Image.open(tmp_path / "demo_out" / "contact_sheet.png") as sheet:
        assert sheet.width > 1000 and sheet.height > 300
    assert re.search(r"caches +\d+ bytes at any length", out)
    assert len(re.findall(r"^from \d", out, re.M)) == len(PROMPTS)


def test_what_comes_back_is_shown_beside_who_forgets(run, tmp_path):
    code, out, _ = run("--seconds", 20, "--zoom", 1)
    assert code == 0
    said = r"^(navy|brown) at \S+ s +back after \S+ s, off by (\S+) with .*, (\S+) with"
    found = re.findall(said, out, re.M)
    assert [tint for tint, *_ in found] == ["navy", "brown"]
    ours, plain = (sum(map(float, each)) for each in list(zip(*found, strict=True))[1:])
    assert ours < 0.01 and plain > 2 * ours
    with Image.open(tmp_path / "demo_out" / "side_by_side.png") as picture:
        assert picture.width > 10 * 2 * 64 and picture.height > 2 * 2 * 64
    code, out, _ = run("--seconds", 3, "--zoom", 1, "--beside", "none", "--out", "alone")
    assert code == 0 and "side by side" not in out
    assert not (tmp_path / "alone" / "side_by_side.png").exists()
    assert run("--seconds", 3, "--zoom", 1, "--beside", "none")[0] == 0
    assert not (tmp_path / "demo_out" / "side_by_side.png").exists()  # it was of another video


def test_a_long_video_says_how_far_it_drifted(run):
    code, out, _ = run("--seconds", 12, "--prompt", "a red ball on navy", "--zoom", 1)
    assert code == 0
    drift = re.search(r"drift of the ground +(0\.\d+) of 1", out)
    assert float(drift[1]) < 0.03
    assert "a red ball moving slowly on plain navy: shown after 0 chunks" in out
    assert re.search(r"drift of a red ball +0\.\d+, RGB", out)


def test_it_takes_no_folder_of_others(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "latents.safetensors").write_text("mine")
    for out in ("mine", "mine/latents.safetensors"):
        code, _, err = run("--seconds", 1, "--prompt", PROMPTS[0], "--out", out)
        assert code == 2 and "--out must be a " in err
    assert (tmp_path / "mine" / "latents.safetensors").read_text() == "mine"
    # nor latents that another command worked on for hours
    (tmp_path / "hours").mkdir()
    write_latents(tmp_path / "hours" / "latents.safetensors", torch.zeros(1, 16, 3, 8, 8), {})
    code, _, err = run("--seconds", 1, "--prompt", PROMPTS[0], "--out", "hours")
    assert code == 2 and "that of an earlier run" in err
    for _ in range(2):  # its own folder it takes again
        assert run("--seconds", 1, "--prompt", PROMPTS[0], "--out", "new")[0] == 0


def test_what_was_made_before_a_stop_is_kept(run, tmp_path, monkeypatch):
    real, shown = demo.Screen.show, []

    def impatient(self, done):
        real(self, done)
        shown.append(done.chunk.index)
        if len(shown) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo.Screen, "show", impatient)
        assert run("--seconds", 6)[0] == 130
    assert pictures(tmp_path / "demo_out" / "video.mp4") == 33
    assert run("--seconds", 3)[0] == 0
    assert pictures(tmp_path / "demo_out" / "video.mp4") == 45


def test_a_method_that_keeps_everything_promises_no_constant_memory(run):
    window, everything = (
        run("--seconds", 9, "--method", method, "--zoom", 1, "--out", method)[1]
        for method in ("rolling", "full")
    )
    assert "at any length" in window and "at any length" not in everything


def test_prompts_share_the_time_and_begin_with_a_chunk():
    story = story_of(PROMPTS, 120)
    assert [cut.start for cut in story] == [0, 21, 39, 60, 81, 99]
    assert [cut.scene for cut in story] == [parse(prompt) for prompt in PROMPTS]
    assert [cut.start for cut in story_of(PROMPTS[:1] * 4, 12)] == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--prompt", "a red dog on navy"), "words it was trained on"),
        (("--seconds", 1, *("--prompt", PROMPTS[0]) * 3), "at most 2 prompts"),
        (("--seconds", 0), "seconds must be more than 0"),
        (("--seconds", 3601), "--seconds must be 0 to 3600, got 3601.0"),
        (("--method", "magic"), "must be one of head_forcing"),
        (("--zoom", 0), "--zoom must be 1 to 31"),
        (("--method", "sink_window,window=2"), "window must hold the sink and the current chunk"),
        (("--model", "."), "must have a file headforcing_demo"),
        (("--device", "cuda:9"), "device must be one"),
    ],
)
def test_bad_options_are_one_sentence(run, tmp_path, options, rule):
    code, out, err = run(*options)
    assert code == 2 and rule in err and out == ""
    assert not (tmp_path / "demo_out").exists() or not list((tmp_path / "demo_out").iterdir())


def test_the_same_seed_is_the_same_video(run, tmp_path):
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("--seconds", 3, "--seed", seed, "--out", folder)[0] == 0
    a, b, c = ((tmp_path / f / "contact_sheet.png").read_bytes() for f in "abc")
    assert a == b != c
