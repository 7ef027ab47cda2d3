"""What methods see in keys and queries, on heads and bands that were planted."""

import torch
from plans import DIM, GRID, HEADS, LAYERS, bank_for

from headforcing.headforcing_core import ChunkClock, HeadAttention
from headforcing.headforcing_core.memory import OpenChunk
from headforcing.headforcing_core.methods import DummyTypes, Kind, settings_named, with_values
from headforcing.headforcing_core.methods.online import FIRST, LAST, LAST_CHUNK

P = GRID.tokens_per_frame
# of the time channels, the one that RoPE hardly turns
STEADY = 6
LATENT = torch.zeros(1, 16, 3, 6, 8)


def commit(bank, chunks, q, k):
    """Commit chunks of queries and keys ``[LAYERS, F, P, H, D]``."""
    for chunk in chunks:
        attend = HeadAttention(bank.open(chunk), step=None)
        for layer in range(LAYERS):
            rows = (x[layer, chunk.start : chunk.stop].flatten(0, 1)[None] for x in (q, k, k))
            attend(layer, *rows)
        bank.commit(chunk, LATENT)


def test_dummy_forcing_tells_planted_heads_apart():
    bank = bank_for(settings_named("dummy").build(), 60)
    q, k = torch.zeros(2, LAYERS, 6, P, HEADS, DIM)
    q[..., STEADY] = 30
    k[:, 0, :, 0, STEADY] = 1  # head 0 looks at the first frame
    k[:, 1:3, :, 1, STEADY] = 1  # head 1 at what is between it and the current chunk
    k[:, 3:, :, 2:, STEADY] = 1  # heads 2 and 3 at the current chunk
    chunks = list(ChunkClock(6, 3))
    commit(bank, chunks[:1], q, k)
    assert {ledger.rule for ledger in bank.ledgers} == {bank.plan.method.rules["dummy.undecided"]}
    commit(bank, chunks[1:], q, k)
    rules = bank.plan.method.rules
    for layer in bank.layers:
        kinds = [layer.ledger_of(head).rule for head in range(HEADS)]
        assert kinds == [rules[f"dummy.{name}"] for name in "abcc"]
        kept = [layer.ledger_of(head).past for head in range(HEADS)]
        assert [(past.sink, past.recent) for past in kept] == [
            ((0,), ()),
            ((), (3, 4, 5)),
            ((), (5,)),
            ((), (5,)),
        ]


def test_dummies_are_the_heads_that_look_neither_way():
    masses = [(1.0, 0.0), (0.3, 0.3), (0.0, 1.0), (0.25, 0.25)]
    assert DummyTypes().decide(masses) == [FIRST, LAST, LAST_CHUNK, LAST]


def test_only_clean_calls_are_studied(monkeypatch):
    seen = []
    monkeypatch.setattr(OpenChunk, "study", lambda self, layer, q, unrotated: seen.append(layer))
    bank = bank_for(settings_named("rolling").build(), 60)
    (chunk, *_) = ChunkClock(60, 3)
    opened = bank.open(chunk)
    q = torch.zeros(1, 3 * P, HEADS, DIM)
    for step in (0, 1, None):
        HeadAttention(opened, step=step)(0, q, q, q)
    assert seen == [0]


def test_heads_told_apart_later_lose_what_their_type_does_not_keep():
    settings = with_values(settings_named("dummy"), ["types.after_chunk=2"])
    bank = bank_for(settings.build(), 60)
    q, k = torch.zeros(2, LAYERS, 9, P, HEADS, DIM)
    q[..., STEADY] = 30
    k[:, 0, :, 0, STEADY] = 1
    k[:, 1:6, :, 1, STEADY] = 1
    k[:, 6:, :, 2:, STEADY] = 1
    commit(bank, ChunkClock(9, 3), q, k)
    for layer in bank.layers:
        kept = [layer.ledger_of(head).past for head in range(HEADS)]
        assert [(past.sink, past.recent) for past in kept] == [
            ((0,), ()),
            ((), (6, 7, 8)),
            ((), (8,)),
            ((), (8,)),
        ]


def test_forcing_kv_keeps_the_bands_that_are_least_like_the_next_frame():
    # 12 tokens in 6 bands: two neighbouring tokens each
    settings = with_values(settings_named("forcing_kv"), ["bands.scored_in=1"])
    bank = bank_for(settings.build(), 60)
    q = torch.randn(LAYERS, 9, P, HEADS, DIM, generator=torch.Generator().manual_seed(0))
    k = torch.zeros_like(q)
    k[..., STEADY] = 1.0
    changed = [(5, 4), (6, 0), (6, 1), (6, 5), (7, 2), (7, 3)]
    # frame f differs from the next where the sign of what follows it changes
    for frame, band in changed:
        k[1, frame + 1 :, 2 * band : 2 * band + 2] *= -1
    k[0] = torch.randn_like(k[0])  # the first layer does not count
    commit(bank, ChunkClock(9, 3), q, k)
    (dynamic,) = (x for x in bank.ledgers if x.rule is bank.plan.method.rules["fk.dynamic"])
    (page,) = dynamic.past.middle
    assert page.kind is Kind.BANDS and page.bands == tuple(changed)
