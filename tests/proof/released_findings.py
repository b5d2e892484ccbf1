"""Are findings named on released results findings of the exact ones, and do released intervals hold the exact ones?

    python tests/proof/released_findings.py docs/released-findings.md [FOLDER OF DATA] [--only NAME ...]

Ten public data sets under three rules of disclosure control; of each every analysis that its columns allow, released together.
The exit code is 1 where a finding is named that the exact result has not, an exact interval or p value lies outside
the released one, or fewer than 95% of exact findings on fifty people or more are named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measured import ROOT, say

import symphony_research as sr
from symphony_research.errors import SymphonyError
from symphony_research.inference import FOUND
from symphony_research.survival.base import _Curve
from symphony_research.survival.group_test import _GroupTest

ENOUGH = 50  # people from whom on findings, and widths of intervals, are asked for
NAMED, WIDEST = 0.95, 1.3
NEAR = 1e-9
POLICIES = {"nhs_england": sr.Policy.nhs_england(), "opensafely": sr.Policy.opensafely(), "sacro": sr.Policy.sacro()}
Results = dict[str, sr.Result]


@dataclass(frozen=True)
class Interval:
    """An interval of a family: its columns, whether it is of a ratio, and what it says nothing is found at."""

    lower: str
    upper: str
    null: float | None = None
    logs: bool = False


SHARE = Interval("lower", "upper")
OF_RATIO = Interval("lower", "upper", 1.0, True)
OF_SETS = (SHARE, Interval("oe_lower", "oe_upper", 1.0, True))
ODDS = Interval("odds_ratio_lower", "odds_ratio_upper", None, True)
# of each family: what names a row, the people it rests on, its intervals (a finding is by the last), and its p and q values
FAMILIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[Interval, ...], tuple[str, ...]]] = {
    "Prevalence": (("condition",), ("n_persons",), (SHARE,), ()),
    "ConditionCount": (("n_conditions",), ("n_persons",), (SHARE,), ()),
    "ComorbidityCount": (("condition", "n_others"), ("n_persons",), (SHARE,), ()),
    "ComorbidityProfile": (("condition",), ("n_persons",), OF_SETS, ("p_value", "q_value")),
    "Combinations": (("combination",), ("n_persons",), OF_SETS, ("p_value", "q_value")),
    "Cooccurrence": (("source", "target"), ("n_both",), (ODDS, OF_RATIO), ("p_value", "q_value")),
    "NetworkComparison": (("source", "target"), ("n_both_a", "n_both_b"), (OF_RATIO,), ("p_value", "family_wise_p")),
    "CostInteraction": (
        ("combination",), ("n_persons",), (SHARE, Interval("excess_lower", "excess_upper", 0.0)), ("p_value", "q_value"),
    ),
    "Sequences": (("first", "second"), ("n_both",), (SHARE,), ("p_value", "q_value")),
    "EventRate": ((), ("n_with_event",), (Interval("lower", "upper", None, True),), ()),
    "ReadmissionRate": ((), ("n_readmitted",), (SHARE,), ()),
    "RestrictedMeanSurvivalTime": (("horizon",), (), (SHARE,), ()),
    "CurveQuantile": (("cause", "q"), (), (SHARE,), ()),
    "CurvePoints": (("cause", "time"), ("n_at_risk",), (SHARE,), ()),
    "StandardisedRisk": (("time",), ("n_events",), (SHARE,), ()),
    "MeanCumulativeCount": (("time",), (), (SHARE,), ()),
    "CoxRegression": (("covariate", "level"), ("n_events",), (OF_RATIO,), ("p_value",)),
    "ParametricSurvival": (("covariate", "level"), ("n_events",), (OF_RATIO,), ("p_value",)),
    "RateRegression": (("covariate", "level"), ("n_events",), (OF_RATIO,), ("p_value",)),
}  # fmt: skip


@dataclass
class Measured:
    """What was found of a kind of result."""

    exact: int = 0
    enough: int = 0
    named: int = 0
    false: int = 0
    rows: int = 0
    outside: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, other: Measured) -> None:
        """Add up."""
        for name in ("exact", "enough", "named", "false", "rows", "outside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.widths += other.widths


def frame_of(result: sr.Result) -> pl.DataFrame:
    """Return the rows of a result, of one order of onsets the condition first by name."""
    frame = result._derived
    if type(result).__name__ == "Sequences":
        turned = pl.col("source") > pl.col("target")
        # the share with the first by name first
        frame = frame.with_columns(
            first=pl.min_horizontal("source", "target"), second=pl.max_horizontal("source", "target"),
            lower=pl.when(turned).then(1 - pl.col("upper")).otherwise("lower"),
            upper=pl.when(turned).then(1 - pl.col("lower")).otherwise("upper"),
        )  # fmt: skip
    if "combination" in frame.columns:
        frame = frame.with_columns(pl.col("combination").list.join(" + "))
    return frame


def measured(exact: sr.Result, safe: sr.Result) -> Measured:
    """Compare a released result with the exact one, row by row."""
    family = type(exact).__name__
    if isinstance(exact, _GroupTest):
        return of_test(exact.estimates["p_value"][0], safe.estimates["p_value"][0], exact)
    keys, people, intervals, tests = FAMILIES[family]
    one, other = frame_of(exact), frame_of(safe)
    names = [*exact.by, *exact.settings.get("moving", ()), *(k for k in keys if k in one.columns)]
    shown = [c for c in (*people, *tests, *(e for i in intervals for e in (i.lower, i.upper))) if c in one.columns]
    if names:
        both = one.select(*names, *shown).join(
            other.select(*names, *shown), on=names, how="left", suffix="__safe", nulls_equal=True
        )
    else:
        both = one.select(shown).hstack(other.select(shown).rename(lambda c: f"{c}__safe"))
    behind = [pl.col(c) >= ENOUGH for c in people if c in one.columns]
    enough = both.select(pl.all_horizontal(pl.lit(True), *behind).fill_null(False)).to_series().to_numpy()
    enough = np.broadcast_to(enough, both.height)
    found = Measured()
    column = {c: both[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in both.columns if c not in names}
    clear = {"": np.full(both.height, True), "__safe": np.full(both.height, True)}
    outside = np.zeros(both.height, bool)
    for interval in intervals:
        low, high, low_safe, high_safe = (
            column[end + which] for which in ("", "__safe") for end in (interval.lower, interval.upper)
        )
        there = ~np.isnan(low + high + low_safe + high_safe)
        size = NEAR * np.maximum(np.abs(low) + np.abs(high), 1)
        outside |= there & ((low_safe > low + size) | (high_safe < high - size))
        found.rows += int(there.sum())
        with np.errstate(all="ignore"):
            width = (
                np.log(high_safe / low_safe) / np.log(high / low)
                if interval.logs
                else (high_safe - low_safe) / (high - low)
            )
        found.widths += width[there & enough & np.isfinite(width) & (high > low)].tolist()
        if interval.null is not None:
            for which, ends in (("", (low, high)), ("__safe", (low_safe, high_safe))):
                clear[which] = (ends[0] > interval.null) | (ends[1] < interval.null)
    if tests:
        p, p_safe = column[tests[0]], column[f"{tests[0]}__safe"]
        outside |= ~np.isnan(p + p_safe) & (p_safe < p * (1 - 1e-6))
        named = {which: column[f"{tests[-1]}{which}"] <= FOUND for which in ("", "__safe")}
        if intervals[-1].null is not None:
            named = {which: named[which] & clear[which] for which in named}
        found.exact, found.enough = int(named[""].sum()), int((named[""] & enough).sum())
        found.named = int((named[""] & named["__safe"] & enough).sum())
        found.false = int((~named[""] & named["__safe"]).sum())
    found.outside = int(outside.sum())
    return found


def of_test(exact: float | None, safe: float | None, result: Any) -> Measured:
    """Compare the one p value of a test of groups."""
    events = int(result.groups["observed"].min() or 0)
    is_found, is_named = (p is not None and p <= FOUND for p in (exact, safe))
    outside = exact is not None and safe is not None and safe < exact * (1 - 1e-6)
    enough = is_found and events >= ENOUGH
    return Measured(
        int(is_found), int(enough), int(enough and is_named), int(is_named and not is_found), 0, int(outside)
    )


def comparable(exact: Results, safe: Mapping[str, Any]) -> Iterable[tuple[str, sr.Result, sr.Result]]:
    """Go through the results, of curves their values at the grid's times."""
    for name, one in exact.items():
        other = safe[name]
        if isinstance(one, _Curve) and type(one).__name__ in (
            "SurvivalCurve",
            "CumulativeIncidence",
            "NelsonAalen",
            "MeanCumulativeCount",
        ):
            times = sorted({float(t) for t in other._derived["time"].to_list()})
            if times:
                yield name, sr.survival.at(one, times), sr.survival.at(other, times)
        elif type(one).__name__ in FAMILIES or isinstance(one, _GroupTest):
            yield name, one, other


