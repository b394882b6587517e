"""`python -m tests.fuzz`: inputs made by chance for every reader of foreign bytes; a file `fuzz_*.py` for each format."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.runner import limit_memory, run, shown, targets

INPUTS = 100_000
SECONDS = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="in all, shared equally (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most, in all (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first input (default %(default)s)")
    parser.add_argument("--only", help="the target of this name alone")
    options = parser.parse_args()
    chosen = [target for target in targets() if options.only in (None, target.name)]
    if not chosen:
        parser.error(f"no target {options.only!r}; there are {', '.join(target.name for target in targets())}")
    limit_memory()
    started = time.monotonic()
    outcome = run(chosen, options.inputs, options.seconds, options.seed)
    for name, inputs in outcome.inputs.items():
        print(f"{name}: {inputs} inputs")
    for fault in outcome.faults:
        path = Path(tempfile.mkdtemp(prefix="fuzz-")) / f"{fault.target}-{fault.seed}.bin"
        path.write_bytes(fault.body)
        print(f"FAULT {shown(fault)}, kept in {path}")
    rest = "; the time ran out before the inputs" if outcome.ran_out_of_time else ""
    print(
        f"{sum(outcome.inputs.values())} inputs, {len(outcome.faults)} faults, {time.monotonic() - started:.0f} s{rest}"
    )
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
