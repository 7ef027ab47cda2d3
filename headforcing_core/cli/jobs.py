"""A file of jobs: what ``headforcing generate`` takes, a JSON object a line."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from pathlib import Path

import torch

from ..bounds import check_within, read_numbers
from ..device import choose_device
from ..files import json_of, read_text, shown
from ..generation import VideoRequest
from . import generate
from .foresight import foreseen
from .inputs import INPUTS
from .showing import vae_of
from .words import words_said

# results are named and placed by the command; nobody types into many videos at once
NOT_OF_A_JOB = ("out", "video", "device", "prompts_from", "traceback", "help")
NAME, CONTAINER = "name", "container"
CONTAINERS = ("mp4", "mkv", "webm")
# what is one value of several numbers, and not several values to try
SERIES = ("steps",)
LARGEST_FILE, MOST_JOBS = 64_000_000, 100_000
# letters of a key, and of the words before it
KEY, WORDS = 16, 40
# bytes of a file that are read at once
BLOCK = 1 << 20
# options and files that decide a video beside what a request has, and words
DECIDE = ("text_tokens", "lora_strength", "heads", "dtype", "from_second")
FILES = ("model", "text_encoder", "tokenizer", "text_embedding", "lora", "vae", "start")


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
    """

    line: int
    said: Mapping[str, object]
    arguments: tuple[str, ...]
    label: str
    key: str
    suffix: str
    frames: int = 0
    room: int = 0

    @property
    def name(self) -> str:
        return f"{self.label}_{self.key}"

    @property
    def file(self) -> str:
        return self.name + self.suffix

    @property
    def model(self) -> str:
        return str(self.said["model"])

    def options(self, folder: Path, device: str | None) -> argparse.Namespace:
        """Return the options of ``headforcing generate`` that make it in a folder."""
        result = f"--{'out' if self.suffix == '.safetensors' else 'video'}={folder / self.file}"
        where = [] if device is None else [f"--device={device}"]
        return _parser().parse_args([generate.NAME, *self.arguments, result, *where])


def read_jobs(path: Path, device: str | None = None) -> list[Job]:
    """Read a file of jobs; what is wrong with any of them is told before one begins.

    Args:
        device: that they are for; None: the best there is.

    Raises:
        ValueError: if it is no such file, or something of it cannot be made.
    """
    reader = _Reader(_known(), choose_device(device), {})
    found: dict[str, Job] = {}
    for number, line in enumerate(read_text(path, LARGEST_FILE).splitlines(), 1):
        if not line.strip():
            continue
        try:
            for job in reader.jobs(number, json_of(line)):
                found.setdefault(job.key, job)
                if len(found) > MOST_JOBS:
                    raise ValueError(f"at most {MOST_JOBS} jobs must come together, got more")
        except (ValueError, RuntimeError, OSError) as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
    if not found:
        raise ValueError(f"{path.name} must have a job a line, got none")
    return list(found.values())


