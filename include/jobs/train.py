"""Training job: the shipped population and all rows before the test fold -> forecaster and the code that serves it.

`python3 -m include.jobs.train` reads the channels `train` and `calibration` (the folds of that name) and the
hyperparameters `dataset_version`, `model_version` and `seed`, and writes the model directory.
"""

import shutil
import sys
from pathlib import Path

import include
from include.features.schema import SCHEMA_VERSION
from include.forecast.dataset import DatasetError, part_files, read_rows, sha256
from include.forecast.forecaster import Forecaster
from include.forecast.methods import FORECASTER, PERSISTENCE
from include.forecast.population import PopulationError, read_population
from include.forecast.rows import Rows, concatenate
from include.forecast.training import train_forecaster
from include.jobs.container import channel_dir, hyperparameters, ml_dir
from include.jobs.errors import JobError, run, say

SERVED_PACKAGES = ("features", "forecast", "jobs")
CHANNELS = ("train", "calibration")
DEFAULT_SEED = "7"


def train(channels: dict[str, Path], model_dir: Path, seed: int, about: dict[str, str]) -> Forecaster:
    """Write the model directory: `xgboost-model`, `forecaster.json`, `code/`.

    Args:
        channels: `train` and `calibration`, each the folder of that fold's files.

    Raises:
        JobError: a channel has no file, or one that is not of this feature schema.
    """
    try:
        rows: dict[str, Rows] = {name: read_rows(folder) for name, folder in channels.items()}
        digests = {
            f"{name}/{path.name}": sha256(path) for name, folder in channels.items() for path in part_files(folder)
        }
        population = read_population()
    except (DatasetError, PopulationError) as error:
        raise JobError(str(error)) from error
    described = {**about, "sha256": digests, "feature_schema": SCHEMA_VERSION}
    known = concatenate([rows["train"], rows["calibration"]])
    forecaster = train_forecaster(known, seed, described, population)
    model_dir.mkdir(parents=True, exist_ok=True)
    forecaster.save(model_dir)
    copy_code(model_dir / "code")
    for method in (FORECASTER, PERSISTENCE):
        name = "crps" if method == FORECASTER else "persistence_crps"
        say(f"validation:{name}={forecaster.about['crps'][method]:.6f};")
    say(f"validation:rows={len(known)};")
    for note in forecaster.about["notes"]:
        say(f"note: {note}")
    return forecaster


def copy_code(code_dir: Path) -> None:
    """The sources that the endpoint runs, with `inference.py` on top."""
    root = Path(include.__file__).parent
    for package in SERVED_PACKAGES:
        shutil.copytree(
            root / package, code_dir / "include" / package, ignore=_all_but_sources, dirs_exist_ok=True,
            copy_function=shutil.copyfile,
        )  # fmt: skip
    shutil.copyfile(root / "__init__.py", code_dir / "include/__init__.py")
    shutil.copyfile(root / "jobs/inference.py", code_dir / "inference.py")


def _all_but_sources(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if not (name.endswith(".py") or (Path(directory) / name).is_dir())} | {"__pycache__"}


def main() -> int:
    def job() -> None:
        missing = [name for name in CHANNELS if not channel_dir(name).is_dir()]
        if missing:
            raise JobError(f"the training job has no channel {' and no channel '.join(missing)}")
        given = hyperparameters()
        about = {name: given.get(name, "") for name in ("dataset_version", "model_version")}
        seed = int(given.get("seed", DEFAULT_SEED))
        train({name: channel_dir(name) for name in CHANNELS}, ml_dir() / "model", seed, about)

    return run(job)


if __name__ == "__main__":
    sys.exit(main())
