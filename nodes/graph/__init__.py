"""What the nodes share on the graph: sockets, what is noted on a model, widgets of a method."""

from .film_widgets import CONTAINER, PREFIX, QUALITY, film_widgets, keep_widget
from .head_map_outputs import (
    as_image,
    edits_widget,
    head_map_output,
    head_map_outputs,
    shown_map,
)
from .method_widgets import settings_from, widgets_of
from .model_notes import AUTO, family_of, maps_on, note_family, note_maps, with_maps
from .ranks import folded
from .sampler_widgets import family_widget, size_widgets, video_widgets, way_widgets
from .search import aliases
from .sockets import (
    CATEGORY,
    CacheMethodSocket,
    EncodedPrompts,
    HeadMapSocket,
    ScheduleSocket,
    Written,
    encoded,
)
from .steered_graph import SteeredGraph

__all__ = [
    "AUTO",
    "CATEGORY",
    "CONTAINER",
    "PREFIX",
    "QUALITY",
    "CacheMethodSocket",
    "EncodedPrompts",
    "HeadMapSocket",
    "ScheduleSocket",
    "SteeredGraph",
    "Written",
    "aliases",
    "as_image",
    "edits_widget",
    "encoded",
    "family_of",
    "family_widget",
    "film_widgets",
    "folded",
    "head_map_output",
    "head_map_outputs",
    "keep_widget",
    "maps_on",
    "note_family",
    "note_maps",
    "settings_from",
    "shown_map",
    "size_widgets",
    "video_widgets",
    "way_widgets",
    "widgets_of",
    "with_maps",
]
