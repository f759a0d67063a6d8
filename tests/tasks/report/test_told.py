"""What models say of themselves: a graph that can be read, a table of clusters, on the page and in a file."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from tasks.report.content import Fold, ReportInput
from tasks.report.graph import graph_svg
from tasks.report.page import render_page
from tasks.report.told import Cluster, Edge, Mark, Node, Share, Told, Tried

HOSTILE = '"><script>alert(1)</script>'
NETWORK = Told(
    nodes=(Node(name="class"), Node(name="volume", cuts=(1.5,)), Node(name="a" * 40 + HOSTILE), Node(name="alone")),
    edges=(Edge(parent=0, child=1, bits=0.5), Edge(parent=1, child=2, bits=0.25)),
)
CLUSTERS = Told(
    clusters=(
        Cluster(
            size=12,
            jaccard=0.87,
            classes=(Share(label=True, count=9, share=0.75, low=0.43, high=0.95),),
            marks=(Mark(name=HOSTILE, deviations=-1.23),),
        ),
    ),
    tried=(Tried(clusters=2, silhouette=0.4, stability=0.9),),
)


def test_each_node_and_edge_is_drawn_once_inside_the_figure() -> None:
    root = ElementTree.fromstring(graph_svg(NETWORK, standalone=True))
    tag = "{http://www.w3.org/2000/svg}"
    circles = root.findall(f"{tag}circle")
    places = [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in circles]
    assert len(set(places)) == 4
    assert all(0 < x < 640 and 0 < y < 460 for x, y in places)
    widths = [float(one.get("style", "").split(":")[1]) for one in root.findall(f"{tag}path[@marker-end]")]
    assert widths == [3.6, 2.1]
    titles = [one.findtext(f"{tag}title") for one in root.findall(f"{tag}path[@marker-end]")]
    assert titles[0] == "class → volume: 0.50 bits"


def test_a_long_name_is_short_and_told_whole_and_nothing_in_it_runs() -> None:
    text = graph_svg(NETWORK)
    assert "<script" not in text
    assert "a" * 13 + "…" in text
    assert text == graph_svg(NETWORK)


def test_one_node_and_a_long_chain_have_places_too() -> None:
    assert graph_svg(Told(nodes=(Node(name="class"),))).count("<circle") == 1
    chain = Told(
        nodes=tuple(Node(name=f"n{i}") for i in range(12)),
        edges=tuple(Edge(parent=a, child=b, bits=0.0) for a, b in pairwise(range(12))),
    )
    assert len(set(re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', graph_svg(chain)))) == 12


def test_the_page_shows_what_the_last_model_says() -> None:
    def page(told: Told) -> str:
        folds = (Fold(name="1", model="k_means", told=NETWORK), Fold(name="refit", model="k_means", told=told))
        return render_page(ReportInput(study="s", folds=folds))

    network, clusters, nothing = page(NETWORK), page(CLUSTERS), page(Told())
    assert network.count("Bayesian network of 4 variables") == 1
    assert "Phenotypes" not in network
    assert "lesion 9" in clusters
    assert "75 % [43–95]" in re.sub(r"<[^>]+>", "", clusters)
    assert "<script>alert" not in clusters
    assert "Bayesian network of" not in nothing
    assert "Phenotypes" not in nothing
