"""The network of a model as a figure: nodes that depend on each other lie together."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tasks.report.plots import render_svg
from tasks.report.told import Told

WIDTH, HEIGHT, MARGIN = 640.0, 460.0, 46.0
UNRELATED = 3.0
"""How far apart nodes lie that no way connects, in edges."""
LONGEST = 26
"""Letters of a name that are drawn; the whole name is told when it is pointed at."""


@dataclass(frozen=True)
class DrawnNode:
    """A node with its place, a short name, and whether it is the class."""

    x: float
    y: float
    name: str
    short: str
    own: bool


@dataclass(frozen=True)
class DrawnEdge:
    """An arrow between the borders of two nodes; its width tells the bits."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    title: str


def graph_svg(told: Told, *, standalone: bool = False) -> Markup:
    """The network as a figure: nodes that depend on each other lie together, arrows are the wider the more they share.

    Parameters
    ----------
    told
        With at least one node.
    standalone
        With the namespace that a file of its own needs.
    """
    places = _places(told)
    nodes = [
        DrawnNode(x, y, node.name, _short(node.name), number == 0)
        for number, (node, (x, y)) in enumerate(zip(told.nodes, places, strict=True))
    ]
    most = max((edge.bits for edge in told.edges), default=0.0) or 1.0
    edges = [_arrow(nodes[edge.parent], nodes[edge.child], edge.bits, most) for edge in told.edges]
    return render_svg("graph.svg.j2", standalone, nodes=nodes, edges=edges, width=WIDTH, height=HEIGHT)


def _places(told: Told) -> list[tuple[float, float]]:
    """Where nodes lie, by Kamada and Kawai 1989, doi:10.1016/0020-0190(89)90102-6: no chance is involved."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(told.nodes)))
    graph.add_edges_from((edge.parent, edge.child) for edge in told.edges)
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    apart = {a: {b: lengths[a].get(b, UNRELATED) for b in graph} for a in graph}
    found = nx.kamada_kawai_layout(graph, dist=apart)
    low = [min(float(at[axis]) for at in found.values()) for axis in (0, 1)]
    span = [max(float(at[axis]) for at in found.values()) - low[axis] or 1.0 for axis in (0, 1)]
    room = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    return [
        (
            round(MARGIN + (float(found[node][0]) - low[0]) / span[0] * room[0], 1),
            round(MARGIN + (float(found[node][1]) - low[1]) / span[1] * room[1], 1),
        )
        for node in range(len(told.nodes))
    ]


def _arrow(start: DrawnNode, end: DrawnNode, bits: float, most: float) -> DrawnEdge:
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    first, last = 8.0 / length, 1.0 - 13.0 / length
    return DrawnEdge(
        round(start.x + first * dx, 1),
        round(start.y + first * dy, 1),
        round(start.x + last * dx, 1),
        round(start.y + last * dy, 1),
        round(0.6 + 3.0 * bits / most, 2),
        f"{start.name} → {end.name}: {bits:.2f} bits",
    )


def _short(name: str) -> str:
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half + 1 :]}"
