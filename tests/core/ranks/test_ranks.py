"""Videos that real processes make together are those that one makes."""

from dataclasses import replace
from random import Random

import pytest
import torch
from defects import DEFECTS, made_with
from every_family import FAMILY_NAMES
from fake_host import apart
from spread_videos import SIDES, Case, alike, made, model_for
from working_ranks import crew

from headforcing.headforcing_core import Chunk, PromptSchedule
from headforcing.headforcing_core.methods import NAMES
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.ranks import CallTraffic
from headforcing.headforcing_core.rollout import Begun

OWN_FAMILY = {
    "rolling_forcing": "rolling_forcing",
    "longlive2": "longlive2",
    "krea": "krea_14b",
    "krea:heads": "krea_14b",
}
# heads and tokens that neither two nor three ranks can share evenly
UNEVEN = {2: 5, 3: 4}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def crews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with crew(2, folder) as two, crew(3, folder) as three:
        yield {2: two, 3: three}


def check(crews, size, case, *begun):
    """Make a case on so many ranks and alone; return what each of them has."""
    alone, ranks = made(None, case, *begun), crews[size].do(made, case, *begun)
    for rank in ranks:
        worst = (rank.latents - alone.latents).abs().max()
        assert alike(rank, alone), f"{worst:.1e}"
        assert torch.equal(rank.latents, ranks[0].latents)
        assert rank.bytes == rank.planned < alone.bytes
    assert sum(rank.heads for rank in ranks) == alone.heads
    if not case.request.family.joint:  # whose window has room for one layer, the fullest
        assert sum(rank.bytes for rank in ranks) == alone.bytes
    return ranks


@pytest.mark.parametrize("size", UNEVEN)
@pytest.mark.parametrize("name", NAMES)
def test_every_method_makes_the_same_video(crews, size, name):
    """With a new prompt, and a cut."""
    family = OWN_FAMILY.get(name, "self_forcing")
    chunks, cut = (5, 4) if family == "longlive2" else (9, None)
    check(crews, size, Case(name, family, heads=UNEVEN[size], chunks=chunks, switch=3, cut=cut))


@pytest.mark.parametrize("name", [n for n in FAMILY_NAMES if n not in ("krea_14b", "longlive2")])
def test_every_family_makes_the_same_video(crews, name):
    """Other steps, chunks of one frame, two models, chunks denoised together."""
    check(crews, 3, Case(family=name, chunks=7, switch=2, cut=4))


@pytest.mark.parametrize("scope", ["model", "layer", "head"])
@pytest.mark.parametrize("descriptor", ["latent", "keys"])
@pytest.mark.parametrize("update", ["novelty_replace", "merge_nearest"])
def test_episodes_are_the_same_whoever_has_the_heads(crews, scope, descriptor, update):
    says = (
        "memory_recent=3",
        "episodes.count=3",
        f"episodes.scope={scope}",
        f"episodes.descriptor={descriptor}",
        f"episodes.update={update}",
    )
    check(crews, 3, Case("head_forcing:compact", says=says, chunks=8, switch=5))


@pytest.mark.parametrize(
    ("size", "case"),
    [
        (2, Case("head_forcing", first_chunk=1)),
        (3, Case("head_forcing", first_chunk=2, says=("episodes.pool=2",))),
        (3, Case("pyramid", first_chunk=2, switch=5)),
        (3, Case("deep", first_chunk=1, says=("sink=3", "tokens=1"))),
        (2, Case("deep", batch=2)),
        (3, Case("rolling", batch=2, chunks=4)),
        (3, Case("dummy", switch=1, cut=6)),
        (2, Case("forcing_kv", switch=3, cut=6)),
        (3, Case("memrope", switch=2, cut=7)),
        (2, Case("longlive", says=("recache_frames=6",), switch=7)),
        (3, Case("krea:heads", "krea_14b", says=("fade=0.3",), chunks=5, switch=3)),
    ],
    ids=lambda one: (
        f"{one.method} {one.first_chunk} {one.batch}" if isinstance(one, Case) else None
    ),
)
def test_other_chunks_batches_and_prompts(crews, size, case):
    check(crews, size, replace(case, heads=UNEVEN[size]))


BY_KEYS = ("memory_recent=3", "episodes.count=3", "episodes.descriptor=keys")


@pytest.mark.parametrize(
    "case",
    [
        Case("forcing_kv", chunks=6),
        Case("dummy", chunks=4),
        Case("head_forcing:compact", says=BY_KEYS, chunks=9),
    ],
    ids=lambda case: case.method,
)
def test_all_follow_the_first_rank_where_cards_round_otherwise(crews, case):
    together = crews[3].do(made_with, "noisy scores", case)
    assert len({tuple(rank.pasts) for rank in together}) == 1
    apart = crews[3].do(made_with, "noisy scores of each rank", case)
    assert len({tuple(rank.pasts) for rank in apart}) > 1


