# Installs into the image: wheels alone, each held to its hash in the lock. Used by the Dockerfile.
#   install.sh uv LOCK                  uv itself
#   install.sh environment FOLDER LOCK  a virtual environment
# The build secret `package_index` names an index other than PyPI; no layer keeps it.
set -eu
index=/run/secrets/package_index
if [ -s "$index" ]; then
    PIP_INDEX_URL=$(cat "$index")
    export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
case "$1" in
uv)
    pip install --quiet --require-hashes --only-binary :all: --requirement "$2"
    ;;
environment)
    uv venv --quiet --python /usr/local/bin/python3 "$2"
    uv pip sync --quiet --compile-bytecode --require-hashes --only-binary :all: --python "$2" "$3"
    ;;
esac
