"""A picture of a video, encoded once more by itself, while the video is made."""

import pytest
import torch

from headforcing.headforcing_core.decoding import PictureRecoder

FRAMES, REACH = 12, 2


class Sums:
    """A decoder whose pictures are means of a frame and of those before it."""

    reach = REACH

    def __init__(self):
        self.begun = 0

    def begin(self):
        self.begun += 1
        return _Decoding()


class _Decoding:
    def __init__(self):
        self.past = []

    def decode(self, latent):
        self.past = [*self.past, latent][-REACH - 1 :]
        mean = torch.cat(self.past, 2).mean(2)
        return torch.cat([0 * mean] * 3 + [mean])  # the last of four pictures


def encoded(picture):
    return 10 * picture[:, :, None]


@pytest.fixture
def video():
    return torch.randn(1, 3, FRAMES, 2, 2)


def expected(video, frame):
    return 10 * video[:, :, max(0, frame - REACH) : frame + 1].mean(2, keepdim=True)


@pytest.mark.parametrize("chunk", [1, 3])
def test_it_is_what_decoding_everything_gives(video, chunk):
    decoder = Sums()
    recoder = PictureRecoder(decoder, lambda latent: latent, encoded, 3)
    for start in range(0, FRAMES, chunk):
        recoder.add(video[:, :, start : start + chunk])
        if start + chunk >= 3:
            for back in range(3):
                frame = start + chunk - 1 - back
                torch.testing.assert_close(recoder.frame(back), expected(video, frame))
    assert decoder.begun == 1


def test_what_was_made_before_is_not_decoded_from_its_beginning(video):
    decoded = []
    recoder = PictureRecoder(Sums(), lambda x: decoded.append(x) or x, encoded, 3)
    recoder.add(video[:, :, :9])
    assert decoded == []
    torch.testing.assert_close(recoder.frame(2), expected(video, 6))
    assert len(decoded) == REACH + 3
    recoder.add(video[:, :, 9:])
    torch.testing.assert_close(recoder.frame(0), expected(video, 11))
    assert len(decoded) == REACH + 6


def test_it_begins_anew_after_a_stretch_that_nobody_asked_for(video):
    recoder = PictureRecoder(Sums(), lambda latent: latent, encoded, 2)
    recoder.add(video[:, :, :2])
    recoder.frame(0)
    recoder.add(video[:, :, 2:])
    torch.testing.assert_close(recoder.frame(1), expected(video, FRAMES - 2))
