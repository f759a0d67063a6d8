"""What a model says of itself beside its scores: the graph of a Bayesian network, the clusters of K-means.

Values here are those that the ``facts`` of a file in ``tasks/models`` gives; a model without any leaves all empty.
"""

from __future__ import annotations

from tasks.report.drawn import Part


class Node(Part):
    """A variable of a network; the first is the class. ``cuts``: where a feature is cut into states."""

    name: str
    cuts: tuple[float, ...] = ()


class Edge(Part):
    """That a variable depends on another: places among the nodes, and how many bits they share."""

    parent: int
    child: int
    bits: float


class Share(Part):
    """How many rows of a cluster are of a class, and the interval of their share."""

    label: bool | int | str
    count: int
    share: float
    low: float
    high: float


class Mark(Part):
    """A feature of a cluster, and how far its mean lies from that of all, in standard deviations."""

    name: str
    deviations: float


class Cluster(Part):
    """A phenotype: its rows, how well it comes back in samples of the rows, its classes and what marks it."""

    size: int
    jaccard: float
    classes: tuple[Share, ...]
    marks: tuple[Mark, ...]


class Tried(Part):
    """A number of clusters that was tried."""

    clusters: int
    silhouette: float
    stability: float


class Told(Part):
    """All that a model may say."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    tried: tuple[Tried, ...] = ()
