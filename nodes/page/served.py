"""The routes that are served, all in one place."""

from __future__ import annotations

from .head_maps import HEAD_MAP
from .methods import METHOD
from .question import Question
from .schedules import SCHEDULE
from .steering import STEER
from .stopping import STOP
from .watching import WATCH

ROOT = "/head_forcing/"
QUESTIONS: tuple[Question, ...] = (STOP, STEER, SCHEDULE, HEAD_MAP, METHOD, WATCH)


def serve() -> None:
    """Let the page ask, if there is a server."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    for question in QUESTIONS:
        server.routes.post(ROOT + question.route)(question.handle)
