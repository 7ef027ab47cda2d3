"""A run to watch: what a page that was loaded anew shows of the runs that it queued."""

from __future__ import annotations

from ..host import WATCHED
from .question import Question


def watch(node: str, client: str) -> dict[str, object]:
    """Return the last run of a node; none where this page queued none."""
    run = WATCHED.of(client, node)
    return {"run": None if run is None else run.to_json()}


WATCH = Question("run", {"node": str, "client": str}, watch)
