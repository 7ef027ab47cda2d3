"""Heads measured, typed, reported and drawn."""

from .classification import CLASSIFIERS, Aggregate, Classifier, HeadForcingTypes
from .head_map_pictures import COLOURS, colour_of, draw_types, letter_of
from .head_profile import HeadProfile
from .map_report import MapReport, as_text, report_on
from .profile_file import read_profile, write_profile
from .profile_report import PAGE, report_files, report_names
from .profile_settings import FULL, PRESETS, QUICK, ProfileSettings, preset_named
from .profiling import Profiled, Subject, Watch, frames_to_make, profiled
from .voting import DOUBT, classify

__all__ = [
    "CLASSIFIERS",
    "COLOURS",
    "DOUBT",
    "FULL",
    "PAGE",
    "PRESETS",
    "QUICK",
    "Aggregate",
    "Classifier",
    "HeadForcingTypes",
    "HeadProfile",
    "MapReport",
    "ProfileSettings",
    "Profiled",
    "Subject",
    "Watch",
    "as_text",
    "classify",
    "colour_of",
    "draw_types",
    "frames_to_make",
    "letter_of",
    "preset_named",
    "profiled",
    "read_profile",
    "report_files",
    "report_names",
    "report_on",
    "write_profile",
]
