"""Where results go: places checked before work, files whole or not at all, nothing lost."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import av
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core import stopping
from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.cli.result_folder import result_folder
from headforcing.headforcing_core.demo.evaluate import main as evaluate
from headforcing.headforcing_core.files import (
    check_place,
    claimed,
    clear_leftovers,
    is_latent_file,
    refuse_held,
    replacing,
    saved_elsewhere,
    was_claimed,
    write_text,
)
from headforcing.headforcing_core.files import replaced as replaced_files

TESTS = Path(__file__).parents[2]
START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import pack
from headforcing.headforcing_core.cli import main
sys.exit(main(sys.argv[1:]))
"""
COMMAND = (sys.executable, "-c", START, str(TESTS))
SHORT = ("demo", "--seconds", "1", "--zoom", "1", "--out")
COMPARE = ("compare", "--prompts", "1", "--seeds", "0", "--seconds", "9", "--methods", "rolling")
PROFILE = ("profile", "demo", "--prompts", "1", "--seconds", "6", "--chunks", "1", "--rows", "16")
COMMANDS = {"demo": SHORT, "compare": (*COMPARE, "--out"), "profile": (*PROFILE, "--report")}
DEMO_FILES = {"video.mp4", "contact_sheet.png", "latents.safetensors"}
DEMO_FILES |= {"video.drift.json", "video.drift.png", "side_by_side.png"}
STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
posix = pytest.mark.skipif(sys.platform == "win32", reason="as POSIX has it")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # so that what is rescued is found, and cleared away
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))

    def command(*options):
        code = main([str(option) for option in options])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def full(monkeypatch):
    """Fill the disk under a folder, as far as files of ours go; return how to mend it."""
    whole = replaced_files._partial

    def fill(folder):
        def refuse(path):
            if path.parent.resolve() == folder:
                raise OSError(28, "No space left on device")
            return whole(path)

        monkeypatch.setattr(replaced_files, "_partial", refuse)
        return lambda: monkeypatch.setattr(replaced_files, "_partial", whole)

    return fill


