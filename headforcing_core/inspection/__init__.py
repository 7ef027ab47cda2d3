"""Methods followed without a model: what heads would read, and what it costs."""

from .budgets import Budget, budgets
from .readings import STAND_IN, ChunkInspected, Reading, inspect
from .work import check_work

__all__ = ["STAND_IN", "Budget", "ChunkInspected", "Reading", "budgets", "check_work", "inspect"]
