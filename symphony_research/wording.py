"""Plain words and rounded numbers: how names and figures are written for a reader.

Kept in one place, so that a table, a figure, a sentence and an alt text say the
same thing in the same way.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

__all__ = [
    "COLUMN_WORDS",
    "COUNT_COLUMNS",
    "DAYS_A_MONTH",
    "about",
    "against_chance",
    "capital",
    "chance_words",
    "cost_period",
    "duration",
    "expected_words",
    "given",
    "happened",
    "html_table",
    "in_words",
    "joined",
    "number",
    "outcome",
    "percentage",
    "pounds",
    "roughly",
    "strata_phrase",
    "stratum_words",
    "tested_words",
    "times",
]

# the Government Analysis Function's symbols, which a screen reader reads out well
HIDDEN = "[c]"  # suppressed by disclosure control
NOT_AVAILABLE = "[x]"  # beyond follow-up, or not recorded
UNDEFINED = "[z]"  # not applicable, or not estimable
MARKS = {
    HIDDEN: "suppressed by disclosure control",
    NOT_AVAILABLE: "not available: beyond the end of follow-up, or not recorded",
    UNDEFINED: "not applicable, or cannot be estimated",
}
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


def joined(names: Iterable[object], *, last: str = "and") -> str:
    """Return names as a phrase: "asthma, stroke and heart failure"."""
    words = [in_words(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nothing"


_HAPPENED = {
    "death": ("died", "were alive"),
    "emergency_admission": ("had at least one emergency admission", "had no emergency admission"),
    "admission": ("had at least one hospital admission", "had no hospital admission"),
    "accident_and_emergency": ("had at least one A&E attendance", "had no A&E attendance"),
    "outpatient": ("had at least one outpatient appointment", "had no outpatient appointment"),
    "readmission": ("had been readmitted", "had not been readmitted"),
}
_OUTCOMES = {
    "death": "death",
    "emergency_admission": "first emergency admission",
    "admission": "first hospital admission",
    "accident_and_emergency": "first A&E attendance",
    "outpatient": "first outpatient appointment",
    "readmission": "readmission after the first discharge",
}


def outcome(event: str | None) -> str:
    """Return what is waited for as a noun: "first emergency admission"."""
    return _OUTCOMES.get(event or "") or (in_words(event) if event else "the event")


def happened(event: str | None, *, yet: bool = True) -> str:
    """Return "had the event" in words, or with `yet=False` "had not had the event"."""
    known = _HAPPENED.get(event or "")
    if known:
        return known[0] if yet else known[1]
    name = in_words(event) if event else "the event"
    return f"had {name}" if yet else f"had not had {name}"


DAYS_A_MONTH = 365.25 / 12


def duration(time: float, unit: str | None) -> str:
    """Return a time in words: 730 days becomes "2 years", 90 days "3 months"."""
    if unit == "days" and time >= 28:
        months = round(time / DAYS_A_MONTH)
        if abs(time - months * DAYS_A_MONTH) > 2:
            return f"{time:g} days"
        if months % 12 == 0:
            return f"{months // 12} year{'s' if months > 12 else ''}"
        return f"{months} month{'s' if months > 1 else ''}"
    if unit == "days" and time == 1:
        return "1 day"
    said = number(int(time) if float(time).is_integer() else time)
    return f"{said} {unit}" if unit else f"time {said}"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for reading: whole ones with commas, others to `digits` significant figures."""
    if value is None or value != value:
        return UNDEFINED
    if isinstance(value, int) or (abs(value) >= 10**digits and abs(value) < 1e15):
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return "<0.001" if value > 0 else ">−0.001"
    decimals = max(0, digits - len(str(int(abs(value)))) + (abs(value) < 1))
    return f"{value:,.{decimals}f}"


def about(count: float) -> str:
    """Return a count for prose: as it is, since a table or figure beside it shows it so."""
    return f"{count:,.0f}"


