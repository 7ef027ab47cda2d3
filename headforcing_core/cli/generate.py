"""``headforcing generate``: from a checkpoint and a prompt to a video, or its latents."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack
from pathlib import Path

import torch

from ..autoencoders import Autoencoder, PublishedVae
from ..crews import Worker
from ..device import check_room, choose_device
from ..files import (
    check_writable,
    claimed,
    clear_leftovers,
    refuse_held,
)
from ..generation import VideoRequest
from ..models import (
    FAMILIES,
    WanConfig,
    WanModel,
)
from ..ranks import Ranks
from ..reel import GIVEN, Film
from ..rollout import Begun, FinishedChunk
from ..video import PromptSchedule, parse_prompts, schedule_of
from .beginning import given_frames, gone_on, recoder
from .company import Company
from .earlier import Earlier, filled, is_video
from .following import follow, lead
from .foresight import check_before, published_of
from .inputs import check_inputs
from .live import TypedPrompts, add_live_option, check_live_option
from .loading import add_loading_options, dtype_of, load_model
from .progress import AnyRollout
from .recording import record
from .request_options import add_method_options, request_of
from .run_on_the_way import RunOnTheWay
from .run_settings import settings_of_run, tell_map
from .showing import (
    Showing,
    add_video_options,
    check_vae,
    check_video_options,
    film_of,
    titled,
    vae_of,
)
from .unfinished import Unfinished
from .words import (
    Words,
    add_word_options,
    check_word_options,
    embedded,
    plain,
    words_said,
)

log = logging.getLogger("headforcing")
NAME = "generate"
# chunk by chunk until the end, and once more while they are written
COPIES = 2
SIDES = "a multiple of 8, for LongLive 2.0 of 16"
SHORTER = "use fewer --seconds or a smaller picture"
EPILOG = "Families:\n" + "\n".join(
    f"  {f.name:26}{f.title} ({f.source})"
    + f"\n{'':28}chunks of {f.frames_per_chunk}, window {f.window}, sink {f.sink}"
    + f"; {f.video.fps:g} pictures per second"
    for f in FAMILIES
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        NAME,
        help="generate a video, or its latents, from a checkpoint and a prompt",
        description="Run the autoregressive rollout of a checkpoint and write video and latents.\n"
        "What is finished is saved every minute; Ctrl-C stops and keeps it. Frames are latent\n"
        "frames, four pictures each: a quarter of a second at 16 pictures per second.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FILE", help=".safetensors, .pt, or a sharded folder")
    add_word_options(parser)
    add_live_option(parser)
    add_video_options(parser)
    add("--seconds", metavar="N", type=float, help="length of the whole video (default 5)")
    add("--width", metavar="N", type=int, help=f"pixels, {SIDES} (default 832)")
    add("--height", metavar="N", type=int, help=f"pixels, {SIDES} (default 480)")
    add("--seed", metavar="N", type=int, help="same seed, same video (default 0)")
    add("--out", metavar="FILE", help="latents to write, .safetensors")
    add(
        "--start",
        metavar="FILE",
        help="to go on from: latents written earlier, or a video of ours with its latents beside "
        "it. A video says whatever is not given here; --prompt is what follows, its times counted "
        "from there",
    )
    add(
        "--from",
        dest="from_second",
        metavar="SECOND",
        type=float,
        help="what comes after is made anew, what is before stays, in whole chunks (default: all)",
    )
    add_method_options(parser)
    add("--text-tokens", metavar="N", type=int, help="rows the text is padded to (default 512)")
    add_loading_options(parser)
    add("--anyway", action="store_true", help="run even if memory is not expected to suffice")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace, ranks: Ranks | None = None) -> int:
    """Make the video, alone or with others: those that do not lead read and write nothing."""
    if ranks is None or ranks.leads:
        make(*checked(options), Company(ranks=ranks))
    else:
        follow(options, ranks)
    return 0


def checked(
    options: argparse.Namespace,
) -> tuple[argparse.Namespace, VideoRequest, Earlier | None]:
    """Check all that can be checked before anything is held or loaded.

    Returns:
        The options with what an earlier video says of itself, what they ask for, and that video.
    """
    check_word_options(options, is_video(options.start))
    check_live_option(options)
    check_video_options(options)
    check_inputs(options)
    earlier = Earlier.of(options)
    options = filled(options, earlier)
    request = request_of(options)
    if earlier is not None:
        earlier.check(request)
    return options, request, earlier


def make(
    options: argparse.Namespace,
    request: VideoRequest,
    earlier: Earlier | None,
    company: Company,
) -> None:
    """Make the video, and write what is to be written."""
    out = None if options.out is None else Path(options.out).absolute()
    copies = 0 if out is None else COPIES
    check_room("the latents", copies * _size(request), "cpu", SHORTER)
    film = None if options.video is None else film_of(options, request.family)
    if out is not None:
        check_writable(out, _size(request))
    with ExitStack() as held:
        for place in (out, film and film.path):
            if place is not None:
                refuse_held(place.parent)
                held.enter_context(claimed(place))
                clear_leftovers(place)
        _generate(options, request, out, film, earlier, company)


def _generate(
    options: argparse.Namespace,
    request: VideoRequest,
    out: Path | None,
    film: Film | None,
    earlier: Earlier | None,
    company: Company,
) -> None:
    device = choose_device(options.device)
    words = _words(options, request, earlier)
    vae = None if film is None else vae_of(options)
    config = published_of(options, request.family).config
    _check_together(config, words, vae)
    said = () if words is None else words.prompts
    prompts = embedded(options, config) if words is None else None
    batch = 1 if prompts is None else prompts.texts[0].shape[0]
    many, worker = company.size, company.worker
    plan = check_before(options, request, device, len(said) or 1, batch, vae, many)
    if words is not None:
        prompts = words.schedule(request.clock, options.text_tokens, device)
    if film is not None and batch > 1:
        raise ValueError(f"--video must come with one embedding, got {batch} side by side")
    model = load_model(options, request.family, device, None if worker is None else worker.kept)
    settings = {**settings_of_run(options, request, model, earlier), "schedule": plain(said)}
    tell_map(request, settings)
    _check_beside(request, model, batch, out)
    given = given_frames(options, request, (batch, model.config.in_dim), settings, earlier)
    # of those that were there: what the video made itself counts otherwise
    settings[GIVEN] = 0 if given is None else given.given
    place = out if film is None else film.path
    frames = None if given is None else given.frames
    left = Unfinished.of(place, request, settings, prompts, frames, model.state_dict())
    pictures = None if film is None else vae.build(dtype_of(options, device), device)
    kept, begun = gone_on(left, request, given, (batch, model.config.in_dim))
    typed = None if options.prompts_from is None else TypedPrompts.begin(request)
    way = RunOnTheWay(*(options, request, model, settings, left, kept, frames, words, typed, film))
    lead(company.ranks, request, model, prompts, begun, typed is not None)
    encodes, steer = recoder(request, pictures), typed and way.steer
    rollout = request.rollout(model, prompts, recoder=encodes, steer=steer, ranks=company.ranks)
    rollout.check(frames)
    log.info(plan)
    _record(way, rollout, out, begun, prompts, pictures, worker)


def _record(
    way: RunOnTheWay,
    rollout: AnyRollout,
    out: Path | None,
    begun: Begun | None,
    prompts: PromptSchedule,
    pictures: Autoencoder | None,
    worker: Worker | None,
) -> None:
    """Run the rollout to its files."""

    def watch(done: FinishedChunk) -> None:
        way.finished(done)
        if worker is not None:
            worker.tell(len(done.chunk))

    request, video = way.request, way.request.family.video
    said = () if way.words is None else way.words.prompts
    if way.film is None:
        record(rollout, out, way, video, begun, watch)
    else:
        if said:  # without what a model is told in between
            prompts = schedule_of(said, said, request.clock, video)
        film = titled(way.film, way.settings, said, prompts, request, way.left.key)
        frames, beside = request.clock.total_frames, not way.options.no_latents
        shown = (pictures, film, frames, way.model.device, prompts, way.kept, beside)
        with Showing(*shown) as way.showing:
            record(rollout, out, way, video, begun, watch)
    way.told()
    if not way.kept.beyond:  # else a longer one of this video has begun, and goes on
        way.left.remove()


def _words(
    options: argparse.Namespace, request: VideoRequest, earlier: Earlier | None
) -> Words | None:
    if options.text_encoder is None:
        return None
    said, clock, video = words_said(options), request.clock, request.family.video
    if earlier is None:
        prompts = parse_prompts(said, video.fps)
    else:
        prompts = earlier.prompts(said, clock)
    return Words.open(options, prompts, clock, video, request.family.shot_words)


def _check_together(config: WanConfig, words: Words | None, vae: PublishedVae | None) -> None:
    if words is not None:
        words.check(config)
    if vae is not None:
        check_vae(vae, config)


def _check_beside(request: VideoRequest, model: WanModel, batch: int, out: Path | None) -> None:
    """Refuse what does not fit beside a model that is loaded."""
    size = (0 if out is None else COPIES) * batch * _size(request)
    if model.device.type == "cpu":  # where they lie beside each other
        size += request.plan(model, batch).on(model.device).bytes
    check_room("latents and caches", size, "cpu", SHORTER)


def _size(request: VideoRequest) -> int:
    """Return the bytes of one video's latents."""
    numbers = request.clock.total_frames * request.family.channels
    return numbers * request.rows * request.columns * torch.float32.itemsize
