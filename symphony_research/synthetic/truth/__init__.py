"""What was planted in a study, as estimands with their values: the known answers."""

from __future__ import annotations

from symphony_research.synthetic.truth.record import Planted
from symphony_research.synthetic.truth.stored import planted

__all__ = ["Planted", "planted"]
