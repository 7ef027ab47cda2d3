"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
from tqdm import tqdm

from ..stopping import STOPS
from .crew import GRACE, TRIES, Event, Kind, Task, Worker, called, given_up

# CUDA and threads do not survive a fork
METHOD = "spawn"


@dataclass
class _Hired:
    """A worker process and the pipe to it.

    Args:
        task: what it is doing; None: nothing.
    """

    process: BaseProcess
    pipe: Connection
    device: str | None
    task: Task | None = None


@dataclass(frozen=True)
class Processes:
    """A crew of worker processes; each does a task at a time.

    A worker that dies is replaced, and what it was doing is done again by the next one.

    Args:
        devices: one per worker; None: the best one there is.
        threads: of each worker.
    """

    devices: tuple[str | None, ...] = (None,)
    threads: int = 1

    @property
    def says(self) -> str:
        named = sorted({device for device in self.devices if device is not None})
        where = f" on {', '.join(named)}" if named else ""
        workers = "a worker" if len(self.devices) == 1 else f"{len(self.devices)} workers"
        return f"{workers}{where}, threads of each: {self.threads}"

    def run(self, tasks: Sequence[Task], take: Callable[[Event], None]) -> None:
        shift = _Shift(self.threads, deque(tasks), list(self.devices))
        try:
            shift.work(take)
        finally:
            shift.end()


@dataclass
class _Shift:
    """The workers of one run."""

    threads: int
    waiting: deque[Task]
    free: list[str | None]
    hired: list[_Hired] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)

    def work(self, take: Callable[[Event], None]) -> None:
        while self.waiting or any(worker.task for worker in self.hired):
            self._hand_out()
            pipes = {worker.pipe: worker for worker in self.hired if worker.task}
            for pipe in wait(list(pipes)):
                take(self._heard(pipes[pipe]))

    def _hand_out(self) -> None:
        while self.waiting and self.free:
            self.hired.append(_hire(self.free.pop(0), self.threads))
        for worker in self.hired:
            if self.waiting and worker.task is None:
                worker.task = self.waiting.popleft()
                with suppress(OSError):  # that it is dead is heard at once
                    worker.pipe.send(worker.task)

    def _heard(self, worker: _Hired) -> Event:
        try:
            event = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            return self._lost(worker)
        if event.kind in (Kind.DONE, Kind.FAILED):
            worker.task = None
        return event

    def _lost(self, worker: _Hired) -> Event:
        """Let a dead worker go; its task is done again, next."""
        worker.process.join()
        worker.pipe.close()
        self.hired.remove(worker)
        self.free.append(worker.device)
        task, how = worker.task, _how(worker.process.exitcode)
        self.deaths[task.name] += 1
        if self.deaths[task.name] == TRIES:
            return given_up(task, how)
        self.waiting.appendleft(task)
        return Event(Kind.LOST, task.name, f"its worker died ({how})")

    def end(self) -> None:
        """Stop the workers; those that are busy save first."""
        for worker in self.hired:
            with suppress(OSError):
                if worker.task is None:
                    worker.pipe.send(None)
                elif worker.process.is_alive() and hasattr(signal, "SIGINT"):
                    os.kill(worker.process.pid, signal.SIGINT)
        until = time.monotonic() + GRACE
        for worker in self.hired:
            _drain(worker, until)
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def _hire(device: str | None, threads: int) -> _Hired:
    context = multiprocessing.get_context(METHOD)
    ours, its = context.Pipe()
    process = context.Process(target=_work, args=(its, device, threads), daemon=True)
    with _stops_held_back():
        process.start()
    its.close()  # so that its end is heard
    return _Hired(process, ours, device)


@contextmanager
def _stops_held_back() -> Iterator[None]:
    """Let a process begin that a stop reaches only when it has begun."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it lets stops through, where it is what begins
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _drain(worker: _Hired, until: float) -> None:
    """Read what a worker says while it stops: it waits where nobody does."""
    with suppress(EOFError, OSError):
        while worker.pipe.poll(max(0.0, until - time.monotonic())):
            worker.pipe.recv_bytes()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _work(pipe: Connection, device: str | None, threads: int) -> None:
    """Do what comes through a pipe, until nothing more does."""
    torch.set_num_threads(threads)
    tqdm.set_lock(threading.RLock())  # its own is the system's, and outlives who is killed
    kept = {}
    with suppress(KeyboardInterrupt, EOFError, OSError):  # who gave the work is gone
        signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs in the background
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        while (task := pipe.recv()) is not None:
            name = task.name
            _say(pipe, Event(Kind.STARTED, name, os.getpid()))

            def tell(made: int, name: str = name) -> None:
                _say(pipe, Event(Kind.ADVANCED, name, made))

            _say(pipe, called(task, Worker(tell, device, kept)))


def _say(pipe: Connection, event: Event) -> None:
    """Send an event; its tensors whole, not as memory that is shared with who may be killed."""
    pipe.send_bytes(pickle.dumps(event))
