"""Send a batch to one or more ComfyUI hosts, and gather what they make.

    python send.py GRAPH.json JOBS.jsonl --host http://127.0.0.1:8188 --out folder

GRAPH is what Workflow > Export (API) writes. A job is a JSON object, one a line, of inputs to
change: {"name": "red", "5.seed": [0, 1], "Sampler.seconds": 6.0}, by a node's number, or by its
title or class where only one node has it; a list is values to try, each with each of the others;
name says how the results are called. --host comes as often as there are hosts. They are asked over
their own HTTP interface: each gets a job when its last one is done. Results are named by what
decides them: the same command skips what is there, takes up what still runs on a host, and does the
rest; one run a folder at a time. Ctrl-C takes back what this run has queued, and nobody else's. The
exit code is 0 if all is done, 2 if not, 130 after Ctrl-C.

Files that a graph reads (images to start from, models) must be on every host already: none is sent.
"""

from __future__ import annotations

import argparse
import sys
import threading
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from far_host import Away, Host
from graph_jobs import Graph, Job, check_values, read_graph, read_jobs
from out_folder import OutFolder
from sharing import DONE, SKIPPED, Outcome, Serving, Sharing

FAILED, INTERRUPTED = 2, 130
HEADINGS = ("job", "state", "host", "seconds", "result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _send(options)
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="send.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("graph", metavar="GRAPH", type=Path, help="the graph, .json, in API format")
    add("jobs", metavar="JOBS", type=Path, help="the jobs, .jsonl")
    add(
        "--host",
        action="append",
        required=True,
        metavar="URL",
        help="a host; as often as there are",
    )
    add("--out", required=True, metavar="FOLDER", type=Path, help="where results go")
    add("--patience", type=float, default=30.0, metavar="SECONDS",
        help="without an answer, until a host counts as gone (default: 30)")  # fmt: skip
    add("--every", type=float, default=1.0, metavar="SECONDS",
        help="how often a host is asked how far it is (default: 1)")  # fmt: skip
    return parser


def _send(options: argparse.Namespace) -> int:
    for name in ("patience", "every"):
        if not 0 < getattr(options, name) < 86400:
            raise ValueError(
                f"--{name} must be above 0 and below a day, got {getattr(options, name):g}"
            )
    graph, stopping = read_graph(options.graph), threading.Event()
    jobs = read_jobs(options.jobs, graph)
    urls = dict.fromkeys(map(_url, options.host))
    hosts = [Host(url, options.patience, stopping) for url in urls]
    folder = OutFolder(options.out)
    outcomes = {job.name: _there(job, folder) for job in jobs}
    wanted = [job for job in jobs if outcomes[job.name].state != SKIPPED]
    code, ending = 0, ""
    if wanted:
        fit = _fit(hosts, graph, wanted)
        sharing = Sharing(wanted, fit, folder.sent(), stopping, _say)
        client = f"send-{uuid.uuid4().hex}"
        code = _share([Serving(host, sharing, folder, options.every, client) for host in fit])
        outcomes |= sharing.outcomes
        ending = sharing.ending
    _tell(outcomes, folder)
    if ending:
        sys.stderr.write(f"{ending}; what is fetched stays, the same command goes on\n")
    bad = any(outcome.state not in (DONE, SKIPPED) for outcome in outcomes.values())
    return code or (FAILED if bad else 0)


def _there(job: Job, folder: OutFolder) -> Outcome:
    files = folder.files(job)
    return Outcome() if files is None else Outcome(SKIPPED, files=files)


def _url(said: str) -> str:
    parts = urllib.parse.urlsplit(said)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError(f"--host must be like http://127.0.0.1:8188, got {said}")
    return said.rstrip("/")


def _fit(hosts: Sequence[Host], graph: Graph, jobs: Sequence[Job]) -> list[Host]:
    """Return the hosts that have the nodes; the others are told, or refused if none is left."""

    def look(host: Host) -> tuple[str, Mapping[str, Mapping[str, object]]] | str:
        try:
            return host.look(graph.kinds)
        except Away as error:
            return str(error)

    fit, known, left_out = [], {}, []
    with ThreadPoolExecutor(len(hosts)) as pool:
        for host, seen in zip(hosts, pool.map(look, hosts), strict=True):
            if isinstance(seen, str):
                left_out.append(seen)
                continue
            what, kinds = seen
            lacking = [kind for kind in graph.kinds if kind not in kinds]
            if lacking:
                left_out.append(
                    f"{host.url} must have the nodes of {graph.name}, got none called "
                    f"{', '.join(lacking)}; install them there"
                )
                continue
            _say(f"{host.url}: {what}")
            fit, known = [*fit, host], known or kinds
    if not fit:
        raise RuntimeError("\n".join(left_out))
    check_values(jobs, graph, known)
    for why in left_out:
        _say(f"left out: {why}")
    return fit


def _share(threads: Sequence[Serving]) -> int:
    """Let hosts do their shares; return an exit code if that was interrupted, else 0."""
    try:
        for thread in threads:
            thread.start()
        _join(threads)
    except KeyboardInterrupt:
        _say("stopping: what this run has queued is taken back; Ctrl-C once more to leave it")
        threads[0].sharing.stop()
        _join([thread for thread in threads if thread.ident is not None])
        return INTERRUPTED
    return 0


def _join(threads: Sequence[Serving]) -> None:
    for thread in threads:
        # Ctrl-C comes between two waits; after one inside of join, threads look dead that are not
        while not thread.ended.wait(0.1):
            pass


def _tell(outcomes: Mapping[str, Outcome], folder: OutFolder) -> None:
    rows = [HEADINGS]
    for name, one in outcomes.items():
        seconds = f"{one.seconds:.1f}" if one.seconds else ""
        rows.append((name, one.state, one.host, seconds, one.said or ", ".join(one.files)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("  ".join([*cells, row[-1]]).rstrip() + "\n")
    counts = Counter(outcome.state for outcome in outcomes.values())
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    sys.stdout.write(f"{len(outcomes)} jobs: {said}; results in {folder.path}\n")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # what hosts say is in any language
    sys.exit(main())
