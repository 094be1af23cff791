"""The command line: `headscope publish`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from headscope.errors import HeadscopeError
from headscope.publish import publish


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="headscope", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    page = commands.add_parser(
        "publish",
        help="a finished notebook as one page that works with no kernel and no network",
    )
    page.add_argument("notebook", help="the .ipynb file; it is not changed")
    page.add_argument("-o", "--output", metavar="PAGE", help="the page (beside the notebook)")
    page.add_argument("--execute", action="store_true", help="run its cells first")
    wanted = parser.parse_args(arguments)
    try:
        print(publish(wanted.notebook, wanted.output, execute=wanted.execute))
    except HeadscopeError as error:
        print(f"headscope: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
