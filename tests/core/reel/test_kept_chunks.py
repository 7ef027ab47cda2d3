"""Chunks kept on disk one by one: found again, damaged, of another shape, in two places."""

import logging

import pytest
import torch

from headforcing.headforcing_core.files import Part, Parts
from headforcing.headforcing_core.reel import KeptChunks
from headforcing.headforcing_core.video import ChunkClock

CLOCK = ChunkClock(12, 3)
SHAPE = (1, 4, 2, 5)
LATENT = torch.randn(1, 4, 12, 2, 5, generator=torch.Generator().manual_seed(0))


def kept(*folders, clock=CLOCK):
    return KeptChunks(Parts(folders), clock)


def written(chunks, count=4):
    for chunk in list(chunks.clock)[:count]:
        chunks.write(chunk, LATENT[:, :, chunk.start : chunk.stop])
    return chunks


def found(*folders, shape=SHAPE, clock=CLOCK):
    """Return what a later run finds, as one latent; None: nothing."""
    parts = kept(*folders, clock=clock).read(shape)
    return torch.cat(parts, 2) if parts else None


def part_of(folder, frame):
    return folder / f"latent_{frame:07d}.part"


@pytest.mark.parametrize("count", range(5))
def test_what_was_made_is_found_again_bit_by_bit(tmp_path, count):
    written(kept(tmp_path / "a"), count)
    again = found(tmp_path / "a")
    assert (again is None) if count == 0 else again.equal(LATENT[:, :, : 3 * count])


def test_a_longer_and_a_shorter_video_begin_with_the_same_chunks(tmp_path):
    written(kept(tmp_path), 3)
    assert found(tmp_path, clock=ChunkClock(60, 3)).equal(LATENT[:, :, :9])
    assert found(tmp_path, clock=ChunkClock(6, 3)).equal(LATENT[:, :, :6])
    assert kept(tmp_path, clock=ChunkClock(6, 3)).beyond
    assert not kept(tmp_path, clock=ChunkClock(9, 3)).beyond


def test_a_chunk_is_written_alone(tmp_path):
    """Not with the whole video that it is a view of."""
    written(kept(tmp_path))
    assert part_of(tmp_path, 3).stat().st_size < 2 * 3 * 4 * 2 * 5 * 4


def rewrite(path, tensors):
    """Put other tensors in a part's place, with a checksum that is right."""
    Parts([path.parent]).write(path.stem, Part(tensors, {}))


