"""The demo's networks: autoencoder, text encoder, and with a small Wan the model that ships."""

from .autoencoder import COLOUR_CHANNELS, Autoencoder, by_frame, whole_video
from .model import CONFIG, FAMILY, LATENT_SIDE, SHIPPED, DemoModel, save_model
from .text_encoder import TextEncoder, tokenise

__all__ = [
    "COLOUR_CHANNELS",
    "CONFIG",
    "FAMILY",
    "LATENT_SIDE",
    "SHIPPED",
    "Autoencoder",
    "DemoModel",
    "TextEncoder",
    "by_frame",
    "save_model",
    "tokenise",
    "whole_video",
]
