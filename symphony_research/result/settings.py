"""Which settings a result may carry: arguments and provenance, never a number found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from symphony_research.errors import DisclosureError

__all__ = ["COMMON", "require_known_settings"]

# asked for by the author, or known of the study before anything is counted
COMMON = frozenset(
    {
        "library_version", "by", "study", "fingerprint", "generated", "population", "note", "method", "reference",
        "conditions", "values", "confidence", "adjust", "correction", "min_persons", "min_size", "max_size", "kind",
        "which", "against", "top", "period", "price_year", "cost_period", "interval", "time", "event", "entry", "weights", "time_unit",
        "event_name", "causes", "cause_names", "seed", "measure", "names", "condition", "handling", "value", "form", "released", "landmark",
    }
)  # fmt: skip


def require_known_settings(family: str, settings: Mapping[str, Any], own: Iterable[str]) -> None:
    """Raise DisclosureError where a setting is not on the list, or holds something else than plain values.

    A released result carries its settings, so a setting that nobody has looked
    at is a way past disclosure control.
    """
    known = COMMON | frozenset(own)
    unknown = sorted(set(settings) - known)
    if unknown:
        raise DisclosureError(
            f"{family} cannot be released: its settings {', '.join(repr(name) for name in unknown)} are not on the list of "
            "settings. Name those that were asked for in own_settings; a number that was found belongs in a table, with a role."
        )
    strange = sorted(name for name, value in settings.items() if not _plain(value))
    if strange:
        raise DisclosureError(f"{family} cannot be released: its settings {', '.join(strange)} hold no plain values.")


def _plain(value: Any) -> bool:
    if value is None or isinstance(value, (bool, int, float, str)):
        return True
    if isinstance(value, Mapping):
        return all(_plain(k) and _plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple, frozenset, set)):
        return all(_plain(v) for v in value)
    return hasattr(value, "isoformat")
