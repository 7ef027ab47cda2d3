"""Steer it: a prompt that is typed for a running video, which its next chunk takes."""

from __future__ import annotations

from asyncio import shield, wrap_future
from collections.abc import Mapping
from typing import Any

from ...headforcing_core.video import LivePrompt
from ..host import STEERING
from .question import Question, Refused


async def steer(prompt_id: str, node: str, client: str, text: str, cut: bool) -> Mapping[str, Any]:
    """Let a run take a prompt; return which chunk took it, and the schedule that then runs.

    Args:
        prompt_id, node: of the run, as the host names them.
        client: the page that queued it.
        text, cut: see ``LivePrompt``.

    Raises:
        Refused: if there is no such run of this page's.
        ValueError: if it is no prompt, or this run cannot take it.
    """
    receipt = STEERING.ask(prompt_id, node, client, LivePrompt.read(text, cut))
    if receipt is None:
        raise Refused(
            "prompt_id, node and client must be those of a video that is being made and was "
            f"queued by this page, got {prompt_id[:40]!r} and {node[:40]!r}",
            409,
        )
    # a page that goes away does not take its prompt back
    return await shield(wrap_future(receipt))


_FIELDS = {"prompt_id": str, "node": str, "client": str, "text": str, "cut": bool}
STEER = Question("steer", _FIELDS, steer)
