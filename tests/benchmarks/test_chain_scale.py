"""What the chain's benchmark reads from the lines of a run: when its forecasts stood, and what the deletion took."""

import io
from itertools import count

from benchmarks.chain_scale import Times, read_times
from infra.deployment.progress import Progress

BEFORE = ["   5.2 s  stacks and release: done after 4.8 s\n", "athlete  day  VO2max\n", "anna     7    50.1\n"]


def said_by_a_deletion() -> list[str]:
    """The lines as the run itself writes them."""
    out = io.StringIO()
    progress = Progress(out)
    with progress.stage("deletion") as detail:
        detail("emptying")
    progress.close()
    return out.getvalue().splitlines(keepends=True)


def test_the_chain_ends_where_the_deletion_begins() -> None:
    seconds = count(470)
    begin, done = said_by_a_deletion()
    silent = "  499.0 s  deletion (5 s)\n"
    later = "access: 9 calls under roles, 0 denied\n"
    lines = iter([*BEFORE, begin, silent, done, later])
    assert read_times(lines, lambda: float(next(seconds))) == Times(470.0, 0.0)
    assert list(lines) == [], "the log is whole"


def test_a_run_that_ended_before_its_deletion_has_no_figures() -> None:
    begin, done = said_by_a_deletion()
    for lines in (BEFORE, [*BEFORE, begin], [*BEFORE, begin, done.replace("done", "failed")]):
        assert read_times(lines, lambda: 1.0) is None
