#!/usr/bin/env bash
# Make .venv with the given Python; on Debian, fetch the venv module if it was split off.
set -euo pipefail
python=${1:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  echo "Headscope needs Python 3.10 or newer; run: make PYTHON=/path/to/python3.12 ..." >&2
  exit 1
}
[ -x .venv/bin/python ] && exit 0
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "This Python has no venv module; installing python3-venv"
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update -qq
  $as_root apt-get install -y -qq python3-venv
fi
"$python" -m venv .venv