# the data sets


def of_conditions(
    frame: pl.DataFrame, conditions: list[str], strata: tuple[str, ...], values: tuple[str, ...] = (), groups: str = ""
) -> Results:
    """Every analysis of conditions: of all people, by strata, within strata, and of two groups against each other."""
    frame = frame.with_columns(pl.col(c).fill_null(False).cast(pl.Boolean) for c in conditions)
    whole = sr.Patterns.from_wide(frame, conditions=conditions, values=values)
    by = sr.Patterns.from_wide(frame, conditions=conditions, by=strata[:1])
    within = sr.Patterns.from_wide(frame, conditions=conditions, by=strata)
    return of_patterns(whole, by, within, strata, tuple(values)) | (
        two_groups(frame, conditions, groups) if groups else {}
    )


def of_patterns(
    whole: sr.Patterns, by: sr.Patterns, within: sr.Patterns, strata: tuple[str, ...], values: tuple[str, ...]
) -> Results:
    m, n = sr.multimorbidity, sr.networks
    most = 3 if len(whole.conditions) > 12 else 4
    made = {
        "prevalence": m.prevalence(by),
        "condition_count": m.condition_count(by),
        "comorbidity_count": m.comorbidity_count(whole),
        "exact": m.combinations(whole, kind="exact", max_size=most),
        "at_least": m.combinations(whole, kind="at_least", max_size=most),
        "at_least by strata": m.combinations(by, kind="at_least", max_size=3),
        "exact by strata": m.combinations(by, kind="exact", max_size=3),
        "exact within strata": m.combinations(within, kind="exact", adjust=strata, max_size=most),
        "at_least within strata": m.combinations(within, kind="at_least", adjust=strata, max_size=most),
        "pairs": n.cooccurrence(whole),
        "pairs by strata": n.cooccurrence(by),
        "pairs within strata": n.cooccurrence(within, adjust=strata),
        "profile": m.comorbidity_profile(whole),
        "profile within strata": m.comorbidity_profile(within, adjust=strata),
    }
    if len(whole.conditions) > 2:
        made["parts"] = m.combinations(
            within, kind="at_least", adjust=strata, against="no_higher_order_interaction", max_size=3
        )
    if values:
        made["costs"] = m.cost_interaction(whole, kind="at_least", max_size=2)
    return made


