"""What a DAG file costs to import over Airflow itself."""

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.results import Result

ROOT = Path(__file__).parents[1]
RUNS = 3

MEASURE = """
import sys, time, runpy
sys.path[:0] = ["dags", "plugins"]
import airflow.sdk
from airflow.sdk import DAG, Asset, Param, chain, dag, task, task_group
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


def _seconds(path: Path) -> float:
    """Median import time of a DAG file in fresh interpreters."""
    figures = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", MEASURE.format(path=str(path))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        figures.append(float(done.stdout.split()[-1]))
    return statistics.median(figures)


def measure(work: Path) -> list[Result]:
    """The worst DAG file over bare Airflow, the Amazon provider included: its operators are what the files import."""
    plain = work / "one_operator_dag.py"
    plain.write_text(ONE_OPERATOR)
    costs = {p.stem: _seconds(p) for p in sorted((ROOT / "dags").glob("*.py")) if "@dag(" in p.read_text()}
    worst = max(costs, key=costs.__getitem__)
    versus = f"{_seconds(plain):.2f} s: a DAG of one SageMaker operator (ours worst: {worst})"
    return [Result("dag_import_s", costs[worst], "s", 0.3, versus)]
