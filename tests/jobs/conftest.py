import importlib.util
from pathlib import Path

import pandas as pd
import pytest

_path = Path(__file__).parents[1] / "forecast/conftest.py"
_spec = importlib.util.spec_from_file_location("forecast_feature_rows", _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


@pytest.fixture(scope="session")
def make_features():
    return _module.feature_rows


@pytest.fixture(scope="session")
def write_offline():
    """Write feature rows as the offline store holds them: a file an athlete, in AWS's folders."""

    def write(folder: Path, features: pd.DataFrame) -> Path:
        written = pd.Timestamp("2026-01-01T00:00:00Z")
        for number, (_, rows) in enumerate(features.groupby("athlete_id")):
            path = folder / f"data/year=2026/month=01/day=01/hour=00/{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            stored = rows.assign(write_time=written, api_invocation_time=written, is_deleted=False)
            stored.to_parquet(path, index=False)
        return folder

    return write