def two_groups(frame: pl.DataFrame, conditions: list[str], column: str) -> Results:
    """The networks of two groups of people against each other."""
    levels = frame[column].drop_nulls().unique().sort().to_list()[:2]
    one, other = (sr.Patterns.from_wide(frame.filter(pl.col(column) == v), conditions=conditions) for v in levels)
    return {"compare": sr.networks.compare(one, other, names=[str(v) for v in levels], permutations=999)}


def of_times(
    frame: pl.DataFrame,
    time: str,
    event: str,
    by: str,
    covariates: list[str],
    unit: str,
    horizon: float,
    cause: str = "",
) -> Results:
    """Every analysis of times to an event."""
    s = sr.survival
    named: dict[str, Any] = {"time": time, "event": event}
    curve = s.kaplan_meier(frame, **named, by=by, time_unit=unit)
    made: Results = {
        "kaplan_meier": curve,
        "nelson_aalen": s.nelson_aalen(frame, **named, by=by, time_unit=unit),
        "rmst": s.restricted_mean_survival_time(frame, **named, by=by, horizon=horizon, time_unit=unit),
        "logrank": s.logrank_test(frame, **named, by=by, time_unit=unit),
        "cox": s.cox_regression(frame, **named, covariates=covariates, time_unit=unit),
    }
    if cause:
        made["cumulative_incidence"] = s.cumulative_incidence(frame, time=time, event=cause, by=by, time_unit=unit)
        made["gray"] = s.gray_test(frame, time=time, event=cause, by=by, time_unit=unit)
    return made


def brfss(data: Path, home: Path) -> Results:
    with zipfile.ZipFile(data / "brfss2020" / "heart_2020_cleaned.csv.zip") as file:
        frame = pl.read_csv(file.read(next(n for n in file.namelist() if n.endswith(".csv"))))
    yes = {
        "HeartDisease": "heart_disease",
        "Stroke": "stroke",
        "Diabetic": "diabetes",
        "Asthma": "asthma",
        "KidneyDisease": "kidney_disease",
        "SkinCancer": "skin_cancer",
    }
    frame = frame.select("Sex", "AgeCategory", *[pl.col(c).str.starts_with("Yes").alias(new) for c, new in yes.items()])
    return of_conditions(frame, list(yes.values()), ("Sex", "AgeCategory"), groups="Sex")


