"""What may be said of a command, and what would not be heard."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def refuse_said(options: argparse.Namespace, names: Sequence[str], rule: str) -> None:
    """Refuse options that would say nothing here.

    Args:
        names: as attributes.
        rule: what must hold, and what was given.

    Raises:
        ValueError: if one of them is said.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} {rule}")
