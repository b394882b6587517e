import pandas as pd
import pytest

from include.features.build import build_features
from include.features.many import ATHLETES_A_BATCH, BATCHES_AHEAD, build_features_of_many
from tests.features.conftest import Frames, random_frames


def named(seed: int, athlete: str) -> Frames:
    tables = random_frames(seed)
    return Frames(
        *(frame.assign(athlete_id=athlete) for frame in (tables.activities, tables.days, tables.vo2max)),
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_many_athletes_have_the_rows_that_each_has_alone_in_their_order(workers):
    many = [named(seed, f"athlete-{seed}") for seed in range(2 * ATHLETES_A_BATCH + 3)]
    for tables, rows in zip(many, build_features_of_many(iter(many), workers), strict=True):
        pd.testing.assert_frame_equal(rows, build_features(tables), check_exact=True)


def test_tables_are_read_no_further_ahead_than_workers_need():
    read = []

    def many():
        for seed in range(100):
            read.append(seed)
            yield named(seed % 3, f"athlete-{seed}")

    rows = build_features_of_many(many(), workers=1)
    next(rows)
    assert len(read) == 1
    rows = build_features_of_many(many(), workers=2)
    read.clear()
    next(rows)
    assert len(read) <= ATHLETES_A_BATCH * BATCHES_AHEAD * 2
    rows.close()
