"""Our kernels compiled for cards that are not here: registers, shared memory, what spills.

    python tests/kernels/offline.py [--part 0 --of 2] [--planted]

Prints one JSON object per kernel. Needs no GPU and no driver; the tools are those in Triton's
wheel. Run in a process of its own, because elsewhere Triton interprets.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

# bytes of shared memory that a block may have, and what its tensor cores are called in assembly
CARDS = {
    80: (166_912, "HMMA"),
    86: (101_376, "HMMA"),
    89: (101_376, "HMMA"),
    90: (232_448, "HGMMA"),
    100: (232_448, "UTCHMMA"),
    120: (101_376, "HMMA"),
    "gfx942": (65_536, "v_mfma"),
}
# of Wan's 128 channels these are for time
TIME = 44


class Job(NamedTuple):
    """One kernel for one card.

    dim: channels per head, or those that are turned.
    config: of the tiles; None takes what the launcher would.
    options: of the compiler, besides.
    """

    kernel: str
    card: int | str
    dtype: str
    dim: int
    config: tuple[int, ...] | None = None
    options: Mapping[str, int] = {}


@dataclass
class Report:
    """What came out of a job.

    Args:
        spilled: bytes that registers were too few for, stored once per thread.
        serialized: the compiler gave up running tensor cores beside the rest.
        tensor: instructions for tensor cores.
        error: why there is nothing.
    """

    kernel: str
    card: int | str
    dtype: str
    dim: int
    config: list[int] = field(default_factory=list)
    registers: int = 0
    shared: int = 0
    spilled: int = 0
    serialized: bool = False
    tensor: int = 0
    error: str = ""

    @property
    def name(self) -> str:
        card = self.card if isinstance(self.card, str) else f"sm_{self.card}"
        return f"{self.kernel} {card} {self.dtype} {self.dim}"

    @property
    def complaints(self) -> list[str]:
        room, instruction = CARDS[self.card]
        said = [f"does not compile: {self.error}"] if self.error else []
        said += [f"spills {self.spilled} bytes"] if self.spilled else []
        said += [f"needs {self.shared} of {room} bytes of shared memory"] * (self.shared > room)
        said += ["tensor cores wait for the rest"] if self.serialized else []
        if self.kernel in TWO and not self.tensor and not self.error:
            said.append(f"has no {instruction}")
        return said


def jobs() -> list[Job]:
    """Return every kernel with every tile that a launcher can choose, and more dtypes and widths
    than one for each."""
    found = []
    for card in CARDS:
        # before, AMD's linker was not in the wheel
        if isinstance(card, str) and version() < (3, 6):
            continue
        for dtype in ("bf16", "fp16"):
            found += [Job(kernel, card, dtype, dim) for kernel in TWO for dim in (64, 128)]
        found += [Job("head_attention", card, "bf16", dim) for dim in (16, 40, 80)]
        found.append(Job("attention_mass", card, "bf16", 80))
        for dtype in ("bf16", "fp16", "fp32"):
            # what is turned alone, and whole keys
            found += [Job("reencode", card, dtype, dim) for dim in (TIME, 128)]
            found += [Job("write_rotated", card, dtype, dim) for dim in (64, 80, 128)]
    return found


# those that multiply matrices
TWO = ("head_attention", "attention_mass")
# what the gate must not let through
PLANTED = [
    Job("head_attention", 80, "bf16", 128, (128, 128, 8, 2)),
    Job("head_attention", 89, "bf16", 64, (128, 128, 8, 4)),
    Job("head_attention", 90, "bf16", 128, (128, 64, 8, 2), {"maxnreg": 128}),
]


def compiled(job: Job, folder: Path) -> Report:
    import triton

    report = Report(*job[:4])
    fn, signature, aligned, constants, report.config = described(job)
    warps, stages = report.config[-2:] if report.config else (4, 3)
    try:
        code = triton.compile(
            triton.compiler.ASTSource(
                fn=fn,
                signature={name: signature.get(name, "constexpr") for name in fn.arg_names},
                constexprs=constants,
                attrs={
                    (at,): [["tt.divisibility", 16]]
                    for at, name in enumerate(fn.arg_names)
                    if name in aligned
                },
            ),
            target=target(job.card),
            options={"num_warps": warps, "num_stages": stages, **job.options},
        )
    except (triton.TritonError, RuntimeError, ValueError) as error:
        report.error = str(error).strip().splitlines()[-1]
        return report
    report.shared = code.metadata.shared
    look = look_at_amd if isinstance(job.card, str) else look_at_nvidia
    look(report, code, folder)
    return report


def target(card: int | str) -> object:
    from triton.backends.compiler import GPUTarget

    return GPUTarget("hip", card, 64) if isinstance(card, str) else GPUTarget("cuda", card, 32)


Described = tuple[object, dict[str, str], set[str], dict[str, int], list[int]]


def described(job: Job) -> Described:
    """Return a kernel's function, types, aligned arguments, constants and tiles."""
    match job.kernel:
        case "reencode":
            return described_reencode(job)
        case "write_rotated":
            return described_write_rotated(job)
        case _:
            return described_product(job)


