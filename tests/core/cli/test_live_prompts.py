"""Prompts that are typed while a command makes its video."""

import json
import sys
import time
from io import BytesIO, TextIOWrapper

import pytest
import torch
from needs import needs
from published_encoders import spiece, write_encoders
from published_vaes import write_vaes
from random_model import write_random_checkpoint
from safetensors import safe_open

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.files import read_about
from headforcing.headforcing_core.files.parts import read_part

pytestmark = needs("sentencepiece", "diffusers")
SMALL = ("--seconds", 6, "--width", 48, "--height", 32, "--text-tokens", 16, "--seed", 3)
WORDS = ("--text-encoder", "umt5_xxl_fp16.safetensors")
VIDEO = ("--vae", "vae/wan_vae.safetensors")
CAT, DOG, FOX = "a cat", "a dog", "a fox"
RAN = "the schedule as it ran, for --prompt:\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for family in ("self_forcing", "rolling_forcing"):
        write_random_checkpoint(folder / f"{family}.safetensors")
    write_encoders(folder, spiece())
    write_vaes(folder / "vae", False)
    return folder


class Typing:
    """Lines, each typed when as many chunks are kept beside a file."""

    def __init__(self, place, *lines):
        self.place, self.lines = place, lines

    def __iter__(self):
        for chunks, line in self.lines:
            deadline = time.monotonic() + 60
            while self._kept() < chunks:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.002)
            yield line + "\n"

    def _kept(self):
        """Chunks that are kept now; a folder may go between being listed and being looked into."""
        try:
            return len(list(self.place.parent.glob("*.unfinished/*/latent_*")))
        except FileNotFoundError:
            return 0