CHAPTERS = {
    "neoplasm": (140, 239), "endocrine": (240, 279), "blood": (280, 289), "mental": (290, 319), "nervous": (320, 389),
    "circulatory": (390, 459), "respiratory": (460, 519), "digestive": (520, 579), "genitourinary": (580, 629),
    "skin": (680, 709), "musculoskeletal": (710, 739), "injury": (800, 999),
}  # fmt: skip


def diabetes(data: Path, home: Path) -> Results:
    with zipfile.ZipFile(data / "diabetes130" / "dataset_diabetes.zip") as file:
        frame = pl.read_csv(
            file.read(next(n for n in file.namelist() if n.endswith("diabetic_data.csv"))), infer_schema_length=0
        )
    frame = frame.unique("patient_nbr", keep="first", maintain_order=True).filter(pl.col("gender") != "Unknown/Invalid")
    codes = [pl.col(f"diag_{k}").cast(pl.Float64, strict=False) for k in (1, 2, 3)]
    held = [
        pl.any_horizontal([(c >= low) & (c < high + 1) for c in codes]).fill_null(False).alias(name)
        for name, (low, high) in CHAPTERS.items()
    ]
    frame = frame.select("gender", "age", pl.col("time_in_hospital").cast(pl.Int64).alias("days"), *held)
    return of_conditions(frame, list(CHAPTERS), ("gender", "age"), values=("days",), groups="gender")


