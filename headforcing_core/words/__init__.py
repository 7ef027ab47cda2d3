"""Prompts into embeddings, by the text encoders people have."""

from .text_encoder import TextEncoder
from .tokens import Text

__all__ = ["Text", "TextEncoder"]
