"""What one chunk of a video measured: plain numbers that can be written down and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..files import as_list, as_number, as_object, as_words, entry, shown

# of one chunk, in a file
MOST_PICTURES, MOST_THUMBS, MOST_NAMES = 10**9, 10_000, 64


@dataclass(frozen=True)
class Measures:
    """One chunk, by itself and against the first seconds of its scene.

    Args:
        first: number of its first picture in the video.
        count: of its pictures.
        cut: a scene begins with it.
        values: by name, see ``BANDS``; None where a chunk has no such thing.
        against: by name, the same as the bands have them: against the first seconds, or as they
            are where no beginning is needed; None as long as there is nothing to compare with.
        out: names of what is out of its band.
        left: of them, what was not out in the chunk before.
        back: what is in its band again.
        changes: usual changes between its neighbouring pictures, of coarse and of tiny copies;
            none if it is one picture.
        step: greatest step of its colours between neighbours, 0 to 100.
        leap: its greatest change against what is usual, the one across the join included.
        tones: light, spread and colour of its last picture, see ``Tones``.
        thumbs: small copies of some of its pictures, as integers.
    """

    first: int
    count: int
    cut: bool
    values: Mapping[str, float | None]
    against: Mapping[str, float | None]
    out: tuple[str, ...]
    left: tuple[str, ...]
    back: tuple[str, ...]
    changes: tuple[float, ...]
    step: float
    leap: float
    tones: tuple[float, float, float]
    thumbs: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, object]:
        """Return it as plain values; ``from_json`` gives the same again."""
        plain = asdict(self)
        plain["thumbs"] = [list(thumb) for thumb in self.thumbs]
        return {name: list(x) if isinstance(x, tuple) else x for name, x in plain.items()}

    @classmethod
    def from_json(cls, data: object) -> Measures:
        """Read what ``to_json`` gave, perhaps out of a file.

        Raises:
            ValueError: if it is no such thing; what of it is wrong.
        """
        found = as_object(data, "measures")
        if type(found.get("cut")) is not bool:
            raise ValueError(f"cut must be true or false, got {shown(found.get('cut'))}")
        return cls(
            first=as_number(entry(found, "first"), "first", MOST_PICTURES),
            count=as_number(entry(found, "count"), "count", MOST_PICTURES, 1),
            cut=found["cut"],
            values=_numbers(found, "values"),
            against=_numbers(found, "against"),
            **{name: _names(found, name) for name in ("out", "left", "back")},
            **{name: _floats(found, name) for name in ("changes", "tones")},
            **{name: _float(entry(found, name), name) for name in ("step", "leap")},
            thumbs=tuple(
                tuple(as_number(x, "thumbs", 127, -127) for x in as_list(thumb, "a thumb", 1000))
                for thumb in as_list(entry(found, "thumbs"), "thumbs", MOST_THUMBS)
            ),
        )


def _numbers(data: Mapping[str, object], name: str) -> dict[str, float | None]:
    found = as_object(entry(data, name), name)
    if len(found) > MOST_NAMES:
        raise ValueError(f"{name} must be at most {MOST_NAMES}, got {len(found)}")
    return {each: _number(value, each) for each, value in found.items()}


def _number(value: object, name: str) -> float | None:
    return None if value is None else _float(value, name)


def _float(value: object, name: str) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    return float(value)


def _floats(data: Mapping[str, object], name: str) -> tuple[float, ...]:
    return tuple(_float(x, name) for x in as_list(entry(data, name), name, MOST_NAMES))


def _names(data: Mapping[str, object], name: str) -> tuple[str, ...]:
    return tuple(as_words(each, name, 100) for each in as_list(entry(data, name), name, MOST_NAMES))
