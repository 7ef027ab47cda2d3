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
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from signatures import TIME, Job, described

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


@dataclass
class Report:
    """What came out of a job.

    Args:
        spilled: bytes that registers were too few for, stored once per thread.
        serialized: the compiler gave up running tensor cores beside the rest.
        tensor: instructions for tensor cores.
        error: why there is nothing.
    codes: that pools hold.
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
    codes: str | None = None

    @property
    def name(self) -> str:
        card = self.card if isinstance(self.card, str) else f"sm_{self.card}"
        held = f" {self.codes}" if self.codes else ""
        return f"{self.kernel} {card} {self.dtype} {self.dim}{held}"

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
            if card == 90:  # for calls that leave it idle
                found += [Job(TWO[0], card, dtype, dim, (64, 64, 4, 3)) for dim in (64, 128)]
        found += [Job("head_attention", card, "bf16", dim) for dim in (16, 40, 80)]
        found.append(Job("attention_mass", card, "bf16", 80))
        # what is turned alone, and whole keys
        found += [Job("reencode", card, dtype, TIME) for dtype in ("bf16", "fp16", "fp32")]
        found += [Job("reencode", card, dtype, 128) for dtype in ("bf16", "fp32")]
        found += [Job("write_rotated", card, "bf16", dim) for dim in (64, 80)]
        found += [Job("write_rotated", card, dtype, 128) for dtype in ("bf16", "fp16", "fp32")]
        for codes in ("int8", "fp8"):
            found.append(Job("head_attention", card, "bf16", 128, codes=codes))
            if card in ALIKE:
                found.append(Job("write_rotated", card, "bf16", 128, codes=codes))
                found.append(Job("reencode", card, "bf16", TIME, codes=codes))
        dtype = "fp16" if card in ALIKE else "bf16"
        found.append(Job("head_attention", card, dtype, 64, codes="int8"))
        if card in ALIKE:  # a block that is narrower than others
            found.append(Job("head_attention", card, "bf16", 16, codes="fp8"))
    return found


# one of each kind of card, for what is compiled alike on the others
ALIKE = (80, 90, "gfx942")
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

    report = Report(*job[:4], codes=job.codes)
    fn, signature, aligned, constants, report.config = described(job)
    warps, stages = report.config[2:4] if report.config else (4, 3)
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
    spilled = re.search(r"(\d+) bytes spill stores", log)
    if spilled is None:
        report.error = f"the assembler at {assembler} says only {log.strip()[-200:]!r}"
        return
    report.spilled = int(spilled[1])
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
