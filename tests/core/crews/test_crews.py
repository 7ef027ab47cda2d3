"""Workers do every piece of work, however they die."""

import os
import signal
import time
from functools import partial

import crew_calls
import pytest
import torch
from needs import needs

from headforcing.headforcing_core.crews import Inline, Kind, Processes, RayCluster, Task, crew_here
from headforcing.headforcing_core.crews import size as sizes
from headforcing.headforcing_core.crews.ray_cluster import asked_for

CREWS = [
    pytest.param(partial(Processes, (None, None)), id="processes"),
    pytest.param(partial(RayCluster, workers=2), id="ray", marks=needs("ray")),
]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills as POSIX has them")


def told(crew, tasks):
    """Return all that is told while a crew does tasks."""
    events = []
    crew.run(tasks, events.append)
    return events


def ends(events):
    """Return how tasks ended, by name."""
    last = (Kind.DONE, Kind.FAILED)
    return {event.task: (event.kind, event.value) for event in events if event.kind in last}


@pytest.mark.parametrize("crew", CREWS)
def test_every_task_comes_to_its_end(crew, tmp_path):
    tasks = [Task(f"square {n}", crew_calls.square, (n,)) for n in range(5)]
    tasks.append(Task("refused", crew_calls.refuse, ("it must be so",)))
    tasks.append(Task("dies once", crew_calls.die_once, (str(tmp_path / "mark"),)))
    events = told(crew(), tasks)
    done = ends(events)
    assert len(done) == len(tasks)
    for number in range(5):
        assert done[f"square {number}"] == (Kind.DONE, number * number)
    assert done["refused"] == (Kind.FAILED, "it must be so")
    assert done["dies once"] == (Kind.DONE, "survived")
    assert [event.task for event in events if event.kind is Kind.LOST] == ["dies once"]
    for name in ("square 1", "dies once"):
        started = [e.kind for e in events if e.task == name]
        assert started[0] is Kind.STARTED and Kind.ADVANCED in started


def test_what_kills_every_worker_is_given_up():
    tasks = [Task("dies", crew_calls.die), Task("square", crew_calls.square, (3,))]
    events = told(Processes(), tasks)
    kind, why = ends(events)["dies"]
    assert kind is Kind.FAILED
    assert "must live until its work is done, got 3 that died of it (SIGKILL)" in why
    assert ends(events)["square"] == (Kind.DONE, 9)
    assert [event.task for event in events if event.kind is Kind.LOST] == ["dies"] * 2


def test_one_may_work_alone():
    kept = {}
    tasks = [Task(str(n), crew_calls.who) for n in range(2)]
    tasks.append(Task("refused", crew_calls.refuse, ("no",)))
    done = ends(told(Inline(kept=kept), tasks))
    assert [done[str(n)] for n in range(2)] == [(Kind.DONE, (os.getpid(), n, None)) for n in (1, 2)]
    assert done["refused"] == (Kind.FAILED, "no") and kept == {"calls": 2}


def test_a_worker_keeps_what_the_next_task_needs():
    tasks = [Task(str(n), crew_calls.who) for n in range(4)]
    found = [value for _, value in ends(told(Processes(("cpu",)), tasks)).values()]
    assert [calls for _, calls, _ in found] == [1, 2, 3, 4]
    assert {(pid, device) for pid, _, device in found} == {(found[0][0], "cpu")}


# Ray takes most of a minute for it
SLOW = [
    CREWS[0],
    pytest.param(*CREWS[1].values, id="ray", marks=[*CREWS[1].marks, pytest.mark.long]),
]


@pytest.mark.parametrize("crew", SLOW)
def test_a_stop_lets_workers_save(crew, tmp_path):
    marks = [tmp_path / str(n) for n in range(2)]
    tasks = [Task(mark.name, crew_calls.last, (str(mark),)) for mark in marks]
    tasks.append(Task("waits", crew_calls.square, (1,)))
    begun = set()

    def take(event):
        begun.update({event.task} if event.kind is Kind.ADVANCED else set())
        if len(begun) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew().run(tasks, take)
    assert [mark.read_text() for mark in marks] == ["saved", "saved"]


def test_what_is_killed_from_outside_is_done_again():
    tasks = [Task(str(n), crew_calls.square, (n,)) for n in range(3)]
    killed, done = [], {}

    def take(event):
        if event.kind is Kind.STARTED and event.task == "1" and not killed:
            killed.append(event.value)
            os.kill(event.value, signal.SIGKILL)
        if event.kind is Kind.DONE:
            done[event.task] = event.value

    Processes((None,)).run(tasks, take)
    assert killed and done == {"0": 0, "1": 1, "2": 4}


def test_no_worker_outlives_its_crew():
    tasks = [Task(str(n), crew_calls.who) for n in range(4)]
    events = told(Processes((None, None)), tasks)
    seen = [event.value for event in events if event.kind is Kind.STARTED]
    until = time.monotonic() + 10
    while any(map(alive, seen)) and time.monotonic() < until:
        time.sleep(0.05)
    assert seen and not any(map(alive, seen))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_machine_has_as_many_workers_as_it_has_room_for(monkeypatch):
    def crew(free, cores, tasks=8, room=2 << 30, workers=None):
        monkeypatch.setattr(sizes, "free_host_memory", lambda: free)
        monkeypatch.setattr(sizes, "cores", lambda: cores)
        made = crew_here([Task(str(n), print, room=room) for n in range(tasks)], workers, "cpu")
        return len(made.devices), made.threads

    assert crew(64 << 30, 4) == (4, 1)
    assert crew(64 << 30, 8, tasks=3) == (3, 2)
    assert crew(7 << 30, 8) == (2, 4)  # 2.6 GiB each, of nine tenths of seven
    assert crew(1 << 30, 8) == (1, torch.get_num_threads())  # as this process has
    assert crew(None, 2) == (2, 1)
    assert crew(1 << 30, 2, workers=5) == (5, 1)
    with pytest.raises(ValueError, match="--workers must be 1 to"):
        crew(1 << 30, 2, workers=0)


def test_every_card_has_a_worker(monkeypatch):
    monkeypatch.setattr(sizes, "choose_device", lambda name: torch.device(name or "cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    tasks = [Task(str(n), print) for n in range(3)]
    assert crew_here(tasks, None, None).devices == ("cuda:0", "cuda:1")
    assert crew_here(tasks[:1], None, None).devices == ("cuda:0",)
    assert crew_here(tasks, 3, None).devices == ("cuda:0", "cuda:1", "cuda:0")
    assert crew_here(tasks, None, "cuda:1").devices == ("cuda:1",)


def test_ray_is_asked_for_what_a_task_takes():
    gib = 1 << 30
    assert 10 * gib < asked_for(10 * gib, None, 32 * gib)["memory"] < 11 * gib
    assert asked_for(10 * gib, None, 8 * gib)["memory"] == 8 * gib  # it would wait for ever
    rooms = (1, 24, 39, 41, 79, 100)
    share = [asked_for(room * gib, 80 * gib, 8 * gib)["num_gpus"] for room in rooms]
    assert share == [0.25, 0.3, 0.4875, 1.0, 1.0, 1.0]


@needs("ray")
def test_a_cluster_that_is_not_there_is_one_sentence():
    with pytest.raises(
        RuntimeError, match="--ray must be local, auto, or the address of a running Ray"
    ):
        told(RayCluster("127.0.0.1:1"), [Task("a", crew_calls.square, (1,))])