def roughly(count: float) -> str:
    """Return a total for prose, to three figures: an exact one may be a multiple of five, and would then stand as it is."""
    scale = 10 ** max(0, len(str(int(abs(count)))) - 3)
    return f"{int(count / scale + 0.5) * scale:,}"


def times(ratio: float | None) -> str:
    """Return observed/expected for reading: three figures, over a hundred two, for it then rests on next to nobody."""
    if ratio is not None and ratio > 1000:
        return "over 1,000"
    if ratio is not None and ratio >= 100:
        return f"{round(ratio, -1):.0f}"
    return number(ratio)


def against_chance(ratio: float) -> str:
    """Return observed/expected in words that cannot be read as protection where it is below one."""
    if ratio < 1:
        return f"fewer than expected if conditions fell independently ({times(ratio)} times as many)"
    return f"{times(ratio)} times as many as if conditions fell independently"


def given(adjust: Sequence[str]) -> str:
    """Return what was adjusted for as part of a sentence: ", given age and sex,", or nothing."""
    return f", given {strata_phrase(adjust)}," if adjust else ""


def strata_phrase(columns: Sequence[str]) -> str:
    """Return stratum columns in words: "age and sex"."""
    return joined([COLUMN_WORDS.get(name, in_words(name)).lower() for name in columns])


def chance_words(adjust: Sequence[str]) -> dict[str, str]:
    """Return the headings of expected numbers and their ratios: adjusted or crude."""
    how = "adjusted" if adjust else "crude"
    return {"expected": f"Expected, {how}", "observed_expected": f"Observed/expected ratio, {how}"}


def expected_words(settings: Mapping[str, Any]) -> list[str]:
    """Say what the expected number of a table is, and what it is adjusted for."""
    adjust = settings.get("adjust")
    if adjust is None:
        return []
    whence = (
        "if conditions were independent"
        if settings.get("against", "independence") == "independence"
        else "from the lower-order margins of the combination"
    )
    how = f"adjusted for {strata_phrase(adjust)}" if adjust else "crude, not adjusted for anything"
    return [f"Expected: the number of people {whence}; {how}."]


def tested_words(correction: str, n_tested: int) -> str:
    """Say what q values are, and over how many tests."""
    how = {"benjamini_hochberg": "Benjamini-Hochberg"}.get(correction, capital(correction))
    return f"q value: the p value corrected for {n_tested:,} tests ({how})."


def strata_words(names: Mapping[str, Any]) -> str:
    """Return a stratum in words: "women, 65-69"; numbers and gaps carry their column's name."""
    parts = []
    for column, value in names.items():
        name = COLUMN_WORDS.get(column, in_words(column)).lower()
        if value is None:
            parts.append(f"{name} {NOT_RECORDED}")
        elif isinstance(value, bool):
            parts.append(f"{name}: {'yes' if value else 'no'}")
        elif column != "age_band" and str(value).rstrip("+").replace(".", "").isdigit():
            said = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(f"{said} {name}" if name.endswith("s") else f"{name} {said}")
        else:
            parts.append(in_words(value))
    return ", ".join(parts)


def stratum_words(record: Mapping[str, Any], by: Sequence[str]) -> str:
    """Return a row's stratum in brackets after a space, or nothing: " (women, 65-69)"."""
    return f" ({strata_words({c: record[c] for c in by})})" if by else ""


def percentage(share: float | None) -> str:
    """Return a proportion as a percentage: a whole one from 10% on, of smaller shares two figures."""
    if share is None or share != share:
        return UNDEFINED
    value = 100 * share
    if value == 0:
        return "0%"
    if 0 < value < 0.01:
        return "<0.01%"
    if 99.5 <= value < 100:
        return f"{value:.1f}%" if value < 99.95 else ">99.9%"
    return f"{int(value + 0.5)}%" if value >= 9.95 else f"{value:.1f}%" if value >= 0.995 else f"{value:.2f}%"


