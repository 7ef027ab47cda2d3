"""A file of jobs: what ``headforcing generate`` takes, a JSON object a line."""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from math import prod
from pathlib import Path

import torch

from ..bounds import check_within
from ..device import choose_device
from ..errors import sentence
from ..files import json_of, read_text, shown
from ..generation import VideoRequest
from ..words import tokenizer_beside
from . import generate
from .foresight import foreseen
from .inputs import INPUTS
from .job_checks import check_said
from .job_inputs import Input, digest_of, latents_of, stamp_of
from .job_options import NOT_OF_A_JOB, arguments_of, choices, known_options, parser_of_jobs
from .loading import lora_strength_of, weight_dtype_of
from .showing import vae_of
from .words import words_said

log = logging.getLogger("headforcing")
NAME, CONTAINER = "name", "container"
CONTAINERS = ("mp4", "mkv", "webm")
LARGEST_FILE, MOST_JOBS = 64_000_000, 100_000
# letters of a key, and of the words before it
KEY, WORDS = 16, 40
# options that decide a video beside what a request and a model have, and words; a dtype that is not
# said is that of the device, which on a cluster is known to the worker alone
DECIDE = ("text_tokens", "dtype", "from_second")
# of these the request and the words have what decides
READ_OUT = ("map", "prompts")


@dataclass(frozen=True, eq=False)
class Job:
    """A video to make.

    Args:
        line: of the file.
        said: what the line says, with one value each; for people.
        arguments: for ``headforcing generate``, without places for results and a device; of files
            the whole paths.
        label: for people.
        key: of all that decides the video, contents of files among it.
        suffix: of its result.
        frames: it has.
        room: bytes it takes where it runs.
        inputs: files it is made of, as they were when it got its key.
        chosen: of what the line says, values that were chosen from several.
    """

    line: int
    said: Mapping[str, object]
    arguments: tuple[str, ...]
    label: str
    key: str
    suffix: str
    frames: int
    room: int
    inputs: tuple[Input, ...]
    chosen: str

    @property
    def name(self) -> str:
        return f"{self.label}_{self.key}"

    @property
    def file(self) -> str:
        return self.name + self.suffix

    @property
    def where(self) -> str:
        """Where it is asked for, and what of it is one choice of several."""
        return f"line {self.line}{f' ({self.chosen})' if self.chosen else ''}, {self.name}"

    @property
    def model(self) -> str:
        return str(self.said["model"])

    def options(self, folder: Path, device: str | None) -> argparse.Namespace:
        """Return the options of ``headforcing generate`` that make it in a folder."""
        return _options(self.arguments, folder / self.file, device)

    def check_inputs(self) -> None:
        """Refuse files that are not what they were when the job got its key.

        Raises:
            ValueError: if one has changed; an OSError if one is gone.
        """
        for one in self.inputs:
            if stamp_of(one.path) != one.stamp and digest_of(one.path) != one.digest:
                raise ValueError(
                    f"files must stay what they are while a batch runs, got {one.path}, which was "
                    "changed since; run the batch again"
                )


def read_jobs(path: Path, device: str | None = None) -> list[Job]:
    """Read a file of jobs; what is wrong with any of them is told before one begins.

    Args:
        device: that they are for; None: the best there is.

    Raises:
        ValueError: if it is no such file, or something of it cannot be made.
    """
    reader = _Reader(known_options(), choose_device(device), {})
    found: dict[str, Job] = {}
    # a JSON text may have other ends of lines within its strings
    for number, line in enumerate(read_text(path, LARGEST_FILE).split("\n"), 1):
        if not line.strip():
            continue
        try:
            for job in reader.jobs(number, json_of(line)):
                first = found.setdefault(job.key, job)
                if first is not job:
                    log.info("line %d asks for the video of line %d", number, first.line)
                if len(found) > MOST_JOBS:
                    raise ValueError(f"at most {MOST_JOBS} jobs must come together, got more")
        except (ValueError, RuntimeError, OSError) as error:
            raise ValueError(f"{path.name}, line {number}: {sentence(error)}") from error
    if not found:
        raise ValueError(f"{path.name} must have a job a line, got none")
    return list(found.values())


