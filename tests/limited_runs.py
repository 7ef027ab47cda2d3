"""Command lines run one after the other in children with little memory and little time.

``python limited_runs.py SECONDS MIB`` reads a JSON list of arguments per line, and answers with
what came of it. Children are forks of one process in which everything is loaded already.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import pack  # noqa: F401
import torch

from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.demo import evaluate, train

PROGRAMS = {"evaluate": evaluate.main, "train": train.main}
# what even a child that only says no may take: pages of the parent that it writes to
OWN = 1 << 30


def run(arguments: list[str], seconds: float, mib: int) -> dict[str, object]:
    """Run a command line in a folder of its own, beside links to the files here."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for file in here.iterdir():
            (Path(folder) / file.name).symlink_to(file)
        said, before, begin = Path(folder) / ".said", _resident(), time.perf_counter()
        child = os.fork()
        if not child:
            _as_child(Path(folder), said, arguments, mib)
        while True:
            ended, status, used = os.wait4(child, os.WNOHANG)
            took = time.perf_counter() - begin
            if ended:
                break
            if took > seconds:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "said": said.read_text("utf-8", "replace") if said.exists() else "",
            "seconds": took,
            "mib": used.ru_maxrss // 1024 - before,
        }


def _as_child(folder: Path, said: Path, arguments: list[str], mib: int) -> None:
    code = 99
    try:
        os.chdir(folder)
        file = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (room + (mib << 20) + OWN,) * 2)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))
        program = PROGRAMS.get(arguments[0])
        code = main(arguments) if program is None else program(arguments[1:])
    except SystemExit as stop:
        code = stop.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


if __name__ == "__main__":
    torch.set_num_threads(1)
    limits = float(sys.argv[1]), int(sys.argv[2])
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line), *limits)) + "\n")
        sys.stdout.flush()
