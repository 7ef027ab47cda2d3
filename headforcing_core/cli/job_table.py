"""What became of jobs: a table of JSON lines, and a bar."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from ..crews import Event, Kind
from ..version import VERSION
from .jobs import Job
from .made import TABLE, Made

log = logging.getLogger("headforcing")
SKIPPED, STOPPED = "skipped", "stopped"


class JobTable:
    """The table of a folder, which every run goes on writing, and the bar of this one.

    Args:
        folder: of the results.
        jobs: of this run.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job]):
        self._path, self.run = folder / TABLE, uuid.uuid4().hex
        self._jobs = {job.name: job for job in jobs}
        self._bar = tqdm(total=sum(job.frames for job in jobs), unit="frame", desc="batch")
        self._made: Counter[str] = Counter()
        self._running: set[str] = set()
        self._silent = False
        self.failures: list[tuple[Job, str]] = []
        self.counts: Counter[str] = Counter()
        self._end_line()
        self._append({"run": self.run, "headforcing_batch": VERSION, "jobs": len(jobs)})

    def skip(self, job: Job) -> None:
        """Tell that a job is done already."""
        self._write(job, SKIPPED)
        self._advance(job, job.frames)
        self.counts[SKIPPED] += 1

    def take(self, event: Event) -> None:
        """Tell what became of a job."""
        job = self._jobs[event.task]
        if event.kind is Kind.ADVANCED:
            self._advance(job, event.value)
            return
        if event.kind is Kind.STARTED:
            self._advance(job, -self._made[job.name])
            self._running.add(job.name)
            self._write(job, event.kind.value, {"worker": event.value, "said": dict(job.said)})
        elif event.kind is Kind.DONE:
            self._finish(job, event.value)
        elif event.kind is Kind.FAILED:
            self._running.discard(job.name)
            self.counts[event.kind.value] += 1
            self.failures.append((job, event.value))
            self._write(job, event.kind.value, {"reason": event.value})
            self._say(f"{job.where}: {event.value}")
        else:
            self._write(job, event.kind.value, {"reason": event.value})
            self._say(f"{job.name} is taken up again: {event.value}")
        self._bar.set_postfix(self.counts, refresh=True)

    def _finish(self, job: Job, made: Made) -> None:
        self._running.discard(job.name)
        self.counts[Kind.DONE.value] += 1
        told = {"seconds": made.seconds, "files": list(made.files), "warnings": list(made.warnings)}
        self._write(job, Kind.DONE.value, told)
        for warning in made.warnings:
            self._say(f"{job.name}: {warning}")

    def _advance(self, job: Job, frames: int) -> None:
        frames = min(frames, job.frames - self._made[job.name])
        self._made[job.name] += frames
        self._bar.update(frames)

    def _write(self, job: Job, state: str, told: Mapping[str, object] | None = None) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        line = {"run": self.run, "at": at, "job": job.name, "line": job.line, "state": state}
        self._append({**line, **(told or {})})

    def _end_line(self) -> None:
        """End a line that a killed run, or an editor, left open."""
        try:
            if self._path.is_file() and self._path.read_bytes()[-1:] not in (b"", b"\n"):
                with self._path.open("a", encoding="utf-8") as file:
                    file.write("\n")
        except OSError:  # what cannot be written is told with what is to be told
            return

    def _append(self, line: Mapping[str, object]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # a full disk may be mended meanwhile; what is made says so itself
            if not self._silent:
                self._say(f"{self._path} cannot be written: {error.strerror}")
            self._silent = True

    def _say(self, said: str) -> None:
        self._bar.clear()
        log.warning("%s", said)
        self._bar.refresh()

    def __enter__(self) -> JobTable:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in sorted(self._running):
            self._write(self._jobs[name], STOPPED)
        self._bar.close()
