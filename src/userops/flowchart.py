"""A graph as a Mermaid flowchart, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

from userops.results import GraphBlock, Lang, Node


def mermaid(graph: GraphBlock, lang: Lang = "en") -> str:
    """The flowchart, ending in a newline: count and share on every arrow, those above half the strongest thick."""
    boxes = [f"  e{place}{_box(node, lang)}" for place, node in enumerate(graph.nodes)]
    thick = max((edge.count for edge in graph.edges), default=0) // 2
    arrows = [
        f"  e{edge.source} {'==>' if edge.count > thick else '-->'}"
        f'|"{" · ".join([f"{edge.count:,}", *([f"{edge.share:.0%}"] if edge.share is not None else [])])}"| e{edge.target}'
        for edge in graph.edges
    ]
    return "\n".join(["flowchart LR", *boxes, *arrows, ""])


def _box(node: Node, lang: Lang) -> str:
    name = _quoted(node.label(lang))
    return f'(["{name}"])' if node.end else f'["{name}"]'


def _quoted(name: str) -> str:
    """A name that Mermaid shows as it is: what it would read as code, and what is no text, as entities."""
    return "".join(c if c.isalnum() or c in " _-.,:/()" else f"#{ord(c)};" for c in name)
