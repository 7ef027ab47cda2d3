"""Heads measured, typed, reported and drawn."""

from .classification import CLASSIFIERS, Aggregate, Classifier, HeadForcingTypes
from .described_map import EditedMap, described
from .head_edits import edits_in, with_edits
from .head_map_pictures import COLOURS, colour_of, draw_types, letter_of
from .head_profile import HeadProfile
from .map_report import MapReport, as_text, report_on
from .profile_file import read_profile, write_profile
from .profile_report import PAGE, report_files, report_names
from .profile_settings import FULL, PRESETS, QUICK, ProfileSettings, preset_named
from .profiling import Profiled, Subject, Watch, frames_to_make, possible_returns, profiled
from .returns import NEEDED
from .voting import DOUBT, classify

__all__ = [
    "CLASSIFIERS",
    "COLOURS",
    "DOUBT",
    "FULL",
    "NEEDED",
    "PAGE",
    "PRESETS",
    "QUICK",
    "Aggregate",
    "Classifier",
    "EditedMap",
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
    "described",
    "draw_types",
    "edits_in",
    "frames_to_make",
    "letter_of",
    "possible_returns",
    "preset_named",
    "profiled",
    "read_profile",
    "report_files",
    "report_names",
    "report_on",
    "with_edits",
    "write_profile",
]