@dataclass(frozen=True)
class _Reader:
    """Reads jobs.

    Args:
        known: what a job may say, by name.
        device: that jobs are for.
        digests: of files that were read, by path.
    """

    known: Mapping[str, argparse.Action]
    device: torch.device
    digests: dict[str, str]

    def jobs(self, line: int, value: object) -> Iterator[Job]:
        """Yield the jobs of a line: one for every choice among values that are lists."""
        if not isinstance(value, dict):
            raise ValueError(f"a job must be a JSON object, got {shown(value)}")
        names = {*self.known, NAME, CONTAINER}
        said = {key.replace("-", "_"): each for key, each in value.items()}
        for key in said:
            if key in NOT_OF_A_JOB:
                raise ValueError(
                    f"{key} must be left out: results are named by what decides them, in the "
                    "folder of --out, and --device is of all jobs"
                )
            if key not in names:
                raise ValueError(f"a job may say {', '.join(sorted(names))}, got {shown(key)}")
        choices = [
            [(key, one) for one in _choices(key, each, self.known.get(key))]
            for key, each in said.items()
        ]
        check_within("jobs of a line", _count(choices), 0, MOST_JOBS)
        for chosen in product(*choices):
            yield self._job(line, dict(chosen))

    def _job(self, line: int, said: dict[str, object]) -> Job:
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
            for argument in _arguments(key, self.known[key], value)
        )
        suffix = ".safetensors" if said.get("vae") is None else f".{container}"
        job = Job(line, said, arguments, "", "", suffix)
        options, request, _ = generate.checked(job.options(Path(), None))
        vae = None if options.vae is None else vae_of(options)
        forecast = foreseen(options, request, self.device, vae=vae)
        words = None if options.text_embedding is not None else words_said(options)
        return replace(
            job,
            label=_slug(name or words or Path(options.model).stem),
            key=self._key(options, request, words, suffix),
            frames=request.clock.total_frames,
            room=forecast.peak(forecast.places[0]),
        )

    def _key(
        self, options: argparse.Namespace, request: VideoRequest, words: str | None, suffix: str
    ) -> str:
        """Return what is alike for jobs that make one video, however they say it."""
        told = {
            **request.settings,
            "frames": request.clock.total_frames,
            # of a method settings tell the name alone
            "way": [repr(request.method), repr(request.head_map and request.head_map.types)],
            "words": words,
            "suffix": suffix,
            **{name: getattr(options, name) for name in DECIDE},
            **{name: self._digest(getattr(options, name)) for name in FILES},
        }
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:KEY]

    def _digest(self, path: str | None) -> str | None:
        """Return what tells the contents of a file or folder; each is read once."""
        if path is None:
            return None
        if path not in self.digests:
            place = Path(path)
            files = [f for f in sorted(place.rglob("*")) if f.is_file()] if place.is_dir() else []
            whole = sha256()
            for file in files or [place]:
                whole.update(f"{file.relative_to(place)}\n".encode())
                with file.open("rb") as opened:
                    while block := opened.read(BLOCK):
                        whole.update(block)
            self.digests[path] = whole.hexdigest()
        return self.digests[path]


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are sentences, not ends of the process."""

    def error(self, message: str) -> None:
        raise ValueError(message)


def _parser() -> _Parser:
    parser = _Parser(prog="headforcing", add_help=False, allow_abbrev=False)
    read_numbers(generate.add_parser(parser.add_subparsers(dest="command")))
    return parser


def _known() -> dict[str, argparse.Action]:
    """Return what a job may say, by name."""
    (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    actions = commands.choices[generate.NAME]._actions
    return {_name(a): a for a in actions if _name(a) not in NOT_OF_A_JOB}


def _name(action: argparse.Action) -> str:
    return action.option_strings[0].lstrip("-").replace("-", "_")


def _choices(key: str, value: object, action: argparse.Action | None) -> Sequence[object]:
    """Return the values that are to be tried of one that a line says."""
    several = key in SERIES or isinstance(action, argparse._AppendAction)
    if several or not isinstance(value, list):
        return [value]
    if not value:
        raise ValueError(f"{key} must have a value to try, got an empty list")
    return value


def _count(choices: Sequence[Sequence[object]]) -> int:
    count = 1
    for each in choices:
        count *= len(each)
    return count


def _arguments(key: str, action: argparse.Action, value: object) -> Iterator[str]:
    """Yield how a value is said on the command line."""
    option = action.option_strings[0]
    if value is None or value is False:
        return
    if action.nargs == 0:
        if value is not True:
            raise ValueError(f"{key} must be true or false, got {shown(value)}")
        yield option
        return
    if isinstance(action, argparse._AppendAction):
        pairs = value.items() if isinstance(value, dict) else None
        for one in value if pairs is None else [f"{name}={_said(key, v)}" for name, v in pairs]:
            yield f"{option}={_said(key, one)}"
        return
    if key in SERIES and isinstance(value, list):
        value = ",".join(_said(key, one) for one in value)
    said = _said(key, value)
    yield f"{option}={Path(said).absolute() if key in INPUTS and said else said}"


def _said(key: str, value: object) -> str:
    if isinstance(value, bool) and key == "set":
        return str(value).lower()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{key} must be words or a number, got {shown(value)}")
    return str(value)


def _slug(words: str) -> str:
    """Return words as part of a file's name, on any system."""
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return plain[:WORDS].strip("_") or "video"
