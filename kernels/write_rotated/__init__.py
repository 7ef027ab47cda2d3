"""New tokens on their way into a pool: rotated, and put into the rows that are theirs."""

from .api import WriteImpl, write_rotated

__all__ = ["WriteImpl", "write_rotated"]
