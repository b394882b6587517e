"""`python -m infra.population.study_job WORK`: athletes.parquet -> population.json in WORK, in the jobs environment."""

import json
import sys
from pathlib import Path

import pandas as pd

from include.forecast.study import study
from include.forecast.targets import make_rows

SEED = 7


def main() -> None:
    work = Path(sys.argv[1])
    about = json.loads((work / "about.json").read_text())
    population = study(make_rows(pd.read_parquet(work / "athletes.parquet")), SEED, {**about, "seed": SEED})
    (work / "population.json").write_text(json.dumps(population.to_json(), indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
