"""Marks in attribution-graph JSON: pins, groups, labels and the slider are its `qParams`.

Viewers write them as arrays, or as the strings that they put into a page's address: both are read,
arrays are written. Labels are written as a string, which circuit-tracer's viewer expects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headscope.interchange import reading as read
from headscope.interchange.reading import Json, refusal
from headscope.results import Group, Marks

_HERE = "qParams"
MARK_KEYS = ("pinnedIds", "supernodes", "clerps", "pruningThreshold")
_SPLIT = ","


def marks_of(params: Json, names: Mapping[str, str], keys: Mapping[str, list[str]]) -> Marks:
    """The marks in `params`.

    Args:
        params: The file's `qParams`.
        names: From a node's id in the file to its name.
        keys: From what labels may be filed under to the nodes' names.

    Raises:
        ResultError: They are malformed.
    """
    pinned = dict.fromkeys(names[i] for i in _pins(params) if i in names)
    groups, taken = [], set[str]()
    for at, (label, *members) in enumerate(_groups(params)):
        nodes = tuple(dict.fromkeys(names[i] for i in members if i in names))
        twice = taken.intersection(nodes)
        if twice:
            raise refusal(f"{_HERE}.supernodes[{at}]", f"has {twice.pop()}, as another one has")
        taken.update(nodes)
        if nodes:
            groups.append(Group(label, nodes))
    labels = {name: label for key, label in _labels(params) for name in keys.get(key, ())}
    where = f"{_HERE}.pruningThreshold"
    share = _unquoted(params.get("pruningThreshold"), where)
    threshold = {} if share is None else {"nodes": read.number(share, where)}
    return Marks(tuple(pinned), tuple(groups), labels, (), threshold)


def rest_of(params: Json, names: Mapping[str, str], keys: Mapping[str, list[str]]) -> Json:
    """What marks say of nodes that the file does not have."""
    left: Json = {}
    pins = [i for i in _pins(params) if i not in names]
    groups = [[g[0], *(i for i in g[1:] if i not in names)] for g in _groups(params)]
    groups = [g for g, all_of_it in zip(groups, _groups(params), strict=True)
              if len(g) > 1 or len(all_of_it) == 1]  # fmt: skip
    labels = [[key, label] for key, label in _labels(params) if not keys.get(key)]
    for key, value in (("pinnedIds", pins), ("supernodes", groups), ("clerps", labels)):
        if value:
            left[key] = value
    return left


def written(marks: Marks, ids: Mapping[str, str], keys: Mapping[str, str], left: Json) -> Json:
    """`qParams` of a file.

    Args:
        marks: What users have marked.
        ids: From a node's name to its id in the file.
        keys: From a node's name to what its label is filed under.
        left: As `rest_of` returned it.
    """
    beyond = {label: more for label, *more in left.get("supernodes", ())}
    groups = [
        [g.label, *(ids[n] for n in g.nodes if n in ids), *beyond.pop(g.label, ())]
        for g in marks.groups
    ]
    labels = [[keys[name], label] for name, label in marks.labels.items() if name in keys]
    labels += left.get("clerps", [])
    params: Json = {
        "pinnedIds": [*(ids[n] for n in marks.pinned if n in ids), *left.get("pinnedIds", ())],
        "supernodes": groups + [[label, *more] for label, more in beyond.items()],
        "linkType": "both", "clickedId": "", "sg_pos": "",
    }  # fmt: skip
    if labels:
        params["clerps"] = json.dumps(labels)
    if "nodes" in marks.threshold:
        params["pruningThreshold"] = marks.threshold["nodes"]
    return params


def _pins(params: Json) -> list[str]:
    where, value = f"{_HERE}.pinnedIds", params.get("pinnedIds")
    if isinstance(value, str):
        value = [part for part in value.split(_SPLIT) if part]
    found = read.sequence([] if value is None else value, where)
    return [read.text(item, f"{where}[{at}]") for at, item in enumerate(found)]


def _groups(params: Json) -> list[list[str]]:
    return _lists(params, "supernodes", 1)


def _labels(params: Json) -> Sequence[Sequence[str]]:
    return _lists(params, "clerps", 2)


def _lists(params: Json, key: str, least: int) -> list[list[str]]:
    where = f"{_HERE}.{key}"
    value = _unquoted(params.get(key), where)
    if isinstance(value, dict):
        value = [[name, label] for name, label in value.items()]
    found = []
    for at, item in enumerate(read.sequence([] if value is None else value, where)):
        spot = f"{where}[{at}]"
        texts = [read.text(part, spot) for part in read.sequence(item, spot)]
        if len(texts) < least or (key == "clerps" and len(texts) > least):
            raise refusal(spot, f"has {len(texts)} parts")
        found.append(texts)
    return found


def _unquoted(value: Any, where: str) -> Any:
    """What a string of JSON stands for."""
    if not isinstance(value, str) or not value:
        return None if value == "" else value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise refusal(where, f"is {read.shown(value)}, which is no JSON") from None
