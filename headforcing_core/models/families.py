"""Model families: how published models are sized and run.

Those numbers stand here and nowhere else; what all Wan models share is in wan.py and video/rope.py.
"""

from __future__ import annotations

from dataclasses import replace

from ..files import WRAPPERS
from ..methods import KreaRealtime, LongLive2, PositionRule, RewardForcing, RollingForcing
from ..video import VideoFormat
from .family import Family
from .wan_config import WanConfig

# of latents: Wan 2.1 and the larger Wan 2.2, and the small one
WAN_CHANNELS, WAN_5B_CHANNELS = 16, 48
WAN_VIDEO = VideoFormat(time_stride=4, space_stride=8, fps=16)
WAN_5B_VIDEO = VideoFormat(time_stride=4, space_stride=16, fps=24)
WAN_HEAD_DIM = 128
WAN_TEXT_TOKENS = 512
WAN_EPS = 1e-6
# of the encoder of its texts: eps of norms, and how many tokens apart is as far as any
UMT5_EPS, UMT5_FAR = 1e-6, 128
WAN_HORIZON = 21
WAN_1_3B_MODEL = WanConfig(
    dim=12 * WAN_HEAD_DIM,
    ffn_dim=8960,
    freq_dim=256,
    text_dim=4096,
    in_dim=WAN_CHANNELS,
    out_dim=WAN_CHANNELS,
    heads=12,
    layers=30,
    patch=(1, 2, 2),
    eps=WAN_EPS,
)
WAN_1_3B = WAN_1_3B_MODEL.geometry

WAN_5B_MODEL = replace(
    WAN_1_3B_MODEL,
    dim=24 * WAN_HEAD_DIM,
    ffn_dim=14336,
    in_dim=WAN_5B_CHANNELS,
    out_dim=WAN_5B_CHANNELS,
    heads=24,
)
WAN_14B_MODEL = replace(WAN_1_3B_MODEL, dim=40 * WAN_HEAD_DIM, ffn_dim=13824, heads=40, layers=40)
# as people call them, by the numbers they have
SIZES = {"1.3b": WAN_1_3B_MODEL, "5b": WAN_5B_MODEL, "14b": WAN_14B_MODEL}

FOUR_STEPS = (1000, 750, 500, 250)
# of what was built on a model, names tell
NOT_PLUS, PLUS = r"(?!\+|plus|pp)", r"(\+\+|plusplus|pp)"
FRAMES, CHUNKS = "(?!.*chunkwise)(?=.*framewise)", "(?!.*framewise)(?=.*chunkwise)"
# chunk-wise and frame-wise files have one name: their folder, or more of the name, must tell; a
# number of steps must be four, and their long videos are rolling forcing with four steps
CAUSAL_FORCING = (
    r"^(?!.*(longvideo|rollingforcing|([0-35-9]|one|two)step))"
    rf"(?=.*causalforcing{NOT_PLUS})"
)
# its authors' settings leave the plusses out, and nothing frame-wise but that has so few steps
FEW_STEPS = (
    rf"^(?!.*(chunkwise|longvideo))(?=.*(causalforcing|(^|/)cf{PLUS}))"
    rf"(?=.*(framewise|(forcing|cf){PLUS}))"
)
ONE_STEP, TWO_STEPS = r"(?<!\d)(1|one)step", r"(?<!\d)(2|two)step"
SELF_GRADIENT = r"^(?=.*(selfgradientforcing|(?<![a-z])sgf))"
# 2.0 or 2, not 20 seconds nor two steps, or what of LongLive has five billion weights; one with
# two steps is published beside it
SECOND_LONGLIVE = (
    r"^(?!.*(nvfp4s2|2step)).*longlive"
    r"(v?20?(5b|(?!\d|s(?!a)|step|frame))|(?!v?2).*(?<!\d)5b(?!it))"
)
PLAIN_FIRST = ("generator", *WRAPPERS)

SELF_FORCING = Family(
    "self_forcing",
    "Self-Forcing",
    "arXiv 2506.08009",
    "selfforcing" + NOT_PLUS,
    frames_per_chunk=3,
    steps=FOUR_STEPS,
    window=WAN_HORIZON,
    horizon=WAN_HORIZON,
    channels=WAN_CHANNELS,
    video=WAN_VIDEO,
    weights=WRAPPERS,
)
FRAMEWISE = replace(
    SELF_FORCING,
    name="causal_forcing_framewise",
    title="Causal Forcing, frame-wise",
    source="arXiv 2602.02214",
    file_pattern=CAUSAL_FORCING + FRAMES,
    frames_per_chunk=1,
)
SGF_CHUNKWISE = replace(
    SELF_FORCING,
    name="sgf_chunkwise",
    title="Self Gradient Forcing, chunk-wise",
    source="Zihan-Su/Self_Gradient_Forcing_Plus",
    file_pattern=SELF_GRADIENT + CHUNKS,
    window=12,
    sink=3,
    horizon=12,
    # to the top of the trained range; sink and window fill it, so they are closed up
    positions=PositionRule.SPREAD,
    two_experts=True,
)

