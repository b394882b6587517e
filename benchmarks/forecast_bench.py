"""`make bench-forecast DATA=… [HOLDOUT=id,…] [POOL=…]`: how good the forecasts are, on a folder of athletes.

Curates and makes features here, runs the backtest in the jobs environment (it has XGBoost), prints the table and writes
benchmarks/forecast.json. A folder holds sub-folders of athletes (activities.json, daily.json), or a `curated` tree as
in the bucket; any other source is named as for `make run` (`export:PATH.zip`, `synthetic:athletes=12`).
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from include.garmin.document import SourceError
from infra.population.athletes import features_of

ROOT = Path(__file__).parents[1]
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"
RESULTS = Path(__file__).parent / "forecast.json"
POOL_PREFIX = "pool-"


def print_table(rows: list[dict[str, Any]]) -> None:
    """All athletes together, then one by one."""
    for scenario, protocol in dict.fromkeys((row["scenario"], row["protocol"]) for row in rows):
        mine = [row for row in rows if (row["scenario"], row["protocol"]) == (scenario, protocol)]
        print(f"\n{protocol}, load {scenario}: athletes weighted equally, ml/kg/min; skill against persistence")
        for score in ("mae", "rmse", "crps"):
            names = list(mine[0][score])
            print(f"  {score:<6}{'days':<8}" + "".join(f"{name:>20}" for name in names))
            for row in (row for row in mine if row["athlete"] == "all"):
                print(f"  {'':<6}{row['bucket']:<8}" + "".join(f"{row[score][name]:>20.3f}" for name in names))
        print(
            f"  {'athlete':<14}{'days':<8}{'n':>6}  CRPS skill (95 % interval)      RMSE     MAE  against scaled bands "
            "  cover 80  cover 90  width 90  served by"
        )
        for row in sorted(mine, key=lambda row: (row["athlete"] != "all", row["athlete"])):
            print(
                f"  {row['athlete']:<14}{row['bucket']:<8}{row['n']:>6}  {row['crps_skill']:>+7.1%} "
                f"({row['crps_skill_low']:+7.1%} to {row['crps_skill_high']:+7.1%})  {row['rmse_skill']:>+7.1%} "
                f"{row['mae_skill']:>+7.1%} {row['crps_skill_against_scaled']:>+12.1%}      {row['coverage_80']:>12.1%}"
                f"{row['coverage_90']:>10.1%}{row['width_90']:>10.2f}  {row['served_by']}"
            )


def run(place: str, holdout: str, pool: str | None, results: Path) -> list[dict[str, Any]]:
    """The rows of the backtest, which are kept in `results`.

    Raises:
        SystemExit: an athlete to hold out that the folder does not have, or no athlete that was left to learn from.
    """
    with TemporaryDirectory() as folder:
        work = Path(folder)
        features = features_of(place)
        if unknown := set(filter(None, holdout.split(","))) - set(features["athlete_id"]):
            raise SystemExit(f"no athlete {', '.join(sorted(unknown))} in {place}: {sorted(set(features.athlete_id))}")
        features.to_parquet(work / "athletes.parquet", index=False)
        if pool:
            features_of(pool, POOL_PREFIX).to_parquet(work / "pool.parquet", index=False)
        command = [JOBS_PYTHON, "-m", "benchmarks.forecast_backtest", work, "--holdout", holdout]
        subprocess.run(command, cwd=ROOT, check=True)
        shutil.copyfile(work / "forecast.json", results)
    found: list[dict[str, Any]] = json.loads(results.read_text())
    if not found:
        raise SystemExit("nothing could be scored: it takes two athletes with a year of readings, or POOL=")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast_bench", description=__doc__)
    parser.add_argument("--data", required=True, help="a folder of athletes, or a source")
    parser.add_argument("--holdout", default="", help="athletes, by comma, that are scored but never learnt from")
    parser.add_argument("--pool", help="a folder or source of athletes to learn from, who are never scored")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    try:
        print_table(run(options.data, options.holdout, options.pool, options.results))
    except SourceError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
