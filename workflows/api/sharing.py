"""Jobs shared among hosts: each takes one when its last one is done."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from far_host import Away, Forgotten, Host, Refused, Stopped, failure, files_of
from graph_jobs import Job
from out_folder import QUEUED, OutFolder, Unwritable

DONE, FAILED, STOPPED, WAITING, SKIPPED = "done", "failed", "stopped", "waiting", "skipped"
NO_FILE = (
    "a graph must end with a node that saves a file, got outputs that name none; of other nodes a "
    "host names nothing once it has what they made at hand"
)
# a job that went with its host so often is not given to another
MOST_LOSSES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    state: str = WAITING
    host: str = ""
    seconds: float = 0.0
    files: Sequence[str] = ()
    said: str = ""


class Sharing:
    """What is to be done, and who does what. Called from the threads of all hosts.

    Args:
        sent: jobs that are on a host from before: name -> (its url, name there).
        stopping: who sets it ends the work.
        say: tells people a line.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        hosts: Sequence[Host],
        sent: Mapping[str, tuple[str, str]],
        stopping: threading.Event,
        say: Callable[[str], None],
    ):
        self.outcomes = {job.name: Outcome() for job in jobs}
        self.stopping, self.say = stopping, say
        # why work ended that was not done
        self.ending = ""
        self._waiting, self._running = list(jobs), dict[str, Job]()
        self._there = {host.url for host in hosts}
        self._sent = {name: at for name, at in sent.items() if at[0] in self._there}
        self._refused: dict[str, dict[str, str]] = {job.name: {} for job in jobs}
        self._losses = Counter[str]()
        self._changed = threading.Condition()

    def take(self, host: Host) -> tuple[Job, str | None] | None:
        """Return a job for a host, and its name there if it is there; None once there is none."""
        with self._changed:
            while not self.stopping.is_set() and (self._waiting or self._running):
                fit = [job for job in self._waiting if self._may(job, host)]
                fit.sort(key=lambda job: job.name not in self._sent)
                if fit:
                    job = fit[0]
                    self._waiting.remove(job)
                    self._running[host.url] = job
                    return job, self._sent.pop(job.name, (None, None))[1]
                self._changed.wait(0.2)
            return None

    def finish(self, host: Host, job: Job, outcome: Outcome) -> None:
        with self._change(host):
            self._end(job, replace(outcome, host=host.url))

    def refuse(self, host: Host, job: Job, why: str) -> None:
        """Leave a job to hosts that have not refused it yet."""
        with self._change(host):
            self._refused[job.name][host.url] = why
            self._waiting.append(job)

    def lose(self, host: Host, job: Job, why: str) -> None:
        """Give a job to whoever asks next, unless it was lost too often."""
        with self._change(host):
            self._lost(host, job, why)

    def leave(self, host: Host, why: str) -> None:
        """Work without a host from now on; what it was at is given to another."""
        with self._changed:
            job = self._running.get(host.url)
        with self._change(host):
            self._there.discard(host.url)
            self._sent = {name: at for name, at in self._sent.items() if at[0] != host.url}
            if job is not None and self.stopping.is_set():
                self.outcomes[job.name] = Outcome(STOPPED, host.url)
            elif job is not None:
                self._lost(host, job, why)
            if why and not self.stopping.is_set():
                self.say(why)
                self.ending = "" if self._there else f"no host is left: {why}"

    def stop(self, why: str = "") -> None:
        with self._changed:
            self.ending = self.ending or why
            self.stopping.set()
            self._changed.notify_all()

    @contextmanager
    def _change(self, host: Host) -> Iterator[None]:
        """Change what jobs there are; a host is then free, and what nobody takes has failed."""
        with self._changed:
            self._running.pop(host.url, None)
            yield
            for job in list(self._waiting):
                refused = self._refused[job.name]
                if refused and self._there <= set(refused):
                    self._waiting.remove(job)
                    (where, why) = list(refused.items())[-1]
                    self._end(job, Outcome(FAILED, where, said=why))
            self._changed.notify_all()

    def _lost(self, host: Host, job: Job, why: str) -> None:
        self._losses[job.name] += 1
        if self._losses[job.name] < MOST_LOSSES:
            self._waiting.insert(0, job)
        else:
            said = f"it was lost {MOST_LOSSES} times, last: {why}"
            self._end(job, Outcome(FAILED, host.url, said=said))

    def _end(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome
        told = outcome.said or ", ".join(outcome.files)
        self.say(f"{outcome.host}: {job.name} {outcome.state}, {outcome.seconds:.1f} s, {told}")

    def _may(self, job: Job, host: Host) -> bool:
        at, _ = self._sent.get(job.name, (host.url, ""))
        return at == host.url and host.url not in self._refused[job.name]


class Serving(threading.Thread):
    """A host's share of the work.

    Args:
        every: seconds between two questions about a job.
        client: how this run is called, for the host.
    """

    def __init__(self, host: Host, sharing: Sharing, folder: OutFolder, every: float, client: str):
        # a host that does not answer must not keep the process
        super().__init__(name=host.url, daemon=True)
        self.host, self.sharing, self.folder = host, sharing, folder
        self.every, self.client, self.ended = every, client, threading.Event()

    def run(self) -> None:
        why = f"{self.host.url} is left out after an error of this program"
        try:
            while (taken := self.sharing.take(self.host)) is not None:
                self._serve(*taken)
            why = ""
        except Away as error:
            why = str(error)
        except Unwritable as error:
            why = ""
            self.sharing.stop(str(error))
        except Stopped:
            why = ""
        finally:
            try:
                self.sharing.leave(self.host, why)
            finally:
                self.ended.set()

    def _serve(self, job: Job, prompt_id: str | None) -> None:
        begin = time.monotonic()
        try:
            prompt_id = prompt_id or self._queue(job)
            ended = self._wait(job, prompt_id)
            why = failure(ended)
            files = {} if why else self._fetch(job, ended)
            why = why or (None if files else NO_FILE)
        except Forgotten as error:
            self.sharing.lose(self.host, job, str(error))
            return
        except Refused as error:
            if prompt_id is None:
                self.sharing.refuse(self.host, job, str(error))
                return
            why = str(error)
        seconds = time.monotonic() - begin
        if why is None:
            self.folder.note_down(job, self.host.url, seconds, files)
        state = DONE if why is None else FAILED
        self.folder.tell(job, state, self.host.url, prompt_id)
        told = Outcome(state, seconds=seconds, files=[] if why else list(files), said=why or "")
        self.sharing.finish(self.host, job, told)

    def _queue(self, job: Job) -> str:
        wanted = str(uuid.uuid4())
        self.folder.tell(job, QUEUED, self.host.url, wanted)
        try:
            named = self.host.queue(job.graph, wanted, {"client_id": self.client, "job": job.name})
        except Refused:
            self.folder.tell(job, "refused", self.host.url, wanted)
            raise
        if named != wanted:
            self.folder.tell(job, QUEUED, self.host.url, named)
        return named

    def _wait(self, job: Job, prompt_id: str) -> dict[str, object]:
        """Return what became of a job; take it back if the work is to stop."""
        try:
            while (ended := self.host.ended(prompt_id)) is None:
                if self.sharing.stopping.wait(self.every):
                    raise Stopped
        except Stopped:
            if self.host.cancel(prompt_id):
                self.folder.tell(job, STOPPED, self.host.url, prompt_id)
            raise
        return ended

    def _fetch(self, job: Job, ended: Mapping[str, object]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for file in files_of(ended):
            name = self.folder.name(job, file.filename, sizes)
            sizes[name] = self.host.fetch(file, partial(self.folder.writing, name))
        return sizes
