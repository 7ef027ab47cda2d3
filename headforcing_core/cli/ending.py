"""The end of a video that a command makes, also where the run went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..stopping import undisturbed

log = logging.getLogger("headforcing")


def end_after(close: Callable[[], None], error: BaseException | None) -> None:
    """End a video whatever ended its run; what went wrong first is what is raised.

    Args:
        close: ends it; a stop waits for it.
        error: what ended the run.

    Raises:
        OSError: if nothing else went wrong, or a disk did both times; it says where the video is.
        RuntimeError: if nothing else went wrong.
    """
    try:
        with undisturbed():
            close()
    except (OSError, RuntimeError) as failure:
        if error is None:
            raise
        if isinstance(error, OSError):
            raise OSError(f"{error}; {failure}") from error
        log.warning("%s", failure)
