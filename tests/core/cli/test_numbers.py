"""Whatever number a user gives, it is refused in a sentence at once, or the command runs."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from odd_numbers import FLOAT, LARGE, SENSELESS, WHOLE, Case, cases, write_files

TESTS = Path(__file__).parents[2]
SEED, SECONDS, MIB = 0, 90, 2048
LONGEST = 400
# share of options that are tried with a third value
THIRD = 0.3
# words of Python and torch that mean something to who wrote the program
RAW = (
    "Traceback|maximum recursion|Exceeds the limit|cannot convert float|too large to convert|"
    "math domain|can't allocate|MemoryError|not enough memory|Overflow|out of range|invalid int"
    "|invalid float|the memory of this machine|Expected|argument '"
)
# with most numbers that they take they make a video
SLOW = ("demo", "compare", "profile", "evaluate", "train")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set as Linux has them")


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Yield a function that runs a command line within limits."""
    folder = tmp_path_factory.mktemp("numbers")
    write_files(folder)
    server = subprocess.Popen(
        [sys.executable, TESTS / "limited_runs.py", str(SECONDS), str(MIB)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
    )

    def ask(arguments: list[str]) -> dict:
        server.stdin.write(json.dumps(arguments) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    yield ask
    server.stdin.close()
    server.wait()


def complaints(case: Case, done: dict) -> Iterator[str]:
    """Say what is wrong with how a command line ended."""
    still_at_work = case.value == LARGE and done["seconds"] > SECONDS
    if done["code"] not in (0, 2) and not still_at_work:
        yield f"ended with {done['code']} after {done['seconds']:.0f} s"
    if done["mib"] > MIB:
        yield f"took {done['mib']} MiB"
    if found := re.search(RAW, done["said"]):
        yield f"says {found[0]!r}"
    if done["code"] == 0 and case.value in SENSELESS:
        yield "takes it"
    if done["code"] == 2:
        sentence = (done["said"].strip().splitlines() or [""])[-1]
        if not re.match(r"(headforcing( \w+)?|evaluate|train|python -m [\w.]+): ", sentence):
            yield f"says no sentence: {sentence[:LONGEST]}"
        if len(sentence) > LONGEST:
            yield f"says {len(sentence)} characters"


def complaints_of(chosen: list[Case], tried) -> list[str]:
    found = []
    for case in chosen:
        done = tried(case.arguments)
        value = case.value if len(case.value) < 40 else f"{len(case.value)} digits"
        said = done["said"].strip().splitlines()[-1:]
        found += [f"{case.what} {value!r} {c}: {said}" for c in complaints(case, done)]
    return found


def few() -> list[Case]:
    """Choose a whole number and another that no option takes for each, and for some a third."""
    rng, chosen = random.Random(SEED), []
    for what, same in groupby(cases(), key=lambda case: case.what):
        by_value = {case.value: case for case in same}
        chosen += [by_value[rng.choice(WHOLE)], by_value[rng.choice(FLOAT)]]
        if not what.startswith(SLOW) and rng.random() < THIRD:
            chosen.append(rng.choice(list(by_value.values())))
    return chosen


def test_odd_numbers_are_refused_in_a_sentence_or_run(tried):
    assert complaints_of(few(), tried) == []


@pytest.mark.long
@pytest.mark.parametrize("command", ["inspect", "generate", *SLOW])
def test_every_option_with_every_number(tried, command):
    chosen = [case for case in cases() if case.what.startswith(command)]
    assert complaints_of(chosen, tried) == []
