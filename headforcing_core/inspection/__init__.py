"""Methods followed without a model, and runs foreseen: what is read, and what it costs."""

from .budgets import Budget, budgets, map_of
from .costs import Cost, cost_of
from .crossings import Crossed, crossings
from .fitting import Free, check_fits, free_in
from .forecast import SETTLED, Forecast, Row, table
from .model_sizes import ModelSizes
from .portraits import Piece, Portrait, portrait
from .readings import STAND_IN, ChunkInspected, Reading, inspect
from .shares import CARDS, CREWS, Balance, Cards, Shares, balances, told_shares
from .work import check_work

__all__ = [
    "CARDS",
    "CREWS",
    "SETTLED",
    "STAND_IN",
    "Balance",
    "Budget",
    "Cards",
    "ChunkInspected",
    "Cost",
    "Crossed",
    "Forecast",
    "Free",
    "ModelSizes",
    "Piece",
    "Portrait",
    "Reading",
    "Row",
    "Shares",
    "balances",
    "budgets",
    "check_fits",
    "check_work",
    "cost_of",
    "crossings",
    "free_in",
    "inspect",
    "map_of",
    "portrait",
    "table",
    "told_shares",
]
