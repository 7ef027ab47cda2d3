"""Methods followed without a model, and runs foreseen: what is read, and what it costs."""

from .budgets import Budget, budgets
from .fitting import Free, check_fits, free_in
from .forecast import Forecast, ModelSizes, Row, table
from .readings import STAND_IN, ChunkInspected, Reading, inspect
from .work import check_work

__all__ = [
    "STAND_IN",
    "Budget",
    "ChunkInspected",
    "Forecast",
    "Free",
    "ModelSizes",
    "Reading",
    "Row",
    "budgets",
    "check_fits",
    "check_work",
    "free_in",
    "inspect",
    "table",
]
