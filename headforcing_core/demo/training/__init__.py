"""How the demo's networks learn: clips, recipe, steps."""

from .recipe import Recipe, finishing, learning, remembering
from .train_autoencoder import train_autoencoder
from .train_model import Training, check_optimisers
from .training_data import (
    REMEMBERED_FROM,
    RETURNING,
    TRAINED_ON,
    Clips,
    make_clips,
    random_clip,
    returning_clip,
    trained_prompts,
)

__all__ = [
    "REMEMBERED_FROM",
    "RETURNING",
    "TRAINED_ON",
    "Clips",
    "Recipe",
    "Training",
    "check_optimisers",
    "finishing",
    "learning",
    "make_clips",
    "random_clip",
    "remembering",
    "returning_clip",
    "train_autoencoder",
    "trained_prompts",
]
