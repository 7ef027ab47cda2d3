"""What a machine has, what will be used, what to mend; needs Python alone, so it runs anywhere."""

from .command import main

__all__ = ["main"]