@dataclass(frozen=True)
class _Reader:
    """Reads jobs.

    Args:
        known: what a job may say, by name.
        device: that jobs are for.
        read: files that were read, by path.
    """

    known: Mapping[str, argparse.Action]
    device: torch.device
    read: dict[str, Input]

    def jobs(self, line: int, value: object) -> Iterator[Job]:
        """Yield the jobs of a line: one for every choice among values that are lists."""
        if not isinstance(value, dict):
            raise ValueError(f"a job must be a JSON object, got {shown(value)}")
        names = {*self.known, NAME, CONTAINER}
        said = {key.replace("-", "_"): each for key, each in value.items()}
        if len(said) < len(value):
            raise ValueError("a job must say a thing once, got one with - and with _ in its name")
        for key in said:
            if key in NOT_OF_A_JOB:
                raise ValueError(
                    f"{key} must be left out: results are named by what decides them, in the "
                    "folder of --out, and --device is of all jobs"
                )
            if key not in names:
                raise ValueError(f"a job may say {', '.join(sorted(names))}, got {shown(key)}")
        tried = [
            [(key, one) for one in choices(key, each, self.known.get(key))]
            for key, each in said.items()
        ]
        check_within("jobs of a line", prod(map(len, tried)), 0, MOST_JOBS)
        several = [key for key, values in zip(said, tried, strict=True) if len(values) > 1]
        for chosen in product(*tried):
            one = dict(chosen)
            yield self._job(line, one, ", ".join(f"{key} {one[key]}" for key in several))

    def _job(self, line: int, said: dict[str, object], chosen: str) -> Job:
        name, container = said.get(NAME), said.get(CONTAINER, CONTAINERS[0])
        if container not in CONTAINERS or (CONTAINER in said and said.get("vae") is None):
            raise ValueError(
                f"container must be one of {', '.join(CONTAINERS)} and come with vae, got "
                f"{shown(container)}"
            )
        if name is not None and not isinstance(name, str):
            raise ValueError(f"name must be words, got {shown(name)}")
        arguments = tuple(
            argument
            for key, value in said.items()
            if key in self.known
            for argument in arguments_of(key, self.known[key], value)
        )
        suffix = ".safetensors" if said.get("vae") is None else f".{container}"
        options = _options(arguments, Path(f"result{suffix}"), None)
        options, request, earlier = generate.checked(options)
        words = None if options.text_embedding is not None else words_said(options)
        check_said(options, request, earlier)
        vae = None if options.vae is None else vae_of(options)
        forecast = foreseen(options, request, self.device, vae=vae)
        files = {name: self._input(getattr(options, name)) for name in INPUTS}
        if options.text_encoder is not None and options.tokenizer is None:
            files["tokenizer"] = self._input(tokenizer_beside(options.text_encoder))
        files["latents"] = self._input(latents_of(options.start))
        return Job(
            line,
            said,
            arguments,
            label=_slug(name or words or Path(options.model).stem),
            key=_key(options, request, words, suffix, files, forecast.sizes.config.heads),
            suffix=suffix,
            frames=request.clock.total_frames,
            room=forecast.peak(forecast.places[0]),
            inputs=tuple(file for file in files.values() if file is not None),
            chosen=chosen,
        )

    def _input(self, path: str | None) -> Input | None:
        """Return a file or folder as it is; each is read once."""
        if path is None:
            return None
        if path not in self.read:
            self.read[path] = Input(path, stamp_of(path), digest_of(path))
        return self.read[path]


def _key(
    options: argparse.Namespace,
    request: VideoRequest,
    words: str | None,
    suffix: str,
    files: Mapping[str, Input | None],
    heads: int,
) -> str:
    """Return what is alike for jobs that make one video, however it is said."""
    model = {
        "heads": heads,
        "weight_dtype": weight_dtype_of(options).value,
        "lora_strength": lora_strength_of(options),
    }
    told = {
        **request.settings,
        **model,
        "frames": request.clock.total_frames,
        # of a method settings tell the name alone
        "way": _way(request),
        "words": words,
        "suffix": suffix,
        "latents": options.vae is None or not options.no_latents,
        **{name: getattr(options, name) for name in DECIDE},
        **{name: file and file.digest for name, file in files.items() if name not in READ_OUT},
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:KEY]


def _way(request: VideoRequest) -> list[str]:
    """Return how the past is kept, where it lies left out: no number depends on it."""
    method, head_map = request.fitted_method.offloading(False), request.head_map
    types = head_map.types if method.scheme and head_map else None
    return [repr(method), repr(types)]


def _options(arguments: Sequence[str], result: Path, device: str | None) -> argparse.Namespace:
    place = f"--{'out' if result.suffix == '.safetensors' else 'video'}={result}"
    where = [] if device is None else [f"--device={device}"]
    return parser_of_jobs().parse_args([generate.NAME, *arguments, place, *where])


def _slug(words: str) -> str:
    """Return words as part of a file's name, on any system."""
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return plain[:WORDS].strip("_") or "video"
