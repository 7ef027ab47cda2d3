"""Videos on disk, read back."""

import av
import pytest
import torch

from headforcing.headforcing_core.files import VideoWriter


def colours(count: int) -> torch.Tensor:
    """Pictures of one colour each, from blue to red."""
    red = torch.linspace(0.1, 0.9, count)
    return torch.stack([red, torch.full_like(red, 0.4), 1 - red], 1)[..., None, None].expand(
        -1, -1, 16, 24
    )


def read(path):
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in file.decode(stream)]
        return stream, torch.stack(frames).permute(0, 3, 1, 2) / 255


def test_what_is_written_is_read(tmp_path):
    pictures = colours(33)
    with VideoWriter(tmp_path / "v.mp4", 24, 16, 16, zoom=3) as video:
        for part in pictures.split(5):
            video.write(part)
    stream, seen = read(tmp_path / "v.mp4")
    assert seen.shape == (33, 3, 48, 72) and stream.average_rate == 16
    assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
    torch.testing.assert_close(seen[:, :, ::3, ::3], pictures, atol=0.04, rtol=0)


def test_a_video_that_was_cut_short_plays(tmp_path):
    """As when the program is killed: nothing is closed."""
    video = VideoWriter(tmp_path / "v.mp4", 24, 16, 16)
    video.write(colours(160))
    (tmp_path / "copy.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    _, seen = read(tmp_path / "copy.mp4")
    assert len(seen) >= 80
    video.close()


def test_odd_sides_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be even, got 15 x 16"):
        VideoWriter(tmp_path / "v.mp4", 15, 16, 16)


def test_an_error_leaves_a_video_of_what_was_shown(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with VideoWriter(tmp_path / "v.mp4", 24, 16, 16) as video:
            video.write(colours(20))
            raise KeyboardInterrupt
    assert len(read(tmp_path / "v.mp4")[1]) == 20
