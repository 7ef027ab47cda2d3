"""The runs that pages may look at: the last of each node, and nobody else's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import RLock

from comfy_execution.utils import get_executing_context

from .watched_run import Origin, WatchedRun

EVENT = "head_forcing.run"
MOST_RUNS = 8
# of a client's id, and of a graph's
LONGEST = 200


class Watched:
    """The last run of each node, by the page that queued it; of no more than a few.

    Args:
        running: the one that is being made.
    """

    def __init__(self) -> None:
        self.running: WatchedRun | None = None
        self._runs: OrderedDict[tuple[str, str], WatchedRun] = OrderedDict()
        self._lock = RLock()

    def begin(self, run: WatchedRun) -> WatchedRun:
        """Note a run that begins."""
        client, node = run.origin.client, run.origin.node
        with self._lock:
            self.running = run
            if client is not None and node is not None:
                self._runs.pop((client, node), None)
                self._runs[client, node] = run
                while len(self._runs) > MOST_RUNS:
                    self._runs.popitem(last=False)
        return run

    def of(self, client: str, node: str) -> WatchedRun | None:
        """Return the last run of a node that this page queued."""
        with self._lock:
            return self._runs.get((client, node))


def origin_of_run() -> Origin:
    """Return where the node that is executed comes from."""
    context = get_executing_context()
    if context is None:
        return Origin()
    prompt, node = context.prompt_id, context.node_id
    return Origin(prompt, node, _client(), _workflow(prompt))


def sender(client: str | None) -> Callable[[dict[str, object]], None]:
    """Return what tells a page, and no other, of a run; without a page, nobody."""
    if client is None:
        return lambda news: None
    from server import PromptServer

    return lambda news: PromptServer.instance.send_sync(EVENT, news, client)


def _client() -> str | None:
    """Return the page that queued what runs; what came by the API has none."""
    from server import PromptServer  # there is one where a node runs, not in every script

    client = PromptServer.instance.client_id
    return client if isinstance(client, str) and 0 < len(client) <= LONGEST else None


def _workflow(prompt: str) -> str | None:
    """Return the id of the graph that a running prompt was made of."""
    from server import PromptServer

    running, _ = PromptServer.instance.prompt_queue.get_current_queue_volatile()
    for item in running:
        if item[1] != prompt or not isinstance(item[3], dict):
            continue
        told = item[3].get("extra_pnginfo")
        graph = told.get("workflow") if isinstance(told, dict) else None
        name = graph.get("id") if isinstance(graph, dict) else None
        return name if isinstance(name, str) and len(name) <= LONGEST else None
    return None


# one for all: a host runs one node at a time
WATCHED = Watched()
