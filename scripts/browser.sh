#!/usr/bin/env bash
# A Chromium for the tests: one that is there, else Debian's, else Playwright's own.
set -euo pipefail
found=$(python -c 'import sys; sys.path.insert(0, "."); from tests.e2e.browser import find; print(find() or "")')
if [ -n "$found" ]; then
  echo "Using $found"
elif command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq chromium fonts-dejavu-core
else
  python -m playwright install chromium
fi