@pytest.mark.parametrize("size", UNEVEN)
def test_what_is_swapped_is_what_was_said(crews, size):
    case = Case("head_forcing", chunks=4, switch=None, heads=UNEVEN[size])
    request, model = case.request, model_for(case)
    ranks = crews[size].do(made, case)
    deal = request.plan(model, 1, size).deal
    width = model.config.out_dim * 4  # of a patch of two by two
    call = CallTraffic(deal, 1, 3, SIDES[0] * SIDES[1] // 4, 24, width, 4)
    calls = 4 * (len(request.family.steps) + 1)
    for number, rank in enumerate(ranks):
        said = {kind: calls * sent for kind, sent in call.sent(number).items()}
        assert {kind: rank.sent[kind] for kind in said} == said
        assert {k: rank.collectives[k] for k in said} == {
            kind: calls * many for kind, many in call.collectives.items()
        }
        # rank 0 tells the others which frames are alike, once a chunk
        assert rank.collectives["scores"] == 4


def made_apart(ranks, case):
    """Make a video whose device and host are two places."""
    with pytest.MonkeyPatch.context() as patch:
        ways = apart(patch)
        rank = made(ranks, case)
        return rank, sum(len(way.to_device) + len(way.to_host) for way in ways)


def test_ranks_have_what_is_out_of_the_way_each_with_its_host(crews):
    offloads = [f"{kind}_offload=true" for kind in ("wave", "anchor", "veil")]
    case = Case("pyramid", heads=4, chunks=7, switch=3)
    plain = crews[3].do(made, case)
    for one, (other, moved) in zip(
        plain, crews[3].do(made_apart, replace(case, says=tuple(offloads))), strict=True
    ):
        assert torch.equal(one.latents, other.latents)
        assert other.bytes == other.planned and moved > 0


def test_methods_that_look_at_nothing_say_nothing(crews):
    for rank in crews[2].do(made, Case("rolling", heads=5, chunks=3)):
        assert set(rank.sent) == {"in", "out", "whole"}


@pytest.mark.parametrize("family", ["self_forcing", "rolling_forcing"])
def test_a_video_goes_on_with_other_ranks(crews, family):
    """Chunks of two ranks, then of three, then of one."""
    case = Case(family=family, chunks=8, heads=4)
    whole = made(None, case)
    done = crews[2].do(kept_until, case, 3)[0]
    more = crews[3].do(kept_until, case, 3, done)[0]
    rest = made(None, case, more)
    torch.testing.assert_close(rest.latents, whole.latents, atol=2e-5, rtol=1e-4)
    assert rest.pasts == whole.pasts


def kept_until(ranks, case, chunks, begun=None):
    """Make some chunks more, and stop."""
    rollout = case.request.rollout(model_for(case), case.prompts, ranks=ranks)
    done = []
    for each in rollout.run(begun):
        done.append(each)
        if len(done) == chunks + (0 if begun is None else begun.frames.shape[2] // 3):
            break
    latents = torch.cat([each.latent for each in done], 2)
    return Begun(latents, latents.shape[2], done[-1].ahead)


def test_noise_is_that_of_one_process(crews):
    alone = drawn(None)
    for size in UNEVEN:
        assert all(torch.equal(noise, alone) for noise in crews[size].do(drawn))


def drawn(ranks):
    case, chunks = Case("rolling"), [Chunk(n, 3 * n, 3 * n + 3) for n in (0, 3)]
    noise = case.request.rollout(model_for(case), case.prompts, ranks=ranks).noise
    return torch.stack([noise.draw(chunk, step) for chunk in chunks for step in (0, 1)])


def test_prompts_on_the_way_are_those_of_the_first_rank(crews):
    for rank in crews[2].do(steered):
        assert alike(rank, made(None, Case("longlive", chunks=6, switch=3)))


def steered(ranks):
    case = Case("longlive", chunks=6, switch=3)
    first = PromptSchedule.constant(case.prompts.texts[0])

    def steer(chunk):
        assert ranks.leads, "others are not asked"
        return case.prompts if chunk.index == 3 else None

    rollout = case.request.rollout(model_for(case), first, steer=steer, ranks=ranks)
    latents = torch.cat([each.latent for each in rollout.run()], 2)
    pasts = [repr(ledger.past) for ledger in rollout.bank.ledgers]
    return made(None, replace(case, chunks=1))._replace(latents=latents, pasts=pasts)


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_seen(crews, defect):
    case = Case(DEFECTS[defect].method, heads=4, chunks=8, switch=5, says=DEFECTS[defect].says)
    alone, ranks = made(None, case), crews[2].do(made_with, defect, case)
    assert not all(alike(rank, alone) for rank in ranks)


def any_case(random):
    """Return a number of ranks and a video for them, drawn."""
    size = random.choice((2, 3))
    family = random.choice(("self_forcing", "causal_forcing_framewise", "causal_forcing_pp_2step"))
    chunk = family_named(family).frames_per_chunk
    names = [name for name in NAMES if name not in OWN_FAMILY]
    method, chunks = random.choice(names), random.randrange(2, 12)
    switch = random.choice((None, *range(1, chunks)))
    cut = random.choice((None, *range(1, chunks)))
    first = random.randrange(1, chunk + 1)
    return size, Case(
        method,
        family,
        heads=random.randrange(size, 8),
        layers=random.randrange(1, 4),
        chunks=chunks,
        first_chunk=None if method == "reward_forcing" else first,
        switch=switch,
        cut=None if cut == switch else cut,
    )


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.long) for n in range(6, 150))]
)
def test_any_video_is_made_alike(crews, seed):
    size, case = any_case(Random(seed))
    try:
        _ = case.request
    except ValueError:  # not every method is for chunks of every size
        pytest.skip("refused")
    check(crews, size, case)
