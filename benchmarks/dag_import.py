"""What a DAG file costs to import over Airflow itself."""

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.results import Result

ROOT = Path(__file__).parents[1]
RUNS = 5

MEASURE = """
import sys, time, runpy
sys.path[:0] = ["dags", "plugins"]
import airflow.sdk
from airflow.sdk import DAG, Asset, Param, chain, dag, task, task_group
if {provider}:
    import airflow.providers.amazon.aws.operators.sagemaker
started = time.perf_counter()
runpy.run_path({path!r})
print(time.perf_counter() - started)
"""

ONE_OPERATOR = """
from airflow.sdk import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
with DAG("plain"):
    SageMakerTrainingOperator(task_id="train", config={})
"""


def _seconds(path: Path, *, provider: bool) -> float:
    """Median import time of a DAG file, with the Amazon provider's operators imported before or not."""
    figures = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", MEASURE.format(path=str(path), provider=provider)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        figures.append(float(done.stdout.split()[-1]))
    return statistics.median(figures)


def measure(work: Path) -> list[Result]:
    """The worst DAG file over Airflow and its Amazon provider (the bar), and over bare Airflow (no bar)."""
    plain = work / "one_operator_dag.py"
    plain.write_text(ONE_OPERATOR)
    files = [path for path in sorted((ROOT / "dags").glob("*.py")) if path.stem != "__init__"]
    over_provider = {path.stem: _seconds(path, provider=True) for path in files}
    over_airflow = {path.stem: _seconds(path, provider=False) for path in files}
    worst, slowest = (max(costs, key=costs.__getitem__) for costs in (over_provider, over_airflow))
    return [
        Result(
            "dag_import_s",
            over_provider[worst],
            "s",
            0.3,
            f"{_seconds(plain, provider=True):.2f} s: a DAG of one SageMaker operator (ours worst: {worst})",
        ),
        Result(
            "dag_import_with_provider_s",
            over_airflow[slowest],
            "s",
            None,
            f"{_seconds(plain, provider=False):.2f} s: a DAG of one SageMaker operator (ours worst: {slowest})",
        ),
    ]
