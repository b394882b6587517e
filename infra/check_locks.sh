#!/bin/sh
# Looks whether every lock can be installed, from wheels alone, on each platform that the project is for: a dry run of uv
# for each pair, without installing anything. `sh infra/check_locks.sh [--again]`
# Does nothing where no lock changed since it last ended well; says that it was skipped where no package index answers.
set -eu
cd "$(dirname "$0")/.."

PLATFORMS="x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-apple-darwin aarch64-apple-darwin"
LOCKS="airflow compose jobs release checkov"
stamp=.venvs/locks-checked

if uv --version >/dev/null 2>&1; then UV=uv; else UV=.venvs/uv/bin/uv; fi
"$UV" --version >/dev/null 2>&1 || {
    echo "locks: uv is missing: install it, or delete .venvs/airflow and run \`make lint\` again, which brings it." >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

address=$(grep -n '://' locks/*.txt | head -n 1)
[ -z "$address" ] || {
    echo "locks: an address in a lock would bind everyone to one package index: $address" >&2
    exit 1
}

sum=$(for lock in $LOCKS; do cat "locks/$lock.txt"; done | cat - infra/check_locks.sh | cksum)
if [ "${1:-}" != --again ] && [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ]; then
    echo "locks: unchanged since they were found good"
    exit 0
fi

# The one that is installed without its dependencies is checked without them; for all others nothing may be missing.
dry_run() {
    dependencies=
    [ "$1" != release ] || dependencies=--no-deps
    "$UV" pip install --dry-run --quiet $dependencies --python .venvs/airflow --target "$work/nothing" \
        --python-platform "$2" --only-binary :all: --require-hashes --requirement "locks/$1.txt" >"$work/log" 2>&1
}

offline='failed to fetch|error sending request|dns error|network was disabled|timed out'
bad=0
for lock in $LOCKS; do
    for platform in $PLATFORMS; do
        if dry_run "$lock" "$platform"; then
            continue
        elif reason=$(grep -iE "$offline" "$work/log" | head -n 1) && [ -n "$reason" ]; then
            echo "locks: skipped, for no package index answers: $reason"
            exit 0
        fi
        bad=1
        echo "locks/$lock.txt cannot be installed on $platform:" >&2
        sed 's/^/    /' "$work/log" >&2
    done
done
[ "$bad" = 0 ] || exit 1
echo "locks: $(echo $LOCKS | wc -w | tr -d ' ') locks hold for $(echo $PLATFORMS | wc -w | tr -d ' ') platforms"
echo "$sum" >"$stamp"
