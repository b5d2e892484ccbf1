"""Published tables that ship with the library: base populations, rates, standard populations; each with source and licence."""

from symphony_research.reference.tables import ReferenceTable, reference_table, reference_tables

__all__ = ["ReferenceTable", "reference_table", "reference_tables"]
