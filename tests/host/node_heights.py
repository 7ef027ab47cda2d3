"""How tall nodes are on the page: the taller of its two ways to draw them, below the title.

Measured in the pages that are tried; check_layout.py fails where one has become taller.
"""

# pictures of a video are as wide as the node
SQUARE, WIDE = 1.0, 480 / 832
# rows of a head map: of the small model; of published ones as many as a panel shows at once
SMALL_MAP, LARGE_MAP = 156, 420
DEMO = "HeadForcingLoadDemo"
FIXED = {
    "CLIPLoader": 116,
    "CreateVideo": 110,
    "HeadForcingLoadARModel": 146,
    "HeadForcingLoadDemo": 102,
    "HeadForcingMeasureDrift": 172,
    "HeadForcingPromptSchedule": 468,
    "ImageFromBatch": 90,
    "PrimitiveFloat": 62,
    "PrimitiveInt": 82,
    "VAELoader": 66,
}
SAMPLER, SAMPLER_HEIGHT, LEAST = "HeadForcingSampler", 424, 150
METHODS = {"head_forcing:compact": 622, "sink_window": 340}


def heights_of(kind, given, width, kinds):
    """Return how tall a node is when a graph is opened, and after a run.

    Args:
        given: values of its inputs.
        width: of the node.
        kinds: of all nodes of its graph.
    """
    of_demo = DEMO in kinds
    rows = SMALL_MAP if of_demo else LARGE_MAP
    match kind:
        case "HeadForcingSampler":  # a strip, words and a player come with a run
            return SAMPLER_HEIGHT, round(max(766 + width * (SQUARE if of_demo else WIDE), 1000))
        case "HeadForcingProfileHeads":
            return 354, 522 + rows
        case "HeadForcingEditHeadMap":
            return 256, 424 + rows
        case "HeadForcingCacheMethod":
            return (METHODS[given["method"]],) * 2
        case "SaveVideo":
            return 126, 364
    return (FIXED[kind],) * 2


def height_opened(kind):
    """Return how tall a closed node is to be when somebody opens it; most grow to what they show.

    A page counts this height when it fits a graph into its window.
    """
    return SAMPLER_HEIGHT if kind == SAMPLER else LEAST
