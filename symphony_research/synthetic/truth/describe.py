"""What each simulated value is, of whom and over what time, in words."""

from __future__ import annotations

__all__ = ["describe"]

_ON_INDEX = "registered on 1 April 2014"
_STRATA = "five-year age band, sex and tenth of deprivation"


def describe(name: str) -> tuple[str, str, str]:
    """Return quantity, population and horizon of a value by its name."""
    kind, *rest = name.split("/")
    if kind == "observed_expected" and len(rest) == 2:
        return (
            f"people with both {rest[0]} and {rest[1]}, over those expected were they independent within {_STRATA} "
            "(expected counts summed over the strata)",
            f"{_ON_INDEX}, tenth of deprivation known", "on 1 April 2014",
        )  # fmt: skip
    if kind == "observed_expected":
        return (
            f"people with {', '.join(rest[:-1])} and {rest[-1]}, over those expected from the pairs alone, without a "
            "three-way interaction within five-year age band and sex (expected counts summed over the strata)",
            _ON_INDEX, "on 1 April 2014",
        )  # fmt: skip
    orders = {
        "first_share": "share in whom {} began before {} (the same day counts half)",
        "null_first_share": "share in whom {} would begin before {} were their orders unrelated within sex and year of birth",
        "median_gap": "median days from {} to {}, where they began in that order",
    }
    if kind in orders:
        return orders[kind].format(*rest), f"{_ON_INDEX} with both", "ever, up to 1 April 2014"
    if kind == "class_share":
        return f"share of people in the latent class {rest[0]}", _ON_INDEX, "on 1 April 2014"
    if kind == "class_prevalence":
        return f"share of the latent class {rest[0]} with {rest[1]}", _ON_INDEX, "on 1 April 2014"
    older = f"{_ON_INDEX}, aged 65 and over"
    after = "were nobody to move away and no programme to act"
    if kind == "survival":
        return "share still alive", older, f"{rest[-1].replace('_', ' ')} after 1 April 2014, {after}"
    if kind == "cumulative_incidence":
        return (
            "share with an emergency admission, death competing", older,
            f"{rest[-1].replace('_', ' ')} after 1 April 2014, {after}",
        )  # fmt: skip
    if kind == "log_hazard_ratio":
        words = {
            "three_or_more": "three or more of the eight priority conditions on 1 April 2014, against fewer",
            "age": "a year of age, in completed years on 1 April 2014",
            "male": "men against women",
        }
        return (
            f"log hazard ratio of death of {words[rest[1]]}: the coefficient of Cox regression on the three covariates",
            older, f"730 days after 1 April 2014, {after}",
        )  # fmt: skip
    return _of_programme(kind, rest)


def _of_programme(kind: str, rest: list[str]) -> tuple[str, str, str]:
    enrolled = "people enrolled in complex care, the other programmes acting"
    if kind in ("rate", "rate_ratio") and rest[0] == "complex_care":
        what = "emergency admissions a person-year" if kind == "rate" else "rate ratio of emergency admissions"
        world = f", {rest[3]} the programme" if kind == "rate" else ", with the programme against without"
        year = {"year_1": "first year", "year_2": "second year", "year_3": "third and later years"}[rest[2]]
        return what + world, enrolled, f"{year} since enrolment"
    if kind == "cost" and rest == ["complex_care"]:
        return "pounds a person-year added by the programme", enrolled, "from enrolment to the end of follow-up"
    if kind == "before_after_ratio":
        told = ": no effect of it, but regression from a crisis" if rest[-1] == "without" else ""
        return (
            f"emergency admissions in the year after enrolment over those in the year before, {rest[-1]} the programme{told}",
            f"{enrolled} and followed for a year before and after",
            "a year on either side of enrolment",
        )  # fmt: skip
    reached = f"people registered with a practice that {rest[0].replace('_', ' ')} had reached, the others acting"
    if kind == "cost":
        return "pounds of secondary care a person-year added by the programme", reached, "from its start to March 2018"
    if kind == "planned_cost_without":
        return "pounds of planned care a person-year, without the programme", reached, "from its start to March 2018"
    return (
        "rate ratio of contacts with a general practitioner, with the programme against without",
        reached,
        ("from its start to March 2018"),
    )
