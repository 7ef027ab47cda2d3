"""The nodes of the pack, in menu order."""

from comfy_api.latest import ComfyExtension, io

from .cache_method import HeadForcingCacheMethod
from .continue_video import HeadForcingContinueVideo
from .drift_report import HeadForcingDriftReport
from .edit_head_map import HeadForcingEditHeadMap
from .load_ar_lora import HeadForcingLoadARLora
from .load_ar_model import HeadForcingLoadARModel
from .load_demo import HeadForcingLoadDemo
from .load_head_map import HeadForcingLoadHeadMap
from .measure_drift import HeadForcingMeasureDrift
from .page import serve
from .profile_heads import HeadForcingProfileHeads
from .prompt_schedule import HeadForcingPromptSchedule
from .sampler import HeadForcingSampler
from .video_to_file import HeadForcingVideoToFile

NODES: list[type[io.ComfyNode]] = [
    HeadForcingLoadARModel,
    HeadForcingLoadARLora,
    HeadForcingLoadDemo,
    HeadForcingProfileHeads,
    HeadForcingLoadHeadMap,
    HeadForcingEditHeadMap,
    HeadForcingCacheMethod,
    HeadForcingPromptSchedule,
    HeadForcingSampler,
    HeadForcingVideoToFile,
    HeadForcingContinueVideo,
    HeadForcingMeasureDrift,
    HeadForcingDriftReport,
]


class HeadForcingExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        serve()
        return NODES