# ordered: the first pattern that matches a file name wins
FAMILIES = (
    replace(
        SELF_FORCING,
        name="longlive",
        title="LongLive",
        source="arXiv 2509.22622",
        file_pattern=r"longlive(?!v?2)(?!.*(?<!\d)5b(?!it))",
        window=12,
        sink=3,
        recaches=True,
        with_lora=True,
    ),
    Family(
        "longlive2",
        "LongLive 2.0",
        "NVlabs/LongLive",
        SECOND_LONGLIVE,
        frames_per_chunk=8,
        steps=FOUR_STEPS,
        window=32,
        horizon=32,
        channels=WAN_5B_CHANNELS,
        video=WAN_5B_VIDEO,
        weights=PLAIN_FIRST,
        sink=8,
        keeps=LongLive2(),
        solves=True,
        holds_image=True,
        shot_words="The scene transitions. ",
    ),
    replace(
        SELF_FORCING,
        name="rolling_forcing",
        title="Rolling Forcing",
        source="arXiv 2509.25161",
        file_pattern="^(?!.*(longvideo|causalforcing)).*rollingforcing" + NOT_PLUS,
        steps=(1000, 800, 600, 400, 200),
        keeps=RollingForcing(),
        joint=True,
    ),
    replace(
        SELF_FORCING,
        name="reward_forcing",
        title="Reward Forcing",
        source="arXiv 2512.04678",
        file_pattern="rewardforcing" + NOT_PLUS,
        window=9,
        sink=3,
        keeps=RewardForcing(),
    ),
    replace(
        SELF_FORCING,
        name="krea_14b",
        title="Krea Realtime 14B",
        source="krea-ai/realtime-video",
        file_pattern="krearealtime",
        steps=(1000, 750, 500, 250, 0),
        window=6,
        keeps=KreaRealtime(),
        blend=4,
    ),
    replace(
        FRAMEWISE,
        name="causal_forcing_pp_2step",
        title="Causal Forcing++, 2 steps",
        file_pattern=f"{FEW_STEPS}(?=.*{TWO_STEPS})(?!.*{ONE_STEP})",
        steps=(1000, 500),
        first_steps=FOUR_STEPS,
    ),
    replace(
        FRAMEWISE,
        name="causal_forcing_pp_1step",
        title="Causal Forcing++, 1 step",
        file_pattern=f"{FEW_STEPS}(?=.*{ONE_STEP})(?!.*{TWO_STEPS})",
        steps=(1000,),
        first_steps=FOUR_STEPS,
    ),
    FRAMEWISE,
    replace(
        FRAMEWISE,
        name="causal_forcing_chunkwise",
        title="Causal Forcing, chunk-wise",
        file_pattern=CAUSAL_FORCING + CHUNKS,
        frames_per_chunk=3,
        weights=PLAIN_FIRST,
    ),
    SGF_CHUNKWISE,
    replace(
        SGF_CHUNKWISE,
        name="sgf_framewise",
        title="Self Gradient Forcing, frame-wise",
        file_pattern=SELF_GRADIENT + FRAMES,
        frames_per_chunk=1,
        window=WAN_HORIZON,
        sink=4,
        horizon=WAN_HORIZON,
    ),
    SELF_FORCING,
    replace(
        SELF_FORCING,
        name="demo",
        title="the demo model",
        source="headforcing_core/demo",
        file_pattern="headforcingdemo",
        latent_size=(8, 8),
    ),
)
PUBLISHED_SIZES = {"krea_14b": WAN_14B_MODEL, "longlive2": WAN_5B_MODEL}
FAMILY_NAMES = tuple(family.name for family in FAMILIES)


def family_named(name: str) -> Family:
    """Return a family by name.

    Raises:
        ValueError: if there is none.
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    raise ValueError(f"family must be one of {', '.join(FAMILY_NAMES)}, got {name!r}")


def published_sizes(family: Family) -> WanConfig:
    """Return the sizes of a family's model, where there is no file to tell."""
    return PUBLISHED_SIZES.get(family.name, WAN_1_3B_MODEL)


def unlike_published(family: Family, config: WanConfig) -> str | None:
    """Return a warning if weights are of a published size, but not of that of the family."""
    own = published_sizes(family)
    sizes = [(x.layers, x.dim) for x in SIZES.values()]
    got = config.layers, config.dim
    if got not in sizes or got == (own.layers, own.dim):
        return None
    return (
        f"{family.title} is published with {own.layers} layers of {own.dim} channels, got a file "
        f"with {got[0]} of {got[1]}: it is run all the same; choose another family if it is of one"
    )


def video_format(channels: int) -> VideoFormat:
    """Return how videos of latents with so many channels are packed; Wan 2.1's if unknown."""
    return WAN_5B_VIDEO if channels == WAN_5B_CHANNELS else WAN_VIDEO