def not_a_number(path):
    latent = Parts([path.parent]).read(path.stem).tensors["latent"].clone()
    latent[0, 0, 0, 0, 0] = float("nan")
    rewrite(path, {"latent": latent})


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": flipped,
    "not a number": not_a_number,
    "short": lambda path: rewrite(path, {"latent": LATENT[:, :, :2]}),
    "flat": lambda path: rewrite(path, {"latent": LATENT[0, 0, 0]}),
    "another thing": lambda path: rewrite(path, {"clip": LATENT}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_from_a_damaged_chunk_on_all_is_made_again(tmp_path, damage, caplog):
    written(kept(tmp_path))
    DAMAGES[damage](part_of(tmp_path, 6))
    with caplog.at_level(logging.WARNING, "headforcing"):
        assert found(tmp_path).equal(LATENT[:, :, :6])
    (said,) = caplog.messages
    assert said.endswith("; frames from 6 on are made again, 6 before it are kept")
    written(kept(tmp_path))
    assert found(tmp_path).equal(LATENT)


def test_a_chunk_that_is_missing_is_where_it_ends(tmp_path, caplog):
    written(kept(tmp_path))
    part_of(tmp_path, 3).unlink()
    assert found(tmp_path).equal(LATENT[:, :, :3]) and caplog.messages == []


@pytest.mark.parametrize("shape", [(2, 4, 2, 5), (1, 16, 2, 5), (1, 4, 5, 2)])
def test_chunks_of_another_shape_are_none(tmp_path, shape):
    written(kept(tmp_path))
    assert found(tmp_path, shape=shape) is None


def test_without_room_chunks_wait_and_are_written_when_there_is(tmp_path):
    (tmp_path / "a").write_text("in the way")
    chunks = kept(tmp_path / "a")
    for chunk in list(CLOCK)[:3]:
        with pytest.raises(OSError, match="exists"):
            chunks.write(chunk, LATENT[:, :, chunk.start : chunk.stop])
    assert list(chunks.waiting) == [0, 3, 6]
    (tmp_path / "a").unlink()
    written(chunks)
    assert not chunks.waiting and found(tmp_path / "a").equal(LATENT)


def test_where_the_first_place_is_full_the_second_is_taken_and_told_once(tmp_path, caplog):
    one, two = tmp_path / "one", tmp_path / "two"
    chunks = kept(one, two)
    assert chunks.place == one
    written(chunks, 1)
    first = part_of(one, 0).read_bytes()
    part_of(one, 0).unlink()
    one.rmdir()
    one.write_text("in the way")  # as good as a full disk
    with caplog.at_level(logging.WARNING, "headforcing"):
        written(chunks, 3)
    (said,) = caplog.messages
    assert str(one) in said and said.endswith(f"; chunks are kept in {two} instead")
    assert chunks.place == two
    one.unlink()
    one.mkdir()
    part_of(one, 0).write_bytes(first)
    part_of(two, 0).unlink()
    assert found(one, two).equal(LATENT[:, :, :9])
    assert kept(one, two, clock=ChunkClock(6, 3)).beyond


def test_a_good_copy_counts_where_another_is_damaged(tmp_path, caplog):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        written(kept(folder))
    flipped(part_of(one, 3))
    assert found(one, two).equal(LATENT) and caplog.messages == []
    flipped(part_of(two, 3))
    assert found(one, two).equal(LATENT[:, :, :3])


def test_a_chunk_of_another_video_is_none_of_this_one(tmp_path, caplog):
    """Of two videos of one size in one folder: what one has not written it does not read."""
    clock, parts = CLOCK, Parts([tmp_path])
    written(KeptChunks(parts, clock, "one"))
    written(KeptChunks(parts, clock, "two"), 2)
    with caplog.at_level(logging.WARNING, "headforcing"):
        assert len(KeptChunks(parts, clock, "two").read(SHAPE)) == 2
    assert "a chunk must be of this video, got one of 'one'" in caplog.text
    assert KeptChunks(parts, clock, "one").read(SHAPE) == []


def named(folder, name, count=0):
    return written(KeptChunks(Parts([folder]), CLOCK, name), count)


def test_a_video_that_becomes_another_takes_its_chunks_along(tmp_path):
    one = named(tmp_path / "one", "one", 3)
    two = one.moved(Parts([tmp_path / "two"]), "two", 6)
    assert part_of(tmp_path / "one", 6).is_file() and not part_of(tmp_path / "one", 3).exists()
    for chunk in list(CLOCK)[1:]:  # those that were moved are not written again
        two.write(chunk, -LATENT[:, :, chunk.start : chunk.stop])
    again = torch.cat(named(tmp_path / "two", "two").read(SHAPE), 2)
    assert torch.equal(again, torch.cat([LATENT[:, :, :6], -LATENT[:, :, 6:]], 2))
    assert not named(tmp_path / "one", "one").read(SHAPE)


def test_what_a_longer_or_an_ended_video_still_needs_is_copied(tmp_path):
    long = KeptChunks(Parts([tmp_path / "long"]), ChunkClock(15, 3), "one")
    long.write(list(long.clock)[4], LATENT[:, :, :3])
    named(tmp_path / "long", "one", 2).moved(Parts([tmp_path / "two"]), "two", 6)
    ended = tmp_path / "video.latents"
    named(ended, "one", 2).moved(Parts([tmp_path / "three"]), "two", 6)
    for folder, name in (
        ("long", "one"),
        ("video.latents", "one"),
        ("two", "two"),
        ("three", "two"),
    ):
        assert len(named(tmp_path / folder, name).read(SHAPE)) == 2


def test_what_finds_no_room_at_another_video_stays_and_waits(tmp_path, caplog):
    (tmp_path / "full").write_text("in the way")
    one = named(tmp_path / "one", "one", 2)
    two = one.moved(Parts([tmp_path / "full"]), "two", 6)
    assert sorted(two.waiting) == [0, 3] and caplog.text.count("not saved yet") == 1
    assert len(named(tmp_path / "one", "one").read(SHAPE)) == 2
    (tmp_path / "full").unlink()
    two.write(list(CLOCK)[2], LATENT[:, :, 6:9])
    assert len(named(tmp_path / "full", "two").read(SHAPE)) == 3
