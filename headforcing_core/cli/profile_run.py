"""The videos of ``headforcing profile``, made and measured by its workers."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from ..crews import Event, Inline, Kind, Task, Worker
from ..device import choose_device
from ..files import save_or_rescue
from ..heads import (
    Found,
    HeadProfile,
    ProfileSettings,
    Subject,
    Video,
    check_texts,
    frames_to_make,
    measured,
    read_profile,
    videos_to_make,
    with_found,
    write_profile,
)
from ..stopping import stop_if_asked, to_the_end
from .crew_options import crew_of
from .profile_room import room_of
from .profile_subject import DEMO, subject_of

log = logging.getLogger("headforcing")
# what a worker keeps of the model under this name
SUBJECT = "subject"


def measure_video(
    worker: Worker, options: argparse.Namespace, settings: ProfileSettings, video: Video
) -> Found:
    """Make and measure one video of a profile: what one worker does."""
    if SUBJECT not in worker.kept:
        options = argparse.Namespace(**{**vars(options), "device": worker.device})
        worker.kept[SUBJECT] = subject_of(options, settings)
    return measured(worker.kept[SUBJECT], settings, video, worker.tell)


def measured_profile(
    options: argparse.Namespace, subject: Subject, settings: ProfileSettings, file: Path
) -> HeadProfile:
    """Measure what is not in the file yet; every finished video goes there at once."""
    profile = subject.empty_profile(settings)
    if file.exists():
        profile = _going_on(read_profile(file), profile, file)
    check_texts(subject, settings)
    grown = _Growing(profile, file, frames_to_make(subject, settings, profile))
    room = room_of(subject, settings, choose_device(options.device))
    tasks = [
        Task(f"{video}", measure_video, (_anywhere(options), settings, video), room)
        for video in videos_to_make(settings, profile)
    ]
    if tasks:
        crew = crew_of(options, tasks, Inline(options.device, {SUBJECT: subject}))
        log.info("videos are made by %s", crew.says)
        if not isinstance(crew, Inline):
            subject.model.to("cpu")  # a card is the workers'
        with grown:
            crew.run(tasks, grown.take)
    profile = grown.profile
    wanted, back = set(settings.videos), set(settings.returning)
    part = profile.where(lambda sample: (sample.prompt, sample.seed) in wanted)
    returns = tuple(each for each in part.returns if (each.prompt, each.seed) in back)
    return replace(part, returns=returns)


class _Growing:
    """A profile that every finished video makes larger, its file, and the bar over it.

    Args:
        work: frames to be made.
    """

    def __init__(self, profile: HeadProfile, file: Path, work: int):
        self.profile, self._file = profile, file
        self._bar = tqdm(total=work, unit="frame", desc="profiling")
        self._made: Counter[str] = Counter()
        self._waits: OSError | None = None

    def take(self, event: Event) -> None:
        """Take what became of a video.

        Raises:
            RuntimeError: if it cannot be made.
        """
        if event.kind is Kind.FAILED:
            raise RuntimeError(event.value)
        if event.kind is Kind.LOST:
            log.warning("%s is made again: %s", event.task, event.value)
        if event.kind is Kind.DONE:
            self.profile = with_found(self.profile, event.value)
            self._waits = _refusal(self._file, self.profile)
        elif event.kind is Kind.STARTED:  # perhaps again, after its worker died
            self._bar.update(-self._made.pop(event.task, 0))
        elif event.kind is Kind.ADVANCED:
            self._made[event.task] += event.value
            self._bar.update(event.value)
        stop_if_asked()

    def __enter__(self) -> _Growing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._waits is not None:
            to_the_end(lambda: _rescue(self._file, self.profile))


def _anywhere(options: argparse.Namespace) -> argparse.Namespace:
    """Return options whose files are found from any folder."""
    found = argparse.Namespace(**vars(options))
    if options.model != DEMO:
        found.model = str(Path(options.model).absolute())
    found.lora = options.lora and str(Path(options.lora).absolute())
    found.text_embedding = [str(Path(f).absolute()) for f in options.text_embedding or ()] or None
    del found.run
    return found


def _refusal(file: Path, profile: HeadProfile) -> OSError | None:
    """Save what is measured, if it can be; a full disk is no reason to stop, it may be mended."""
    try:
        to_the_end(lambda: write_profile(file, profile))
    except OSError as error:
        log.warning("not saved yet: %s", error)
        return error
    return None


def _rescue(file: Path, profile: HeadProfile) -> None:
    try:
        save_or_rescue(lambda path: write_profile(path, profile), file, "what was measured")
    except OSError as error:
        log.warning("%s", error)  # the tables can be made all the same


def _going_on(known: HeadProfile, wanted: HeadProfile, file: Path) -> HeadProfile:
    for name in ("geometry", "fingerprint", "parameters"):
        if getattr(known, name) != getattr(wanted, name):
            raise ValueError(
                "--report must be a new folder, or that of the same model measured alike, got "
                f"{file.parent}, whose profile has another {name}"
            )
    return known
