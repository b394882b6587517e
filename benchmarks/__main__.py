"""`python -m benchmarks [--only NAME]`: measure, print the table, write benchmarks/results.json."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    account_export,
    backfill,
    chain,
    chain_scale,
    compose,
    dag_import,
    deployment,
    features_scale,
    fit_files,
    local_aws,
    own_record,
    packaging,
    preprocess_scale,
    serving,
    training_scale,
)
from benchmarks.results import Result, keep, table
from include.settings import LOCAL_ACCOUNT

BENCHMARKS: dict[tuple[str, ...], Callable[[Path], list[Result]]] = {
    ("localaws_start_s",): local_aws.measure_start,
    ("invoke_p50_ms",): local_aws.measure_invoke,
    ("dag_import_s",): dag_import.measure,
    ("package_s",): packaging.measure,
    ("parse_items_per_s",): account_export.measure_parsing,
    ("fit_files_per_s",): fit_files.measure_activities,
    ("fit_metrics_per_s",): fit_files.measure_metrics,
    ("export_10y_s", "export_10y_mib"): account_export.measure,
    ("backfill_10y_s",): backfill.measure,
    ("features_1000x5y_s", "features_mib", "features_speedup", "features_growth"): features_scale.measure,
    ("preprocess_1000x5y_s", "preprocess_mib", "preprocess_4_instances_speedup"): preprocess_scale.measure,
    ("train_1000x5y_s", "train_mib", "evaluate_12x3y_s"): training_scale.measure,
    ("record_10y_s",): own_record.measure,
    ("run_to_forecast_s", "resume_s"): chain.measure_run,
    ("chain_300x5y_s", "chain_300x5y_delete_s", "chain_300x5y_gib"): chain_scale.measure,
    ("clone_to_forecast_s",): chain.measure_clone,
    ("deploy_local_s", "deploy_unchanged_s"): deployment.measure,
    ("iam_calls_denied", "iam_actions_unused"): chain.measure_access,
    ("forecast_p50_ms", "forecast_p99_ms"): serving.measure,
    ("compose_healthy_s",): compose.measure,
}
NAMES = [name for names in BENCHMARKS for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="measure this figure alone")
    only = parser.parse_args().only
    os.environ |= {"GFF_ACCOUNT_ID": LOCAL_ACCOUNT, "GFF_REGION": "us-east-1"}  # everything here runs on local AWS
    work = Path(__file__).parent / "work"
    work.mkdir(exist_ok=True)
    results: list[Result] = []
    for names, measure in BENCHMARKS.items():
        if only is None or only in names:
            print(f"measuring {', '.join(names)} …", flush=True)
            measured = measure(work)
            keep(measured)
            results += measured
    print("\n" + table(results))


if __name__ == "__main__":
    main()
