"""Draws a lineage graph as text, JSON, DOT or Mermaid."""

from __future__ import annotations

import json
from typing import Any

from mlvc.lineage import picture
from mlvc.lineage.graph import ARTIFACT, RUN, Graph, Key, Node, key_text


def as_text(graph: Graph) -> str:
    """Returns an indented tree, from what was there first to what came of it. A node that comes twice is named again."""
    nodes = {node.key: node for node in graph.nodes}
    following: dict[Key, list[Key]] = {key: [] for key in nodes}
    entered = set()
    for before, after in graph.edges:
        following[before].append(after)
        entered.add(after)
    order = {node.key: place for place, node in enumerate(graph.nodes)}
    lines: list[str] = []
    drawn: set[Key] = set()

    def draw(root: Key) -> None:
        waiting = [(root, "", "")]  # a list and not recursion: a chain of runs may be long
        while waiting:
            key, lead, branch = waiting.pop()
            again = key in drawn
            lines.append(f"{lead}{branch}{_line(nodes[key], is_focus=key == graph.focus)}{'  (see above)' if again else ''}")
            if again:
                continue
            drawn.add(key)
            inner = lead + ("   " if branch.startswith("└") else "│  " if branch else "")
            children = sorted(following[key], key=order.__getitem__)
            branches = ["├─> "] * (len(children) - 1) + ["└─> "]
            waiting += [(child, inner, turn) for child, turn in reversed(list(zip(children, branches, strict=False)))]

    roots = [node.key for node in graph.nodes if node.key not in entered] or [graph.focus]
    for root in roots:
        draw(root)
    for node in graph.nodes:
        if node.key not in drawn:
            draw(node.key)
    return "\n".join(lines) + "\n"


def _line(node: Node, *, is_focus: bool) -> str:
    marks = f"  [{', '.join(node.marks)}]" if node.marks else ""
    return f"{node.label}  ({node.kind_label}){marks}{'  *' if is_focus else ''}"


def as_data(graph: Graph) -> dict[str, Any]:
    """Returns the graph as plain data: what `--format json` prints."""
    return {
        "focus": key_text(graph.focus),
        "nodes": [
            {"id": key_text(n.key), "kind": n.key[0], "label": n.label, "type": n.kind_label, "marks": list(n.marks), **n.details}
            for n in graph.nodes
        ],
        "edges": [{"from": key_text(before), "to": key_text(after)} for before, after in graph.edges],
    }


def as_json(graph: Graph) -> str:
    """Returns the graph as JSON text."""
    return json.dumps(as_data(graph), indent=2, ensure_ascii=False) + "\n"


_SHAPES = {RUN: ("box", "#d5f0dd"), ARTIFACT: ("ellipse", "#d6e4f7")}
"""In Graphviz; all else is a group."""

_BRACKETS = {RUN: ('["', '"]'), ARTIFACT: ('(["', '"])')}
"""In Mermaid; a group is a box with two sides."""


def as_dot(graph: Graph) -> str:
    """Returns the graph in Graphviz' language: runs green boxes, artifacts blue ellipses, from left to right."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif", style=filled];']
    for node in graph.nodes:
        shape, colour = _SHAPES.get(node.key[0], ("box3d", "#efeff2"))
        text = "\\n".join(_quoted(part) for part in (node.label, node.kind_label, ", ".join(node.marks)) if part)
        pen = ", penwidth=2" if node.key == graph.focus else ""
        lines.append(f'  "{key_text(node.key)}" [label="{text}", shape={shape}, fillcolor="{colour}"{pen}];')
    lines += [f'  "{key_text(before)}" -> "{key_text(after)}";' for before, after in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def as_mermaid(graph: Graph) -> str:
    """Returns the graph in Mermaid's language, for Markdown pages."""
    number = {node.key: f"n{place}" for place, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        text = "<br/>".join(_escaped(part) for part in (node.label, node.kind_label, ", ".join(node.marks)) if part)
        left, right = _BRACKETS.get(node.key[0], ('[["', '"]]'))
        lines.append(f"  {number[node.key]}{left}{text}{right}")
    lines += [f"  {number[before]} --> {number[after]}" for before, after in graph.edges]
    lines += ["  classDef run fill:#d5f0dd,stroke:#2e7d46", "  classDef artifact fill:#d6e4f7,stroke:#2a5c9a"]
    for kind in (RUN, "artifact"):
        names = ",".join(number[node.key] for node in graph.nodes if node.key[0] == kind)
        if names:
            lines.append(f"  class {names} {kind}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;").replace("#", "&#35;")


DRAWINGS = {"text": as_text, "json": as_json, "dot": as_dot, "mermaid": as_mermaid, "svg": picture.as_svg}
