"""How alike frames are."""

import torch
from torch.nn.functional import cosine_similarity

from headforcing.headforcing_core.memory.scores.descriptors import CELLS, Descriptors, describe

SEEN = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) + 10  # one is like the other


def likeness(centred):
    novelty = Descriptors(centred)
    novelty.see(range(3), SEEN[:3])
    novelty.see(range(3, 6), SEEN[3:])
    novelty.keep([0, 2, 4, 5])
    assert novelty.frames == [0, 2, 4, 5]
    return novelty.likeness()


def test_frames_are_compared_around_the_mean_of_all_that_were_seen():
    around = SEEN[[0, 2, 4, 5]] - SEEN.mean(0)  # those that are forgotten count
    expected = cosine_similarity(around[:, None], around[None], dim=-1)
    torch.testing.assert_close(likeness(centred=True), expected)
    assert likeness(centred=True).min() < 0


def test_without_that_everything_is_alike():
    kept = SEEN[[0, 2, 4, 5]]
    expected = cosine_similarity(kept[:, None], kept[None], dim=-1)
    torch.testing.assert_close(likeness(centred=False), expected)
    assert likeness(centred=False).min() > 0.95


def test_a_frame_that_is_computed_again_counts_once():
    once, again = Descriptors(centred=True), Descriptors(centred=True)
    for novelty in (once, again):
        novelty.see(range(4), SEEN[:4])
    again.see(range(2, 4), SEEN[2:4])
    torch.testing.assert_close(again.likeness(), once.likeness())


def test_descriptors_are_means_over_cells():
    pictures = torch.randn(2, 3, 30, 52)
    cells = pictures.unflatten(3, (4, 13)).unflatten(2, (5, 6)).mean((3, 5))
    torch.testing.assert_close(describe(pictures), cells.flatten(1))
    small = torch.randn(2, 3, 2, 3)  # fewer tokens than cells
    torch.testing.assert_close(describe(small), small.flatten(1))
    assert CELLS == (5, 4)
