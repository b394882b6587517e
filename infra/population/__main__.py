"""`make population DATA=FOLDER`: what athletes have in common, as figures that ship with the project.

Reads a folder of athletes as `make bench-forecast` does, and writes include/forecast/population.json: no reading, no
day and no name of an athlete is in it. The same folder gives the same bytes.
"""

import argparse
import json
import math
import subprocess
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from include.features.schema import RECORD_ID
from include.forecast.population import SHIPPED_FILE, Population, read_population
from include.garmin.document import SourceError
from infra.population.athletes import features_of
from infra.population.fingerprint import feature_fingerprint

ROOT = Path(__file__).parents[2]
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"
PROTOCOL = "leave one athlete out; combined by the athlete's own record as of each day; CRPS against persistence"


def make_population(place: str, made_on: date, output: Path) -> Population:
    """Write the population of a folder's athletes to `output`.

    Raises:
        SourceError: there is no such place, or no athlete in it with a reading.
        SystemExit: the study failed; it has said why.
    """
    features = features_of(place)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        features.to_parquet(work / "athletes.parquet", index=False)
        (work / "about.json").write_text(json.dumps(_about(features, made_on)))
        command = [str(JOBS_PYTHON), "-m", "infra.population.study_job", str(work)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise SystemExit("the study of the population failed")
        output.write_bytes((work / "population.json").read_bytes())
    return read_population(output)


def _about(features: pd.DataFrame, made_on: date) -> dict[str, object]:
    readings = features[features["reading_age_days"] == 0]
    return {
        "made_on": made_on.isoformat(),
        "athletes": int(readings[RECORD_ID].nunique()),
        "readings": len(readings),
        "protocol": PROTOCOL,
        "fingerprint": feature_fingerprint(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m infra.population", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="a folder of athletes, or a source")
    parser.add_argument("--output", type=Path, default=SHIPPED_FILE)
    parser.add_argument("--date", type=date.fromisoformat, default=date.today(), help="the day that it is made on")
    options = parser.parse_args()
    try:
        population = make_population(options.data, options.date, options.output)
    except SourceError as error:
        parser.exit(2, f"{error}\n")
    print(f"{options.output.name}: {population.about['athletes']} athletes, {population.about['readings']} readings")
    for name, comparison in population.served.items():
        each = " ".join(f"{1.0 - math.exp(ratio):+.0%}" for ratio in comparison.ratio)
        print(f"  {name:>5} d  CRPS against persistence, athlete by athlete: {each}")


if __name__ == "__main__":
    main()
