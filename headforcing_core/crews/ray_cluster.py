"""Workers of a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from ..device import memory_of
from ..stopping import STOPS
from ..version import VERSION
from .crew import GRACE, TRIES, Event, Kind, Task, Worker, called, given_up
from .size import EMPTY_WORKER

LOCAL = "local"
# for a cluster to answer, in seconds
PATIENCE = 5.0
# seconds between two looks at how far workers are
LOOK = 0.5
# a card's time is shared by no more videos than that, however small they are
LEAST_SHARE = 0.25
# of the process that Ray runs tasks in; this module is imported there once
_kept: dict = {}


@dataclass(frozen=True)
class RayCluster:
    """A crew that Ray finds: it places tasks by what they take, and does those of the dead again.

    A task asks for the part of a GPU that its bytes are of the smallest one there is, where there
    are any; else for memory. This package must be on every machine, in the same version.

    Args:
        address: of a running cluster, or auto for the one this machine is in; LOCAL: one is started
            here, and ended.
        workers: cores of a cluster that is started; None: all there are.

    Source: Ray (arXiv 1712.05889), its tasks, resources and retries.
    """

    address: str = LOCAL
    workers: int | None = None

    @property
    def says(self) -> str:
        return f"Ray, {self.address}"

    def run(self, tasks: Sequence[Task], take: Callable[[Event], None]) -> None:
        ray = _ray()
        with _same_stops():
            self._join(ray)
        shift = None
        try:
            shift = _Shift(ray, tasks)
            shift.work(take)
        finally:
            if shift is not None:
                shift.end()
            ray.shutdown()

    def _join(self, ray: ModuleType) -> None:
        """Raises RuntimeError where there is no such cluster."""
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if self.address == LOCAL:
                # what is not installed but lies in a folder of ComfyUI's
                here = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
                cores = {"num_cpus": self.workers, "include_dashboard": False}
                ray.init(runtime_env=here, **cores, **quiet)
            else:
                _try(self.address)
                ray.init(address=self.address, **quiet)
        except (ray.exceptions.RayError, ValueError, RuntimeError, OSError) as error:
            reason = str(error).splitlines()[0]
            # an address that is named never makes Ray show the token it has
            raise RuntimeError(
                f"--ray must be {LOCAL}, auto, or the address of a running Ray cluster, got "
                f"{self.address}: {reason}; where it asks for a token, as a rule, set "
                "RAY_AUTH_MODE=token"
            ) from error


class _Shift:
    """The tasks of one run on a cluster."""

    def __init__(self, ray: ModuleType, tasks: Sequence[Task]):
        self._ray = ray
        self._board = ray.remote(_Board).options(num_cpus=0).remote()
        self._started: Counter[str] = Counter()
        card, memory = _smallest_card(ray), _largest_memory(ray)
        self._open = {}
        for task in tasks:
            remote = ray.remote(_call).options(**asked_for(task.room, card, memory))
            self._open[remote.remote(task, VERSION, self._board)] = task

    def work(self, take: Callable[[Event], None]) -> None:
        ray, known = self._ray, {task.name: task for task in self._open.values()}
        while self._open:
            ready, _ = ray.wait(list(self._open), num_returns=1, timeout=LOOK)
            for event in ray.get(self._board.taken.remote()):
                if event.task in known:
                    self._tell(event, take)
            for ref in ready:
                task = self._open.pop(ref)
                known.pop(task.name)  # what is still said of it says nothing new
                try:
                    end = ray.get(ref)
                except ray.exceptions.RayError as error:
                    end = self._ended(task, error)
                take(end)

    def _tell(self, event: Event, take: Callable[[Event], None]) -> None:
        """Pass on what a worker says; that one died, when its task begins once more."""
        if event.kind is Kind.STARTED:
            self._started[event.task] += 1
            if self._started[event.task] > 1:
                take(Event(Kind.LOST, event.task, "its worker died"))
        take(event)

    def _ended(self, task: Task, error: Exception) -> Event:
        ray = self._ray
        if isinstance(error, ray.exceptions.RayTaskError):
            return Event(Kind.FAILED, task.name, str(error).strip().splitlines()[-1])
        return given_up(task, str(error).strip().splitlines()[0].rstrip("."))

    def end(self) -> None:
        """Stop what is not done; what its calls save, they save first."""
        for ref in self._open:
            self._ray.cancel(ref)
        if self._open:
            self._ray.wait(list(self._open), num_returns=len(self._open), timeout=GRACE)


class _Board:
    """Where workers write how far they are; an actor."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def write(self, event: Event) -> None:
        self._events.append(event)

    def taken(self) -> list[Event]:
        """Return what was written since this was asked last."""
        events, self._events = self._events, []
        return events


def asked_for(room: int, card: int | None, memory: int) -> dict[str, object]:
    """Return what a task asks of Ray; never more than there is, for which it would wait for ever.

    Whether there is room is said where it runs.

    Args:
        room: bytes it takes.
        card: bytes of the smallest GPU; None: there is none.
        memory: bytes of the machine that has most.
    """
    asked = {"max_retries": TRIES - 1, "retry_exceptions": False, "num_cpus": 1}
    if card is None:
        return asked | {"memory": min(memory, room + EMPTY_WORKER)}
    share = min(1.0, max(LEAST_SHARE, room / card))
    # two thirds of a card are a card: no other such task fits beside it
    return asked | {"num_gpus": 1.0 if share > 0.5 else round(share, 4)}


@contextmanager
def _same_stops() -> Iterator[None]:
    """Let a stop be what it was: Ray takes SIGTERM for itself."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in STOPS}
    yield
    for number, handler in before.items() if main else ():
        signal.signal(number, handler)


def _try(address: str) -> None:
    """Raise OSError where nobody listens: Ray tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def _call(task: Task, version: str, board: object) -> Event:
    """Make a task's call on whatever machine this is."""
    if version != VERSION:
        return Event(
            Kind.FAILED,
            task.name,
            f"every machine of a cluster must have version {version} of headforcing, got one "
            f"with {VERSION}",
        )
    write = board.write.remote
    # waited for, so that no task ends before it began
    _ray().get(write(Event(Kind.STARTED, task.name, os.getpid())))
    worker = Worker(lambda made: write(Event(Kind.ADVANCED, task.name, made)), kept=_kept)
    return called(task, worker)


def _card() -> int:
    """Return the bytes of the GPU that this task was given."""
    return memory_of("cuda")


def _smallest_card(ray: ModuleType) -> int | None:
    """Return the bytes of the smallest GPU of the cluster; None: there is none."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("GPU")]
    there = [
        ray.remote(_card)
        .options(
            num_cpus=0,
            num_gpus=0.01,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote()
        for node in nodes
    ]
    return min(ray.get(there), default=None)


def _largest_memory(ray: ModuleType) -> int:
    """Return the bytes of the machine that has most.

    Raises:
        RuntimeError: if none has a core.
    """
    able = [n["Resources"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    if not able:
        raise RuntimeError(
            "--ray must be a cluster with a core to work on, got one whose machines have none; "
            "start a worker with ray start --address=..."
        )
    return int(max(resources.get("memory", 0) for resources in able))


def _ray() -> ModuleType:
    """Raises RuntimeError where Ray is not installed."""
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise RuntimeError(
            "--ray must have the package ray, got none; pip install 'headforcing[ray]', or leave "
            "it out for workers of this machine"
        ) from None
    return ray
