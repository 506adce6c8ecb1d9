#!/bin/sh
# Trains the sample models into ../models, or into the folder that is given: training/train.sh [REGISTRY]
set -eu
registry=${1:-}
if [ -n "$registry" ]; then
  mkdir -p "$registry"
  registry=$(cd "$registry" && pwd)
fi
cd "$(dirname "$0")"

venv=${VENV:-.venv}
[ -x "$venv/bin/python" ] || "${PYTHON:-python3.11}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt

# One thread and a fixed hash seed: sums run in one order, and so does the walk over the graph.
export PYTHONHASHSEED=0 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$venv/bin/python" train.py ${registry:+"$registry"}
