"""Processing job: a trained model on the test fold -> evaluation, report, gate, and the artifact to register.

`python3 -m include.jobs.evaluate` reads /opt/ml/processing/input/{model/model.tar.gz, dataset/, champion/model.tar.gz}
(the champion is optional) and writes output/report/{evaluation.json, report.html, *.png} and output/model/model.tar.gz.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from include.forecast.baselines import fit_baselines
from include.forecast.dataset import DatasetError, cuts_of, read_manifest, read_rows
from include.forecast.distribution import crps
from include.forecast.evaluation import evaluate as evaluate_buckets
from include.forecast.evaluation import score_methods, shuffled_load
from include.forecast.forecaster import Forecaster, ForecasterError, all_persistence, load
from include.forecast.gate import compare_buckets, decide, judge_what_if, worse_than_champion
from include.forecast.horizon import Array
from include.forecast.methods import PERSISTENCE
from include.forecast.own_record import COMBINED, Records, follow_all
from include.forecast.page import report_page, report_plots
from include.forecast.population import PopulationError, read_population
from include.forecast.report import evaluation_document, gate_document
from include.forecast.rows import Rows, concatenate
from include.forecast.split import EMBARGO, FOLDS, leaks
from include.jobs.archive import pack, unpack
from include.jobs.container import processing_dir
from include.jobs.errors import JobError, run, say

GATE_FILE = "gate.json"
MOST_ATHLETES = 300
"""Athletes, evenly chosen, whose forecasts are followed and judged: more do not change the verdict."""


def evaluate(source: Path, output: Path, seed: int) -> dict[str, Any]:
    """Judge `source/model` on `source/dataset`; returns the evaluation document.

    Raises:
        JobError: an unreadable model or dataset, or a model that was trained on another dataset version.
    """
    try:
        manifest = read_manifest(source / "dataset")
        folds = {name: read_rows(source / "dataset" / name) for name in (*FOLDS, EMBARGO)}
        population = read_population()
    except (DatasetError, PopulationError) as error:
        raise JobError(str(error)) from error
    with tempfile.TemporaryDirectory() as scratch:
        artifact = Path(scratch) / "model"
        forecaster = _load(source / "model/model.tar.gz", artifact)
        _check_same_dataset(forecaster, manifest)
        cuts = cuts_of(manifest)
        against = (
            [f"leak: {leak}" for leak in leaks(folds["train"], folds["calibration"], folds["test"], cuts)]
            if cuts
            else []
        )
        known = concatenate([folds["train"], folds["calibration"]])
        test = _of_few_athletes(folds["test"])
        history = concatenate(list(folds.values()))
        records = follow_all(test, history, forecaster)
        scores = score_methods(forecaster, fit_baselines(known, forecaster.pooling), test, records)
        results = evaluate_buckets(scores, test, seed)
        own = compare_buckets(scores[COMBINED].crps, scores[PERSISTENCE].crps, test)
        what_if = judge_what_if(scores, shuffled_load(forecaster, test, seed), test, population)
        gate = decide(results, own, population, against, what_if)
        served = _served_crps(forecaster, gate.served_by, test, records)
        better, notes = _champion(source / "champion/model.tar.gz", Path(scratch), served, test, history)
        gate = decide(results, own, population, against + better, what_if)
        document = evaluation_document(forecaster, test, records, results, gate, seed)
        document["notes"] += notes
        (artifact / GATE_FILE).write_text(json.dumps(gate_document(gate), indent=1, sort_keys=True) + "\n")
        pack(artifact, output / "model/model.tar.gz")
    report = output / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "evaluation.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    pictures = report_plots(document)
    for name, png in pictures.items():
        (report / f"{name}.png").write_bytes(png)
    (report / "report.html").write_text(report_page(document, manifest, pictures))
    return document


def _load(archive: Path, directory: Path) -> Forecaster:
    unpack(archive, directory)
    try:
        return load(directory)
    except ForecasterError as error:
        raise JobError(str(error)) from error


def _check_same_dataset(forecaster: Forecaster, manifest: dict[str, Any]) -> None:
    for name, digest in forecaster.about.get("sha256", {}).items():
        if manifest["files"].get(name, {}).get("sha256") != digest:
            raise JobError(f"the model was trained on another {name} than dataset {manifest['dataset_version']} holds")


def _of_few_athletes(rows: Rows) -> Rows:
    """The rows of MOST_ATHLETES at most."""
    athletes = np.unique(rows.athlete)
    step = -(-len(athletes) // MOST_ATHLETES) if len(athletes) else 1
    return rows.where(np.isin(rows.athlete, athletes[::step]))


def _served_crps(forecaster: Forecaster, served_by: dict[str, str], rows: Rows, records: Records) -> Array:
    return crps(forecaster.served(served_by, rows.features, rows.horizon_days, records), rows.change)


def _champion(archive: Path, scratch: Path, candidate: Array, test: Rows, history: Rows) -> tuple[list[str], list[str]]:
    """Why the champion is better than what has these scores, and what should be said of the comparison."""
    if not archive.exists() or not len(test):
        return [], []
    directory = scratch / "champion"
    try:
        champion = _load(archive, directory)
        gate_file = directory / GATE_FILE
        served_by = json.loads(gate_file.read_text())["served_by"] if gate_file.exists() else all_persistence()
        old = _served_crps(champion, served_by, test, follow_all(test, history, champion))
    except (JobError, ValueError, KeyError) as error:
        return [], [f"not compared with what serves now: {error}"]
    return worse_than_champion(candidate, old, test), ["compared with what serves now on the same test fold"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Evaluate a forecaster and let the gate decide.")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    base = processing_dir()

    def job() -> None:
        document = evaluate(base / "input", base / "output", options.seed)
        for bucket in document["buckets"]:
            skill = bucket["skills"].get("crps", {}).get("value")
            measured = "no test rows" if skill is None else f"CRPS skill {skill:+.1%}"
            say(f"{bucket['bucket']} d: {measured}, served by {bucket['served_by']}")
        say(f"gate: {'approved' if document['gate']['approved'] else 'not approved'}")
        for reason in document["gate"]["reasons"]:
            say(f"gate: {reason}")

    return run(job)


if __name__ == "__main__":
    sys.exit(main())
