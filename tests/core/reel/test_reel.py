"""A video written while it is made: whole, interrupted, damaged, with no room."""

import errno
import json
import logging
from itertools import pairwise

import av
import pytest
import torch

from headforcing.headforcing_core.decoding import FramewiseDecoder, OverlappedDecoder
from headforcing.headforcing_core.files import GrowingVideo, Parts, Sound, VideoStyle
from headforcing.headforcing_core.reel import Film, KeptClips, Reel
from headforcing.headforcing_core.video import ChunkClock

CLOCK = ChunkClock(13, 3, 1)
CPU = torch.device("cpu")


def frames(latent):
    """Four pictures of 128 x 192 for every latent frame, brighter one by one.

    Of smaller ones x264 makes, once in a thousand clips, some that differ by a few bytes.
    """
    big = latent[:, :3].transpose(1, 2).repeat_interleave(4, 1)
    big = big + 0.02 * torch.arange(4).repeat(latent.shape[2])[None, :, None, None, None]
    return big.repeat_interleave(32, 3).repeat_interleave(32, 4)


DECODER = FramewiseDecoder(frames, 4)
LATENT = torch.rand(1, 4, 13, 4, 6, generator=torch.Generator().manual_seed(0)) * 0.8


def film(folder, container="mp4", **more):
    return Film(folder / f"video.{container}", VideoStyle(16, 4, container), **more)


def made(folder, chunks=None, kept=None, end=True, decoder=DECODER, **more):
    """Feed the chunks of a video to a reel; return the reel, and its file if it was ended."""
    reel = Reel(decoder, CPU, film(folder, **more), CLOCK.total_frames, kept)
    for chunk in list(CLOCK)[:chunks]:
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
    if not end:
        reel.close()
        return reel, None
    return reel, reel.end()


def seen(path):
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        shown = [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in file.decode(stream)]
    times = [time for time, _ in shown]
    # Matroska counts milliseconds
    assert times[0] == 0 and all(abs(b - a - 1 / 16) <= 1 / 1000 for a, b in pairwise(times))
    return torch.stack([torch.from_numpy(picture) for _, picture in shown])


