"""Lexicon: the words of columns, conditions and events, and the marks of figures that are not shown.

Kept in one place, so that a table, a figure, a sentence and an alt text use
the same term for the same thing.
"""

from __future__ import annotations

__all__ = [
    "COLUMN_WORDS",
    "COUNT_COLUMNS",
    "INTERVALS",
    "MARKS",
    "NOT_AVAILABLE",
    "NOT_ESTIMABLE",
    "NOT_RECORDED",
    "ROLE",
    "SUPPRESSED",
    "capital",
    "happened",
    "in_words",
    "outcome",
]


# the Government Analysis Function's symbols, which a screen reader reads out well
SUPPRESSED = "[c]"  # suppressed by disclosure control

NOT_AVAILABLE = "[x]"  # beyond follow-up, or not recorded

NOT_ESTIMABLE = "[z]"  # not applicable, or not estimable

MARKS = {
    SUPPRESSED: "suppressed by disclosure control",
    NOT_AVAILABLE: "not available: beyond the end of follow-up, or not recorded",
    NOT_ESTIMABLE: "not applicable, or cannot be estimated",
}

ROLE = "symphony"  # in an output's metadata: what a page takes it for

NOT_RECORDED = "not recorded"  # a stratum of those of whom it is not known

# limits of an estimate, which a table puts in brackets beside it
INTERVALS = {
    "estimate": ("lower", "upper"),
    "observed_expected": ("oe_lower", "oe_upper"),
    "odds_ratio": ("odds_ratio_lower", "odds_ratio_upper"),
    "excess": ("excess_lower", "excess_upper"),
}

COUNT_COLUMNS = (
    "n_persons",
    "n_both",
    "n_source",
    "n_target",
    "n_at_risk",
    "n_events",
    "n_censored",
    "n_excluded",
    "n_first",
    "n_second",
    "n_same_day",
    "n_alone",
    "n_left_out",
    "n_with_event",
    "n_readmitted",
    "n_both_a",
    "n_both_b",
)

COLUMN_WORDS = {
    "n_persons": "People",
    "n_conditions": "Number of conditions",
    "n_both": "People with both",
    "n_source": "People with the first",
    "n_target": "People with the second",
    "n_at_risk": "Number at risk",
    "n_events": "Events",
    "n_censored": "Censored",
    "n_excluded": "Excluded",
    "n_first": "First before second",
    "n_second": "Second before first",
    "n_same_day": "Both on one day",
    "n_alone": "Without comparators",
    "n_left_out": "Order unknown",
    "median_gap_months": "Median months between them",
    "median_months_to_second": "Median months to the second",
    "p_value_half": "p value against one half",
    "ratio": "Ratio",
    "family_wise_p": "Family-wise p value",
    "mean_cost": "Mean cost per person",
    "total_cost": "Total cost",
    "estimate": "Estimate",
    "lower": "95% CI, lower",
    "upper": "95% CI, upper",
    "expected": "Expected",
    "observed_expected": "Observed/expected ratio",
    "oe_lower": "Observed/expected ratio, lower",
    "oe_upper": "Observed/expected ratio, upper",
    "p_value": "p value",
    "q_value": "q value",
    "condition": "Condition",
    "combination": "Combination",
    "size": "Conditions",
    "source": "First condition",
    "target": "Second condition",
    "sex": "Sex",
    "age_band": "Age",
    "deprivation_band": "Deprivation",
    "deprivation_decile": "Deprivation",
    "step": "Step",
    "time": "Time",
    "cause": "Cause",
    "phi": "Correlation (phi)",
    "odds_ratio": "Odds ratio",
    "odds_ratio_lower": "Odds ratio, lower",
    "odds_ratio_upper": "Odds ratio, upper",
    "jaccard": "Jaccard",
    "cosine": "Cosine",
    "overlap": "Overlap",
    "degree": "Degree (conditions linked with)",
    "strength": "Strength (sum of edge weights)",
    "betweenness": "Betweenness",
    "eigenvector": "Eigenvector centrality",
    "pagerank": "PageRank",
    "community": "Community",
    "stability": "Stability over bootstrap resamples",
    "modularity": "Modularity",
    "adjusted_rand_index": "Adjusted Rand index of resamples",
    "together": "Bootstrap resamples in one community",
    "kind": "Condition or set",
    "weight": "Weight",
    "centrality": "Centrality",
    "information_component": "Information component",
    "ic_lower": "Information component, lower",
    "statistic": "Statistic",
    "degrees_of_freedom": "Degrees of freedom",
    "hub": "Hub",
    "n_conditions_band": "Long-term conditions",
    "broad_age_band": "Age",
    "broad_n_conditions": "Number of conditions",
}

