#!/bin/sh
# Resolves the requirements anew and writes the locks: `make lock`. No index address is written.
set -eu
cd "$(dirname "$0")/.."
if uv --version >/dev/null 2>&1; then UV=uv; else UV=.venvs/uv/bin/uv; fi
compile="$UV pip compile --quiet --python-version 3.12 --no-emit-index-url --no-header --generate-hashes"
constraints=infra/mwaa/constraints-3.2.1-python3.12.txt
image=include/jobs/image-constraints.txt
$compile --constraint "$constraints" requirements.txt requirements-dev.txt --output-file locks/airflow.txt
$compile --no-deps locks/release.in --output-file locks/release.txt
$compile locks/checkov.in --output-file locks/checkov.txt
$compile --constraint "$image" include/jobs/requirements.txt tests/jobs/requirements.txt --output-file locks/jobs.txt
