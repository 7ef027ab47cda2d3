"""What becomes of frames that are neither first nor recent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..pages import Commit, Page

# tokens in a row, and in a column, that are one: no picture has more
MOST_POOLED = 65_536


@dataclass(frozen=True)
class Middle:
    """The rule for frames that leave ``recent``. This one forgets them; others override.

    A rule sees frame numbers and scores, no tensors, and keeps no state: what it holds is handed
    to it. Units: frames.
    """

    @property
    def slots(self) -> int:
        """Most pages of a whole frame that it has in slots."""
        return 0

    @property
    def first(self) -> int:
        """First frames of the video that a window of several chunks reads beside the last."""
        return 0

    @property
    def front(self) -> int:
        """Most pages read in front of the slots: small ones, and ones that come and go."""
        return 0

    @property
    def pool_size(self) -> int:
        """Tokens in a row, and in a column, that are one token of a page kept aside."""
        return 1

    @property
    def kept_aside(self) -> int:
        """Most pages kept aside, where no head reads them; what is in front comes from there."""
        return 0

    @property
    def sums(self) -> int:
        """Running means it keeps of keys, and as many of values."""
        return 0

    @property
    def sums_per_token(self) -> bool:
        """Whether each place in the picture has its own."""
        return False

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        """Return what is held after frames left ``recent``.

        Args:
            leaving: ascending, none of the sink; frames that are held already may be among them
                after the past was recomputed.
        """
        return ()

    def fitted(self, past: int, frames: int) -> Middle:
        """Return the rule that reads the same of a short video, in no more room than that needs.

        Args:
            past: most frames that are behind a chunk while it is made.
            frames: of the whole video.
        """
        return self

    def on_grid(self, tokens: int) -> Middle:
        """Return the rule for frames of so many tokens, with what was left to be chosen by that."""
        return self

    def check(self, tokens: int) -> None:
        """Refuse frames of so many tokens, if it cannot divide them.

        Raises:
            ValueError: if it cannot.
        """

    @property
    def looks(self) -> bool:
        """Whether what is kept depends on what frames show."""
        return False

    @property
    def per_frame(self) -> bool:
        """Whether the query frames of a chunk read different pages."""
        return False

    def in_slots(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        """Return the pages of ``held`` that lie in slots."""
        return held if self.slots else ()

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        """Return the pages that are kept aside."""
        return ()

    def read(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        """Return the pages that a query frame reads, oldest first."""
        return held

    def ahead(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        """Return the pages that a window of several chunks reads, oldest first."""
        return self.read(held, frame)

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        """Return what is held when frames from ``start`` on are about to be taken again."""
        return tuple(page for page in held if page.frames[-1] < start)
