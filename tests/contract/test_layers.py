"""Who may know whom, read from the imports themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "headscope"
FRONT = ROOT / "js" / "src"

#: Each room and the rooms it may import, at any depth of nesting.
MAY_IMPORT = {
    "_version": set(),
    "errors": set(),
    "arguments": {"errors"},
    "results": {"arguments", "errors"},
    "components": {"errors"},
    "jobs": set(),
    "wire": {"arguments", "errors", "results"},
    "export": {"arguments", "errors", "results", "wire"},
    "interchange": {"arguments", "errors", "results", "wire"},
    "interventions": {"arguments", "components", "errors"},
    "model": {"_version", "arguments", "components", "errors", "interventions", "results"},
    "analyses": {
        "arguments",
        "components",
        "errors",
        "interventions",
        "jobs",
        "model",
        "results",
    },
    "demo": {"arguments", "errors", "model"},
    "widgets": {
        "analyses",
        "arguments",
        "components",
        "errors",
        "export",
        "interchange",
        "interventions",
        "jobs",
        "model",
        "results",
        "wire",
    },
    "publish": {"errors", "export", "wire"},
    "__main__": {"errors", "publish"},
    "__init__": {"_version", "errors"},
}

#: Imports inside functions that cross the walls on purpose: (module, room): why.
DELIBERATE = {
    ("interchange.files", "analyses"): "a PyTorch file needs torch, any other must not",
    ("demo.transcoder_graphs", "analyses"): "the transcoders' card tells the scores of graphs",
    ("wire.codegen", "interventions"): "the page's types of them are written from theirs",
    ("interventions.stack", "model"): "applied() needs torch, the data must not",
    ("results.circuit_graph", "interchange"): "save_json() is a shorthand for interchange",
    ("results.base", "export"): "a result's to_plotly() and to_svg() are shorthands for export's",
    ("results.base", "wire"): "a result's save() is a shorthand for wire.files.save()",
}

#: Packages that only some rooms may import.
RESERVED = {
    "torch": {"model", "analyses", "demo"},
    "transformer_lens": {"model"},
    "transformers": {"model", "demo"},
    "tokenizers": {"demo"},
    "anywidget": {"widgets"},
    "ipywidgets": {"widgets"},
    "traitlets": {"widgets"},
    "plotly": {"export"},
    "py_mini_racer": {"export"},
    "vl_convert": {"export"},
    "pandas": {"results"},
    "safetensors": {"wire", "demo", "model"},
    "yaml": {"model"},
    "huggingface_hub": {"model"},
}

#: Heavy packages that are imported where they are used, so that importing the room stays light.
LAZY = {
    "huggingface_hub",
    "pandas",
    "plotly",
    "py_mini_racer",
    "transformer_lens",
    "transformers",
    "vl_convert",
}

STANDARD_LIBRARY_ONLY = {"jobs", "errors", "components", "interventions", "_version", "__init__"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    return name.split(".")[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """(imported module, whether inside a function); type-checking blocks import nothing."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module == "headscope":
                for alias in node.names:
                    yield f"headscope.{alias.name}", inside
            else:
                yield node.module, inside
        elif not is_type_checking(node):
            deeper = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports(node, inside=deeper)


def found() -> list[tuple[str, str, bool]]:
    """(module, imported module, whether inside a function) over the whole package."""
    return [
        (name_of(path), imported, inside)
        for path in MODULES
        for imported, inside in imports(ast.parse(path.read_text(encoding="utf-8")))
    ]


FOUND = found()
OWN = [(m, i.split(".")[1], inside) for m, i, inside in FOUND if i.startswith("headscope.")]
FOREIGN = [(m, i.split(".")[0], inside) for m, i, inside in FOUND if not i.startswith("headscope")]


