"""Whether memory that is seldom read lies out of the way, where a method lets that be chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OneOffload:
    """Memory of all heads alike. A class of its own: see ``OneDtype``.

    Args:
        offload: memory that is read once per chunk lies with the host, not on the device: frames
            kept aside, and what first and middle frames are re-encoded from. A method that has
            neither moves nothing.
    """

    offload: bool = False
