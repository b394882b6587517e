"""`make bench-forecast`: the figures that acceptance reads, from every layout of a folder of athletes."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.forecast_bench import print_table, run
from include.curate.store import csv_by_month
from include.forecast.horizon import BUCKETS
from include.garmin.document import SourceError
from infra.population.athletes import features_of, tables_of

SOURCE = "synthetic:athletes=3,years=2,seed=7"
ATHLETES = ("athlete-01", "athlete-02", "athlete-03")
METHODS = {
    "persistence",
    "persistence_scaled",
    "damped_drift",
    "local_level",
    "banister",
    "ridge",
    "forecaster",
    "model",
}
FIGURES = {
    "n", "crps_skill", "crps_skill_low", "crps_skill_high", "rmse_skill", "mae_skill",
    "coverage_80", "coverage_90", "width_90", "served_crps_skill", "served_coverage_90", "served_share",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("bench") / "forecast.json"
    found = run(SOURCE, "", None, path)
    assert json.loads(path.read_text()) == found
    return found


def test_every_scenario_protocol_and_bucket_has_its_row(rows: list[dict[str, Any]]) -> None:
    pooled = {(row["scenario"], row["protocol"], row["bucket"]) for row in rows if row["athlete"] == "all"}
    assert pooled == {
        (scenario, protocol, bucket)
        for scenario in ("as_usual", "known_load")
        for protocol in ("walk_forward", "leave_one_out")
        for bucket in BUCKETS
    } | {("as_usual", "alone", bucket) for bucket in BUCKETS}
    assert {row["athlete"] for row in rows} == {"all", *ATHLETES}


def test_a_row_holds_what_it_is_read_for(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row.keys() >= FIGURES | {"mae", "rmse", "crps", "served_by"}
        assert all(set(row[score]) == METHODS for score in ("mae", "rmse", "crps"))
        assert row["served_by"] == ("combined" if row["served_share"] > 0.5 else "persistence")
        assert 0 <= row["served_share"] <= 1 and 0 <= row["served_coverage_90"] <= 1
        if row["protocol"] != "alone":
            assert row["served_share"] in (0, 1)
        for score in ("crps", "rmse"):
            expected = 1 - row[score]["model"] / row[score]["persistence"]
            assert row[f"{score}_skill"] == pytest.approx(expected, abs=0.002)
        assert 0 <= row["coverage_80"] <= row["coverage_90"] <= 1
        if row["athlete"] == "all":
            assert row["crps_skill_low"] <= row["crps_skill"] <= row["crps_skill_high"]
            assert row["worst_athlete_skill"] < 1 and 0 <= row["share_not_worse"] <= 1
            assert (row["worst_athlete_skill"] >= 0) == (row["share_not_worse"] == 1)
        else:
            assert "worst_athlete_skill" not in row


def test_the_table_names_every_method(rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    print_table(rows)
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*METHODS, *ATHLETES, "leave_one_out", "known_load"))


def test_held_out_athletes_alone_are_scored_and_a_pool_never_is(tmp_path: Path) -> None:
    found = run(SOURCE, ATHLETES[0], "synthetic:athletes=2,years=2,seed=8", tmp_path / "forecast.json")
    assert {row["athlete"] for row in found} == {"all", ATHLETES[0]}


def test_a_curated_tree_tells_the_same_as_its_source(tmp_path: Path) -> None:
    for athlete, tables in tables_of(SOURCE):
        for table, frame in tables.frames().items():
            for month, body in csv_by_month(table, frame):
                path = tmp_path / "curated" / table / f"athlete_id={athlete}" / f"month={month}" / "part.csv"
                path.parent.mkdir(parents=True)
                path.write_bytes(body)
    assert features_of(str(tmp_path)).equals(features_of(SOURCE))
    assert features_of(str(tmp_path / "curated")).equals(features_of(SOURCE))


def test_an_athlete_without_a_table_has_the_others(tmp_path: Path) -> None:
    athlete, tables = next(iter(tables_of(SOURCE)))
    for table in ("activities", "vo2max"):
        path = tmp_path / table / f"athlete_id={athlete}" / "part.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(body for _, body in list(csv_by_month(table, tables.frames()[table]))[:1]))
    features = features_of(str(tmp_path))
    assert len(features) and features["resting_hr_7d"].isna().all()


def test_a_folder_without_anything_to_learn_from_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no athlete"):
        features_of(str(tmp_path))
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "activities.json").write_text("[]")
    with pytest.raises(SourceError, match=r"no athlete of .* has a reading or an activity"):
        features_of(str(tmp_path))


def test_an_athlete_to_hold_out_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"no athlete nobody in {SOURCE}.*{ATHLETES[0]}"):
        run(SOURCE, "nobody", None, tmp_path / "forecast.json")
