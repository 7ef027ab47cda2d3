"""One job of a batch, made by a worker, and the note beside it that says it is whole."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from ..crews import Worker
from ..errors import TOLD, sentence
from ..files import (
    as_object,
    json_of,
    read_text,
    refuse_held,
    save_or_rescue,
    write_bytes,
    write_text,
)
from ..stopping import stop_if_asked
from ..version import VERSION
from . import generate
from .company import Company
from .jobs import Job

log = logging.getLogger("headforcing")
TABLE, LOGS = "batch.jsonl", "logs"
LARGEST_NOTE = 4_000_000
DRIFT = (".drift.json", ".drift.png")
# for a place that is held to be let go, in seconds
PATIENCE = 120.0


@dataclass(frozen=True)
class Made:
    """A result.

    Args:
        files: their sizes in bytes, by name within the folder.
        seconds: it took this time, without what was there before.
        threads: of the worker; the last bits of sums on a CPU may depend on their number.
        warnings: that were logged.
        contents: of the files, if the worker could not reach the folder.
    """

    files: Mapping[str, int]
    seconds: float
    threads: int
    warnings: tuple[str, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)


def is_made(job: Job, folder: Path) -> bool:
    """Tell whether a job's result is there, whole."""
    files = _noted(job, folder)
    try:
        return job.file in files and files == {f: (folder / f).stat().st_size for f in files}
    except OSError:
        return False


def _noted(job: Job, folder: Path) -> dict[str, object]:
    """Return the files, and their sizes, that the note of a result tells of; none without one."""
    try:
        note = as_object(json_of(read_text(_note(job, folder), LARGEST_NOTE)), "a note")
        return dict(as_object(note.get("files"), "files"))
    except (ValueError, OSError):
        return {}


def make(worker: Worker, job: Job, folder: str, run: str) -> Made:
    """Make the result of a job in a folder, or go on where another worker was killed.

    Args:
        run: that the table of the folder tells of. A worker of another machine that does not see it
            sends the files.

    Raises:
        ValueError, RuntimeError, OSError: whatever ``headforcing generate`` raises.
    """
    shared = _sees(Path(folder), run)
    place = Path(folder) if shared else Path(tempfile.gettempdir(), "headforcing_batch")
    (place / LOGS).mkdir(parents=True, exist_ok=True)
    if job.file in _noted(job, place):  # it was ours, and is not what it was
        (place / job.file).unlink(missing_ok=True)
    warnings, begin = [], time.perf_counter()
    with _logged(place / LOGS / f"{job.name}.log", warnings):
        job.check_inputs()
        _wait_for(place / job.file)
        checked = generate.checked(job.options(place, worker.device))
        generate.make(*checked, Company(worker))
        try:
            job.check_inputs()  # what was read must have been what its name says
        except (ValueError, OSError):
            for file in _files(job, place):
                file.unlink()
            raise
    files = {str(f.relative_to(place)): f for f in _files(job, place)}
    sizes = {name: file.stat().st_size for name, file in files.items()}
    contents = {} if shared else {name: file.read_bytes() for name, file in files.items()}
    seconds, threads = round(time.perf_counter() - begin, 3), torch.get_num_threads()
    made = Made(sizes, seconds, threads, tuple(warnings), contents)
    if shared:
        note_down(job, made, place)
    else:
        for file in files.values():
            file.unlink()
    return made


def _wait_for(place: Path) -> None:
    """Wait while a worker holds a place whose driver was killed: it ends with its chunk.

    Raises:
        ValueError: if it is still held after PATIENCE.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return refuse_held(place)
        except ValueError:
            if time.monotonic() > until:
                raise
            stop_if_asked()
            time.sleep(0.2)


def receive(job: Job, made: Made, folder: Path) -> None:
    """Write what a worker sent that could not reach the folder.

    Raises:
        OSError: if there is no room for it.
    """
    for name, content in made.contents.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        save_or_rescue(partial(write_bytes, content=content), file, "what a worker made")
    if made.contents:
        note_down(job, made, folder)


def _sees(folder: Path, run: str) -> bool:
    """Tell whether a folder is the one that a run writes to, and not one of the same name."""
    try:
        return run in (folder / TABLE).read_text("utf-8", "replace")
    except OSError:
        return False


def note_down(job: Job, made: Made, folder: Path) -> None:
    """Write the note that says that a result is whole, and what it was made of."""
    note = {
        "headforcing_job": VERSION,
        "job": job.said,
        "key": job.key,
        "files": made.files,
        "seconds": made.seconds,
        "threads": made.threads,
        "warnings": made.warnings,
    }
    write_text(_note(job, folder), json.dumps(note, indent=1))


def _note(job: Job, folder: Path) -> Path:
    return folder / f"{job.name}.json"


def _files(job: Job, folder: Path) -> Iterator[Path]:
    """Yield the files of a result: itself, what is told of its drift, and the latents beside it."""
    for suffix in (job.suffix, *DRIFT):
        if (file := folder / f"{job.name}{suffix}").is_file():
            yield file
    yield from sorted(f for f in (folder / f"{job.name}.latents").rglob("*") if f.is_file())


@contextmanager
def _logged(path: Path, warnings: list[str]) -> Iterator[None]:
    """Write what a run prints and logs to a file, and keep its warnings."""

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        handlers = [logging.StreamHandler(file), Keep(logging.WARNING)]
        before, log.propagate, level = log.propagate, False, log.level
        log.setLevel(logging.INFO)
        for handler in handlers:
            log.addHandler(handler)
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield
        except TOLD as error:
            file.write(f"{sentence(error)}\n")
            raise
        finally:
            for handler in handlers:
                log.removeHandler(handler)
            log.propagate = before
            log.setLevel(level)
