"""The gate: what may be shown, what several outputs tell together, and the record for whoever checks them."""

from symphony_research.disclosure.control import suppress
from symphony_research.disclosure.differencing import Finding, check_differencing

__all__ = ["Finding", "check_differencing", "suppress"]
