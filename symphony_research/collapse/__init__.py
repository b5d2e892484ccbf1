"""People collapsed once into small tables of counts and sums that add up.

`patterns` holds the sets of conditions as bitmasks, `masks` computes with them,
`leaving` and `site` give them to other sites, `frames` is the entry point that every frame
argument comes through, `collapsed` the other collapses with their provenance, `tidy` what curves read of them, and
`onsets` the one table of people that cannot be collapsed.
"""

from symphony_research.collapse.collapsed import Collapsed, follow_up_columns, provenance_of
from symphony_research.collapse.frames import as_frame, as_lazy, column_names, names_of
from symphony_research.collapse.onsets import Onsets
from symphony_research.collapse.patterns import Patterns
from symphony_research.collapse.tidy import event_table

__all__ = [
    "Collapsed",
    "Onsets",
    "Patterns",
    "as_frame",
    "as_lazy",
    "column_names",
    "event_table",
    "follow_up_columns",
    "names_of",
    "provenance_of",
]