_PROPER = {
    "copd": "COPD",
    "chd": "CHD",
    "ckd": "CKD",
    "hiv": "HIV",
    "parkinsons": "Parkinson's",
    "parkinsons_disease": "Parkinson's disease",
    "crohns_disease": "Crohn's disease",
    "coeliac_disease": "coeliac disease",
    "gastro_oesophageal_reflux": "gastro-oesophageal reflux",
    "gastro_oesophageal_reflux_disease": "gastro-oesophageal reflux disease",
    "accident_and_emergency": "A&E",
    "bed_days": "bed-days",
    "contacts_primary_care": "primary care contacts",
    "contacts_inpatient": "inpatient spells",
    "contacts_outpatient": "outpatient appointments",
    "contacts_accident_and_emergency": "A&E attendances",
    "contacts_community": "community contacts",
    "contacts_mental_health": "mental health contacts",
    "contacts_social_care": "social care contacts",
    "contacts_continuing_care": "continuing care contacts",
    "f": "women",
    "m": "men",
}


def in_words(name: object) -> str:
    """Return a raw name as words: "heart_failure" becomes "heart failure"."""
    text = str(name)
    if len(text) == 5 and text[2] == "-" and text[0] == "0" and text[1].isdigit():
        return "-".join(str(int(part)) for part in text.split("-"))  # an age band: "05-09" is said "5-9"
    if text.lower() in _PROPER:
        return _PROPER[text.lower()]
    return " ".join(
        _PROPER.get(part, part) if part in ("copd", "ckd", "chd", "hiv") else part for part in text.split("_")
    )


def capital(words: str) -> str:
    """Return words with a capital at the start and all other letters as they are: "COPD" stays so."""
    return words[:1].upper() + words[1:]


_HAPPENED = {
    "death": ("died", "were alive"),
    "emergency_admission": ("had at least one emergency admission", "had no emergency admission"),
    "admission": ("had at least one hospital admission", "had no hospital admission"),
    "accident_and_emergency": ("had at least one A&E attendance", "had no A&E attendance"),
    "outpatient": ("had at least one outpatient appointment", "had no outpatient appointment"),
    "gp_contact": ("had at least one GP contact", "had no GP contact"),
    "readmission": ("had been readmitted", "had not been readmitted"),
    "bed_day": ("had spent at least one night in hospital", "had spent no night in hospital"),
}

_OUTCOMES = {
    "death": "death",
    "emergency_admission": "first emergency admission",
    "admission": "first hospital admission",
    "accident_and_emergency": "first A&E attendance",
    "outpatient": "first outpatient appointment",
    "gp_contact": "first GP contact",
    "readmission": "readmission after the first discharge",
    "bed_day": "first bed-day",
}


def outcome(event: str | None) -> str:
    """Return what is waited for as a noun: "first emergency admission"."""
    return _OUTCOMES.get(event or "") or (in_words(event) if event else "the event")


def plural(event: str | None) -> str:
    """Return several events as a noun: "emergency admissions"; of one that is not known "fall events"."""
    if event in _OUTCOMES:
        return f"{_OUTCOMES[event].removeprefix('first ')}s"
    return f"{in_words(event)} events" if event else "events"


def happened(event: str | None, *, yet: bool = True) -> str:
    """Return "had the event" in words, or with `yet=False` "had not had the event"."""
    known = _HAPPENED.get(event or "")
    if known:
        return known[0] if yet else known[1]
    name = in_words(event) if event else "the event"
    return f"had {name}" if yet else f"had not had {name}"
