"""Stop here: a run ends after the chunk it is at, with what is finished as its result."""

from __future__ import annotations

import logging

from ..host import STOPS
from .question import Question, Refused

log = logging.getLogger("headforcing")


def stop(node: str) -> dict[str, str]:
    """Stop the node that the page names.

    Raises:
        Refused: if it does not run.
    """
    if not STOPS.ask(node):
        raise Refused(f"node must run to be stopped, got {node[:80]}", 409)
    log.info("Head Forcing: stopping after this chunk, as asked")
    return {"stopping": node}


STOP = Question("stop", {"node": str}, stop)
