"""The adapter to ComfyUI: model, autoencoder, sampling, and what is kept and shown of a run.

``demo_model`` is imported where it is used: it brings the demo with it.
"""

from .adapters import with_adapter
from .checks import (
    check_family,
    check_model,
    check_prompts,
    check_shift,
    check_size,
    check_start,
    core_start,
)
from .digests import digest_of
from .fingerprint import name_of
from .foresight import check_profile_fits, foreseen
from .host_film import FilmSettings, as_video, said_of, shown
from .known_maps import KNOWN_MAPS, keep_map
from .loading import load_model
from .making import Made, Making, Screen
from .map_files import listed_path, map_choices, map_path
from .model_headers import computes_in, header_of, path_of
from .pictures import HostDecoder
from .profiling import HostSubject, keep_profile, profile_file
from .progress import Progress, tell
from .sampling import HostVideo
from .steering import STEERED, STEERING
from .stops import STOPS
from .told import Told
from .video_name import Video, names_of
from .watched import WATCHED
from .write_latent import write_latent

__all__ = [
    "KNOWN_MAPS",
    "STEERED",
    "STEERING",
    "STOPS",
    "WATCHED",
    "FilmSettings",
    "HostDecoder",
    "HostSubject",
    "HostVideo",
    "Made",
    "Making",
    "Progress",
    "Screen",
    "Told",
    "Video",
    "as_video",
    "check_family",
    "check_model",
    "check_profile_fits",
    "check_prompts",
    "check_shift",
    "check_size",
    "check_start",
    "computes_in",
    "core_start",
    "digest_of",
    "foreseen",
    "header_of",
    "keep_map",
    "keep_profile",
    "listed_path",
    "load_model",
    "map_choices",
    "map_path",
    "name_of",
    "names_of",
    "path_of",
    "profile_file",
    "said_of",
    "shown",
    "tell",
    "with_adapter",
    "write_latent",
]
