"""Latents into pictures by the autoencoders people have: the way to them from a published file."""

from .latent_space import LatentSpace
from .published_vae import Autoencoder, PublishedVae, open_vae

__all__ = ["Autoencoder", "LatentSpace", "PublishedVae", "open_vae"]
