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
    "given",
    "happened",
    "html_table",
    "in_words",
    "joined",
    "number",
    "percentage",
    "pounds",
    "roughly",
    "strata_phrase",
    "stratum_words",
    "tested_words",
    "times",
]

HIDDEN = "*"
NOT_RECORDED = "not recorded"  # a stratum of those of whom it is not known
UNDEFINED = "–"

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
    "n_at_risk": "People still followed",
    "n_events": "Events",
    "n_censored": "Follow-up ended",
    "n_excluded": "People left out",
    "n_first": "First before second",
    "n_second": "Second before first",
    "n_same_day": "Both on one day",
    "n_alone": "With nobody to compare with",
    "n_left_out": "Order unknown",
    "median_gap_months": "Median months between them",
    "median_months_to_second": "Median months to the second",
    "p_value_half": "p value against one half",
    "ratio": "One over the other",
    "family_wise_p": "p value, for all pairs together",
    "mean_cost": "Mean cost of a person",
    "total_cost": "Cost of all of them",
    "estimate": "Estimate",
    "lower": "95 % from",
    "upper": "95 % to",
    "expected": "Expected by chance",
    "observed_expected": "Times expected",
    "oe_lower": "Times expected, from",
    "oe_upper": "Times expected, to",
    "p_value": "p value",
    "q_value": "p value, adjusted for all tested",
    "condition": "Condition",
    "combination": "Combination",
    "size": "Conditions in it",
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
    "odds_ratio_lower": "Odds ratio, from",
    "odds_ratio_upper": "Odds ratio, to",
    "jaccard": "Jaccard",
    "cosine": "Cosine",
    "overlap": "Overlap",
    "degree": "Conditions it is linked with",
    "strength": "Sum of its links",
    "betweenness": "Share of shortest ways through it",
    "eigenvector": "Linked with what is central",
    "pagerank": "Share of a walk along links",
    "community": "Community",
    "stability": "Stays with its community",
    "modularity": "Modularity",
    "adjusted_rand_index": "Agreement of resamples",
    "together": "Resamples in one community",
    "kind": "Condition or set",
    "weight": "Weight",
    "centrality": "Centrality",
    "information_component": "Information component",
    "ic_lower": "Information component, from",
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
    "death": ("had died", "were alive"),
    "emergency_admission": ("had had an emergency admission", "had had no emergency admission"),
    "admission": ("had been admitted to hospital", "had not been admitted to hospital"),
    "accident_and_emergency": ("had been to A&E", "had not been to A&E"),
    "outpatient": ("had had an outpatient appointment", "had had no outpatient appointment"),
    "readmission": ("had been readmitted", "had not been readmitted"),
}


def happened(event: str | None, *, yet: bool = True) -> str:
    """Return "had had the event" in words, or with `yet=False` "had not had the event"."""
    known = _HAPPENED.get(event or "")
    if known:
        return known[0] if yet else known[1]
    name = in_words(event) if event else "the event"
    return f"had had {name}" if yet else f"had not had {name}"


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
        return "under 0.001" if value > 0 else "over -0.001"
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
    """Return the heading of expected counts, with what was adjusted for."""
    return {"expected": f"Expected by chance{given(adjust)}".rstrip(",")}


def tested_words(correction: str, n_tested: int) -> str:
    """Return the heading of p values adjusted for their number, with that number and how."""
    how = {"benjamini_hochberg": "Benjamini-Hochberg"}.get(correction, capital(correction))
    return f"p value, adjusted for all {n_tested:,} tested ({how})"


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
    """Return a proportion as a percentage of sensible precision."""
    if share is None or share != share:
        return UNDEFINED
    value = 100 * share
    if value == 0:
        return "0 %"
    if 0 < value < 0.01:
        return "under 0.01 %"
    # what rounds to 1.00 is written as its neighbours above are
    return f"{value:.0f} %" if value >= 99.5 else f"{value:.1f} %" if value >= 0.995 else f"{value:.2f} %"


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
        return "under 0.001" if value < 0.001 else f"{value:.3f}"
    if column == "time":
        return f"{value:,g}"
    if column in ("oe_lower", "oe_upper") or column.startswith("observed_expected"):
        return times(value)
    if isinstance(value, float):
        return pounds(value) if column.startswith(("mean_cost", "total_cost")) else number(value)
    if isinstance(value, int):
        return number(value)
    return in_words(value)


def html_table(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    words: Mapping[str, str] | None = None,
    rows: int = 20,
    percentages: Sequence[str] = (),
    say: Callable[[Mapping[str, Any], str], str | None] | None = None,
) -> str:
    """Return a frame as a small HTML table with words for names and rounded numbers.

    `say` may give a cell's words, from the row and the column; by default a
    gap is a dash. At most `rows` rows are given; the rest are counted.
    """
    words = {**COLUMN_WORDS, **(words or {})}
    columns = [c for c in (columns or frame.columns) if c in frame.columns]
    head = "".join(f'<th scope="col">{html.escape(words.get(c, capital(in_words(c))))}</th>' for c in columns)
    body = []
    for record in frame.head(rows).iter_rows(named=True):
        cells = []
        for c in columns:
            text = say(record, c) if say else None
            if text is None and record[c] is None:
                text = UNDEFINED
            elif text is None:
                text = percentage(record[c]) if c in percentages else _cell(record[c], c)
            numeric = ' class="number"' if frame.schema[c].is_numeric() else ""
            cells.append(f"<td{numeric}>{html.escape(text)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    more = frame.height - rows
    foot = f'<p class="more">and {more:,} more rows</p>' if more > 0 else ""
    return f'<table class="symphony"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>{foot}'
