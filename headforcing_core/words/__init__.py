"""Prompts into embeddings, by the text encoders people have."""

from .text_encoder import TextEncoder
from .tokens import Text, tokenizer_beside

__all__ = ["Text", "TextEncoder", "tokenizer_beside"]
