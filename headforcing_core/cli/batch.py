"""``headforcing batch``: many videos, by workers of this machine or of a Ray cluster."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ..crews import Event, Kind, Task
from ..errors import FAILED, sentence
from ..files import refuse_held
from ..stopping import stop_if_asked, to_the_end
from .crew_options import add_crew_options, check_crew_options, crew_of
from .job_table import JobTable
from .jobs import Job, read_jobs
from .made import TABLE, is_made, make, receive
from .result_folder import result_folder

log = logging.getLogger("headforcing")
EPILOG = (
    'A job: {"model": "model.safetensors", "prompt": "a red ball", "text_encoder": "umt5.pth",\n'
    '"vae": "vae.pth", "seconds": 30, "seed": [0, 1, 2], "map": "map.json",\n'
    '"method": ["head_forcing", "head_forcing:compact"], "set": {"on_switch": "keep"}}. Names are\n'
    "those of generate, - or _ in them; a list is values to try, each with each of the others;\n"
    "name says how the result is called, container is mp4, mkv or webm. A result is a video where\n"
    "there is a vae, else latents. Beside it are a note, NAME.json, of what it was made of, and\n"
    "logs/NAME.log."
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "batch",
        help="make many videos, of a file of jobs",
        description="Make the videos of a file of jobs, a JSON object a line, each what generate\n"
        "takes. Results are named by what decides them: the same command skips what is made, and\n"
        "goes on where a worker was killed or you stopped. What becomes of jobs is told in\n"
        f"{TABLE}, too.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("jobs", metavar="JOBS", help="the file, .jsonl")
    add("--out", required=True, metavar="FOLDER", help="where to write")
    add("--device", metavar="NAME", help="for all of them (default: the GPUs, if there are any)")
    add_crew_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    check_crew_options(options)
    if not options.out:
        raise ValueError("--out must be a folder, got an empty name")
    if Path(options.out).is_dir():
        refuse_held(Path(options.out))  # by a command that has it for itself
    jobs, out = read_jobs(Path(options.jobs), options.device), Path(options.out).absolute()
    with result_folder("--out", out, (TABLE,), lambda: (out / TABLE).is_file(), held=TABLE):
        with JobTable(out, jobs) as table:
            wanted = [job for job in jobs if not is_made(job, out)]
            for job in set(jobs) - set(wanted):
                table.skip(job)
            try:
                if wanted:
                    _make_all(wanted, out, table, options)
            except KeyboardInterrupt:
                sys.stdout.write(f"{_told(jobs, table, out)}; stopped: the same command goes on\n")
                raise
        sys.stdout.write(f"{_told(jobs, table, out)}\n")
        for job, reason in table.failures:
            sys.stdout.write(f"{job.where}: {reason}\n")
    return FAILED if table.failures else 0


def _told(jobs: Sequence[Job], table: JobTable, out: Path) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in sorted(table.counts.items()))
    number = f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}"
    return f"{number}: {counts or 'none done'}; results in {out}"


def _make_all(jobs: Sequence[Job], out: Path, table: JobTable, options: argparse.Namespace) -> None:
    """Make the results of jobs; whoever has loaded a model makes what is of it."""
    by_name = {job.name: job for job in jobs}
    tasks = [
        Task(job.name, make, (job, str(out), table.run), job.room)
        for job in sorted(jobs, key=lambda job: job.model)
    ]
    crew = crew_of(options, tasks)
    log.info("%d jobs for %s", len(tasks), crew.says)

    def take(event: Event) -> None:
        table.take(_received(event, by_name[event.task], out))
        stop_if_asked()

    crew.run(tasks, take)


def _received(event: Event, job: Job, out: Path) -> Event:
    """Write what a worker sent, if it sent files."""
    if event.kind is not Kind.DONE or not event.value.contents:
        return event
    try:
        to_the_end(lambda: receive(job, event.value, out))
    except OSError as error:
        return Event(Kind.FAILED, event.task, sentence(error))
    return event
