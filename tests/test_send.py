"""A batch sent to hosts: shared, gathered, skipped, taken up, taken back."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import far_host
import out_folder
import pytest
import send
from fake_comfyui import FakeComfyUI
from sharing import MOST_LOSSES

SEND = Path(send.__file__)
GRAPH = {
    "1": {"class_type": "Load", "inputs": {"file": "a"}, "_meta": {"title": "A model"}},
    "2": {
        "class_type": "Make",
        "inputs": {
            **{"model": ["1", 0], "seed": 0, "seconds": 3, "text": "x", "keep": True, "size": "s"},
            **{"way.of": 1, "way.is": "so", "levels": [3, 2], "wrapped": {"__value__": [1]}},
        },
        "_meta": {"title": "Head Forcing Sampler"},
    },
    "3": {"class_type": "Save", "inputs": {"video": ["2", 0], "prefix": "p"}},
    "4": {"class_type": "Save", "inputs": {"video": ["2", 0], "prefix": "q"}},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(far_host, "PAUSE", 0.02)


@pytest.fixture
def hosts():
    """Start hosts that end with the test."""
    with ExitStack() as running:
        yield lambda *args, **kind: running.enter_context(FakeComfyUI(*args, **kind))


START = """
import signal, sys
# a suite that runs in the background hands down an ignored SIGINT
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv.pop(1))
import send
sys.exit(send.main())
"""


class Sender:
    """Commands on one folder."""

    def __init__(self, folder, capsys):
        self.folder, self.capsys, self.out = folder, capsys, folder / "out"
        self.write(GRAPH)

    def write(self, graph):
        (self.folder / "graph.json").write_text(json.dumps(graph))

    def arguments(self, jobs, hosts, every=0.01):
        text = jobs if isinstance(jobs, str) else "\n".join(map(json.dumps, jobs))
        (self.folder / "jobs.jsonl").write_text(text, "utf-8")
        where = [word for host in hosts for word in ("--host", getattr(host, "url", host))]
        paths = [str(self.folder / name) for name in ("graph.json", "jobs.jsonl")]
        numbers = ["--patience", "0.5", "--every", str(every)]
        return [*paths, *where, "--out", str(self.out), *numbers]

    def __call__(self, jobs, *hosts):
        code = send.main(self.arguments(jobs, hosts))
        self.said, self.errors = self.capsys.readouterr()
        return code

    def begin(self, jobs, *hosts):
        """Start a command as a process."""
        words = [sys.executable, "-c", START, str(SEND.parent), *self.arguments(jobs, hosts)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def made(self, suffix=".mp4"):
        return sorted(path.name for path in self.out.glob(f"*{suffix}"))


@pytest.fixture
def sender(tmp_path, capsys):
    return Sender(tmp_path, capsys)


def seeds(count):
    return [{"name": f"job {n}", "2.seed": n} for n in range(count)]


def until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_hosts_share_jobs_and_the_quick_one_does_more(sender, hosts):
    slow, quick = hosts(0.5), hosts(0.01)
    assert sender(seeds(10), slow, quick) == 0
    assert 1 <= len(slow.prompts) < 4 and len(slow.prompts) + len(quick.prompts) == 10
    assert slow.most == quick.most == 1
    assert [p["2"]["inputs"]["seed"] for p in quick.prompts] == sorted(
        p["2"]["inputs"]["seed"] for p in quick.prompts
    )
    assert len(sender.made()) == 10 and all(name.startswith("job_") for name in sender.made())
    for note in (json.loads((sender.out / name).read_text()) for name in sender.made(".json")):
        ((name, size),) = note["files"].items()
        own = name.split("_", 3)[3]  # job, number, key
        assert (sender.out / name).read_bytes() == own.encode() * 999 and size == len(own) * 999
        assert own.startswith(f"{note['job']['2.seed']}_")
        assert note["graph"]["2"]["inputs"]["seed"] == note["job"]["2.seed"]
    assert "10 jobs: 10 done" in sender.said and not sender.errors
    told = slow.told("/prompt")[0]
    assert told["client_id"].startswith("send-") and told["extra_data"]["job"].startswith("job_")
    assert not list(sender.out.glob(".*"))


def test_what_is_there_is_skipped_and_what_is_damaged_made_again(sender, hosts):
    host = hosts()
    assert sender(seeds(5), host) == 0
    host.asked.clear()
    assert sender(seeds(5), host) == 0
    assert host.asked == [] and "5 jobs: 5 skipped" in sender.said
    notes, videos = sender.made(".json"), sender.made()
    (sender.out / notes[0]).write_text("{")
    (sender.out / notes[1]).write_text('{"files": [1]}')
    (sender.out / videos[2]).write_bytes(b"short")
    (sender.out / videos[3]).unlink()
    assert sender(seeds(5), host) == 0
    assert [p["2"]["inputs"]["seed"] for p in host.prompts[5:]] == [0, 1, 2, 3]
    assert "4 done, 1 skipped" in sender.said
    assert sender(seeds(5), host) == 0 and "5 skipped" in sender.said


def test_a_host_that_goes_gives_its_job_to_another(sender, hosts):
    going, other = hosts(dies_at=2), hosts(0.3)
    assert sender(seeds(4), going, other) == 0
    assert len(going.prompts) == 2 and len(other.prompts) == 3 and len(sender.made()) == 4
    assert f"{going.url} must answer as a ComfyUI does, got " in sender.said


def test_a_host_that_does_not_answer_in_time_is_gone(sender, hosts, monkeypatch):
    monkeypatch.setattr(far_host, "LEAST", 0.1)
    assert sender(seeds(2), hosts(hangs_at=1), hosts(0.3)) == 0
    assert "must answer as a ComfyUI does, got timed out" in sender.said


def test_with_no_host_left_what_is_fetched_stays(sender, hosts):
    assert sender(seeds(5), hosts(dies_at=2), hosts(dies_at=3)) == 2
    assert len(sender.made()) == 3 and "3 done, 2 waiting" in sender.said
    assert sender.errors.startswith("no host is left: ") and sender.errors.count("\n") == 1
    another = hosts()
    assert sender(seeds(5), another) == 0
    assert len(another.prompts) == 2 and len(sender.made()) == 5


def test_a_job_that_a_host_forgets_is_given_again(sender, hosts):
    host = hosts(forgets=2)
    assert sender(seeds(2), host) == 0 and len(host.prompts) == 4
    host.forgets = 99
    assert sender(seeds(3), host) == 2 and len(host.prompts) == 4 + MOST_LOSSES
    assert f"it was lost {MOST_LOSSES} times, last: {host.url} has forgotten it" in sender.said


def test_a_host_without_a_node_is_left_out_or_refused(sender, hosts):
    lacking, other = hosts(lacks=("Save",)), hosts()
    sentence = f"{lacking.url} must have the nodes of graph.json, got none called Save; install"
    assert sender(seeds(2), lacking) == 2
    assert sender.errors.startswith(sentence) and sender.errors.count("\n") == 1
    assert sender(seeds(2), lacking, other) == 0
    assert f"left out: {sentence}" in sender.said
    assert not lacking.prompts and len(other.prompts) == 2


def test_a_host_that_is_not_there_is_left_out_or_refused(sender, hosts):
    host, gone = hosts(), hosts()
    gone.die()
    assert sender(seeds(1), gone) == 2
    assert sender.errors.startswith(f"{gone.url} must answer as a ComfyUI does, got [Errno ")
    assert sender(seeds(1), gone, host) == 0 and f"left out: {gone.url} must" in sender.said


def test_a_job_that_fails_is_told_and_does_not_stop_others(sender, hosts):
    host = hosts(fails=lambda p: "seed must\nbe odd" if p["2"]["inputs"]["seed"] == 1 else None)
    assert sender(seeds(4), host) == 2
    assert len(host.prompts) == 4 and len(sender.made()) == 3
    assert "failed  " in sender.said and "Make (node 2): seed must be odd" in sender.said
    host.fails = lambda prompt: None
    assert sender(seeds(4), host) == 0 and len(host.prompts) == 5  # a new command tries it again


def errors(seed):
    one = {"message": "Value too small", "details": "seed"}
    found = {"2": {"class_type": "Make", "errors": [one]}}
    return lambda prompt: found if prompt["2"]["inputs"]["seed"] == seed else None


def test_what_one_host_refuses_another_may_take(sender, hosts):
    strict, other = hosts(refuses=errors(1)), hosts(0.1)
    assert sender(seeds(4), strict, other) == 0
    assert not any(p["2"]["inputs"]["seed"] == 1 for p in strict.prompts)
    other.refuses = strict.refuses = errors(9)
    assert sender([{"2.seed": 9}, {"2.seed": 8}], strict, other) == 2
    assert "failed" in sender.said and "Make (node 2): Value too small: seed" in sender.said
    refused = [d for d in [*strict.told("/prompt"), *other.told("/prompt")]
               if d["prompt"]["2"]["inputs"]["seed"] == 9]  # fmt: skip
    assert len(refused) == 2


def test_a_job_of_which_a_host_would_leave_something_out_is_taken_back(sender, hosts):
    host = hosts(refuses=errors(1), partly=True, seconds=0.3)
    assert sender(seeds(2), host) == 2
    assert "Make (node 2): Value too small: seed" in sender.said
    assert len(host.history) == 2 and len(host.interrupted) == 1 and len(sender.made()) == 1


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT for another process there")
@pytest.mark.parametrize("old", [False, True], ids=["new host", "old host"])
def test_ctrl_c_takes_back_its_own_alone(sender, hosts, old):
    mine, theirs = hosts(60, old=old), hosts(60, old=old, others=["somebody's", "another's"])
    quick = hosts(0.01, old=old)
    process = sender.begin(seeds(3), mine, theirs, quick)
    until(lambda: mine.queue and theirs.queue and sender.made(".json"))
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in wrong
    assert len(mine.interrupted) == 1 and not mine.queue and not theirs.queue
    assert theirs.others and not {*theirs.interrupted} & {"somebody's", "another's"}
    assert not any(path == "/interrupt" and not data for path, data in mine.asked + theirs.asked)
    assert "1 done, 2 stopped" in said and len(sender.made()) == 1

    mine.seconds = 0.01  # the same command goes on
    assert sender(seeds(3), mine) == 0, sender.said
    assert "2 done, 1 skipped" in sender.said and len(mine.prompts) == 3


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_what_runs_from_before_is_taken_up_where_it_is(sender, hosts):
    busy, idle = hosts(60), hosts()
    process = sender.begin(seeds(1), busy)
    until(lambda: busy.queue)
    process.kill()
    process.communicate()
    with (sender.out / "sent.jsonl").open("a") as file:
        file.write('{"job": "cut o')
    busy.seconds = 0.01
    assert sender(seeds(2), idle, busy) == 0
    assert len(busy.prompts) == 1 and len(idle.prompts) == 1 and len(sender.made()) == 2
    told = (sender.out / "sent.jsonl").read_text().split("\n")
    assert len([line for line in told if line.startswith("{") and '"queued"' in line]) == 2
    assert '{"job": "cut o' in told
    # of one that is not asked for any more nothing is waited for
    process = sender.begin(seeds(3), busy)
    process.communicate()
    busy.seconds = 60
    process = sender.begin(seeds(4), busy)
    until(lambda: busy.queue)
    process.kill()
    process.communicate()
    assert sender(seeds(4), idle) == 0 and len(idle.prompts) == 2


def test_a_job_whose_answer_is_lost_is_not_queued_twice(sender, hosts):
    host = hosts(drops=2)
    assert sender(seeds(3), host) == 0 and len(host.prompts) == 3


def test_a_file_that_breaks_off_is_fetched_whole_or_not_at_all(sender, hosts):
    host = hosts(cuts=2)
    assert sender(seeds(1), host) == 0 and len(host.prompts) == 1
    (name,) = sender.made()
    assert (sender.out / name).stat().st_size == len("0_0.mp4") * 999
    host.cuts = 10**6
    assert sender(seeds(2), host) == 2
    assert "bytes" in sender.errors and sender.made() == [name] and not list(sender.out.glob(".*"))
    host.cuts = 0
    assert sender(seeds(2), host) == 0 and len(host.prompts) == 2  # it is there still


def test_a_file_that_is_no_more_there_and_none_at_all(sender, hosts):
    host = hosts(gone=True)
    assert sender(seeds(1), host) == 2
    assert "its file 0_0.mp4 is not there, HTTP 404" in sender.said
    host.outputs = {"3": {"text": ["words"]}}
    assert sender(seeds(2), host) == 2 and "got outputs that name none" in sender.said
    assert not sender.made() and not sender.made(".json")


def test_files_of_any_kind_are_fetched_under_names_that_are_safe(sender, hosts):
    def file(name, kind="output", folder=""):
        return {"filename": name, "type": kind, "subfolder": folder}

    outputs = {
        "3": {"images": [file("a.png"), file("A.png", folder="b"), file("a.png")]},
        "4": {"gifs": [file("../../x y.gif")], "audio": [file("s.flac", "temp")]},
        "5": {"images": [file("given.png", "input")], "text": ["filename"], "3d": [[file("m")]]},
    }
    assert sender([{"name": "../É any"}], hosts(outputs=outputs)) == 0
    (note,) = sender.made(".json")
    files = json.loads((sender.out / note).read_text())["files"]
    stem = note.removesuffix(".json")
    endings = ["a.png", "A_2.png", "x_y.gif", "s.flac", "m"]
    assert list(files) == [f"{stem}_{ending}" for ending in endings]
    assert {path.name for path in sender.out.iterdir()} == {*files, note, "sent.jsonl"}
    assert sorted(path.name for path in sender.folder.iterdir()) == [
        *("graph.json", "jobs.jsonl", "out"),
    ]


def test_a_full_disk_ends_it_and_nothing_is_made_twice(sender, hosts, monkeypatch):
    host = hosts()

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(out_folder.os, "fsync", full)
        assert sender(seeds(2), host) == 2
    assert sender.errors.startswith("--out must be a folder that can be written to, got No space")
    assert "Traceback" not in sender.errors and not sender.made()
    assert not list(sender.out.glob(".*"))
    assert sender(seeds(2), host) == 0 and len(host.prompts) == 2


def test_lists_are_values_to_try_unless_the_input_takes_one(sender, hosts):
    host = hosts(0.0)
    job = {"2.seed": [0, 1], "1.file": ["a", "b"], "2.levels": [5, 4], "2.wrapped": [7, 8]}
    again = {"Make.seed": 1, "A model.file": "b", "2.levels": [5, 4], "2.wrapped": [7, 8]}
    more = {"Head Forcing Sampler.way.of": [2.5, 3], "2.way.is": "other"}
    assert sender([job, again, more], host) == 0
    inputs = [{**p["1"]["inputs"], **p["2"]["inputs"]} for p in host.prompts]
    tried = [(i["seed"], i["file"]) for i in inputs[:4]]
    assert tried == [(0, "a"), (0, "b"), (1, "a"), (1, "b")] and len(inputs) == 6
    assert all(i["levels"] == [5, 4] and i["wrapped"] == {"__value__": [7, 8]} for i in inputs[:4])
    assert [(i["way.of"], i["way.is"]) for i in inputs[4:]] == [(2.5, "other"), (3, "other")]


WRONG_JOBS = {
    "no node": ({"7.seed": 1}, "7.seed must be NODE.INPUT of a node of graph.json, which has 1 (A"),
    "no dot": ({"seed": 1}, "seed must be NODE.INPUT of a node"),
    "no input": ({"2.sed": 1}, "2.sed must name an input that graph.json gives a value, got none"),
    "ambiguous": ({"Save.prefix": "x"}, "Save.prefix must be one input, got those of nodes 3, 4"),
    "linked": ({"2.model": "x"}, "2.model must have a value of its own, got a link from node 1"),
    "twice": (
        {"2.seed": 1, "Make.seed": 2},
        "an input must be named once, got 2.seed and Make.seed",
    ),
    "nothing to try": ({"2.seed": []}, "2.seed must have a value to try, got an empty list"),
    "too many": ({"2.seed": [0] * 400, "2.text": ["x"] * 400}, "at most 100000 jobs must come"),
    "name": ({"name": 3}, "name must be words, got 3"),
    "no object": ([1], "a job must be a JSON object, got [1]"),
    "no JSON": ('{"2.seed": }', "a job must be JSON, got '{\"2.seed\": }'"),
    "NaN": ('{"2.seconds": NaN}', "NaN is no number of JSON"),
    "infinite": ('{"2.seconds": 1e999}', "is no number of JSON"),
    "said twice": ('{"2.seed": 1, "2.seed": 2}', "a name is there twice"),
    "words for a number": ({"2.seed": "1"}, "2.seed must be a whole number, got '1'"),
    "a part": ({"2.seed": [1, 1.5]}, "2.seed must be a whole number, got 1.5"),
    "true for a number": ({"2.seconds": True}, "2.seconds must be a number, got true"),
    "a number for words": ({"2.text": 1}, "2.text must be words, got 1"),
    "a number for true": ({"2.keep": 1}, "2.keep must be true or false, got 1"),
    "null": ({"1.file": None}, "1.file must be one of its choices, got null"),
    "no list": ({"2.levels": 3}, "2.levels must be a list, got 3"),
    "of another kind": ({"2.way.of": "x"}, "2.way.of must be a number, got 'x'"),
    "an object": ({"2.way.is": {}}, "2.way.is must be words, got {}"),
}


@pytest.mark.parametrize("case", WRONG_JOBS)
def test_a_wrong_job_is_one_sentence_before_anything_is_queued(sender, hosts, case):
    job, sentence = WRONG_JOBS[case]
    host, line = hosts(), job if isinstance(job, str) else json.dumps(job)
    assert sender('{"2.seed": 5}\n\n' + line, host) == 2
    assert sender.errors.startswith("jobs.jsonl, line 3: ") and sentence in sender.errors
    assert sender.errors.count("\n") == 1 and not host.prompts and "Traceback" not in sender.errors


PAGE = {"nodes": [{"id": 1, "type": "Load"}], "links": [], "version": 0.4}
WRONG_GRAPHS = {
    "of the page": (PAGE, "graph.json must be in API format, got a workflow as the page saves it; "
                    "choose Workflow > Export (API)"),
    "a prompt inside": ({"prompt": GRAPH}, "graph.json must be nodes with a class_type and inputs"),
    "empty": ({}, "graph.json must be nodes with a class_type"),
    "a list": ([], "graph.json must be nodes with a class_type"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_GRAPHS)
def test_a_wrong_graph_is_one_sentence(sender, hosts, case):
    graph, sentence = WRONG_GRAPHS[case]
    sender.write(graph)
    assert sender(seeds(1), hosts()) == 2
    assert sender.errors.startswith(sentence) and sender.errors.count("\n") == 1


def test_other_words_that_are_wrong_are_one_sentence(sender, hosts):
    host = hosts()

    def refused(sentence, *hosts, jobs=None):
        assert sender(jobs or seeds(1), *hosts) == 2
        assert sender.errors.startswith(sentence) and sender.errors.count("\n") == 1

    refused("--host must be like http://127.0.0.1:8188, got 127.0.0.1:8188", "127.0.0.1:8188")
    refused("jobs.jsonl must have a job a line, got none", host, jobs="\n\n")
    sender.out.write_text("")
    refused("--out must be a folder that can be written to, got File exists at ", host)
    sender.out.unlink()
    for name in ("--every", "--patience"):
        assert send.main([*sender.arguments(seeds(1), [host]), name, "0"]) == 2
        assert capsys_errors(sender).startswith(f"{name} must be above 0 and below a day, got 0")
    (sender.folder / "graph.json").unlink()
    refused(f"{sender.folder / 'graph.json'} must be a file that can be read, got No such", host)
    (sender.folder / "graph.json").write_bytes(b"\xff\xfe")
    refused(f"{sender.folder / 'graph.json'} must be text in UTF-8", host)
    assert not host.prompts


def capsys_errors(sender):
    return sender.capsys.readouterr().err


def test_the_help_says_what_is_out_of_scope():
    words = [sys.executable, str(SEND), "--help"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "images to start from" in said and "--patience" in said
