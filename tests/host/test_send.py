"""A batch sent to a ComfyUI that runs."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import send
from build_workflows import NOT_SENT, OUT, SENT, SHORT, as_exported
from comfy_host import needs_host
from graph_jobs import check_values, read_graph, read_jobs

pytestmark = needs_host
API = Path(send.__file__).parent
DEMO = API / "demo.json"


def words(host, folder, *jobs):
    folder.mkdir(exist_ok=True)
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    where = ["--host", f"http://127.0.0.1:{host.port}", "--out", str(folder / "out")]
    return [str(DEMO), str(folder / "jobs.jsonl"), *where, "--every", "0.1"]


def notes(folder):
    found = sorted((folder / "out").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in found}


def test_the_graph_is_the_workflow_as_this_host_exports_it(host):
    workflow = json.loads((OUT / f"{SENT}.json").read_text())
    assert json.loads(DEMO.read_text()) == as_exported(workflow, host.info)
    titles = {node["title"] for node in workflow["nodes"]}
    assert titles >= NOT_SENT | {title for title, _ in SHORT}
    assert host.info["HeadForcingVideoToFile"]["output_node"]


def test_templates_do_not_show_it(host):
    (names,) = host.get("/workflow_templates").values()
    assert SENT in names and "demo" not in names


def test_two_seeds_are_made_and_gathered(host, tmp_path, capsys):
    job = {"name": "two", "Sampler.seed": [3, 4], "5.seconds": 1.5}
    assert send.main(words(host, tmp_path, job)) == 0, capsys.readouterr()
    assert f"ComfyUI {host.get('/system_stats')['system']['comfyui_version']}, " in (
        capsys.readouterr().out
    )
    made = notes(tmp_path)
    assert {note["job"]["Sampler.seed"] for note in made.values()} == {3, 4}
    contents = set()
    for name, note in made.items():
        ((file, size),) = note["files"].items()
        own = host.base / "output" / "head_forcing" / file.removeprefix(f"{name}_")
        fetched = (tmp_path / "out" / file).read_bytes()
        assert own.read_bytes() == fetched and len(fetched) == size > 1000
        contents.add(fetched)
    assert len(contents) == 2
    # into another folder: the host has the last one at hand, and names its file all the same
    assert send.main(words(host, tmp_path / "again", {**job, "Sampler.seed": 4})) == 0
    ((name, note),) = notes(tmp_path / "again").items()
    assert note["files"] == made[name]["files"]


def test_a_wrong_value_is_told_in_the_host_s_own_words(host, tmp_path, capsys):
    job = {"Sampler.seconds": -1.0, "Sampler.seed": 5}
    before = host.get("/queue")
    assert send.main(words(host, tmp_path, job)) == 2
    said = capsys.readouterr().out
    assert "HeadForcingSampler (node 5): Value -1.0 smaller than min" in said
    assert host.get("/queue") == before and not notes(tmp_path)


def test_a_run_that_fails_is_told_in_the_host_s_own_words(host, tmp_path, capsys):
    job = {"Prompts.text": "a red nobody", "Sampler.seed": 5, "Sampler.seconds": 1.5}
    assert send.main(words(host, tmp_path, job)) == 2
    said = capsys.readouterr().out
    assert "(node 3): " in said and "nobody" in said and "Traceback" not in said


def test_ctrl_c_interrupts_and_the_same_command_goes_on(host, tmp_path):
    command = [
        sys.executable,
        str(API / "send.py"),
        *words(host, tmp_path, {"Sampler.seed": 11, "Sampler.seconds": 60.0}, {"name": "next"}),
    ]
    before = len(host.said())
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while "chunk 3 of 80" not in host.said()[before:]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "1 stopped, 1 waiting" in said
    while host.get("/queue")["queue_running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = len(host.said())
    assert subprocess.run(command, stdout=subprocess.PIPE, check=False).returncode == 0
    assert "going on after" in host.said()[before:] and len(notes(tmp_path)) == 2


@pytest.mark.parametrize("line", (API / "jobs.jsonl").read_text("utf-8").splitlines())
def test_the_jobs_that_ship_are_taken(host, tmp_path, line):
    """As far as what this host says of its nodes tells; nothing is run."""
    (tmp_path / "one.jsonl").write_text(line)
    graph = read_graph(DEMO)
    jobs = read_jobs(tmp_path / "one.jsonl", graph)
    check_values(jobs, graph, {kind: host.info[kind] for kind in graph.kinds})
    assert jobs
