"""How a video changes while it is made: measures, their bands, what left them, reports."""

from .bands import BANDS, Band, left
from .from_file import measure_file
from .latents import LATENT_BANDS, LatentTelemetry
from .measures import Measures
from .report import FORMAT, Measured, as_json, as_table, report_of
from .report_picture import MOST_DRAWN, draw_reports
from .scene import FIRST_SECONDS
from .telemetry import Telemetry

__all__ = [
    "BANDS",
    "FIRST_SECONDS",
    "FORMAT",
    "LATENT_BANDS",
    "MOST_DRAWN",
    "Band",
    "LatentTelemetry",
    "Measured",
    "Measures",
    "Telemetry",
    "as_json",
    "as_table",
    "draw_reports",
    "left",
    "measure_file",
    "report_of",
]
