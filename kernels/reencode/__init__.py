"""New positions in time for keys that lie in a cache."""

from .api import ReencodeImpl, reencode

__all__ = ["ReencodeImpl", "reencode"]
