"""The folder of results: files that were fetched, a note beside them, and what was sent where."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from graph_jobs import Job

JOURNAL, LARGEST_NOTE, LONGEST_NAME = "sent.jsonl", 4_000_000, 120
QUEUED = "queued"


class Unwritable(RuntimeError):
    """The folder takes nothing more."""


class OutFolder:
    """A folder.

    Args:
        path: made if it is not there.

    Raises:
        Unwritable: from whatever writes.
    """

    def __init__(self, path: Path):
        self.path, self._alone = path, threading.Lock()
        with self._writing(path):
            path.mkdir(parents=True, exist_ok=True)
            with (path / JOURNAL).open("a+b") as file:
                file.seek(max(0, file.tell() - 1))
                if file.read() not in (b"", b"\n"):  # the last line was cut off
                    file.write(b"\n")

    def files(self, job: Job) -> list[str] | None:
        """Return the files of a job if all are there, whole; else None."""
        try:
            sizes = dict(json.loads(self._note(job).read_text("utf-8"))["files"])
            there = {name: (self.path / name).stat().st_size for name in sizes}
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return list(sizes) if sizes and there == sizes else None

    def name(self, job: Job, filename: str, taken: Mapping[str, int]) -> str:
        """Return how a host's file is called here: no path, no letter that a system refuses."""
        plain = re.sub(r"[^\w.\-]+", "_", filename)[-LONGEST_NAME:].lstrip("._")
        stem, dot, suffix = plain.rpartition(".")
        names = [plain, *(f"{stem}_{n}{dot}{suffix}" for n in range(2, len(taken) + 2))]
        there = {name.lower() for name in taken}  # to some systems large letters are small ones
        return next(n for n in (f"{job.name}_{each}" for each in names) if n.lower() not in there)

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        """Open a file that is there whole once all went well, and not at all before."""
        part = self.path / f".{name}.part"
        try:
            with self._writing(part):
                file = part.open("wb")
            try:
                yield Sink(self, file)
                with self._writing(part):
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                with suppress(OSError):  # a full disk has said so before
                    file.close()
            with self._writing(part):
                part.replace(self.path / name)
        finally:
            with suppress(OSError):
                part.unlink()

    def note_down(self, job: Job, host: str, seconds: float, sizes: Mapping[str, int]) -> None:
        """Write the note that says that a result is whole, and what it was made of."""
        note = {"job": job.said, "host": host, "seconds": round(seconds, 1), "files": sizes}
        with self.writing(self._note(job).name) as file:
            file.write(json.dumps({**note, "graph": job.graph}, indent=1).encode())

    def tell(self, job: Job, state: str, host: str, prompt_id: str) -> None:
        """Add a line to what is known of jobs; before they are sent, so that none is lost."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        line = {"at": at, "job": job.name, "state": state, "host": host, "prompt_id": prompt_id}
        with self._alone, self._writing(self.path / JOURNAL):
            with (self.path / JOURNAL).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def sent(self) -> dict[str, tuple[str, str]]:
        """Return the jobs that may still be on a host: name -> (host, its name there)."""
        found: dict[str, tuple[str, str]] = {}
        text = (self.path / JOURNAL).read_text("utf-8", "replace")
        for line in text.split("\n"):
            try:
                told = json.loads(line)
                job, state = told["job"], told["state"]
                found[job] = (str(told["host"]), str(told["prompt_id"]))
            except (ValueError, LookupError, TypeError):  # cut off as it was written
                continue
            if state != QUEUED:
                del found[job]
        return found

    def _note(self, job: Job) -> Path:
        return self.path / f"{job.name}.json"

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unwritable(
                f"--out must be a folder that can be written to, got {error.strerror} at {path}"
            ) from error


class Sink:
    """A file being written, whose errors are those of its folder."""

    def __init__(self, folder: OutFolder, file: BinaryIO):
        self._folder, self._file = folder, file

    def write(self, block: bytes) -> None:
        with self._folder._writing(Path(self._file.name)):
            self._file.write(block)
