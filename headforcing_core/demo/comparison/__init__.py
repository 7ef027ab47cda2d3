"""Methods side by side on the same prompts and noise, in numbers and pictures."""

from .comparison import Comparison, check_size
from .contact_sheet import contact_sheet
from .methods import Compared, Spec, without_map
from .pieces import AWAY, Source, with_model
from .report import LEGEND, Row, as_json, pictures_of, plot, rows_of, tables
from .rollouts import finished, request_for, roll_side_by_side, schedule
from .strips import strips, under_each_other

__all__ = [
    "AWAY",
    "LEGEND",
    "Compared",
    "Comparison",
    "Row",
    "Source",
    "Spec",
    "as_json",
    "check_size",
    "contact_sheet",
    "finished",
    "pictures_of",
    "plot",
    "request_for",
    "roll_side_by_side",
    "rows_of",
    "schedule",
    "strips",
    "tables",
    "under_each_other",
    "with_model",
    "without_map",
]
