"""What Wan's decoders need for a moment, and what their convolutions remember, in bytes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

FLOAT = torch.float32.itemsize
# channels of the decoder's levels, and of what a block of them is given: by those of the last
LEVELS = (4, 4, 2, 1)
GIVEN, GIVEN_AROUND = (4, 2, 2, 1), (4, 4, 4, 2)
# pictures of a latent frame, whose sides grow eightfold, are so many positions of a latent one
POSITIONS = 4 * 8 * 8
SIDE = 8
# frames that a convolution remembers, and those that the last level works on at a time
PAST, AT_A_TIME = 2, 4
# convolutions of a block: two in each of three; the middle has two
CONVOLUTIONS, MIDDLE = 6, 4
# copies of pictures while they are finished: raw, unpacked, and brought to 0 to 1
FINISHING = 4
# levels after which there are twice as many frames, by a convolution over time
SLOWER = 2


@dataclass(frozen=True)
class DecodingRoom:
    """Bytes that are alive at once while latent frames are decoded one by one, as eager PyTorch
    has it; what kernels need within themselves is not counted, nor the middle's attention, which is
    less for pictures of less than 4K.

    The last level's pictures are as large as finished ones, and all else is less. With ``x`` all
    of its channels for four pictures, a convolution there needs

        of Wan 2.1      what the block was given, what the layer was given, what goes in: 3 x;
                        that behind two remembered frames, the same with a border: 3 x and more;
                        what is remembered next: x / 2
        in half         norms are float32: three times as before, and 4 x
        of Wan 2.2      the first layer takes twice as many channels, and the block keeps a copy
                        for its way around: 6 x, 6 x and more, x, and x that is added in the end

    Args:
        last: channels of the last level.
        channels: of latents.
        made: of pictures, with what is packed in them.
        around: whether it is of Wan 2.2's kind.
        rows, columns: of a latent.
        dtype: it works in.
    """

    last: int
    channels: int
    made: int
    around: bool
    rows: int
    columns: int
    dtype: torch.dtype

    @property
    def remembered(self) -> int:
        """What convolutions remember of a video, however long it is."""
        numbers = self.channels + MIDDLE * LEVELS[0] * self.last
        given = GIVEN_AROUND if self.around else GIVEN
        for level, (into, out) in enumerate(zip(given, LEVELS, strict=True)):
            channels = into + (CONVOLUTIONS - 1) * out + (out if level < SLOWER else 0)
            numbers += channels * self.last * 4**level
        numbers += self.last * 4 ** (len(LEVELS) - 1)
        return PAST * numbers * self._area * self.dtype.itemsize

    @property
    def moment(self) -> int:
        """What the worst moment of one frame takes beside that."""
        x = POSITIONS * self.last * self._area * self.dtype.itemsize
        behind = (AT_A_TIME + PAST) / AT_A_TIME
        border = (SIDE * self.rows + 2) * (SIDE * self.columns + 2) / (SIDE**2 * self._area)
        layer = behind * (1 + border) + PAST / AT_A_TIME
        copies = 7 + 2 * layer if self.around else 3 + layer
        half = 7 if self.dtype.itemsize < FLOAT else 0
        return max(round(max(copies, half) * x), FINISHING * self._pictures)

    def pictures(self, frames: int) -> int:
        """Return what frames take that are decoded together: each one's latent and pictures."""
        latents = 2 * self.channels * self._area * self.dtype.itemsize
        return frames * (latents + self._pictures)

    @property
    def _pictures(self) -> int:
        return POSITIONS * self.made * self._area * FLOAT

    @property
    def _area(self) -> int:
        return self.rows * self.columns