def test_every_room_has_a_rule() -> None:
    assert {room_of(name_of(path)) for path in MODULES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_only_what_is_below_them(room: str) -> None:
    trespasses = {
        (module, other)
        for module, other, inside in OWN
        if room_of(module) == room
        and other != room
        and other not in MAY_IMPORT[room]
        and not (inside and (module, other) in DELIBERATE)
    }
    assert not trespasses


def test_every_deliberate_exception_is_still_needed() -> None:
    used = {(module, other) for module, other, inside in OWN if inside}
    assert set(DELIBERATE) <= used


def test_the_rules_have_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        free = {room for room, below in MAY_IMPORT.items() if room not in done and below <= done}
        assert free, f"a cycle among {set(MAY_IMPORT) - done}"
        done |= free


@pytest.mark.parametrize("package", sorted(RESERVED))
def test_packages_stay_in_their_rooms(package: str) -> None:
    users = {room_of(module) for module, imported, _ in FOREIGN if imported == package}
    assert users <= RESERVED[package]


@pytest.mark.parametrize("package", sorted(LAZY))
def test_heavy_packages_are_imported_where_they_are_used(package: str) -> None:
    eager = {module for module, imported, inside in FOREIGN if imported == package and not inside}
    # The demo's recipe is run as scripts, never on the way to `import headscope.demo`.
    assert {module for module in eager if room_of(module) != "demo"} == set()


def test_the_lowest_rooms_know_the_standard_library_only() -> None:
    import sys

    strangers = {
        (module, imported)
        for module, imported, _ in FOREIGN
        if room_of(module) in STANDARD_LIBRARY_ONLY and imported not in sys.stdlib_module_names
    }
    assert not strangers


# The front end.

#: Each folder and the folders it may import values from. Types may also come from a `contract.ts`.
FRONT_MAY_IMPORT = {
    "wire": set(),
    "state": {"wire"},
    "draw": {"wire"},
    "host": {"wire", "state"},
    "views": {"wire", "state", "draw", "lend"},
    "shell": {"wire", "state", "draw", "views", "figure", "lend"},
    "lend": set(),
    "interventions": {"wire", "state", "views"},
    "islands": {"views", "shell", "figure", "interventions", "lend"},
    "figure": {"wire", "state", "draw", "views"},
    "entry": {"wire", "state", "draw", "views", "shell", "host", "figure"},
}

#: Contracts, each importable where the layer it describes is passed in.
CONTRACTS = {folder: {"host/contract"} for folder in ("views", "shell", "interventions")}

SCRIPTS = sorted([*FRONT.rglob("*.ts"), *FRONT.rglob("*.tsx")])
_IMPORT = re.compile(r"""(?:^|\n)\s*(?:import|export)\b[^;'"]*?['"]([^'"]+)['"]""")
_DYNAMIC = re.compile(r"""\bimport\(\s*['"]([^'"]+)['"]""")


def front_imports(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    return {*_IMPORT.findall(text), *_DYNAMIC.findall(text)}


def folder_of(relative: str) -> str:
    first = relative.split("/")[0]
    return first if first in FRONT_MAY_IMPORT else "entry"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.relative_to(FRONT).as_posix())
def test_front_end_folders_import_only_what_is_below_them(path: Path) -> None:
    folder = folder_of(path.relative_to(FRONT).as_posix())
    for imported in front_imports(path):
        if not imported.startswith("."):
            continue
        target = (path.parent / imported).resolve().relative_to(FRONT.resolve()).as_posix()
        other = folder_of(target)
        if other == folder or target in CONTRACTS.get(folder, set()):
            continue
        assert other in FRONT_MAY_IMPORT[folder], f"{folder} must not import {target}"


def test_only_the_host_and_the_live_entry_know_anywidget() -> None:
    knowing = {
        path.relative_to(FRONT).as_posix()
        for path in SCRIPTS
        if any("anywidget" in imported for imported in front_imports(path))
    }
    assert knowing
    assert all(name.startswith("host/") or name == "widget.ts" for name in knowing)


def test_token_text_never_becomes_html() -> None:
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet")
    assert not [p.name for p in SCRIPTS if ways.search(p.read_text(encoding="utf-8"))]