WHOLE = (frames(LATENT)[0, 3:].clamp(0, 1) * 255).permute(0, 2, 3, 1)


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm"])
def test_a_video_is_what_was_decoded(tmp_path, container):
    _, path = made(tmp_path, container=container, metadata={"workflow": '{"a": "ü"}'})
    names = [path.name, "video.drift.json", "video.drift.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    pictures = seen(path)
    assert pictures.shape == WHOLE.shape
    assert (pictures - WHOLE).abs().mean() < 4
    with av.open(str(path)) as file:
        said = {name.lower(): value for name, value in file.metadata.items()}
        assert said["workflow"] == '{"a": "ü"}'
        assert abs(file.duration / av.time_base - 49 / 16) < 0.1
        file.seek(int(2 * av.time_base))
        frame = next(file.decode(video=0))
        assert 1 < frame.pts * frame.time_base <= 2
        assert file.streams.video[0].codec_context.colorspace == 1


@pytest.mark.parametrize("chunks", range(1, len(CLOCK)))
def test_a_run_that_was_killed_goes_on(tmp_path, chunks):
    """Whatever there was of it plays, and the file at the end is that of one run, bit by bit."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    _, whole = made(tmp_path / "one")
    kept = KeptClips(Parts([tmp_path / "kept"]), "k")
    reel, _ = made(tmp_path / "two", chunks, kept, end=False)
    pictures = 12 * (chunks - 1) + 1
    assert len(seen(reel.film.growing)) == pictures
    decoded = []
    counting = FramewiseDecoder(lambda z: decoded.append(z) or frames(z), 4)
    _, path = made(tmp_path / "two", kept=kept, decoder=counting)
    again = 3 if chunks > 1 else 1
    assert len(decoded) == CLOCK.total_frames - (3 * (chunks - 1) + 1) + again
    assert path.read_bytes() == whole.read_bytes()
    one, two = (p.with_suffix(".drift.json").read_text() for p in (whole, path))
    assert one == two and len(json.loads(one)["videos"][0]["chunks"]) == len(CLOCK)


def averaged(latent):
    """Pictures that depend on the six frames before theirs."""
    means = [latent[0, :3, max(0, n - 6) : n + 1].mean(1) for n in range(latent.shape[2])]
    return frames(torch.stack(means, 1)[None])[0, 3:]


def test_a_decoder_is_shown_as_much_as_pictures_depend_on(tmp_path):
    decoder = OverlappedDecoder(averaged, lambda *off: None, reach=6)
    kept = KeptClips(Parts([tmp_path / "kept"]), "k")
    (tmp_path / "two").mkdir()
    _, whole = made(tmp_path, decoder=decoder)
    made(tmp_path / "two", 4, kept, end=False, decoder=decoder)
    _, path = made(tmp_path / "two", kept=kept, decoder=decoder)
    assert path.read_bytes() == whole.read_bytes()


def damaged(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    else:
        content[int(len(content) * how)] ^= 4
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "gone", "empty", 0.001, 0.2, 0.5, 0.999])
def test_a_damaged_clip_is_made_again(tmp_path, caplog, how):
    kept = KeptClips(Parts([tmp_path / "kept"]), "k")
    (tmp_path / "two").mkdir()
    _, whole = made(tmp_path)
    made(tmp_path / "two", 4, kept, end=False)
    damaged(sorted((tmp_path / "kept").iterdir())[2], how)
    with caplog.at_level(logging.WARNING, "headforcing"):
        reel, path = made(tmp_path / "two", kept=kept)
    assert reel.known == 4
    assert ("made again" in caplog.text) == (how != "gone")
    assert path.read_bytes() == whole.read_bytes()


def test_a_shorter_video_ends_where_it_should(tmp_path):
    kept = KeptClips(Parts([tmp_path / "kept"]), "k")
    made(tmp_path, 4, kept, end=False)
    reel = Reel(DECODER, CPU, film(tmp_path), 7, kept)
    for chunk in ChunkClock(7, 3, 1):
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
    assert len(seen(reel.end())) == 25


def test_another_style_or_autoencoder_is_another_key(tmp_path):
    parts = Parts([tmp_path / "kept"])
    made(tmp_path, 4, KeptClips(parts, "k"), end=False)
    assert KeptClips(parts, "other").leading(13) == []
    assert len(KeptClips(parts, "k").leading(13)) == 4


class Disk:
    """Files that have no room while it is full."""

    def __init__(self, monkeypatch):
        self.full = False
        before = GrowingVideo._write

        def write(video, clip):
            if self.full:
                video._file.write(clip[: len(clip) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            before(video, clip)

        monkeypatch.setattr(GrowingVideo, "_write", write)


def test_a_full_disk_is_waited_for(tmp_path, monkeypatch, caplog):
    (tmp_path / "one").mkdir()
    _, whole = made(tmp_path / "one")
    disk = Disk(monkeypatch)
    reel = Reel(DECODER, CPU, film(tmp_path), CLOCK.total_frames)
    for chunk in CLOCK:
        disk.full = chunk.index in (1, 2)
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
        reel.settle()
        assert len(seen(reel.film.growing)) == (1 if disk.full else 12 * chunk.index + 1)
    assert reel.end().read_bytes() == whole.read_bytes()
    assert caplog.text.count("waits in memory") == 1


def test_what_finds_no_room_at_all_is_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    disk = Disk(monkeypatch)
    reel = Reel(DECODER, CPU, film(tmp_path), CLOCK.total_frames)
    for chunk in CLOCK:
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
        reel.settle()
        disk.full = True
    with pytest.raises(OSError, match=r"must be writable .* the video is in .* instead") as raised:
        reel.end()
    elsewhere = str(raised.value).split("the video is in ")[1].removesuffix(" instead")
    assert len(seen(elsewhere)) == 49


def test_without_room_to_end_it_a_video_stays_as_it_has_grown(tmp_path, monkeypatch, caplog):
    def full(*arguments):
        raise OSError("video.mp4 must be writable and its disk not full")

    monkeypatch.setattr("headforcing.headforcing_core.reel.reel.end_video", full)
    reel, path = made(tmp_path)
    assert path == reel.film.path and len(seen(path)) == 49 and not reel.film.growing.exists()
    assert "stays as it has grown, and cannot be searched" in caplog.text
    reel, path = made(tmp_path, container="mkv")
    assert path == reel.film.growing and len(seen(path)) == 49


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("how", ["gone", "another"])
def test_a_growing_file_that_is_taken_away_is_written_elsewhere(
    tmp_path, monkeypatch, container, how
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    reel = Reel(DECODER, CPU, film(tmp_path, container), CLOCK.total_frames)
    for chunk in CLOCK:
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
        if chunk.index == 2:
            reel.settle()
            reel.film.growing.unlink()
            if how == "another":
                reel.film.growing.write_bytes(b"of another run")
    with pytest.raises(OSError, match=r"must stay where it grows.* the video is in .* instead"):
        reel.end()
    (elsewhere,) = (tmp_path / "temporary").rglob("*.mp4")
    assert len(seen(elsewhere)) == 49
    assert reel.film.growing.exists() == (how == "another")


def test_going_on_needs_no_second_room(tmp_path, monkeypatch):
    """What is there of the file stays; where there is no room for the rest, that waits."""
    kept = KeptClips(Parts([tmp_path / "kept"]), "k")
    reel, _ = made(tmp_path, 3, kept, end=False)
    before = reel.film.growing.stat()
    Disk(monkeypatch).full = True
    reel = Reel(DECODER, CPU, film(tmp_path), CLOCK.total_frames, kept)
    assert reel.film.growing.stat().st_ino == before.st_ino
    assert reel.film.growing.stat().st_size == before.st_size and not reel.video.waits
    assert len(seen(reel.film.growing)) == 25
    reel.close()


@pytest.mark.parametrize("rate", [8_000, 12_345, 192_000])
@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_sound_of_any_rate_is_taken(tmp_path, rate, container):
    wave = 3 * torch.sin(torch.arange(2 * rate) / 9)[None]
    _, path = made(tmp_path, container=container, sound=Sound(wave, rate))
    with av.open(str(path)) as file:
        (audio,) = file.streams.audio
        heard = sum(f.samples / f.sample_rate for f in file.decode(audio))
    assert abs(heard - 2) < 0.1


def test_a_chunk_that_cannot_be_decoded_is_told(tmp_path):
    def broken(latent):
        if latent.shape[3] and latent[0, 0, 0, 0, 0] == LATENT[0, 0, 4, 0, 0]:
            raise RuntimeError("out of memory")
        return frames(latent)

    reel = Reel(FramewiseDecoder(broken, 4), CPU, film(tmp_path), CLOCK.total_frames)
    with pytest.raises(RuntimeError, match="out of memory"):
        for chunk in CLOCK:
            reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
    reel.close()
    assert len(seen(reel.film.growing)) == 13


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize(("seconds", "channels"), [(10, 2), (1, 1)])
def test_sound_ends_with_the_pictures(tmp_path, container, seconds, channels):
    wave = torch.sin(torch.arange(seconds * 44_100) / 50).repeat(channels, 1)
    _, path = made(tmp_path, container=container, sound=Sound(wave, 44_100))
    with av.open(str(path)) as file:
        (audio,) = file.streams.audio
        assert audio.channels == channels
        heard = sum(f.samples / f.sample_rate for f in file.decode(audio))
    assert abs(heard - min(seconds, 49 / 16)) < 0.1
    assert len(seen(path)) == 49


def test_a_file_says_what_it_is(tmp_path):
    with pytest.raises(ValueError, match=r"must go to a \.webm file, got video\.mp4"):
        Film(tmp_path / "video.mp4", VideoStyle(16, 4, "webm"))
    with pytest.raises(ValueError, match="container must be one of mp4, mkv, webm, got avi"):
        VideoStyle(16, 4, "avi")
    with pytest.raises(ValueError, match="quality must be from 0 to 51, got 52"):
        VideoStyle(16, 52)
    with pytest.raises(ValueError, match="must be finite numbers"):
        Sound(torch.full((1, 8), float("nan")), 44_100)
    with pytest.raises(ValueError, match=r"fps must be from 0\.01 to 1000 .*, got 0\.0004"):
        VideoStyle(0.0004)
    with pytest.raises(ValueError, match=r"of 1, 2, 6 channels, got \[3, 8\]"):
        Sound(torch.zeros(3, 8), 44_100)


def test_a_video_that_becomes_another_says_so_at_once(tmp_path):
    """The pictures of both are those of one run, and a killed one goes on from its clips."""
    one, two = (KeptClips(Parts([tmp_path / name]), "k") for name in ("one", "two"))
    (tmp_path / "whole").mkdir()
    _, whole = made(tmp_path / "whole", metadata={"prompt": "the second"})
    reel = Reel(DECODER, CPU, film(tmp_path, metadata={"prompt": "the first"}), 13, one)
    for chunk in list(CLOCK)[:2]:
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
    reel.settle()
    assert about(reel.film.growing) == "the first"
    second = film(tmp_path, metadata={"prompt": "the second"})
    reel.turn(second, one.moved(two.parts, 4), frozenset({4}), frozenset({0, 4}))
    assert about(reel.film.growing) == "the second" and len(seen(reel.film.growing)) == 13
    assert not one.leading(13) and [clip.stop for clip in two.leading(13)] == [1, 4]
    for chunk in list(CLOCK)[2:]:
        reel.add(chunk, LATENT[:, :, chunk.start : chunk.stop])
    path = reel.end()
    assert about(path) == "the second" and torch.equal(seen(path), seen(whole))
    assert [clip.stop for clip in two.leading(13)] == [1, 4, 7, 10, 13]


def about(path):
    with av.open(str(path)) as file:
        return file.metadata["prompt"]
