"""Prompts that are typed while a command makes its video: a line each."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import TextIOWrapper
from queue import Empty, SimpleQueue
from threading import Thread

from ..generation import VideoRequest
from ..video import LivePrompt

log = logging.getLogger("headforcing")
# what a line begins with that is a cut
CUT = "#"


@dataclass(frozen=True)
class TypedPrompts:
    """Lines as they are typed; every chunk takes the next of those that wait.

    Args:
        source: read until it ends, in a thread that dies with the program.
        joint: chunks are denoised together: where scenes begin is known before.
    """

    source: Iterable[str]
    joint: bool = False
    _waiting: SimpleQueue[LivePrompt] = field(default_factory=SimpleQueue)

    @classmethod
    def begin(cls, request: VideoRequest) -> TypedPrompts:
        """Begin to read what is typed; nothing is where there is no keyboard, nor a pipe."""
        if isinstance(sys.stdin, TextIOWrapper):  # what is no text is refused with its line alone
            sys.stdin.reconfigure(errors="surrogateescape")
        typed = cls(sys.stdin or (), request.family.joint)
        Thread(target=typed.read, name="headforcing-prompts", daemon=True).start()
        return typed

    def read(self) -> None:
        """Read all lines; what is no prompt is said and left out."""
        try:
            for line in self.source:
                self._take(line.strip())
        except (OSError, ValueError) as error:  # a terminal that is gone, or closed
            log.warning("nothing more is taken, for lines must be readable, got: %s", error)

    def _take(self, line: str) -> None:
        try:
            if line:
                self._waiting.put(self._prompt(line))
        except ValueError as error:
            log.warning("not taken: %s", error)

    def next(self) -> LivePrompt | None:
        """Return the prompt that waits longest, if one does; it waits no longer."""
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _prompt(self, line: str) -> LivePrompt:
        cut = line.startswith(CUT)
        if cut and self.joint:
            raise ValueError(
                "where scenes begin must be known before chunks that are denoised together, got "
                f"{line[:40]!r}; put a cut into --prompt"
            )
        return LivePrompt.read(line.removeprefix(CUT).strip() if cut else line, cut)


def add_live_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prompts-from",
        metavar="-",
        help="-: prompts are typed while the video is made. Each line is one, which the next chunk "
        f"takes; a {CUT} in front of it is a cut. What --prompt says later stays",
    )


def check_live_option(options: argparse.Namespace) -> None:
    """Refuse typed prompts that nothing encodes, and other places than the keyboard.

    Raises:
        ValueError: if they are asked for.
    """
    if options.prompts_from is None:
        return
    if options.prompts_from != "-":
        raise ValueError(
            f"--prompts-from must be -, what is typed or piped in, got {options.prompts_from!r}; a "
            "schedule in a file is --prompts FILE"
        )
    if options.text_encoder is None:
        raise ValueError("--prompts-from must come with --text-encoder, got none")
