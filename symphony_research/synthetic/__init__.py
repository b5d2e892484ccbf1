"""The public study: a generator of linked histories of people who never lived."""

from __future__ import annotations

from symphony_research.synthetic.blocks import generate_tables
from symphony_research.synthetic.dictionary import data_dictionary
from symphony_research.synthetic.fingerprint import carries_own_fingerprint, fingerprint
from symphony_research.synthetic.write import synthesise

__all__ = ["carries_own_fingerprint", "data_dictionary", "fingerprint", "generate_tables", "synthesise"]
