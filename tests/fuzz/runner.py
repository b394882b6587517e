"""Runs every target of `fuzz_*.py` on inputs made by chance, within a budget of inputs, time and memory."""

import importlib
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.target import Target

MAX_INPUT_S = 5.0
"""An input of a few kilobytes that takes longer hangs."""
MAX_GROWTH_BYTES = 512 * 1024 * 1024
"""Of the address space, from the start of the run on: beyond it Python raises MemoryError."""
_FIRST_BYTES = 24


@dataclass(frozen=True)
class Fault:
    """An input that a reader did not stand; `seed` makes it again."""

    target: str
    seed: int
    body: bytes
    error: str


@dataclass
class Outcome:
    """What a run did."""

    inputs: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    ran_out_of_time: bool = False


class Hang(Exception):
    """One input took longer than MAX_INPUT_S."""


def targets() -> list[Target]:
    """Those of every module `fuzz_*` beside this one, by name."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.py"))
    return [target for module in modules for target in importlib.import_module(f"tests.fuzz.{module}").TARGETS]


def run(
    chosen: Sequence[Target],
    inputs: int,
    seconds: float,
    seed: int,
    *,
    max_input_s: float = MAX_INPUT_S,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Give each target an equal share of the inputs and of the time; the first fault of a target ends its share."""
    outcome = Outcome()
    for number, target in enumerate(chosen):
        share, ends_at = inputs // len(chosen), clock() + seconds / len(chosen)
        outcome.inputs[target.name] = 0
        for index in range(share):
            if clock() > ends_at:
                outcome.ran_out_of_time = True
                break
            fault = _try(target, seed + number * inputs + index, max_input_s)
            outcome.inputs[target.name] += 1
            if fault is not None:
                outcome.faults.append(fault)
                break
    return outcome


def _try(target: Target, seed: int, max_input_s: float) -> Fault | None:
    body = target.make(Random(seed))
    try:
        with _time_limit(max_input_s):
            target.read(body)
    except BaseException as error:  # MemoryError and Hang too: whatever comes out is the finding
        if isinstance(error, KeyboardInterrupt):
            raise
        return Fault(target.name, seed, body, f"{type(error).__name__}: {error}"[:300])
    return None


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: object) -> None:
        raise Hang(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory(growth_bytes: int = MAX_GROWTH_BYTES) -> None:
    """Let this process take only so much more memory than it has now (where the system tells how much that is)."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return
    now = int(status.read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + growth_bytes, hard))


def shown(fault: Fault) -> str:
    """A fault in one line."""
    start = fault.body[:_FIRST_BYTES].hex()
    return f"{fault.target}: {fault.error} (seed {fault.seed}, {len(fault.body)} bytes, {start}…)"
