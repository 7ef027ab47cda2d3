"""A ComfyUI that is asked over HTTP: what it is, and what becomes of a job there."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
# seconds between two tries; bytes of one answer, and of those that are read at once
PAUSE, LARGEST, BLOCK = 0.5, 256_000_000, 1 << 20
SENTENCE = 600
# seconds that any answer may take: a host that loads a model is slow
LEAST = 10.0
# what comes of asking somebody who is not there, or is no ComfyUI
NO_ANSWER = (OSError, http.client.HTTPException, ValueError, LookupError, TypeError)
# what a job made; what it was given is of type input
MADE = ("output", "temp")


class Away(RuntimeError):
    """A host does not answer."""


class Refused(RuntimeError):
    """A host does not take a job, or has a file no longer; what it says."""


class Forgotten(RuntimeError):
    """A host does not know a job that it was given."""


class Stopped(Exception):
    """Whoever waits for an answer was asked to stop."""


class Writer(Protocol):
    def write(self, block: bytes) -> object: ...


@dataclass(frozen=True)
class File:
    """A file as the host names it."""

    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True)
class Host:
    """A ComfyUI.

    Args:
        url: without a slash at its end. It is asked directly, never through a proxy.
        patience: seconds without an answer until it counts as gone.
        stopping: who sets it ends all waiting.
    """

    url: str
    patience: float
    stopping: threading.Event

    def look(self, kinds: Iterable[str]) -> tuple[str, dict[str, Mapping[str, object]]]:
        """Return what the host is, for people, and what it says of those nodes that it has.

        It is asked once, without patience.

        Raises:
            Away: if it is no ComfyUI that answers.
        """

        def asked() -> tuple[str, dict[str, Mapping[str, object]]]:
            stats, known = self._json("/system_stats"), {}
            system, devices = _object(stats["system"]), [_object(d) for d in stats["devices"]]
            for kind in kinds:
                found = self._json(f"/object_info/{urllib.parse.quote(kind, safe='')}")
                known |= {name: _object(about) for name, about in found.items() if name == kind}
            what = ", ".join(str(device.get("name")) for device in devices)
            return f"ComfyUI {system.get('comfyui_version', 'of unknown version')}, {what}", known

        return self._patiently(asked, 0)

    def queue(self, graph: object, prompt_id: str, told: Mapping[str, str]) -> str:
        """Give it a job, and return the name it has there.

        An answer that does not come is none: whether the job came, ``ended`` finds out.

        Args:
            told: kept beside the job, for people.

        Raises:
            Refused: if it does not take it as it is.
        """
        data = {"prompt": graph, "prompt_id": prompt_id, "client_id": told["client_id"]}
        try:
            answer = self._json("/prompt", {**data, "extra_data": dict(told)})
        except urllib.error.HTTPError as error:
            if error.code >= 500:
                return prompt_id
            raise Refused(_complaint(_body(error)) or f"HTTP {error.code}") from error
        except NO_ANSWER:
            return prompt_id
        named = str(answer.get("prompt_id", prompt_id))
        if answer.get("node_errors"):  # it would leave out what it finds wrong
            self.cancel(named)
            raise Refused(_complaint(answer))
        return named

    def ended(self, prompt_id: str) -> dict[str, object] | None:
        """Return what became of a job; None while it waits or runs.

        Raises:
            Forgotten, Away, Stopped
        """
        for _ in range(2):  # it may end between the two questions
            history = self._patiently(lambda: self._json(f"/history/{prompt_id}"))
            if prompt_id in history:
                return _object(history[prompt_id])
            if prompt_id in self._patiently(lambda: self._held("queue_running", "queue_pending")):
                return None
        raise Forgotten(f"{self.url} has forgotten it")

    def cancel(self, prompt_id: str) -> bool:
        """Take a job back, waiting or running, and no other; tell whether the host could be asked.

        A host too old to interrupt one job by name is told so only while it runs this one.
        """
        try:
            try:
                self._json(f"/api/jobs/{prompt_id}/cancel", {})
            except urllib.error.HTTPError as error:
                if error.code not in (404, 405):
                    return False
                self._open("/queue", {"delete": [prompt_id]}).close()
                if prompt_id in self._held("queue_running"):
                    self._open("/interrupt", {"prompt_id": prompt_id}).close()
        except NO_ANSWER:
            return False
        return True

    def fetch(self, file: File, into: Callable[[], AbstractContextManager[Writer]]) -> int:
        """Copy a file's bytes, and return how many; a copy that breaks off begins anew.

        Args:
            into: opens what is written to, empty; keeps nothing if it ends with an error.

        Raises:
            Refused, Away, Stopped; and what ``into`` raises, which must not look like the network.
        """

        def copied() -> int:
            with self._view(file) as answer, into() as target:
                count, length = 0, answer.headers.get("Content-Length")
                while block := answer.read(BLOCK):
                    if self.stopping.is_set():
                        raise Stopped
                    target.write(block)
                    count += len(block)
                if length is not None and count != int(length):
                    raise ValueError(f"{count} of {length} bytes")
                return count

        return self._patiently(copied)

    def _view(self, file: File) -> http.client.HTTPResponse:
        try:
            return self._open(f"/view?{urllib.parse.urlencode(vars(file))}")
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise Refused(f"its file {file.filename} is not there, {_why(error)}") from error
            raise

    def _held(self, *parts: str) -> set[str]:
        queue = self._json("/queue")
        return {item[1] for part in parts for item in queue[part]}

    def _patiently(self, action: Callable[[], T], patience: float | None = None) -> T:
        """Do something until it succeeds or patience ends; an answer of another shape is none."""
        until = time.monotonic() + (self.patience if patience is None else patience)
        while True:
            try:
                return action()
            except NO_ANSWER as error:
                why, last = _why(error), error
            if time.monotonic() >= until:
                raise Away(f"{self.url} must answer as a ComfyUI does, got {why}") from last
            if self.stopping.wait(PAUSE):
                raise Stopped

    def _json(self, path: str, data: object = None) -> dict[str, object]:
        with self._open(path, data) as answer:
            text = answer.read(LARGEST)
        return _object(json.loads(text))

    def _open(self, path: str, data: object = None) -> http.client.HTTPResponse:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"}
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return direct.open(request, timeout=max(self.patience, LEAST))


def failure(ended: Mapping[str, object]) -> str | None:
    """Return why a job that has ended was not done, in the host's words; None if it was."""
    status = _object(ended.get("status") or {})
    if status.get("status_str") == "success":
        return None
    for kind, data in status.get("messages") or ():
        if kind == "execution_error":
            where = f"{data.get('node_type')} (node {data.get('node_id')})"
            return _sentence(f"{where}: {data.get('exception_message')}")
        if kind == "execution_interrupted":
            return "it was interrupted there"
    return "the host does not say why"