def described_reencode(job: Job) -> Described:
    import triton

    from headforcing.kernels.reencode import triton_kernel as file

    strides = [f"{x}_{y}" for x in ("keys", "raw") for y in ("batch", "head")]
    rows = ["keys_slot", "keys_row", "raw_page", "raw_row"]
    types = dict.fromkeys(("keys", "raw"), f"*{job.dtype}")
    types |= {"slots": "*i64", "source": "*i64", "turns": "*fp32", "tokens": "i32", "groups": "i32"}
    types |= dict.fromkeys(strides + rows, "i32")
    constants = {"TIME": TIME, "CHANNELS": job.dim, "WIDTH": triton.next_power_of_2(job.dim)}
    constants["TILE"] = file.TILE
    # rows of 44 channels start where they start
    aligned = {"keys", "raw", "slots", "source", *strides, "keys_slot", "keys_row"}
    return file._turn, types, aligned, constants, []


def described_write_rotated(job: Job) -> Described:
    import triton

    from headforcing.kernels.write_rotated import triton_kernel as file

    strides = [f"{x}_{y}" for x in "qkv" for y in ("batch", "token", "head")]
    strides += ["k_pool_batch", "v_pool_batch"]
    types = dict.fromkeys(("q", "k", "v", "out", "k_pool", "v_pool"), f"*{job.dtype}")
    types |= {"rotation": "*fp32", "rows": "*i32"}
    aligned = {*types, *strides}
    types |= dict.fromkeys((*strides, "tokens", "page"), "i32")
    constants = {"D": job.dim, "WIDTH": triton.next_power_of_2(job.dim), "TILE": file.TILE}
    return file._write, types, aligned, constants, []


def described_product(job: Job) -> Described:
    import triton

    from headforcing.kernels.attention_mass import triton_kernel as attention_mass
    from headforcing.kernels.head_attention import triton_kernel as head_attention

    own = f"*{job.dtype}"
    file = head_attention if job.kernel == "head_attention" else attention_mass
    capability = None if isinstance(job.card, str) else divmod(job.card, 10)
    config = file.Config(*job.config) if job.config else file.config_for(capability, job.dim)
    constants = {"D": job.dim, "WIDTH": max(16, triton.next_power_of_2(job.dim))}
    constants |= {"TILE_Q": config.queries, "TILE_K": config.keys}
    strides = ["q_batch", "q_token", "q_head", "k_batch"]
    types = {"q": own, "k_pool": own, "table": "*i32", "tokens": "i32", "scale": "fp32"}
    if file is head_attention:
        fn, strides = head_attention._attend, [*strides, "v_batch"]
        types |= {"v_pool": own, "out": own}
    else:
        fn, strides = attention_mass._sum_frame, [*strides, "k_row"]
        types |= {"out": "*fp32", "queries": "i32", "batch": "i32"}
    aligned = {"q", "k_pool", "v_pool", "out", "table"}
    aligned |= set() if job.dim % 16 else set(strides)
    return fn, types | dict.fromkeys(strides, "i32"), aligned, constants, list(config)


