"""What the page asks of a running host: routes under /head_forcing/."""

from .served import serve

__all__ = ["serve"]
