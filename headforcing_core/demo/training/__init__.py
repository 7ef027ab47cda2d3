"""How the demo's networks learn: clips, recipe, steps."""

from .recipe import Recipe
from .train_autoencoder import train_autoencoder
from .train_model import Training, check_optimisers
from .training_data import TRAINED_ON, Clips, make_clips, trained_prompts

__all__ = [
    "TRAINED_ON",
    "Clips",
    "Recipe",
    "Training",
    "check_optimisers",
    "make_clips",
    "train_autoencoder",
    "trained_prompts",
]
