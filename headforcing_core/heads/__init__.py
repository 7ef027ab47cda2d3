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
from .profile_videos import (
    Video,
    check_texts,
    frames_to_make,
    possible_returns,
    requests_of,
    videos_to_make,
)
from .profiling import Found, measured, profiled, with_found
from .returns import NEEDED
from .subject import Profiled, Prompted, Subject, Watch
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
    "Found",
    "HeadForcingTypes",
    "HeadProfile",
    "MapReport",
    "ProfileSettings",
    "Profiled",
    "Prompted",
    "Subject",
    "Video",
    "Watch",
    "as_text",
    "check_texts",
    "classify",
    "colour_of",
    "described",
    "draw_types",
    "edits_in",
    "frames_to_make",
    "letter_of",
    "measured",
    "possible_returns",
    "preset_named",
    "profiled",
    "read_profile",
    "report_files",
    "report_names",
    "report_on",
    "requests_of",
    "videos_to_make",
    "with_edits",
    "with_found",
    "write_profile",
]
