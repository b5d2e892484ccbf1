"""One known answer: the quantity, the estimand it is, its value and how that was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Planted"]


@dataclass(frozen=True)
class Planted:
    """A quantity planted in the study.

    Attributes
    ----------
    name : str
        What scripts ask for, such as ``survival/65_and_over/365_days``.
    quantity : str
        The same in words, with its unit.
    kind : {"conditional", "marginal"}
        Conditional: given everything that the generator knows of a person, frailty and class included, and so set
        exactly. Marginal: averaged over the population named.
    population, horizon : str
        Of whom, and over what time or on what day.
    value : float
        The true value.
    standard_error : float
        0 where the value was set or follows by arithmetic; else that of the simulation, by the jackknife.
    people : int
        People simulated, counted as a study's are: those registered in 2012-13. 0 where the value was set.
    """

    name: str
    quantity: str
    kind: str
    population: str
    horizon: str
    value: float
    standard_error: float = 0.0
    people: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the record for truth.json."""
        return asdict(self)