def look_at_nvidia(report: Report, code: object, folder: Path) -> None:
    """Ask the assembler for registers and spills, and count tensor instructions."""
    import triton

    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    ptx, cubin = folder / "kernel.ptx", folder / "kernel.cubin"
    ptx.write_text(code.asm["ptx"])
    cubin.write_bytes(code.asm["cubin"])
    newest = report.card >= 100 or (report.card >= 90 and version() >= (3, 9))
    assembler = tools / "ptxas-blackwell"
    if not newest or not assembler.exists():
        assembler = tools / "ptxas"
    arch = re.search(r"\.target (sm_\w+)", code.asm["ptx"])[1]
    log = told([assembler, "-v", f"--gpu-name={arch}", ptx, "-o", os.devnull])
    report.spilled = int(re.search(r"(\d+) bytes spill stores", log)[1])
    report.registers = int(re.search(r"Used (\d+) registers", log)[1])
    report.serialized = "serialized" in log
    if report.kernel not in TWO:
        return
    assembly = told([tools / "cuobjdump", "-sass", cubin])
    name = CARDS[report.card][1]
    report.tensor = len(re.findall(rf"^\s+/\*\w+\*/\s.*?\b{name}\b", assembly, re.MULTILINE))


def look_at_amd(report: Report, code: object, folder: Path) -> None:
    assembly = code.asm["amdgcn"]
    registers = int(re.search(r"\.vgpr_count:\s*(\d+)", assembly)[1])
    report.registers = registers
    report.spilled = 4 * int(re.search(r"\.vgpr_spill_count:\s*(\d+)", assembly)[1])
    report.tensor = assembly.count(CARDS[report.card][1])


def told(command: list[object]) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return done.stdout + done.stderr


def version() -> tuple[int, ...]:
    import triton

    return tuple(map(int, triton.__version__.split(".")[:2]))


def reports(folder: Path, planted: bool = False, processes: int = 2) -> Iterator[Report]:
    """Compile everything in processes of their own, with caches in a folder.

    Raises:
        subprocess.CalledProcessError: if one of them dies.
    """
    command = [sys.executable, __file__, *(["--planted"] if planted else [])]
    settings = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    settings |= {"TRITON_CACHE_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, "--part", str(part), "--of", str(processes)],
            env=settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(processes)
    ]
    for process in running:
        out, _ = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        yield from (Report(**json.loads(line)) for line in out.splitlines())


def table(found: list[Report]) -> str:
    """Return the reports as text for people."""
    lines = [f"{'kernel':42}{'tiles':>16}{'registers':>10}{'shared':>9}{'spilled':>8}{'tensor':>7}"]
    cards = list(CARDS)
    for report in sorted(found, key=lambda report: (cards.index(report.card), report.kernel)):
        tiles = " ".join(map(str, report.config))
        cells = f"{tiles:>16}{report.registers:10}{report.shared:9}{report.spilled:8}"
        said = "  " + "; ".join(report.complaints) if report.complaints else ""
        lines.append(f"{report.name:42}{cells}{report.tensor:7}{said}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", type=int, default=0, help="which share of the work")
    parser.add_argument("--of", type=int, default=1, help="how many shares there are")
    parser.add_argument("--planted", action="store_true", help="compile what must be refused")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import pack  # noqa: F401  loads the pack from this checkout

    todo = PLANTED if options.planted else jobs()
    with tempfile.TemporaryDirectory() as folder:
        for job in todo[options.part :: options.of]:
            sys.stdout.write(json.dumps(asdict(compiled(job, Path(folder)))) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
