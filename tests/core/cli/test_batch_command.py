"""``headforcing batch``: jobs of a file, by workers that may die, as single runs make them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from needs import needs
from random_model import TINY, write_random_checkpoint
from safetensors.torch import load_file, save_file

from headforcing.headforcing_core.cli import made, main
from headforcing.headforcing_core.cli.jobs import read_jobs
from headforcing.headforcing_core.crews import Worker
from headforcing.headforcing_core.methods import HeadMap, map_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX has them")
JOB = {
    "model": "self_forcing.safetensors",
    "text_embedding": "text.safetensors",
    "seconds": 2,
    "width": 40,
    "height": 32,
    "text_tokens": 16,
    "method": "sink_window",
}
# without an encoder that is one: the words are looked at first
PROMPTED = {"text_embedding": None, "text_encoder": "text.safetensors"}
# of a size that a worker can be killed in the middle of
LONG = JOB | {"seconds": 60, "seed": [0, 1], "set": {"window": 9}}


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, tmp_path / "text.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*jobs, name="jobs.jsonl"):
    Path(name).write_text("\n".join(json.dumps(job) for job in jobs) + "\n")
    return name


def batch(*more, jobs="jobs.jsonl", out="results"):
    return main(["batch", jobs, "--out", out, *map(str, more)])


def notes(out="results"):
    return [json.loads(path.read_text()) for path in sorted(Path(out).glob("*.json"))]


def lines(out="results"):
    return [json.loads(line) for line in (Path(out) / "batch.jsonl").read_text().splitlines()]


def states(out="results"):
    return [line["state"] for line in lines(out) if "state" in line]


def single(said, threads, out="single.safetensors"):
    """Return the latents that ``headforcing generate`` makes of what a note says."""
    torch.set_num_threads(threads)
    options = []
    for name, value in ((n, v) for n, v in said.items() if n != "name"):
        values = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [value]
        options += [f"--{name.replace('_', '-')}={one}" for one in values]
    assert main(["generate", *options, "--out", out]) == 0
    return load_file(out)["latents"]


def assert_as_single_runs(out="results"):
    for note in notes(out):
        (file,) = note["files"]
        assert torch.equal(
            load_file(Path(out) / file)["latents"], single(note["job"], note["threads"])
        )


def test_results_are_those_of_single_runs(folder, capsys):
    choices = {"seed": [0, 1], "method": ["rolling", "sink_window"]}
    write(JOB | choices, {}, JOB | {"seed": 7, "name": "Mine!"})
    Path("jobs.jsonl").write_text(Path("jobs.jsonl").read_text().replace("{}\n", "\n"))
    assert batch("--workers", 2) == 0
    assert "5 jobs: 5 done" in capsys.readouterr().out
    said = [(n["job"]["seed"], n["job"]["method"]) for n in notes()]
    expected = [(seed, method) for seed in (0, 1) for method in choices["method"]]
    assert sorted(said) == sorted([*expected, (7, JOB["method"])])
    assert len(list(Path("results").glob("mine_*.safetensors"))) == 1
    assert_as_single_runs()
    # a second time nothing is made, whatever the lines' order
    before = {path: path.stat().st_mtime_ns for path in Path("results").glob("*.safetensors")}
    write(JOB | {"seed": 7, "name": "Mine!"}, JOB | {"method": choices["method"], "seed": [1, 0]})
    assert batch("--workers", 2) == 0
    assert "5 jobs: 5 skipped" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert states().count("done") == 5 and states().count("skipped") == 5


def write_lora(name="lora.safetensors", width=TINY.dim):
    module = "blocks.0.self_attn.q"
    down, up = torch.ones(2, width), torch.ones(width, 2)
    save_file({f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up}, name)


def test_whatever_decides_a_video_is_in_its_name(folder):
    write_lora()
    write_random_checkpoint(folder / "other.safetensors", 1)
    names = set()
    changes = (
        *({}, {"seed": 1}, {"seconds": 4}, {"width": 48}, {"method": "rolling"}),
        *({"set": {"window": 9}}, {"set": ["sink=1"]}, {"steps": [1000, 500]}, {"shift": 3}),
        *({"model": "other.safetensors", "family": "self_forcing"}, {"text_tokens": 8}),
        # who says none gets that of the device, which on a cluster only the worker knows
        *({"dtype": "bfloat16"}, {"dtype": "float32"}, {"weight_dtype": "fp8"}, {"heads": 3}),
        *({"lora": "lora.safetensors"}, {"lora": "lora.safetensors", "lora_strength": 0.5}),
    )
    for change in changes:
        (job,) = read_jobs(Path(write(JOB | change)))
        names.add(job.name)
    assert len(names) == len(changes)
    # what is said as it would be anyway decides nothing
    usual = {"weight-dtype": "same", "heads": TINY.heads}
    usual |= {"family": "self_forcing", "steps": "1000,750,500,250", "set": {"sink": 3}}
    for said in ({}, usual, {"lora": "lora.safetensors", "lora_strength": 1.0}):
        (job,) = read_jobs(Path(write(JOB | said)))
        assert job.name in names
    # nor does a map that no head is told apart by, nor where memory lies
    types = (("hf.memory",) * TINY.heads,) * TINY.layers
    Path("map.json").write_text(map_text(HeadMap("head_forcing", types)))
    for said in ({"map": "map.json"}, {"set": {"offload": True}}):
        (job,) = read_jobs(Path(write(JOB | said)))
        assert job.name in names
    (job,) = read_jobs(Path(write(JOB | {"method": "head_forcing", "map": "map.json"})))
    assert job.name not in names
    # contents of files decide, not their names
    (folder / "self_forcing.safetensors").rename("self_forcing_2.safetensors")
    same = JOB | {"model": "self_forcing_2.safetensors", "no-latents": True, "anyway": True}
    (job,) = read_jobs(Path(write(same | {"name": "self forcing"})))
    assert job.name in names
    save_file({"text": torch.zeros(5, TINY.text_dim)}, "text.safetensors")
    (job,) = read_jobs(Path(write(same)))
    assert job.name not in names


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: its JSON must be whole"),
        ("[1]", "line 2: a job must be a JSON object"),
        ({"sed": 1}, "line 2: a job may say .*got 'sed'"),
        ({"out": "x"}, "line 2: out must be left out: results are named"),
        ({"device": "cpu"}, "line 2: device must be left out"),
        ({"seed": []}, "line 2: seed must have a value to try"),
        ({"seed": "x"}, "line 2: .*must be a whole number"),
        ({"seed": {"a": 1}}, "line 2: seed must be words or a number"),
        ({"anyway": 1}, "line 2: anyway must be true or false"),
        ({"set": 9}, "line 2: set must be an object, or a list"),
        ({"h": True}, "line 2: a job may say .*got 'h'"),
        ({"help": True}, "line 2: help must be left out"),
        ({"text-tokens": 8}, "line 2: a job must say a thing once"),
        ({"text_tokens": 2}, "line 2: .*rows"),
        (PROMPTED | {"prompt": "[0:1] a [0:2] b"}, "line 2: prompts must begin one after"),
        (PROMPTED | {"prompt": ""}, "line 2: .*prompt"),
        ({"model": "nowhere.safetensors"}, "line 2: --model must be a file that exists"),
        ({"lora": "wide.safetensors"}, "line 2: .*LoRA"),
        ({"lora": "wide.safetensors", "lora_strength": 999}, "line 2: the strength of a LoRA must"),
        ({"method": "magic"}, "line 2: .*magic"),
        ({"set": {"magic": 1}}, "line 2: a setting must be one of"),
        ({"seconds": -1}, "line 2: seconds must be"),
        ({"prompt": "a"}, "line 2: one of --prompt, --prompts, --text-embedding"),
        ({"container": "avi"}, "line 2: container must be one of mp4"),
        ({"container": "mkv"}, "line 2: container must be one of mp4, mkv, webm and come with vae"),
        ({"name": 3}, "line 2: name must be words"),
        ({"seed": list(range(999)), "shift": list(range(1, 999))}, "jobs of a line must be 0 to"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(folder, line, said, capsys):
    write_lora("wide.safetensors", 2 * TINY.dim)
    write(JOB, JOB | line if isinstance(line, dict) else JOB)
    if isinstance(line, str):
        Path("jobs.jsonl").write_text(json.dumps(JOB) + "\n" + line)
    assert batch() == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and re.search(said, err), err
    assert not Path("results").exists()


def test_lines_end_where_json_says(folder):
    words = {"name": "one\u2028two"}
    text = json.dumps(JOB | words, ensure_ascii=False) + "\r\n\n" + json.dumps(JOB | {"seed": 1})
    Path("jobs.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [(job.line, job.label) for job in read_jobs(Path("jobs.jsonl"))] == [
        (1, "one_two"),
        (3, "self_forcing"),
    ]


def test_one_video_under_two_names_is_told(folder, caplog):
    caplog.set_level("INFO", "headforcing")
    write(JOB | {"name": "first"}, JOB | {"name": "second"})
    assert [job.label for job in read_jobs(Path("jobs.jsonl"))] == ["first"]
    assert "line 2 asks for the video of line 1" in caplog.text


@pytest.fixture
def shared(folder):
    """A folder as a batch has it whose table tells of the run "this"."""
    out = folder / "out"
    out.mkdir()
    (out / "batch.jsonl").write_text("this")
    return out


def test_what_changes_while_a_batch_runs_is_not_filed_under_what_it_was(folder, shared):
    jobs = read_jobs(Path(write(JOB | {"seed": [0, 1]})))
    text = folder / "text.safetensors"
    before = text.read_bytes()
    save_file({"text": torch.zeros(5, TINY.text_dim)}, text)
    with pytest.raises(ValueError, match=r"must stay what they are .*text.safetensors"):
        made.make(Worker(lambda frames: None), jobs[0], str(shared), "this")
    text.write_bytes(before)  # another time, the same contents
    made.make(Worker(lambda frames: None), jobs[0], str(shared), "this")
    assert made.is_made(jobs[0], shared)

    def change(frames):
        save_file({"text": torch.zeros(5, TINY.text_dim)}, text)

    with pytest.raises(ValueError, match="must stay what they are"):
        made.make(Worker(change), jobs[1], str(shared), "this")
    assert not made.is_made(jobs[1], shared) and not (shared / jobs[1].file).exists()


def test_so_do_maps_and_what_a_video_goes_on_from(folder, shared):
    types = [["hf.local", "hf.anchor", "hf.memory", "hf.memory"]] * TINY.layers
    told = [
        map_text(HeadMap("head_forcing", tuple(map(tuple, rows))))
        for rows in (types, [r[::-1] for r in types])
    ]
    (folder / "map.json").write_text(told[0])
    single(JOB, 1, "start.safetensors")
    more = {"map": "map.json", "method": "head_forcing", "seconds": 4, "start": "start.safetensors"}
    (job,) = read_jobs(Path(write(JOB | more)))
    (folder / "map.json").write_text(told[1])
    with pytest.raises(ValueError, match=r"must stay what they are .*map.json"):
        made.make(Worker(lambda frames: None), job, str(shared), "this")
    (other,) = read_jobs(Path("jobs.jsonl"))
    assert other.name != job.name
    (folder / "map.json").write_text(told[0])
    single(JOB | {"seed": 1}, 1, "start.safetensors")
    with pytest.raises(ValueError, match=r"must stay what they are .*start.safetensors"):
        made.make(Worker(lambda frames: None), job, str(shared), "this")
    (other,) = read_jobs(Path("jobs.jsonl"))
    assert other.name != job.name


def test_a_folder_of_another_command_is_refused(folder, capsys):
    from headforcing.headforcing_core.files import claimed

    write(JOB)
    Path("results").mkdir()
    with claimed(Path("results")):
        assert batch() == 2
    assert "by one run at a time" in capsys.readouterr().err
    assert not list(Path("results").iterdir())
    assert batch(out="") == 2


def test_a_job_that_fails_stops_no_other(folder, capsys):
    write(JOB | {"seed": 2}, JOB | {"seed": 1}, JOB)
    (job, *_) = read_jobs(Path("jobs.jsonl"))
    # its place is somebody else's
    Path("results").mkdir()
    (Path("results") / "batch.jsonl").touch()
    save_file({"mine": torch.zeros(1)}, Path("results") / job.file)
    assert batch("--workers", 1) == 2
    told = capsys.readouterr().out
    assert "3 jobs: 2 done, 1 failed" in told and f"line 1, {job.name}: latents may replace" in told
    log = (Path("results") / "logs" / f"{job.name}.log").read_text()
    assert "latents may replace" in log
    failed = [line for line in lines() if line.get("state") == "failed"]
    assert [line["line"] for line in failed] == [1] and "may replace" in failed[0]["reason"]
    (Path("results") / job.file).unlink()
    assert batch("--workers", 1) == 0
    assert "3 jobs: 1 done, 2 skipped" in capsys.readouterr().out


def test_results_that_are_damaged_are_made_again(folder):
    write(JOB | {"seed": [0, 1, 2, 3]})
    assert batch() == 0
    cut, gone, unread, _ = sorted(Path("results").glob("*.safetensors"))
    size = cut.stat().st_size
    cut.write_bytes(cut.read_bytes()[:-1])
    gone.unlink()
    unread.with_suffix(".json").write_text("{")
    table = Path("results") / "batch.jsonl"
    table.write_text(table.read_text().rstrip("\n"))  # as a run leaves it that is killed meanwhile
    assert batch() == 0
    assert cut.stat().st_size == size and gone.exists()
    assert states().count("done") == 4 + 3 and states().count("skipped") == 1


def test_two_batches_in_one_folder_are_refused(folder, capsys):
    from headforcing.headforcing_core.files import claimed

    write(JOB)
    assert batch() == 0
    with claimed(Path("results") / "batch.jsonl"):
        assert batch() == 2
    assert "by one run at a time" in capsys.readouterr().err
    Path("mine").mkdir()
    (Path("mine") / "batch.jsonl").mkdir()
    assert batch(out="mine") == 2


@posix
@pytest.mark.parametrize(
    "crew",
    [
        pytest.param(("--workers", "2"), id="processes"),
        pytest.param(("--workers", "2", "--ray", "local"), id="ray", marks=needs("ray")),
    ],
)
def test_a_killed_worker_is_taken_up_where_its_chunks_end(folder, crew):
    write(LONG)
    process = start("batch", "jobs.jsonl", "--out", "results", *crew)
    killed = kill_one_in_the_middle(process)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and "leaked" not in err, err
    assert "2 jobs: 2 done" in out
    assert states().count("lost") == 1 and states().count("done") == 2
    (job,) = {line["job"] for line in lines() if line.get("worker") == killed}
    assert "going on after" in (Path("results") / "logs" / f"{job}.log").read_text()
    assert_as_single_runs()
    assert not list(Path("results").glob("*.unfinished"))


@posix
@pytest.mark.parametrize(
    "stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_stopped_batch_goes_on(folder, stop):
    write(LONG)
    process = start("batch", "jobs.jsonl", "--out", "results", "--workers", "2")
    kill_one_in_the_middle(process, lambda _: process.send_signal(stop))
    out, _ = process.communicate(timeout=120)
    assert "2 jobs: none done; " in out and "the same command goes on" in out
    assert process.returncode == 130 and states().count("stopped") == 2
    assert not list(Path("results").glob("*.json"))
    assert batch("--workers", 2) == 0
    logs = [path.read_text() for path in (Path("results") / "logs").iterdir()]
    assert any("going on after" in log for log in logs)
    assert_as_single_runs()


@posix
def test_workers_end_with_whoever_hired_them(folder):
    write(LONG)
    process = start("batch", "jobs.jsonl", "--out", "results", "--workers", "2")
    kill_one_in_the_middle(process, lambda _: process.kill())
    process.communicate(timeout=60)
    workers = [line["worker"] for line in lines() if line.get("state") == "started"]
    until = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(workers) == 2 and not any(map(alive, workers))
    assert batch("--workers", 2) == 0 and len(notes()) == 2


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_elsewhere_sends_what_it_made(folder, tmp_path, monkeypatch):
    """Of a machine that has another disk under the folder's name."""
    monkeypatch.setattr(made.tempfile, "gettempdir", lambda: str(tmp_path / "elsewhere"))
    (job,) = read_jobs(Path(write(JOB)))
    out, told = tmp_path / "out", []
    out.mkdir()
    (out / "batch.jsonl").write_text('{"run": "another"}')
    result = made.make(Worker(told.append), job, str(out), "this")
    assert sum(told) == job.frames and list(out.iterdir()) == [out / "batch.jsonl"]
    assert not made.is_made(job, out)
    made.receive(job, result, out)
    assert made.is_made(job, out)
    assert torch.equal(load_file(out / job.file)["latents"], single(job.said, result.threads))
    assert not list((tmp_path / "elsewhere").rglob("*.safetensors"))


def test_options_that_do_not_go_together(folder, capsys):
    write(JOB)
    for more, said in (
        (("--ray", "local", "--device", "cpu"), "--device must come without --ray"),
        (("--ray", "head:6379", "--workers", "2"), "--workers must come without the address"),
        (("--workers", "0"), "--workers must be 1 to"),
        (("--device", "cuda:99"), "device must be one this machine"),
    ):
        assert batch(*more) == 2
        assert said in capsys.readouterr().err


def start(*arguments):
    """Run a command in a process of its own."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from headforcing.headforcing_core.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], **pipes, text=True, env=environment
    )


def kill_one_in_the_middle(process, kill=lambda pid: os.kill(pid, signal.SIGKILL)):
    """Wait until two workers have finished some chunks, and kill the last; return its number."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        busy = [len(list(parts.iterdir())) for parts in Path("results").glob("*.unfinished/*")]
        pids = (
            [line["worker"] for line in lines() if line.get("state") == "started"] if busy else []
        )
        if len(busy) == 2 == len(pids) and min(busy) > 3:
            kill(pids[-1])
            return pids[-1]
        time.sleep(0.02)
    raise AssertionError("no worker got to the middle of its job")
