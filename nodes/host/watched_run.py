"""A run as a page shows it: chunks with small pictures, speed, drift, what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from typing import NamedTuple

import comfy.model_management

from ...headforcing_core.telemetry import Measures

# of one run: beyond, every other chunk is let go, so that the strip stays even
MOST_CHUNKS, MOST_LETTERS = 512, 2 * 1024 * 1024
MOST_SAID, MOST_RECEIPTS = 500, 20
# between two words on steps, in seconds
PAUSE = 0.25
_numbers = count(1)


class Origin(NamedTuple):
    """Where a run comes from.

    node: its name as the host has it, a path inside of subgraphs.
    client: the page that queued it; None: no page did.
    workflow: the id of its graph; None where the page gave it none.
    """

    prompt_id: str | None = None
    node: str | None = None
    client: str | None = None
    workflow: str | None = None


@dataclass
class WatchedRun:
    """What is known of one run; told by the run and by the thread of its reel, asked by the server.

    Args:
        chunks: of the whole video.
        resumed: of them, those that were there before.
        fps: pictures per second of the video.
        measures: names of what may leave its band.
        send: is told every piece of news.
    """

    origin: Origin
    chunks: int
    resumed: int
    fps: float
    cache_bytes: int
    measures: Sequence[str]
    send: Callable[[dict[str, object]], None]

    state: str = field(default="running", init=False)
    said: str = field(default="", init=False)
    every: int = field(default=1, init=False)
    done: int = field(default=0, init=False)
    # receipts of the prompts that were told on the way; the last has the schedule that ran
    steered: list[dict[str, object]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.number = next(_numbers)
        self._lock = RLock()
        self._strip: dict[int, dict[str, object]] = {}
        self._lights = {name: _light(name) for name in self.measures}
        self._step, self._steps, self._spoke = 0, None, 0.0
        self._begin = self._last = time.monotonic()
        self._made, self._pictures = 0, 0

    def __enter__(self) -> WatchedRun:
        self._tell({"begun": True})
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        with self._lock:
            if error is None:
                self.state = "ended" if self.done >= self.chunks else "stopped"
            elif isinstance(error, comfy.model_management.InterruptProcessingException):
                self.state = "interrupted"
            else:
                self.state, self.said = "failed", str(error)[:MOST_SAID]
            self._tell()

    def stepped(self) -> None:
        """Count a model call of the chunk that is being made."""
        with self._lock:
            self._step += 1
            now = time.monotonic()
            if now - self._spoke >= PAUSE:
                self._spoke = now
                self._tell()

    def finished(
        self, second: float, pictures: int, prompt: int, kept: bool, picture: str | None = None
    ) -> None:
        """Add the next chunk.

        Args:
            second: at which it begins.
            pictures: it has.
            prompt: number of the one that ruled it, from 1.
            kept: it was there before this run.
            picture: of it, if there is one already.
        """
        with self._lock:
            now = time.monotonic()
            took, self._last, self.done = now - self._last, now, self.done + 1
            if kept:
                self._begin = now
            else:
                self._made, self._pictures = self._made + 1, self._pictures + pictures
            self._step, self._steps = 0, None if kept else self._step
            about = {"chunk": self.done, "second": round(second, 3), "kept": kept}
            about |= {"prompt": prompt, "took": None if kept else round(took, 3)}
            self._strip[self.done] = {**about, "picture": picture}
            self._thin()
            self._tell({"chunk": self._strip[self.done]})

    def pictured(self, chunk: int, picture: str) -> None:
        """Add the picture of a chunk that was added, or would have been."""
        with self._lock:
            if chunk in self._strip:
                self._strip[chunk]["picture"] = picture
                self._thin()
                self._tell({"chunk": {"chunk": chunk, "picture": picture}})

    def measured(self, second: float, measures: Measures, said: Mapping[str, str]) -> None:
        """Say what has left its band, or is back, with the chunk that begins at a second.

        Args:
            said: a sentence for what has left it.
        """
        with self._lock:
            for name, light in self._lights.items():
                out = name in measures.out
                if out and not light["out"]:
                    light |= {"left": round(second, 3), "back": None, "said": said.get(name, "")}
                elif light["out"] and not out:
                    light["back"] = round(second, 3)
                light["out"] = out

    def took(self, receipt: Mapping[str, object]) -> None:
        """Add the receipt of a prompt that a chunk took."""
        with self._lock:
            before = [{**one, "schedule": None, "planned": None} for one in self.steered]
            self.steered = [*before, dict(receipt)][-MOST_RECEIPTS:]
            self._tell({"steered": list(self.steered)})

    def to_json(self) -> dict[str, object]:
        """Return everything, as plain values."""
        with self._lock:
            strip = [dict(self._strip[number]) for number in sorted(self._strip)]
            return {**self._now(), "strip": strip, "steered": list(self.steered)}

    def _now(self) -> dict[str, object]:
        spent = time.monotonic() - self._begin
        if self._made:
            spent = self._last - self._begin
        each = spent / self._made if self._made else None
        left = None if each is None else round(each * (self.chunks - self.done), 1)
        return {
            "run": self.number,
            "prompt_id": self.origin.prompt_id,
            "node": self.origin.node,
            "workflow": self.origin.workflow,
            "state": self.state,
            "said": self.said,
            "chunks": self.chunks,
            "done": self.done,
            "resumed": self.resumed,
            "every": self.every,
            "step": self._step,
            "steps": self._steps,
            "fps": self.fps,
            "speed": round(self._pictures / spent, 2) if self._made and spent > 0 else None,
            "left": left,
            "cache_bytes": self.cache_bytes,
            "lights": [dict(light) for light in self._lights.values()],
        }

    def _tell(self, more: Mapping[str, object] | None = None) -> None:
        self.send({**self._now(), **(more or {})})

    def _thin(self) -> None:
        """Let every other chunk go while there are too many; the newest stays."""
        while len(self._strip) > MOST_CHUNKS or self._letters() > MOST_LETTERS:
            if len(self._strip) < 3:
                break
            self.every *= 2
            self._strip = {n: self._strip[n] for n in self._strip if self._stays(n)}
        if self.every > 1:
            self._strip = {n: self._strip[n] for n in self._strip if self._stays(n)}

    def _stays(self, chunk: int) -> bool:
        return (chunk - 1) % self.every == 0 or chunk == self.done

    def _letters(self) -> int:
        return sum(len(one["picture"] or "") for one in self._strip.values())


def _light(name: str) -> dict[str, object]:
    return {"measure": name, "out": False, "left": None, "back": None, "said": ""}