def pounds(value: float | None) -> str:
    """Return money to three significant figures."""
    if value is None:
        return UNDEFINED
    return f"£{roughly(value)}"


def cost_period(settings: Mapping[str, Any]) -> str:
    """Return the time over which costs were summed: "in the 12 months from 1 April 2011"."""
    population = settings.get("population") or {}
    months, start = population.get("months"), str(population.get("index", ""))
    if not months:
        return ""
    length = "month" if months == 1 else f"{months} months"
    if start == "enrolment":
        return f"in the {length} from joining"
    try:
        day = date.fromisoformat(start)
    except ValueError:
        return f"in the {length} from the index date"
    return f"in the {length} from {day.day} {day:%B %Y}"


def _cell(value: Any, column: str) -> str:
    if isinstance(value, (list, pl.Series)):
        return joined(value) if len(value) else "no conditions"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in ("p_value", "q_value", "family_wise_p", "p_value_half"):
        return (
            "<0.001"
            if value < 0.001
            else ">0.99"
            if value > 0.995
            else f"{value:.3f}"
            if value < 0.0995
            else f"{value:.2f}"
        )
    if column == "time":
        return f"{value:,g}"
    if column in ("oe_lower", "oe_upper") or column.startswith("observed_expected"):
        return times(value)
    if isinstance(value, float):
        return pounds(value) if column.startswith(("mean_cost", "total_cost")) else number(value)
    if isinstance(value, int):
        return number(value)
    return in_words(value)


_NUMBER = ' class="number"'


def html_table(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    words: Mapping[str, str] | None = None,
    rows: int = 20,
    percentages: Sequence[str] = (),
    say: Callable[[Mapping[str, Any], str], str | None] | None = None,
    interval: str = "95% CI",
    as_text: bool = False,
) -> str:
    """Return a frame as a small HTML table with words for names and rounded numbers.

    `say` may give a cell's words, from the row and the column; by default a
    gap is marked as not applicable. An estimate and its limits share one cell. At most `rows` rows are given; the rest
    are counted. A frame `as_text` has headings for names and words for values already.
    """
    words = {**COLUMN_WORDS, **(words or {})}
    columns = [c for c in (columns or frame.columns) if c in frame.columns]
    limits = {c: both for c, both in INTERVALS.items() if c in columns and set(both) <= set(columns)}
    columns = [c for c in columns if not any(c in both for both in limits.values())]

    def text_of(record: Mapping[str, Any], c: str) -> str:
        if as_text:
            return str(record[c])
        text = say(record, c) if say else None
        if text is None and record[c] is None:
            return UNDEFINED
        if text is None:
            return percentage(record[c]) if c in percentages else _cell(record[c], c)
        return text

    def with_interval(record: Mapping[str, Any], c: str) -> str:
        if c not in limits or record[c] is None or all(record[end] is None for end in limits[c]):
            return text_of(record, c)
        low, high = (text_of(record, end).rstrip("%") for end in limits[c])
        return f"{text_of(record, c)} ({low} to {high})"

    def heading(c: str) -> str:
        if as_text:
            return c
        said = words.get(c, capital(in_words(c)))
        return f"{said} ({interval})" if c in limits else said

    numeric = {c: _numeric(frame, c) or (_NUMBER if as_text and at else "") for at, c in enumerate(columns)}
    head = "".join(f'<th scope="col"{numeric[c]}>{html.escape(heading(c))}</th>' for c in columns)
    body = []
    for record in frame.head(rows).iter_rows(named=True):
        cells = [f"<td{numeric[c]}>{html.escape(with_interval(record, c))}</td>" for c in columns]
        body.append(f"<tr>{''.join(cells)}</tr>")
    more = frame.height - rows
    foot = f'<p class="more">and {more:,} more rows</p>' if more > 0 else ""
    return f'<table class="symphony"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>{foot}'


def _numeric(frame: pl.DataFrame, column: str) -> str:
    return _NUMBER if frame.schema[column].is_numeric() else ""
