"""What each programme does to each outcome: the truth that is planted, as the caller may set it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.synthetic import parameters
from symphony_research.words.phrases import joined

__all__ = ["OUTCOMES", "PROGRAMMES", "Effects", "Outcome"]

PROGRAMMES = ("complex_care", "enhanced_primary_care", "health_coaching")
# Beyond this the candidates of a rate would crowd out the runs of admissions that people are enrolled after.
LARGEST_RATIO = 1.5
# Less than planned care costs in any profile, so that no rate falls below nothing.
POUNDS = (-300.0, 500.0)
MOST_YEARS = 7


@dataclass(frozen=True)
class Outcome:
    """Something a programme may change.

    `unit` is "ratio" (the rate with the programme over that without), "points" (added to a measure) or "pounds" (added
    to the mean cost of a person-year); `nothing` is the value that means no effect.
    """

    words: str
    unit: str = "ratio"

    @property
    def nothing(self) -> float:
        """The value that means no effect."""
        return 1.0 if self.unit == "ratio" else 0.0


OUTCOMES = MappingProxyType(
    {
        "emergency_admissions": Outcome("emergency admissions"),
        "elective_admissions": Outcome("elective admissions"),
        "outpatient": Outcome("outpatient contacts"),
        "accident_and_emergency": Outcome("A&E attendances that do not end in admission"),
        "general_practitioner": Outcome("contacts with a general practitioner"),
        "community": Outcome("community contacts"),
        "secondary_care_cost": Outcome(
            "cost of inpatient, outpatient and A&E care, through planned care: elective admissions and outpatient contacts",
            "pounds",
        ),
        "quality_of_life": Outcome("quality of life (EQ-5D index)", "points"),
        "patient_activation": Outcome("patient activation (0 to 100)", "points"),
    }
)
PLANNED = ("elective_admissions", "outpatient")
# Measures are taken of people on the programme alone; a programme of whole practices has none to change.
OF_PEOPLE_ENROLLED = ("quality_of_life", "patient_activation")

Values = Mapping[str, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True)
class Effects:
    """What the programmes do: by programme and outcome, one value a year since its start; the last holds from then on.

    The years count from a person's enrolment for complex care, and from the day the programme reached the practice for
    the other two. What is not named has no effect.

    Examples
    --------
    >>> effects = Effects.of({"complex_care": {"emergency_admissions": [0.9, 0.8]}})
    >>> effects.values["complex_care"]["emergency_admissions"]
    (0.9, 0.8)
    """

    values: Values = field(default_factory=lambda: parameters.EFFECTS)

    @classmethod
    def of(cls, asked: Mapping[str, Mapping[str, Any]] | None) -> Effects:
        """Check effects as asked for; those not named are the defaults.

        Raises
        ------
        ArgumentError
            On an unknown programme or outcome, or a value out of range.
        """
        if asked is not None and not isinstance(asked, Mapping):
            raise ArgumentError(
                "effects must map programmes to outcomes, such as {'complex_care': {'outpatient': [1.1]}}."
            )
        values = {programme: dict(outcomes) for programme, outcomes in parameters.EFFECTS.items()}
        for programme, outcomes in (asked or {}).items():
            require_one_of(programme, PROGRAMMES, argument="programme of effects")
            if not isinstance(outcomes, Mapping):
                raise ArgumentError(
                    f"effects['{programme}'] must map outcomes to values by year, such as [1.05, 1.02]."
                )
            for outcome, by_year in outcomes.items():
                values.setdefault(programme, {})[outcome] = _checked(programme, outcome, by_year)
        return cls(values)

    @property
    def are_default(self) -> bool:
        """Whether these are the defaults."""
        return all(
            self.by_year(programme, outcome) == default.by_year(programme, outcome)
            for default in [Effects()]
            for programme in PROGRAMMES
            for outcome in OUTCOMES
        )

    def by_year(self, programme: str, outcome: str) -> tuple[float, ...]:
        """Return the values by year since the start of the programme."""
        return self.values.get(programme, {}).get(outcome, (OUTCOMES[outcome].nothing,))

    def ratios(self, programme: str, outcome: str, planned_cost: float) -> tuple[float, ...]:
        """Return rate ratios by year, those that follow from pounds added to secondary care included.

        `planned_cost` is what planned care costs a person-year without any programme: cost is proportional to the rate, so
        pounds add pounds / planned cost to the outcome's own ratio.
        """
        own = self.by_year(programme, outcome)
        if outcome not in PLANNED:
            return own
        pounds = self.by_year(programme, "secondary_care_cost")
        years = max(len(own), len(pounds))
        return tuple(
            max(own[min(y, len(own) - 1)] + pounds[min(y, len(pounds) - 1)] / planned_cost, 0.0) for y in range(years)
        )


def _checked(programme: str, outcome: str, by_year: Any) -> tuple[float, ...]:
    require_one_of(outcome, tuple(OUTCOMES), argument=f"outcome of {programme}")
    if outcome in OF_PEOPLE_ENROLLED and programme != "complex_care":
        raise ArgumentError(
            f"{programme} cannot change {outcome}: it is measured of people enrolled in complex_care alone."
        )
    if outcome == "secondary_care_cost" and programme == "complex_care":
        raise ArgumentError(
            "complex_care takes no secondary_care_cost: what planned care costs people enrolled is not known beforehand. "
            "Set its ratios of elective_admissions and outpatient."
        )
    given = [by_year] if isinstance(by_year, numbers.Real | str) or by_year is None else list(by_year)
    unit = OUTCOMES[outcome].unit
    lowest, highest = {
        "ratio": (0.0, LARGEST_RATIO),
        "points": (-1.0, 1.0) if outcome == "quality_of_life" else (-100.0, 100.0),
        "pounds": POUNDS,
    }[unit]
    found = [
        float(value)
        for value in given
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    ]
    in_range = 0 < len(found) == len(given) <= MOST_YEARS and all(lowest <= value <= highest for value in found)
    if not in_range:
        named = joined([repr(value) for value in given]) if given else "nothing"
        raise ArgumentError(
            f"effects of {programme} on {outcome}: {named} given; one number for each year since its start is needed "
            f"({unit}), at most {MOST_YEARS}, each from {lowest:g} to {highest:g}."
        )
    return tuple(found)