@pytest.fixture
def generate(models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(models)

    def run(name, prompt, *lines, model="self_forcing", more=(), **typing):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        typed = ("--prompts-from", "-") if lines else ()
        monkeypatch.setattr(sys, "stdin", typing.get("stdin", Typing(place, *lines)))
        to = ("--video", place, *VIDEO) if place.suffix == ".mp4" else ("--out", place)
        line = ["generate", "--model", f"{model}.safetensors", *SMALL, *WORDS, *to, *typed, *more]
        try:
            said = () if prompt is None else ("--prompt", prompt)
            code = main([str(argument) for argument in (*line, *said)])
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().err, place

    return run


def latents(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("latents"), json.loads(file.metadata()["headforcing"])


def ran(said):
    return said.split(RAN)[1].strip()


@pytest.mark.parametrize("cut", [False, True])
def test_what_is_typed_is_as_if_the_schedule_had_said_so(generate, cut):
    given = f"[0:4] {CAT}\n[4:6] {DOG}"
    typed = [(2, f"{'# ' if cut else ''}{FOX}")]
    code, said, path = generate("one.safetensors", given, *typed)
    assert code == 0 and f"takes{' as a cut' if cut else ''}: {FOX}" in said, said
    schedule = ran(said)
    assert FOX in schedule and DOG in schedule
    found, settings = latents(path)
    assert [one["text"] for one in settings["schedule"]] == [CAT, FOX, DOG]
    assert settings["schedule"][1]["cut"] == cut
    code, _, other = generate("two.safetensors", schedule)
    again, expected = latents(other)
    assert code == 0 and torch.equal(again, found)
    assert {**settings, "device": ""} == {**expected, "device": ""}
    _, _, plain = generate("three.safetensors", given)
    assert not torch.equal(latents(plain)[0], found)


def test_chunks_of_two_sizes_take_prompts_too(generate):
    code, said, path = generate("one.safetensors", CAT, (2, FOX), more=("--first-chunk", 1))
    assert code == 0 and f"takes: {FOX}" in said, said
    _, _, other = generate("two.safetensors", ran(said), more=("--first-chunk", 1))
    assert torch.equal(latents(path)[0], latents(other)[0])


def test_a_video_says_how_it_was_made_and_is_the_same_again(generate):
    code, said, path = generate("one/a.mp4", CAT, (2, FOX), (5, DOG))
    assert code == 0 and said.count(" takes: ") == 2, said
    about = read_about(path)
    assert [one["text"] for one in about["prompts"]] == [CAT, FOX, DOG]
    code, _, other = generate("two/a.mp4", ran(said))
    assert code == 0 and read_about(other) == about
    assert other.read_bytes() == path.read_bytes()
    for one in path.with_suffix(".latents").iterdir():
        mine, twin = (read_part(file) for file in (one, other.with_suffix(".latents") / one.name))
        assert mine.about == twin.about
        assert all(torch.equal(mine.tensors[name], twin.tensors[name]) for name in mine.tensors)


def test_lines_are_taken_one_by_one_and_what_is_none_is_left_out(generate):
    lines = [(1, ""), (1, "[0:2] a cat"), (1, f"{CAT} | {DOG}"), (1, FOX), (1, DOG)]
    code, said, _ = generate("one.safetensors", CAT, *lines)
    assert code == 0 and said.count("not taken: a live prompt must be one prompt") == 2
    chunks = [int(line.split()[1]) for line in said.splitlines() if " takes: " in line]
    assert len(chunks) == 2 and chunks[1] > chunks[0] > 1


def test_what_comes_too_late_is_said(generate):
    code, said, _ = generate("one.safetensors", CAT, *[(1, f"{FOX} {n}") for n in range(9)])
    taken, late = said.count(" takes: "), said.count("not taken, for no chunk is left: a fox")
    assert code == 0 and late and taken + late == 9, said


def test_chunks_that_are_denoised_together_take_prompts_and_no_cuts(generate):
    lines = [(1, f"# {DOG}"), (1, FOX)]
    code, said, path = generate("one.safetensors", CAT, *lines, model="rolling_forcing")
    assert code == 0 and "where scenes begin must be known" in said and f"takes: {FOX}" in said
    _, _, other = generate("two.safetensors", ran(said), model="rolling_forcing")
    assert torch.equal(latents(path)[0], latents(other)[0])


def test_what_was_typed_is_gone_on_with_after_a_kill(generate, monkeypatch):
    """The command with the schedule as it ran begins after the chunks that were kept."""
    from headforcing.headforcing_core.cli import recording

    keep = recording._keep

    def killed(kept, done):
        keep(kept, done)
        if done.chunk.index == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(recording, "_keep", killed)
    code, said, path = generate("one.safetensors", CAT, (2, FOX))
    assert code != 0 and f"takes: {FOX}" in said
    chunk = int(said.split(" takes: ")[0].split("chunk ")[-1].split()[0])
    monkeypatch.setattr(recording, "_keep", keep)
    schedule = f"[0s] {CAT}\n[{0.75 * (chunk - 1):g}s] {FOX}"
    code, said, path = generate("one.safetensors", schedule)
    assert code == 0 and "going on after 6 chunks" in said, said
    _, _, other = generate("two.safetensors", schedule)
    assert torch.equal(latents(path)[0], latents(other)[0])


def test_of_a_video_that_goes_on_the_schedule_is_what_follows(generate):
    _, _, start = generate("one/a.mp4", f"[0:3] {CAT}\n[3:6] {DOG}")
    more = ("--start", start, "--from", 3)
    _, said, path = generate("two/a.mp4", "[0:2] a cow", (5, FOX), more=more)
    about, schedule = read_about(path), ran(said)
    assert "a cow" in schedule and FOX in schedule and CAT not in schedule
    code, said, other = generate("three/a.mp4", schedule, more=more)
    assert code == 0 and read_about(other) == about, said
    assert other.read_bytes() == path.read_bytes()
    _, said, path = generate("four/a.mp4", None, (5, FOX), more=more)
    assert "the schedule as it ran, of the whole" in said
    assert [one["text"] for one in read_about(path)["prompts"]][::2] == [CAT, FOX]


def test_where_nothing_can_be_typed_the_video_is_made(generate):
    """No keyboard, bytes that are no text, a terminal that goes away; what comes later is taken."""

    def gone():
        yield f"{FOX}\n"
        raise OSError("no terminal")

    takes = "chunk 1 of 8 (from 0 s) takes: a fox"
    raw = TextIOWrapper(BytesIO(b"\xff\xfe\x80\na fox"), "utf-8")
    for source, wanted in (
        (None, "wrote 24 of 24"),
        (raw, takes),
        (gone(), "nothing more is taken"),
    ):
        code, said, _ = generate("one.safetensors", CAT, more=("--prompts-from", "-"), stdin=source)
        assert code == 0 and wanted in said, said


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--prompts-from", "file.txt"), "--prompts-from must be -"),
        (("--prompts-from", "-", "--text-embedding", "x"), "must come with --text-encoder"),
    ],
)
def test_other_ways_are_refused(models, monkeypatch, capsys, more, why):
    monkeypatch.chdir(models)
    line = ["generate", "--model", "self_forcing.safetensors", *SMALL, "--out", "x.safetensors"]
    words = () if "--text-embedding" in more else ("--prompt", CAT, *WORDS)
    assert main([str(argument) for argument in (*line, *words, *more)]) != 0
    assert why in capsys.readouterr().err
