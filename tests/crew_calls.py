"""Calls for the workers of a crew: modules of tests cannot be imported by their processes."""

import os
import signal
import time
from pathlib import Path


def square(worker, number):
    worker.tell(1)
    return number * number


def refuse(worker, said):
    raise ValueError(said)


def who(worker):
    worker.kept["calls"] = worker.kept.get("calls", 0) + 1
    return os.getpid(), worker.kept["calls"], worker.device


def die_once(worker, mark):
    """Kill the worker that is the first to be asked, in the middle of it."""
    worker.tell(1)
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(worker):
    os.kill(os.getpid(), signal.SIGKILL)


def last(worker, mark):
    """Work for a long time; on a stop save what there is."""
    try:
        for _ in range(6000):
            worker.tell(1)
            time.sleep(0.01)
    finally:
        Path(mark).write_text("saved")