def survival_file(data: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(data / "survival" / f"{name}.csv", infer_schema_length=None, null_values="NA")


def mgus2(data: Path, home: Path) -> Results:
    frame = survival_file(data, "survival_mgus2").with_columns(
        older=pl.col("age") >= 70,
        first=pl.when(pl.col("pstat") == 1).then(1).when(pl.col("death") == 1).then(2).otherwise(0),
        until=pl.when(pl.col("pstat") == 1).then("ptime").otherwise("futime"),
        low_haemoglobin=pl.col("hgb") < 12, high_creatinine=pl.col("creat") > 1.3, high_spike=pl.col("mspike") > 1.5,
    )  # fmt: skip
    timed = of_times(frame, "futime", "death", "sex", ["sex", "older"], "months", 120.0)
    timed["cumulative_incidence"] = sr.survival.cumulative_incidence(
        frame, time="until", event="first", by="sex", time_unit="months"
    )
    timed["gray"] = sr.survival.gray_test(frame, time="until", event="first", by="sex", time_unit="months")
    held = ["low_haemoglobin", "high_creatinine", "high_spike", "older"]
    return timed | of_conditions(frame, held, ("sex",), groups="sex")


def colon(data: Path, home: Path) -> Results:
    frame = survival_file(data, "survival_colon").filter(pl.col("etype") == 2)
    frame = frame.with_columns(sex=pl.when(pl.col("sex") == 1).then(pl.lit("M")).otherwise(pl.lit("F")))
    timed = of_times(frame, "time", "status", "rx", ["rx", "node4", "sex"], "days", 1095.0)
    return timed | of_conditions(frame, ["obstruct", "perfor", "adhere", "node4"], ("sex",), groups="sex")


def readmission(data: Path, home: Path) -> Results:
    rows = survival_file(data, "readmission")
    first = rows.filter(pl.col("t.start") == 0).unique("id", keep="first", maintain_order=True)
    first = first.with_columns(
        worse=pl.col("dukes") == "D", comorbid=pl.col("charlson") != "0", untreated=pl.col("chemo") != "Treated"
    )
    timed = of_times(first, "t.stop", "event", "sex", ["sex", "dukes", "chemo"], "days", 365.0)
    events = rows.filter(pl.col("event") == 1).select("id", pl.col("t.stop").alias("time"))
    persons = rows.group_by("id").agg(
        pl.col("t.stop").max().alias("end"), (pl.col("death").max() == 1).alias("died"), pl.col("sex").first()
    )
    timed["mean_cumulative_count"] = sr.survival.mean_cumulative_count(
        events, persons, person="id", by="sex", time_unit="days"
    )
    return timed | of_conditions(first, ["worse", "comorbid", "untreated"], ("sex",), groups="sex")


def nhefs(data: Path, home: Path) -> Results:
    frame = pl.read_csv(data / "utilisation" / "causaldata_nhefs.csv", infer_schema_length=None, null_values="NA")
    # months from the questionnaire of 1971 to death or the end of 1992
    frame = frame.with_columns(
        months=pl.when(pl.col("death") == 1).then((pl.col("yrdth") - 71) * 12 + pl.col("modth")).otherwise((92 - 71) * 12 + 12),
        older=pl.when(pl.col("age") >= 50).then(pl.lit("50 and over")).otherwise(pl.lit("under 50")),
    ).filter(pl.col("months").is_not_null())  # fmt: skip
    held = [
        "asthma",
        "bronch",
        "tb",
        "hf",
        "pepticulcer",
        "colitis",
        "hayfever",
        "chroniccough",
        "nervousbreak",
        "headache",
        "allergies",
    ]
    return of_times(frame, "months", "death", "qsmk", ["qsmk", "sex", "older"], "months", 240.0) | of_conditions(
        frame, held, ("sex", "older"), groups="sex"
    )


def randhie(data: Path, home: Path) -> Results:
    frame = pl.read_csv(data / "utilisation" / "randhie_full.csv", infer_schema_length=None, null_values="NA")
    frame = frame.unique("zper", keep="first", maintain_order=True).filter(
        pl.col("meddol").is_not_null() & (pl.col("time") > 0)
    )
    frame = frame.with_columns(
        physical_limitation=pl.col("physlm") > 0, poor_or_fair_health=(pl.col("hlthf") == 1) | (pl.col("hlthp") == 1),
        many_diseases=pl.col("disea") > 15, low_mental_health=pl.col("mhi") < 70, admitted=pl.col("totadm") > 0,
        adult=pl.col("child") == 0, sex=pl.when(pl.col("female") == 1).then(pl.lit("F")).otherwise(pl.lit("M")),
        age=pl.when(pl.col("xage") < 18).then(pl.lit("under 18")).when(pl.col("xage") < 40).then(pl.lit("18-39")).otherwise(pl.lit("40 and over")),
        cost=pl.col("meddol").round(2),
    )  # fmt: skip
    held = ["physical_limitation", "poor_or_fair_health", "many_diseases", "low_mental_health", "admitted"]
    rates = frame.select(
        "plan",
        n_persons=pl.lit(1),
        n_events=pl.col("admitted").cast(pl.Int64),
        person_years=pl.col("time").cast(pl.Float64),
    )
    made = of_conditions(frame, held, ("sex", "age"), values=("cost",), groups="sex")
    return made | {"rates": sr.survival.event_rate(rates, by="plan")}


def pbc(data: Path, home: Path) -> Results:
    frame = survival_file(data, "survival_pbc").filter(pl.col("trt").is_not_null()).with_columns(
        death=pl.col("status") == 2, arm=pl.when(pl.col("trt") == 1).then(pl.lit("penicillamine")).otherwise(pl.lit("placebo")),
        oedema=pl.col("edema") > 0, jaundice=pl.col("bili") > 2,
    )  # fmt: skip
    timed = of_times(frame, "time", "death", "arm", ["arm", "jaundice"], "days", 1825.0)
    timed["cumulative_incidence"] = sr.survival.cumulative_incidence(
        frame.with_columns(pl.when(pl.col("status") == 2).then(1).when(pl.col("status") == 1).then(2).otherwise(0).alias("cause")),
        time="time", event="cause", by="arm", time_unit="days",
    )  # fmt: skip
    return timed | of_conditions(frame, ["ascites", "hepato", "spiders", "oedema", "jaundice"], ("arm",), groups="arm")


def rotterdam(data: Path, home: Path) -> Results:
    frame = survival_file(data, "survival_rotterdam").with_columns(
        nodes_found=pl.col("nodes") > 0, receptor_low=pl.col("er") < 10, large=pl.col("size") != "<=20", grade_three=pl.col("grade") == 3,
        treatment=pl.when(pl.col("chemo") == 1).then(pl.lit("chemotherapy")).otherwise(pl.lit("none")),
    )  # fmt: skip
    timed = of_times(frame, "dtime", "death", "treatment", ["treatment", "nodes_found", "grade_three"], "days", 1825.0)
    return timed | of_conditions(
        frame, ["nodes_found", "receptor_low", "large", "grade_three", "hormon"], ("meno",), groups="meno"
    )


def public_study(data: Path, home: Path) -> Results:
    given = os.environ.get("SYMPHONY_PUBLIC_STUDY")
    folder = Path(given) if given else home / "south_somerset"
    if not folder.exists():
        sr.synthesise(folder, people=114_874, seed=2013)
    cohort = sr.define_cohort(sr.read_study(folder))
    strata = ("sex", "age_band")
    whole, by, within = cohort.patterns(values="cost"), cohort.patterns(by="sex"), cohort.patterns(by=strata)
    made = of_patterns(whole, by, within, strata, ("cost",))
    women, men = (sr.Patterns(by.conditions, by.frame.filter(pl.col("sex") == s).drop("sex")) for s in "FM")
    follow = cohort.follow_up(event="emergency_admission", by="sex")
    return made | {
        "compare": sr.networks.compare(women, men, names=("women", "men"), permutations=999),
        "sequences": sr.networks.sequences(cohort.onsets()),
        "cumulative_incidence": sr.survival.cumulative_incidence(follow, by="sex"),
        "rates": sr.survival.event_rate(cohort.rates(event="emergency_admission", by="sex")),
        "readmissions": cohort.readmissions(by="sex"),
    }


DATA: Mapping[str, Callable[[Path, Path], Results]] = {
    "BRFSS 2020": brfss, "diabetes130": diabetes, "mgus2": mgus2, "colon": colon, "readmission": readmission,
    "NHEFS": nhefs, "randhie": randhie, "pbc": pbc, "rotterdam": rotterdam, "public study": public_study,
}  # fmt: skip


TEXT = [
    "# Findings on released pages, and in the exact results",
    "",
    "`python tests/proof/released_findings.py docs/released-findings.md`. Of each data set every analysis of conditions and of times that its columns "
    "allow, released together under a rule. A finding: q (or p) of at most 0.05 and an interval that excludes the null. *False*: "
    "named in the released result and no finding of the exact one. *Outside*: rows with an exact interval or p value that the "
    f"released one does not hold. *Named*: of exact findings on {ENOUGH} people or more, those that the released result names too. "
    f"*Width*: of released intervals over exact ones (of ratios on the log scale), median, counts of {ENOUGH} or more.",
    "",
]


def line(name: str, one: Measured) -> str:
    named = f"{100 * one.named / one.enough:.1f}" if one.enough else ""
    wide = f"{np.median(one.widths):.2f}" if one.widths else ""
    return (
        f"| {name} | {one.exact:,} | {one.enough:,} | {named} | {one.false} | {one.rows:,} | {one.outside} | {wide} |"
    )


HEAD = ["exact findings", f"on {ENOUGH} or more", "named, %", "false", "intervals", "outside", "width"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="?", default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    data = Path(os.environ.get("SYMPHONY_SHARED_DATA") or asked.data)
    if not data.is_dir():
        say(f"The folder of real data is not there ({data}): the page stays as it is.")
        return 0
    of_data: dict[tuple[str, str], Measured] = defaultdict(Measured)
    of_kind: dict[str, Measured] = defaultdict(Measured)
    refused = []
    with tempfile.TemporaryDirectory() as home:
        for name in asked.only:
            exact = DATA[name](data, Path(home))
            for policy, rule in POLICIES.items():
                try:
                    safe = sr.suppress(exact, rule)
                except SymphonyError as why:
                    refused.append(f"* {name}, {policy}: {why}")
                    continue
                for kind, one, other in comparable(exact, safe):
                    found = measured(one, other)
                    of_data[name, policy].add(found)
                    of_kind[kind].add(found)
                    if asked.verbose:
                        say(line(f"{name}, {policy}, {kind}", found))
                say(line(f"{name}, {policy}", of_data[name, policy]))
    total = Measured()
    for part in of_data.values():
        total.add(part)
    lines = [*TEXT, f"| data, rule | {' | '.join(HEAD)} |", f"|---|{'---:|' * len(HEAD)}"]
    lines += [line(f"{name}, {policy}", one) for (name, policy), one in of_data.items()]
    lines += [line("all", total), "", f"| analysis | {' | '.join(HEAD)} |", f"|---|{'---:|' * len(HEAD)}"]
    lines += [line(kind, one) for kind, one in of_kind.items()]
    lines += ["", *(["Refused:", "", *refused, ""] if refused else [])]
    if asked.only == list(DATA):
        asked.out.write_text("\n".join(lines), encoding="utf-8")
    else:
        say("\n".join(lines))
    short = total.enough and total.named < NAMED * total.enough
    return int(bool(total.false or total.outside or short or np.median(total.widths) > WIDEST))


if __name__ == "__main__":
    sys.exit(main())
