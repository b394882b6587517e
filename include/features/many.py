"""Features of many athletes: several processes, and no more of them in memory than are being worked on."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import batched

import pandas as pd

from include.features.build import Tables, build_features

ATHLETES_A_BATCH = 8
"""Handed to a process at a time: enough that the handing over costs little, few enough to fit in memory."""
BATCHES_AHEAD = 2
"""Batches in hand for each process, so that none waits for the next one."""


def build_features_of_many(many: Iterable[Tables], workers: int = 1) -> Iterator[pd.DataFrame]:
    """`build_features` of each of `many`, in their order; both are streams, so memory does not grow with their length.

    With more than one worker the tables must be picklable, and a script that calls this must be guarded by
    `if __name__ == "__main__"`: workers are processes of their own, which import it. A few hundred athletes are done in
    the second or two in which workers start, so it takes more than that to need them.

    Args:
        many: tables, usually those of one athlete each.
        workers: processes; with 1 the work is done in this one.
    """
    if workers <= 1:
        yield from map(build_features, many)
        return
    # A forked process would inherit the locks of this one's threads, so workers start from nothing.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[list[pd.DataFrame]]] = deque()
        for batch in batched(many, ATHLETES_A_BATCH):
            waiting.append(pool.submit(_build_batch, batch))
            if len(waiting) >= BATCHES_AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _build_batch(batch: tuple[Tables, ...]) -> list[pd.DataFrame]:
    return [build_features(tables) for tables in batch]
