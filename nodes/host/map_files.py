"""Head maps that a user can choose: files in the input folder, and those that ship."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ...headforcing_core.methods import PUBLISHED

SHIPPED = "published: "
SUFFIXES = (".json", ".csv")


def map_choices() -> list[str]:
    """Return the names of the maps there are; of an input folder that cannot be read, none."""
    try:
        there = list(Path(folder_paths.get_input_directory()).iterdir())
    except OSError:  # no such folder, or not for us to see: the nodes are listed all the same
        there = []
    own = sorted(map(_name, filter(_is_map, there)))
    shipped = sorted(map(_name, filter(_is_map, PUBLISHED.iterdir())))
    return [*own, *(SHIPPED + name for name in shipped)]


def map_path(file: str) -> Path:
    """Return where the map of a name lies."""
    if file.startswith(SHIPPED):
        return PUBLISHED / Path(file.removeprefix(SHIPPED)).name
    return Path(folder_paths.get_annotated_filepath(file))


def listed_path(file: str) -> Path:
    """Return where a map lies that can be chosen, and nothing else.

    Raises:
        ValueError: if no such map is listed.
    """
    if file not in map_choices():
        raise ValueError(
            "file must be one that Load Head Map lists: published, or in the input folder, "
            f"got {file[:80]!r}"
        )
    return map_path(file)


def _is_map(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _name(path: Path) -> str:
    return path.name