def files_of(ended: Mapping[str, object]) -> list[File]:
    """Return the files that the outputs of a job name, whatever they are."""
    found: dict[File, None] = {}

    def walk(value: object) -> None:
        if isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            name, kind = value.get("filename"), value.get("type", MADE[0])
            if isinstance(name, str) and name and kind in MADE:
                found[File(name, str(value.get("subfolder") or ""), kind)] = None
            for each in value.values():
                walk(each)

    walk(ended.get("outputs"))
    return list(found)


def _complaint(answer: Mapping[str, object]) -> str:
    """Return what is wrong with a job, in the words of the host that refuses it."""
    said = []
    for number, about in (answer.get("node_errors") or {}).items():
        for one in about.get("errors", ()):
            words = ": ".join(filter(None, (one.get("message"), one.get("details"))))
            said.append(f"{about.get('class_type')} (node {number}): {words}")
    error = answer.get("error") or {}
    if isinstance(error, str):
        said = said or [error]
    elif not said:
        said = [": ".join(filter(None, (error.get("message"), error.get("details"))))]
    return _sentence("; ".join(said))


def _why(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP {error.code}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _body(error: urllib.error.HTTPError) -> dict[str, object]:
    try:
        return _object(json.loads(error.read(LARGEST)))
    except NO_ANSWER:
        return {}


def _sentence(words: str) -> str:
    return " ".join(words.split())[:SENTENCE]


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:60]!r} where an object was expected")
    return value
