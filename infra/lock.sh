#!/bin/sh
# Resolves the requirements anew and writes the locks: `make lock`. Every lock is universal: it holds for macOS and Linux,
# on 64-bit Arm and x86, with markers where they differ. What a lock pins already stays unless the requirements forbid it;
# `sh infra/lock.sh --upgrade` takes the newest. No index address is written.
set -eu
cd "$(dirname "$0")/.."
if uv --version >/dev/null 2>&1; then UV=uv; else UV=.venvs/uv/bin/uv; fi
mwaa=infra/mwaa/constraints-3.2.1-python3.12.txt
image=include/jobs/image-constraints.txt
overrides=locks/overrides.in

compile() {
    lock=$1
    shift
    "$UV" pip compile --quiet --universal --python-version 3.12 --no-emit-index-url --no-header --generate-hashes \
        --output-file "locks/$lock.txt" "$@"
}

# uv holds to a constraint even where an override says otherwise: the overridden packages are left out of MWAA's
# constraints here. The overrides repeat MWAA's version wherever it has a wheel.
rest=$(mktemp)
trap 'rm -f "$rest"' EXIT
overridden=$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' "$overrides" | sort -u)
grep -v "$(for name in $overridden; do echo "^$name=="; done)" "$mwaa" >"$rest"

compile_airflow() {
    compile "$@" --constraint "$rest" --override "$overrides"
    sed "s#-c $rest#-c $mwaa#" "locks/$lock.txt" >"$rest.lock"
    cat "$rest.lock" >"locks/$lock.txt"
    rm "$rest.lock"
}

compile_airflow airflow "$@" requirements.txt requirements-dev.txt
# The containers' lock follows that of the laptop: both run the same versions of what they share.
compile_airflow compose "$@" --constraint locks/airflow.txt requirements.txt requirements-local-aws.txt requirements-compose.txt
compile jobs "$@" --constraint "$image" include/jobs/requirements.txt tests/jobs/requirements.txt
compile release "$@" --no-deps locks/release.in
compile checkov "$@" locks/checkov.in
