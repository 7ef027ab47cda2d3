import pack  # noqa: F401
from hypothesis import HealthCheck, settings

# A change is judged by what it does, not by the day's luck: the same examples each time, and none
# fails for being slow. `--hypothesis-profile=search` looks at others.
FAIR = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", FAIR, derandomize=True)
settings.register_profile("search", FAIR)
settings.load_profile("same")
