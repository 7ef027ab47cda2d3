"""A run that is asked to stop where it is, with what is finished as its result."""

from __future__ import annotations


class Stops:
    """Which running node was asked to stop. The page asks, in the server's thread; a run looks
    after each of its chunks.

    Args:
        running: the node whose run can be stopped, as the host names it.
    """

    def __init__(self) -> None:
        self.running: str | None = None
        self._asked = False

    def begin(self, node: str | None) -> None:
        self.running, self._asked = node, False

    def end(self) -> None:
        self.running, self._asked = None, False

    def ask(self, node: str) -> bool:
        """Ask a node to stop; return whether it runs. Inside of subgraphs names are paths."""
        runs = self.running is not None and self.running.split(":")[-1] == node.split(":")[-1]
        self._asked = self._asked or runs
        return runs

    def asked(self) -> bool:
        return self._asked


# one for all: a host runs one node at a time
STOPS = Stops()
