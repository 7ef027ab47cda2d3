"""Who does work of many pieces: processes of this machine, or a Ray cluster."""

from .crew import Crew, Event, Kind, Task, Worker
from .inline import Inline
from .processes import Processes
from .ray_cluster import LOCAL, RayCluster
from .size import crew_here

__all__ = [
    "LOCAL",
    "Crew",
    "Event",
    "Inline",
    "Kind",
    "Processes",
    "RayCluster",
    "Task",
    "Worker",
    "crew_here",
]
