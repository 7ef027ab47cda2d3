"""What keys and values in eight bits cost attention, against float64.

    python benchmarks/eight_bits.py [--out FILE]

Queries, keys and values are those of the demo model in the last chunk of a video, head by head, and
random ones: plain, with a few channels ten times as large, and with a few that are far from zero.
Each is read in every format with scales for blocks of several sizes, and keys are encoded before or
after they are turned to their positions. The error is that of the result, as a share of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import torch
from setting import machine
from torch import Tensor

from headforcing.headforcing_core.attention import Read
from headforcing.headforcing_core.demo.networks import FAMILY, DemoModel
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import settings_named
from headforcing.headforcing_core.video import PromptSchedule
from headforcing.kernels import decoded, eight_bits, encoded, rotate, rounded

RESULTS = Path(__file__).with_name("results")
FORMATS = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
BLOCKS = (128, 64, 32, 16)
CHUNKS, TURNS = 8, 240
ROWS, DIM, TIME = 2048, 128, 44
LARGE = [3, 40, 77, 100]
PROMPT = "a red ball moving slowly on striped blue"


class Case(NamedTuple):
    """Tokens of some heads: q, k, v ``[heads, rows, D]``, k turned."""

    q: Tensor
    k: Tensor
    v: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "eight_bits_cpu.json")
    options = parser.parse_args()
    cases = {"demo model": demo(), **dict(random())}
    found = {
        "command": "python benchmarks/eight_bits.py",
        "machine": machine(),
        "blocks": {name: by_block(case) for name, case in cases.items()},
        "turning": turning(random_case(0)),
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(options.out.read_text())


def by_block(case: Case) -> Mapping[str, Mapping[str, float]]:
    """Return the error by format and size of a block, and that of bfloat16."""
    found: dict[str, dict[str, float]] = {
        "bfloat16": {"-": error(case, lambda x, turns: x.bfloat16())}
    }
    for name, dtype in FORMATS.items():
        found[name] = {}
        for block in (size for size in BLOCKS if size <= case.k.shape[-1]):
            with patch.object(eight_bits, "BLOCK", block):
                found[name][str(block)] = error(
                    case, lambda x, turns, dtype=dtype: decoded(*encoded(x, dtype, turns=turns))
                )
    return found


def error(case: Case, kept: Callable[[Tensor, bool], Tensor]) -> float:
    q, k, v = case
    right = attention(q, k, v)
    return off(attention(q, kept(k, True), kept(v, False)), right)


def off(found: Tensor, right: Tensor) -> float:
    return round(float((found - right).norm() / right.norm()), 5)


def turning(case: Case) -> Mapping[str, Mapping[str, float]]:
    """Return the error by when keys are encoded, values as they are, and after many turns."""
    q, raw, v = case
    angles = torch.linspace(0, 6, TIME // 2)

    def turn(by: float) -> Tensor:
        return torch.polar(torch.ones(TIME // 2), by * angles)

    def turned(k: Tensor, by: float) -> Tensor:
        return torch.cat([rotate(k[..., :TIME], turn(by)), k[..., TIME:]], -1)

    k, found = turned(raw, 1.0), {}
    right = attention(q, k, v)
    for name, dtype in FORMATS.items():
        codes, scales = encoded(raw, dtype, turns=True)
        again = rounded(turned(codes.float(), 1.0), dtype)
        drifting = codes
        for _ in range(TURNS):
            drifting = rounded(turned(drifting.float(), 1 / TURNS), dtype)
        ways = {
            "encoded after turning": decoded(*encoded(k, dtype, turns=True)),
            "encoded before, turned when read": turned(decoded(codes, scales), 1.0),
            "encoded before, codes turned from those kept": decoded(again, scales),
            f"codes turned {TURNS} times": decoded(drifting, scales),
        }
        found[name] = {way: off(attention(q, one, v), right) for way, one in ways.items()}
    return found


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.double() for x in (q, k, v))
    return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v


def random_case(seed: int) -> Case:
    rng = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 4, ROWS, DIM, generator=rng)
    return Case(2 * q[:, :64], k, v)


def random() -> Iterator[tuple[str, Case]]:
    q, k, v = random_case(1)
    yield "normal", Case(q, k, v)
    large = torch.ones(DIM)
    large[LARGE] = 10
    yield "four channels ten times as large", Case(q / large, k * large, v * large)
    yield "four channels ten away from zero", Case(q, k + 10 * (large > 1), v)


def demo() -> Case:
    """Roll the demo model out over its window and take what heads of all layers read at last."""
    model, family = DemoModel.load(), FAMILY
    taken: list[Case] = []

    def observe(read: Read) -> None:
        if read.step is None and read.opened.chunk.index == CHUNKS - 1:
            (pool,) = read.opened.reads(read.layer)
            own = [slice(start, start + length) for start, length in pool.rows.spans]
            k, v = (torch.stack([x[0, rows] for rows in own]) for x in (pool.k, pool.v))
            taken.append(Case(read.q[0].transpose(0, 1), k, v))

    method = settings_named("rolling").build(family.frames_per_chunk)
    request = VideoRequest(family, CHUNKS * family.frames_per_chunk, 8, 8, 0, method=method)
    text = PromptSchedule.constant(model.text_encoder.encode([PROMPT]))
    for _ in request.rollout(model.wan, text, observe).run():
        pass
    return Case(*(torch.cat(parts) for parts in zip(*taken, strict=True)))


if __name__ == "__main__":
    main()