def pictures(path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


# --- files


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.json"
    write_text(file, "old")
    with pytest.raises(KeyboardInterrupt):
        with replacing(file) as partial:
            partial.write_text("new, but half")
            raise KeyboardInterrupt
    with pytest.raises(OSError, match=r"a\.json must be writable and its disk not full, got: full"):
        with replacing(file):
            raise OSError("full")
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
    before = os.umask(0o027)
    try:
        write_text(file, "new")
    finally:
        os.umask(before)
    assert file.read_text() == "new" and file.stat().st_mode & 0o777 == 0o640


def test_leftovers_of_a_killed_run_are_cleared_and_nobody_elses(tmp_path):
    ours = [tmp_path / f".a.json.{name}.partial" for name in ("abcd_123", "00000000")]
    others = ["a.json", ".a.json.partial", ".b.json.abcd_123.partial", ".a.json.x.abcd_123.partial"]
    others += [".a.json.abcd_123.partial.bak"]
    for path in (*ours, *(tmp_path / name for name in others)):
        path.write_text("half")
    clear_leftovers(tmp_path / "a.json")
    assert {path.name for path in tmp_path.iterdir()} == set(others)


@posix
def test_what_is_no_file_is_not_replaced(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, what in {
        "link": "a link",
        "dangling": "a link",
        "folder": "a folder",
        "pipe": "a pipe",
        "/dev/null": "a device",
    }.items():
        with pytest.raises(ValueError, match=f"which is {what}.*; choose another name"):
            check_place(tmp_path / name)
    for name in ("target/x", "absent/x"):
        with pytest.raises(ValueError, match="the folder for x must exist, be writable"):
            check_place(tmp_path / name)
    room = r"must have room for new, [\d.e+]+ GiB, got [\d.]+ GiB free"
    with pytest.raises(ValueError, match=room):
        check_place(tmp_path / "new", 1 << 60)
    check_place(tmp_path / "new", 1000)
    assert not (tmp_path / "new").exists()


def test_a_place_is_held_by_one_run(tmp_path):
    for place in (tmp_path, tmp_path / "a.safetensors"):
        with claimed(place):
            assert was_claimed(place)
            with pytest.raises(ValueError, match="which another run writes to now"):
                with claimed(place):
                    raise AssertionError
        assert not was_claimed(place)
    assert not list(tmp_path.iterdir())


def test_a_lock_of_something_else_is_left_alone(tmp_path):
    (tmp_path / ".a.lock").write_text("precious")
    with pytest.raises(ValueError, match=r"must be ours, got .*, which is not empty"):
        with claimed(tmp_path / "a"):
            raise AssertionError
    assert (tmp_path / ".a.lock").read_text() == "precious"


def test_a_folder_and_a_file_in_it_know_of_each_other(tmp_path):
    file = tmp_path / "latents.safetensors"
    with claimed(tmp_path), pytest.raises(ValueError, match="which another run writes to now"):
        refuse_held(file.parent)
    with claimed(file), pytest.raises(ValueError, match="which another run writes to now"):
        with result_folder("--out", tmp_path, [file.name], lambda: True):
            raise AssertionError
    (tmp_path / ".headforcing.lock").touch()  # of a run that was killed
    refuse_held(tmp_path)
    assert was_claimed(tmp_path)


def test_where_the_first_refuge_is_full_the_next_is_tried(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")

    def save(path):
        path.write_text("half")
        if "home" not in str(path):
            raise OSError(28, "No space left on device")

    path = saved_elsewhere(save, "a")
    assert path.parent.parent == tmp_path / "home"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize("refusal", [OSError(38, "not implemented"), NotImplementedError()])
def test_a_disk_without_locks_is_written_to_with_a_warning(tmp_path, monkeypatch, caplog, refusal):
    from headforcing.headforcing_core.files import claim

    def refuse(lock):
        raise refusal

    monkeypatch.setattr(claim.FileLock, "acquire", refuse)
    with claimed(tmp_path):
        assert "cannot be locked" in caplog.text
    with pytest.raises(ValueError, match=r"the folder for \.a\.lock must exist, be writable"):
        with claimed(tmp_path / "absent" / "a"):
            raise AssertionError


def test_where_there_is_room_nowhere_every_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def save(path):
        raise OSError(f"{path.parent.parent} is full")

    with pytest.raises(OSError, match=r"nor could it be saved elsewhere: .* is full; .* is full"):
        saved_elsewhere(save, "a")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "removed"))
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.chdir(tmp_path)
    path = saved_elsewhere(lambda path: write_text(path, "kept"), "a")
    assert path.read_text() == "kept" and path.parent.parent == tmp_path


class Small:
    """A raw file on a disk with little room, which somebody may make more of."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        left = self.room - self.file.tell()
        if left <= 0:
            raise OSError(28, "No space left on device")
        return self.file.write(data[:left])

    def __getattr__(self, name):
        return getattr(self.file, name)


# --- commands


@pytest.mark.parametrize("command", COMMANDS)
def test_places_are_checked_before_work(command, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "linked").mkdir()
    (tmp_path / "named").mkdir()
    names = {"demo": "video.mp4", "compare": "compare.json", "profile": "pyramid.json"}
    (tmp_path / "linked" / names[command]).symlink_to(tmp_path / "file")
    (tmp_path / "named" / names[command]).write_text("mine")
    begin = time.process_time()
    for out, rule in {
        "file": "must be a folder, got file, which is none",
        "file/x": "must be a folder that can be made, got file/x",
        "/proc/none": "must be a folder that can be made, got /proc/none",
        "linked": "which is a link",
        "named": r"(must not hold a|must be a new or empty folder)",
    }.items():
        code, said, err = run(*COMMANDS[command], out)
        assert code == 2 and said == "" and err.count("\n") == 1
        assert re.search(rule, err), err
    with claimed(tmp_path / "linked"):
        (tmp_path / "linked" / names[command]).unlink()
        code, _, err = run(*COMMANDS[command], "linked")
        assert code == 2 and "which another run writes to now" in err
    assert time.process_time() - begin < 20
    assert (tmp_path / "file").read_text() == "mine"


@posix
def test_a_picture_of_somebody_else_in_a_report_folder_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "head_forcing_types.png").write_text("precious")
    code, _, err = run(*PROFILE, "--report", "out")
    assert code == 2 and "must not hold a head_forcing_types.png of something else" in err
    (tmp_path / "out" / "head_forcing_types.png").rename(tmp_path / "mine")
    (tmp_path / "out" / "pyramid_bytes.png").symlink_to(tmp_path / "mine")
    code, _, err = run(*PROFILE, "--report", "out")
    assert code == 2 and "which is a link" in err
    assert (tmp_path / "mine").read_text() == "precious"


def test_scores_replace_only_scores(tmp_path, capsys):
    (tmp_path / "readme.txt").write_text("mine")
    (tmp_path / "other.json").write_text('{"name": 1}')
    for name in ("readme.txt", "other.json"):
        assert evaluate(["--prompts", "1", "--json", str(tmp_path / name)]) == 2
        assert "must be a new file or hold scores" in capsys.readouterr().err
    assert (tmp_path / "readme.txt").read_text() == "mine"
    for _ in range(2):
        assert evaluate(["--prompts", "1", "--json", str(tmp_path / "scores.json")]) == 0


def test_a_demo_goes_on_where_another_was_killed(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in (".headforcing.lock", ".latents.safetensors.abcd1234.partial"):
        (out / name).write_text("")
    (out / "video.unfinished.mp4").write_bytes(b"half")
    assert run(*SHORT, "out")[0] == 0
    assert {p.name for p in out.iterdir()} == DEMO_FILES
    assert pictures(out / "video.mp4") == 21


def test_a_demo_on_a_full_disk_loses_nothing(run, tmp_path, full, monkeypatch):
    out = tmp_path / "out"
    assert run(*SHORT, "out")[0] == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    real, opened = Path.open, []

    def crowded(path, *arguments, **more):
        file = real(path, *arguments, **more)
        if path.name == "video.unfinished.mp4" and arguments[:1] == ("r+b",):
            full(out)
            opened.append(path)
            return Small(file, 2000)
        return file

    monkeypatch.setattr(Path, "open", crowded)
    code, _, err = run(*SHORT, "out", "--seed", 5)
    assert code == 2 and opened and "the video waits in memory: No space left" in err
    last = err.splitlines()[-1]
    latents = Path(re.search(r"the latents are in (\S+) instead", last)[1])
    video = Path(re.search(r"the video is in (\S+) instead", last)[1])
    assert is_latent_file(latents) and pictures(video) == 21
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_comparison_on_a_full_disk_loses_nothing(run, tmp_path, full, monkeypatch):
    from headforcing.headforcing_core.cli import compare

    real = compare.DemoModel.load

    def late(*arguments):
        full(tmp_path / "out")
        return real(*arguments)

    monkeypatch.setattr(compare.DemoModel, "load", late)
    code, said, err = run(*COMPARE, "--out", "out")
    assert code == 2 and "rolling" in said and "9 s, 36 latent frames" in said
    assert not (tmp_path / "out").exists()  # it was made, and nothing found room in it
    elsewhere = Path(re.search(r"are in (\S+) instead", err)[1])
    kept = {path.name: path for path in elsewhere.iterdir()}
    assert set(kept) == {"compare.json", "compare.png", "compare_pictures.png"}
    assert json.loads(kept["compare.json"].read_text())["complete"] is True
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run(*COMPARE, "--out", "out")[0] == 0  # the folder is still its own
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_profile_on_a_full_disk_loses_nothing(run, tmp_path, full, monkeypatch):
    from headforcing.headforcing_core.cli import profile_subject as profile

    real = profile.DemoModel.load

    def late(*arguments):
        full(tmp_path / "out")
        return real(*arguments)

    monkeypatch.setattr(profile.DemoModel, "load", late)
    code, said, err = run(*PROFILE, "--report", "out")
    assert code == 2 and "head_forcing" in said and "not saved yet: " in err
    assert not (tmp_path / "out").exists()  # it was made, and nothing found room in it
    places = [Path(found) for found in re.findall(r"(?:is|are) in (\S+) instead", err)]
    kept = {path.name: path for path in (places[0], *places[1].iterdir())}
    assert {"head_forcing.json", "report.html", "profile.safetensors"} <= set(kept)
    assert all(path.stat().st_size > 100 for path in kept.values())


def test_a_head_map_edited_by_hand_is_not_written_over(run, tmp_path):
    assert run(*PROFILE, "--report", "out")[0] == 0
    file = tmp_path / "out" / "pyramid.json"
    text = file.read_text().replace("pyramid.veil", "pyramid.wave", 1)
    file.write_text(re.sub(r'"checksum": "\w+"', '"checksum": "00000000"', text))
    edited = file.read_bytes()
    code, _, err = run(*PROFILE, "--report", "out")
    assert code == 2 and "must not hold a head map that was edited" in err
    assert file.read_bytes() == edited


@posix
def test_files_that_may_not_grow_end_in_a_sentence(tmp_path):
    """Nowhere is room, neither for results nor for what is rescued: nothing dies of it."""
    import resource

    done = subprocess.run(
        [*COMMAND, "demo", "--seconds", "6", "--zoom", "1", "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000)),
        timeout=200,
    )
    assert done.returncode == 2, done.stderr
    (last,) = done.stderr.splitlines()[-1:]
    assert last.startswith("headforcing demo: ") and "nor could it be saved elsewhere" in last
    assert "Traceback" not in done.stderr and not list(tmp_path.glob("headforcing-*"))


def killed(arguments, after, number, folder):
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        said, _ = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        said, _ = process.communicate(timeout=200)
    return process.returncode, said


@posix
@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("command", COMMANDS)
def test_kills_at_any_moment_lose_nothing_and_leave_nothing(command, seed, tmp_path):
    random = Random(seed)
    line = (*COMMANDS[command], "out")
    for number in (signal.SIGKILL, random.choice(STOPS), signal.SIGKILL):
        code, said = killed(line, random.uniform(1, 20), number, tmp_path)
        assert "Traceback" not in said and code in (0, 130, -number), said
        for file in (tmp_path / "out").glob("[!.]*.safetensors"):
            with safe_open(file, "pt") as whole:
                assert list(whole.keys())
    code, said = killed(line, 300, signal.SIGKILL, tmp_path)
    assert code == 0, said
    assert not list((tmp_path / "out").glob(".*")) + list((tmp_path / "out").glob("*unfinished*"))


# --- going on


def test_going_on_from_what_was_made_otherwise_is_told(run, tmp_path):
    from random_model import TINY, write_random_checkpoint

    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    save_file({"text": torch.zeros(4, TINY.text_dim)}, tmp_path / "text.safetensors")
    line = (
        "generate",
        "--model",
        "self_forcing.safetensors",
        "--text-embedding",
        "text.safetensors",
    )
    line += ("--width", 40, "--height", 32, "--text-tokens", 16)
    assert run(*line, "--seconds", 1, "--out", "a.safetensors")[0] == 0
    on = (*line, "--seconds", 2, "--start", "a.safetensors", "--out", "b.safetensors")
    assert "going on from" not in run(*on)[2]
    assert "made with seed 0, not 7" in run(*on, "--seed", 7)[2]
    assert (
        "made with steps [1000, 750, 500, 250], not [1000, 500]"
        in run(*on, "--steps", "1000,500")[2]
    )
    assert "shift 5.0, not 3.0" in run(*on, "--shift", 3)[2]
    write_random_checkpoint(tmp_path / "self_forcing.safetensors", seed=1)
    said = run(*on)[2]
    assert re.search(r"made with weights '\w+', not '\w+'", said), said
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        latents, about = file.get_tensor("latents"), file.metadata()
    save_file({"latents": latents}, tmp_path / "a.safetensors", about | {"space": "vae"})
    code, _, err = run(*on)
    assert code == 2 and "must be in the space the model works in (normalised), got 'vae'" in err


# --- stops and streams


def test_a_stop_that_was_lost_is_asked_for_again():
    with stopping.stopping_once():
        stopping.stop_if_asked()
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            asked = True
        with pytest.raises(KeyboardInterrupt):
            stopping.stop_if_asked()
    assert asked
    for number in stopping.STOPS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopping.stop_if_asked()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_what_must_be_whole(number):
    done = []
    with pytest.raises(KeyboardInterrupt):
        with stopping.stopping_once():
            with stopping.undisturbed():
                signal.raise_signal(number)
                done.append("whole")
            done.append("too much")
    assert done == ["whole"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for other in set(stopping.STOPS) - {signal.SIGINT}:
        signal.signal(other, signal.SIG_DFL)


@posix
@pytest.mark.parametrize("after", [0.0, 0.004, 0.03])
def test_a_stop_while_the_video_is_ended_leaves_it_whole(after, tmp_path):
    """The first stop comes when the latents are there; the video is written after them."""
    line = ("demo", "--seconds", "3", "--zoom", "6", "--out", "out")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*COMMAND, *line], cwd=tmp_path, env=environment)
    while not (tmp_path / "out" / "latents.safetensors").exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(after)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=200) in (130, 0)
    assert pictures(tmp_path / "out" / "video.mp4") == 45
    assert not list((tmp_path / "out").glob(".*")) + list((tmp_path / "out").glob("*unfinished*"))


@posix
def test_a_folder_that_is_taken_away_loses_nothing(run, tmp_path, monkeypatch):
    from headforcing.headforcing_core.cli import demo

    real = demo.Screen.show

    def show(self, done):
        real(self, done)
        if done.chunk.index == 1:
            (tmp_path / "out").rename(tmp_path / "moved")

    monkeypatch.setattr(demo.Screen, "show", show)
    code, _, err = run(*SHORT, "out")
    assert code == 2
    assert pictures(re.search(r"the video is in (\S+) instead", err)[1]) == 21
    assert is_latent_file(Path(re.search(r"the latents are in (\S+) instead", err)[1]))


@posix
@pytest.mark.parametrize("chunks", [1, 2])
def test_a_stop_on_the_way_leaves_a_video_that_plays(chunks, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "demo", "--seconds", "600", "--zoom", "4", "--out", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    seen = ""
    # a bar that is drawn ten times a second leaves chunks out
    while _chunk(seen) < 4 * chunks and process.poll() is None:
        seen = (seen + process.stderr.read(10))[-60:]
    process.send_signal(signal.SIGINT if chunks == 1 else signal.SIGHUP)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 130, said
    with safe_open(tmp_path / "out" / "latents.safetensors", "pt") as file:
        frames = file.get_tensor("latents").shape[2]
    with av.open(str(tmp_path / "out" / "video.mp4")) as video:
        shown = [frame.pts for frame in video.decode(video=0)]
    assert len(shown) in (4 * frames - 3, 4 * (frames - 3) - 3) and frames >= 9 * chunks
    assert len({late - soon for soon, late in pairwise(shown)}) == 1


def _chunk(bar):
    return max(map(int, re.findall(r"chunk (\d+)/", bar)), default=0)


def test_a_last_thing_is_done_though_a_stop_comes():
    done = []

    def save():
        done.append(len(done))
        if len(done) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopping.to_the_end(save)
    assert done == [0, 1]


CLOSED = {
    "stdout": ("1>&-", 0),
    "all": ("<&- >&- 2>&-", 0),
    "a pipe that is gone": ("2>&1 | true", 0),
    "a full disk": ("> /dev/full", 2),
    "errors on a full disk": ("2> /dev/full", 0),
}


@posix
@pytest.mark.parametrize("how", CLOSED)
def test_streams_that_are_closed_or_full_lose_nothing(how, tmp_path):
    if "/dev/full" in CLOSED[how][0] and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    way, code = CLOSED[how]
    line = f'"$@" {way}' if "|" not in way else f'set -o pipefail; "$@" {way}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, *SHORT, "out", "--traceback"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    if how == "a full disk":
        assert "what is printed must find room where it goes" in done.stderr
    assert pictures(tmp_path / "out" / "video.mp4") == 21
    assert {path.name for path in (tmp_path / "out").iterdir()} == DEMO_FILES
