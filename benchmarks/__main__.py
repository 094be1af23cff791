"""`python -m benchmarks [part ...]`: measure, print a table, keep it in `benchmarks/out/`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module

os.environ["HF_HUB_OFFLINE"] = "1"

from benchmarks.report import Row, keep, table

PARTS = (
    "imports", "payload", "pages", "hover", "edit", "paint", "patching", "attribution", "circuits",
    "interventions", "slide",
)  # fmt: skip


def main() -> None:
    """Measure the parts that are named, or all. One that fails is named, and the others go on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}")
    parts = parser.parse_args().parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    rows: list[Row] = []
    for part in parts:
        start = time.perf_counter()
        try:
            rows += import_module(f"benchmarks.{part}").run()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            print(f"{part} failed: {type(error).__name__}: {reason}", file=sys.stderr)
        else:
            print(f"{part}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    keep(rows)
    print(table(rows))


if __name__ == "__main__":
    main()
