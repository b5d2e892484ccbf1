"""Which conditions go together: observed/expected ratios of all pairs, and the network they form.

Counts of pairs come from `Patterns`; whatever is said of the network (its
backbone, what is central, its communities) is derived from those counts, so it
can be made again from released ones.
"""

from symphony_research.networks.backbone import Backbone, backbone
from symphony_research.networks.centrality import Centrality, centrality
from symphony_research.networks.communities import Communities, communities
from symphony_research.networks.compare import NetworkComparison, compare
from symphony_research.networks.cooccurrence import Cooccurrence, cooccurrence
from symphony_research.networks.hypergraph import SetCentrality, set_centrality
from symphony_research.networks.sequences import Sequences, sequences

__all__ = [
    "Backbone",
    "Centrality",
    "Communities",
    "Cooccurrence",
    "NetworkComparison",
    "Sequences",
    "SetCentrality",
    "backbone",
    "centrality",
    "communities",
    "compare",
    "cooccurrence",
    "sequences",
    "set_centrality",
]
