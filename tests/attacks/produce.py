"""Everything a study gives out, made and written as its owner would."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from worlds import World

import symphony_research as sr
from symphony_research.cohort import Baseline, CareUse, ReadmissionRate
from symphony_research.door.protocol_record import Fixing, Record
from symphony_research.errors import SymphonyError
from symphony_research.result import Provenance

# estimators of patterns, of which every table is a sum of the same cells
OF_PATTERNS = (
    "prevalence", "condition_count", "condition_count_top", "exact", "at_least", "closed", "maximal", "further", "comorbidity_profile",
    "cooccurrence", "backbone", "set_centrality", "centrality", "communities", "costs", "costs_at_least",
)  # fmt: skip
OF_TIME = (
    "kaplan_meier", "incidence", "points", "quantile", "logrank", "hazard", "restricted_mean", "gray", "landmark", "mean_count",
    "days_at_home", "loss_bounds",
)  # fmt: skip
BY = "__by_sex"
OF_CURVES = ("SurvivalCurve", "CumulativeIncidence", "NelsonAalen", "MeanCumulativeCount")
# studies of which the baseline is attacked beside every other count; in the others, where everything is, and by itself
WITH_BASELINE = ("squeezed", "random 4")
OUTCOME = "emergency admission"
# the analyses whose counts are sums of the same unknowns, each once
LATTICE = (
    "prevalence",
    "condition_count",
    "condition_count_top",
    "exact",
    "at_least",
    "further",
    "cooccurrence",
    "set_centrality",
)
ADJUSTED = (
    "exact__adjusted",
    "at_least__adjusted",
    "triads",
    "cooccurrence__adjusted",
    "comorbidity_profile__adjusted",
    "costs__adjusted",
)


def families() -> dict[str, type[sr.Result]]:
    """Every concrete family of results in the package."""
    for module in pkgutil.walk_packages(sr.__path__, "symphony_research."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, open_ = {}, [sr.Result]
    while open_:
        for one in open_.pop().__subclasses__():
            open_.append(one)
            # what a study does not allow has no number
            if (
                not one.__name__.startswith("_")
                and not one.holds_nothing
                and one.__module__.startswith("symphony_research.")
            ):
                found[one.__name__] = one
    return found


def writers() -> list[str]:
    """Every name of the library that shows or writes a result."""
    return sorted(
        n
        for n in sr.__all__
        if n.startswith(("write_", "plot_", "outcome_")) or n in ("plot", "table", "cross_table", "picture", "sentence")
    )


def of_patterns(world: World, by: tuple[str, ...] = (), only: tuple[str, ...] | None = None) -> dict[str, sr.Result]:
    """Every analysis of the people's conditions."""
    table, end = world.patterns(by), BY if by else ""
    wanted = only or OF_PATTERNS
    network = sr.networks.cooccurrence(table)
    m = sr.multimorbidity
    make: dict[str, Any] = {
        "prevalence": lambda: m.prevalence(table),
        "condition_count": lambda: m.condition_count(table),
        "condition_count_top": lambda: m.condition_count(table, top=2),
        "exact": lambda: m.combinations(table, kind="exact", min_size=0),
        "at_least": lambda: m.combinations(table, kind="at_least", min_size=1),
        "closed": lambda: m.combinations(table, kind="at_least", which="closed"),
        "maximal": lambda: m.combinations(table, kind="at_least", which="maximal"),
        "further": lambda: m.comorbidity_count(table),
        "comorbidity_profile": lambda: m.comorbidity_profile(table, condition=world.conditions[0]),
        "cooccurrence": lambda: network,
        "backbone": lambda: sr.networks.backbone(network, method="top"),
        "set_centrality": lambda: sr.networks.set_centrality(table, min_persons=10),
        "centrality": lambda: sr.networks.centrality(network),
        "communities": lambda: sr.networks.communities(network, seed=1),
        "costs": lambda: m.cost_interaction(table, kind="exact", min_persons=1),
        "costs_at_least": lambda: m.cost_interaction(table, kind="at_least", min_persons=1),
    }
    return {name + end: make[name]() for name in OF_PATTERNS if name in wanted}


def adjusted(world: World) -> dict[str, sr.Result]:
    """What is expected within strata."""
    if not world.by:
        return {}
    table, m = world.patterns(world.by), sr.multimorbidity
    network = sr.networks.cooccurrence(table, adjust="sex")
    return {
        "exact__adjusted": m.combinations(table, kind="exact", adjust="sex"),
        "at_least__adjusted": m.combinations(table, kind="at_least", adjust="sex"),
        "triads": m.combinations(
            table, kind="at_least", adjust="sex", against="no_higher_order_interaction", max_size=3
        ),
        "cooccurrence__adjusted": network,
        "comorbidity_profile__adjusted": m.comorbidity_profile(table, condition=world.conditions[0], adjust="sex"),
        "costs__adjusted": m.cost_interaction(table, kind="exact", adjust="sex", min_persons=1),
        "centrality__adjusted": sr.networks.centrality(network),
        "communities__adjusted": sr.networks.communities(network, seed=1),
    }


def of_two_groups(world: World) -> dict[str, sr.Result]:
    """Women's network against men's."""
    if len(world.levels) < 2:
        return {}
    groups = [
        sr.Patterns.from_wide(
            world.people.filter(pl.col("sex") == sex),
            conditions=list(world.conditions),
            provenance=Provenance(population={"sex": sex}),
        )
        for sex in world.levels[:2]
    ]
    return {"comparison": sr.networks.compare(*groups, names=("women", "men"), permutations=49)}


def of_time(world: World, by: tuple[str, ...] = ()) -> dict[str, sr.Result]:
    """Curves, curves read at ten times, and their test."""
    frame, end = world.people, BY if by else ""
    died = frame.with_columns((pl.col("event") == 1).cast(pl.Int64).alias("event"))
    curve = sr.survival.kaplan_meier(died, time="time", event="event", by=by, time_unit="days", event_name=OUTCOME)
    made: dict[str, sr.Result] = {
        "kaplan_meier" + end: curve,
        "points" + end: sr.survival.at(curve, range(0, 331, 60)),
        "quantile" + end: sr.survival.quantile(curve),
        "hazard" + end: sr.survival.nelson_aalen(
            died, time="time", event="event", by=by, time_unit="days", event_name=OUTCOME
        ),
        "restricted_mean" + end: sr.survival.restricted_mean_survival_time(
            died, time="time", event="event", by=by, horizon=180, time_unit="days", event_name=OUTCOME
        ),
    }
    if (frame["time"] > 90).any():
        later = sr.survival.landmark(died, time="time", event="event", at=90, by=by)
        made["landmark" + end] = sr.survival.kaplan_meier(
            later, time="time", event="event", by=by, weights="n_persons", time_unit="days", event_name=OUTCOME
        )
    made["mean_count" + end] = mean_count(world, by)
    made["days_at_home" + end] = days_at_home(world, by)
    if (frame["event"] == 1).any():
        made["loss_bounds" + end] = sr.survival.loss_bounds(
            frame, times=[60, 180, 330], time="time", event="event", by=by, time_unit="days",
            cause_names={1: OUTCOME, 2: "death"},
        )  # fmt: skip
    if by and (frame["event"] == 1).any():
        made["gray" + end] = sr.survival.gray_test(
            frame, time="time", event="event", by=by, time_unit="days", cause_names={1: OUTCOME, 2: "death"}
        )
    if (frame["event"] > 0).any():
        made["incidence" + end] = sr.survival.cumulative_incidence(
            frame, time="time", event="event", by=by, time_unit="days", cause_names={1: OUTCOME, 2: "death"}
        )
    if by:
        made["logrank" + end] = sr.survival.logrank_test(died, time="time", event="event", by=by, time_unit="days")
    return made


def of_rates(world: World, by: tuple[str, ...] = ()) -> dict[str, sr.Result]:
    """Events and person-years, of the people whom the curves follow; each has one event at most."""
    had = (pl.col("event") == 1).cast(pl.Int64)
    counted = [
        pl.len().cast(pl.Int64).alias("n_persons"),
        had.sum().alias("n_events"),
        (pl.col("time").sum() / 365.25).alias("person_years"),
    ]
    table = world.people.group_by(by).agg(counted) if by else world.people.select(counted)
    return {"rates" + (BY if by else ""): sr.survival.event_rate(table, by=by, event_name=OUTCOME)}


def after_events(world: World) -> pl.DataFrame:
    """Follow-up that goes on after a first event, as that of recurrent events does: until death, or the end of the data."""
    last, longer = world.people["time"].max(), 1 + 7 * (pl.col("person_id") % 20)
    had = pl.col("event") == 1
    return world.people.with_row_index("person_id").with_columns(
        pl.when(had).then(pl.min_horizontal(pl.col("time") + longer, pl.lit(last))).otherwise("time").alias("until"),
        ((pl.col("event") == 2) | (had & (pl.col("person_id") % 5 == 0))).cast(pl.Int64).alias("died"),
    )


def attendances(world: World) -> pl.DataFrame:
    """Follow-up to a second outcome of the same people: of every third, half way to the end; whoever dies before has none."""
    people = after_events(world).drop("time", "event")
    had = pl.col("person_id") % 3 == 0
    return people.with_columns(
        pl.when(had).then((pl.col("until") / 2).ceil().cast(pl.Int64)).otherwise("until").alias("time"),
        pl.when(had).then(1).otherwise(2 * pl.col("died")).alias("event"),
    )


def attendance(world: World, by: tuple[str, ...]) -> sr.Result:
    """Time to the second outcome, with death competing."""
    return sr.survival.cumulative_incidence(
        attendances(world), time="time", event="event", by=by, time_unit="days", cause_names={1: "A&E attendance", 2: "death"}
    )  # fmt: skip


def readmission(world: World) -> sr.Result:
    """Discharges and readmissions of two in three people, drawn by a seed: one to four discharges each."""
    rng = np.random.default_rng((world.seed, 30))
    n = 2 * world.people.height // 3
    d = rng.integers(1, 5, n)
    r = rng.binomial(d, 0.2)
    sums = {
        "n_persons": n, "n_discharges": d.sum(), "n_readmissions": r.sum(), "readmissions_squared": (r * r).sum(),
        "products": (r * d).sum(), "discharges_squared": (d * d).sum(),
    }  # fmt: skip
    again = int((r > 0).sum())
    tables = {
        "people": pl.DataFrame({"readmitted": ["readmitted", "not readmitted"], "n_persons": [again, n - again]}),
        "population": pl.DataFrame({name: [int(value)] for name, value in sums.items()}),
    }
    settings = {
        "days": 30,
        "confidence": 0.95,
        "event_name": "readmission",
        **(world.provenance or Provenance()).as_settings(),
    }
    return ReadmissionRate(tables, settings, ())


def of_report(world: World) -> dict[str, sr.Result]:
    """What the notebook on time to events releases of one hub in its one call."""
    whole, by_sex = of_time(world), of_time(world, world.by) if world.by else {}
    rates = of_rates(world) | of_baseline(world)
    made = {kind: whole[kind] for kind in ("incidence", "mean_count", "days_at_home") if kind in whole} | rates
    made |= {kind: by_sex[kind] for kind in ("incidence" + BY,) if kind in by_sex}
    return made | {"attendance": attendance(world, ()), "readmission": readmission(world)}


def mean_count(world: World, by: tuple[str, ...]) -> sr.Result:
    """Recurrent events: one to three of whoever has any; deaths end them."""
    people = after_events(world)
    had = people.filter(pl.col("event") == 1).with_columns(pl.col("time").repeat_by(1 + pl.col("person_id") % 3))
    often = had.select("person_id", "time").explode("time")
    persons = people.drop("time", "event").rename({"until": "time"})
    return sr.survival.mean_cumulative_count(often, persons, end="time", by=by, time_unit="days", event_name=OUTCOME)


def days_at_home(world: World, by: tuple[str, ...]) -> sr.Result:
    """Days to death or the end, of which every second person's are a tenth fewer."""
    people = after_events(world).drop("time", "event").rename({"until": "time"})
    home = (pl.col("time").clip(0, 180) * (1 - 0.1 * (pl.col("person_id") % 2))).floor()
    people = people.with_columns(home.alias("days_at_home"))
    return sr.survival.days_at_home(people, horizon=180, time="time", event="died", by=by)


def of_models(world: World) -> dict[str, sr.Result]:
    """Regression models by sex (without strata by year of birth), where the people allow one to be fitted."""
    covariates = ["sex"] if len(world.levels) > 1 else ["birth_year"]
    rng = np.random.default_rng((world.seed, 66))
    people = world.people.with_columns(
        n_admissions=pl.Series(rng.poisson(1.2, world.people.height)), years=(pl.col("time") / 365)
    )
    died = people.with_columns((pl.col("event") == 1).cast(pl.Int64).alias("event"))
    s = sr.survival
    timed: dict[str, Any] = {"time": "time", "event": "event", "covariates": covariates}
    named: dict[str, Any] = {"time_unit": "days", "event_name": OUTCOME}
    older = pl.when(people["birth_year"] < 1935).then(pl.lit("older")).otherwise(pl.lit("younger"))
    banded = people.with_columns(older.alias("age_group"))
    causes = {1: OUTCOME, 2: "death"}
    profile = {"sex": world.levels[0]} if covariates == ["sex"] else {"birth_year": 1935}
    make: dict[str, Any] = {
        "cox": lambda: s.cox_regression(died, **timed, **named),
        "risk": lambda: s.absolute_risk(s.cox_regression(died, **timed, **named), profile, [60, 180, 330]),
        "proportional": lambda: s.proportional_hazards_test(died, **timed),
        "fine_gray": lambda: s.fine_gray(people, **timed, time_unit="days"),
        "parametric": lambda: s.parametric_survival(died, **timed, **named, distributions=["weibull", "log_normal"]),
        "rate_model": lambda: s.rate_regression(people, events="n_admissions", person_years="years", covariates=covariates),
        "standardised": lambda: s.standardised_risk(banded, time="time", event="event", by="sex", standardise="age_group",
                                                    times=[60, 180, 330], time_unit="days", cause_names=causes),
    }  # fmt: skip
    made = {}
    for name, work in make.items():
        try:
            made[name] = work()
        except SymphonyError:  # nobody has the event at a level, or there is no competing event
            continue
    return made


def of_order(world: World) -> dict[str, sr.Result]:
    """Temporal precedence of conditions."""
    records, persons = world.onsets()
    if records.height < 2:
        return {}
    return {"sequences": sr.networks.sequences(records, persons=persons, birth_years=10, min_persons=1)}


def of_rules(world: World) -> dict[str, sr.Result]:
    """Whom the rules of a cohort left out of the example study, and the readmissions of the rest: rules of a seed."""
    low = 3 + world.seed % 40
    sex = ("F", "M")[world.seed % 2]
    cohort = sr.define_cohort(sr.example_study(), age=(low, 60 + world.seed % 35), sex=sex)
    return {"attrition": cohort.attrition, "readmissions": cohort.readmissions()}


def of_baseline(world: World, by: tuple[str, ...] = ()) -> dict[str, sr.Result]:
    """Who the people are: counted here by hand, for a world has no dates; age, deprivation and care before are of its seed."""
    rng = np.random.default_rng((world.seed, 44))
    n, numbers = world.people.height, world.people.select(pl.sum_horizontal(world.conditions)).to_series()
    top = min(4, len(world.conditions))
    bands, care = [f"{a:02d}-{a + 9:02d}" for a in range(5, 85, 10)], ["0", "1", "2", "3+"]
    told = {
        "sex": world.people["sex"].to_list(),
        "ten_year_age_band": rng.choice(["65-74", "75-84", "85+"], n, p=[0.6, 0.35, 0.05]).tolist(),
        "deprivation_quintile": rng.choice([*"12345", "not recorded"], n, p=[0.1, 0.2, 0.3, 0.2, 0.17, 0.03]).tolist(),
        "n_conditions": [str(k) if k < 4 or top == len(world.conditions) else "4+" for k in numbers],
        "emergency_admissions": rng.choice(care, n, p=[0.8, 0.15, 0.03, 0.02]).tolist(),
        "accident_and_emergency_attendances": rng.choice(care, n, p=[0.6, 0.25, 0.1, 0.05]).tolist(),
        "look_back": rng.choice(["whole", "part"], n, p=[0.95, 0.05]).tolist(),
    }
    names = {
        "sex": [level for level in world.levels if (world.people["sex"] == level).any()],
        "ten_year_age_band": ["00-04", *bands, "85+"],
        "deprivation_quintile": [*"12345", "not recorded"],
        "n_conditions": [*map(str, range(top)), str(top) if top == len(world.conditions) else "4+"],
        **dict.fromkeys(("emergency_admissions", "accident_and_emergency_attendances"), care),
        "look_back": ["whole", "part"],
    }
    wanted = [c for c in names if c not in by and (c != "sex" or world.levels)]
    rows, held, people = [], [], []
    for level in world.levels if by else [None]:
        own = [i for i, sex in enumerate(world.people["sex"]) if level in (None, sex)]
        stratum = [level] if by else []
        rows += [(*stratum, c, name, sum(told[c][i] == name for i in own)) for c in wanted for name in names[c]]
        held += [(*stratum, c, int(world.people[c].gather(own).sum())) for c in world.conditions]
        cost = world.people["cost"].gather(own).to_numpy()
        spread = (cost**2).sum() / cost.sum() ** 2 if cost.sum() else None
        deviation = float(cost.std(ddof=1)) if len(own) > 1 else None
        people.append((*stratum, len(own), float(cost.mean()), deviation, spread))
    figures = ["n_persons", "mean_cost", "standard_deviation", "herfindahl_cost"]
    tables = {
        name: pl.DataFrame(data, schema=[*by, *columns], orient="row")
        for name, data, columns in (
            ("categories", rows, ["characteristic", "category", "n_persons"]),
            ("conditions", held, ["condition", "n_persons"]),
            ("population", people, figures),
        )
    }
    settings = {
        "conditions": list(world.conditions), "months": 12, "commonest": 3, "age_bands": list(range(0, 90, 5)),
        "whole_list": True, **(world.provenance or Provenance()).as_settings(),
    }  # fmt: skip
    return {"baseline" + (BY if by else ""): Baseline(tables, settings, by)}


def of_care(world: World, by: tuple[str, ...] = ()) -> dict[str, sr.Result]:
    """Contacts and cost a person-year, counted here by hand; contacts are of the world's seed."""
    rng = np.random.default_rng((world.seed, 45))
    people = world.people.with_columns(
        pl.Series("contacts_community", rng.poisson(0.3, world.people.height).astype(float)),
        (pl.col("time") / 365.25).alias("years"),
    )
    rows = []
    for level in world.levels if by else [None]:
        own = people if level is None else people.filter(pl.col("sex") == level)
        n, years = own.height, own["years"].to_numpy()
        row: list[Any] = [*([level] if by else []), n]
        for name in ("years", "cost", "contacts_community"):
            value = own[name].to_numpy()
            row += [float(value.mean()) if n else None, (value**2).sum() / value.sum() ** 2 if value.sum() else None]
            if name != "years":
                left = value - value.sum() / max(years.sum(), 1e-9) * years
                row.append(float(np.sqrt((left**2).sum()) / years.sum()) if n > 1 and years.sum() else None)
        rows.append(row)
    names = ["mean_years", "herfindahl_years"]
    names += [f"{part}_{name}" for name in ("cost", "contacts_community") for part in ("mean", "herfindahl", "error")]
    table = pl.DataFrame(rows, schema={**dict.fromkeys(by, pl.String), "n_persons": pl.Int64, **dict.fromkeys(names, pl.Float64)}, orient="row")  # fmt: skip
    settings = {
        "used": ["cost", "contacts_community"], "horizon": 365, "confidence": 0.95, **(world.provenance or Provenance()).as_settings(),
    }  # fmt: skip
    return {"care_use" + (BY if by else ""): CareUse({"population": table}, settings, by)}


def of_matched() -> dict[str, sr.Result]:
    """Enrolled people of the example study and their controls, who are few."""
    study = sr.example_study(12_000)
    cohort = sr.define_cohort(study, programme="complex_care")
    matched = sr.evaluation.match_controls(study, cohort, caliper=None, score="odds_weights", seed=1)
    e, asked = sr.evaluation, {"outcome": "accident_and_emergency"}
    # of Chard 2,012 people are registered in one month, which the name of the study holds as a year
    effect = sr.evaluation.enrolment_effect(matched, resamples=20)
    return {
        "uptake": cohort.uptake(planned=40),
        "covariate_balance": sr.evaluation.balance(matched),
        "cost_effect": sr.evaluation.cost_effect(matched, resamples=20),
        "before_after": e.before_after(matched),
        "difference_in_differences": e.difference_in_differences(matched, before=(366, 730)),
        "difference_in_differences_linear": e.difference_in_differences(matched, method="linear", **asked),
        "event_study": e.event_study(matched, period=91),
        "event_study_linear": e.event_study(matched, period="month", method="linear", **asked),
        "time_series": e.interrupted_time_series(study, start="2015-04-01", hub="Wincanton", control="other hubs"),
        "time_series_whole": e.interrupted_time_series(study, start="2015-04-01", harmonics=1, errors="quasi_poisson"),
        "programme_event_study": e.programme_event_study(study, programme="health_coaching"),
        "enrolment_effect": effect,
        "effect_of_censored": e.enrolment_effect(matched, later_enrolment="censored", resamples=20),
        "other_analyses": e.other_analyses(effect, before_after=e.before_after(matched)),
        "effect_sensitivity": sr.evaluation.sensitivity(effect),
        "outcome_effects": sr.evaluation.outcome_effects(matched),
        "effect_by_sex": sr.evaluation.effect_by(matched, by="sex"),
        "matched_incidence": sr.evaluation.matched_incidence(matched),
    }


def of_published() -> dict[str, sr.Result]:
    """Projections and what comes of them, from published figures alone: of no study's people."""
    d, source = sr.demography, "invented figures, as if published"
    sexes, ages = [*"FFFMMM"], [0, 1, 2] * 2
    base = pl.DataFrame({"sex": sexes, "age": ages, "persons": [1000.0, 900, 800] * 2})
    dying = pl.DataFrame({"sex": [*"FFFFMMMM"], "age": [-1, 0, 1, 2] * 2, "rate": [0.01, 0.02, 0.1, 0.5] * 2})
    moving = base.select("sex", "age", net=pl.lit(10.0))
    projection = d.cohort_component_projection(
        base, fertility=pl.DataFrame({"age": [1], "rate": [0.6]}), mortality=dying, migration=moving, start=2011, end=2013,
        mortality_kind="probability", published=source,
    )  # fmt: skip
    gross = pl.DataFrame({"year": [2012, 2013]}).join(
        moving.select("sex", "age", in_persons=pl.lit(30.0), out_persons=pl.lit(20.0)), how="cross"
    )
    people = projection.estimates
    flows = projection.components.rename({"net_migration": "net"})
    born = flows.group_by("year", "sex", maintain_order=True).agg(pl.col("births").sum())
    need = d.project_need(projection, pl.DataFrame({"age": [0, 1], "rate": [0.2, 0.7]}), published=source)
    rates = pl.DataFrame({"quantity": ["bed_days"] * 2, "age": [0, 1], "rate": [0.2, 0.7], "standard_error": [0.1, 0.0], "own_rate": [True, False], "recorded": [True] * 2})  # fmt: skip
    # those of a study are made of what it released alone: as if these had been published
    days = d.NeedRates(
        {"rates": rates, "omitted": rates.select("quantity").clear()}, {"published": source, "listed": "bed-days"}
    )
    events = pl.DataFrame({"age": [0, 65], "n_events": [40, 60], "person_years": [900.0, 300.0]})
    drawn = d.stochastic_projection(projection, gross_migration=gross, runs=20, seed=1)
    return {
        "life_table": d.life_table(dying.filter(pl.col("age") >= 0), kind="probability", published=source),
        "projection": projection,
        "projection_at_random": drawn,
        "balance": d.population_balance(people, births=born, deaths=flows, migration=flows, published=source),
        "back_test": d.back_test(projection, people, published=source),
        "standardised_rate": d.standardised_rate(events, published=source),
        "decomposition": d.decompose(need.cells(2011), need.cells(2013), published=source),
        "need": need,
        "beds": d.beds_required(d.project_need(projection, days, intervals=drawn)),
        "need_rates": days,
        "bed_scenarios": d.bed_scenarios(projection, rates=days, start=2011),
        "growth": d.growth(projection, start=2011),
        "assumptions": d.assumptions(d.project_south_somerset(end=2013)),
        "past_errors": d.past_errors(),
        "people_reached": d.people_reached(need, quantity="need", reach=[0.1, 0.5]),
    }


def of_protocol() -> dict[str, sr.Result]:
    """What a report shows of its protocol: words, and no count of anybody."""
    e = sr.evaluation
    protocol = e.default_protocol(sr.example_study(3_000))
    fixed = Fixing("f", "2026-03-03T10:00:00Z", "A. Analyst", "0.1.0", {"follow_up": {"days": 180}})
    protocol = replace(
        protocol, record=Record((fixed,)), departures=(e.Departure(date(2026, 3, 5), "shorter", "moved"),)
    )
    return {
        "target_trial": e.target_trial(protocol),
        "departures": e.departures(protocol),
        "statements": e.statements(protocol),
        "target_items": e.target_items(protocol),
    }


def everything(world: World) -> dict[str, sr.Result]:
    """Every analysis of a study, not yet released."""
    made = of_patterns(world)
    if world.by:
        made |= of_patterns(world, world.by)
    return made | of_published() | of_protocol() | of_matched() | adjusted(world) | of_two_groups(world) | of_time(world) | of_models(world) | (of_time(world, world.by) if world.by else {}) | of_rates(world) | (of_rates(world, world.by) if world.by else {}) | of_order(world) | of_rules(world) | of_baseline(world) | (of_baseline(world, world.by) if world.by else {}) | of_care(world) | (of_care(world, world.by) if world.by else {})  # fmt: skip


def of_counts(world: World, *, curves: bool = True) -> dict[str, sr.Result]:
    """Every kind of count of a study, once: of conditions and of time, whole and by stratum."""
    made = of_patterns(world, (), LATTICE) | (of_time(world) | of_models(world) if curves else {})
    if world.name in WITH_BASELINE:
        made |= of_baseline(world) | (of_baseline(world, world.by) if world.by else {})
    if world.by:
        made |= of_patterns(world, world.by, LATTICE) | of_two_groups(world)
        made |= of_time(world, world.by) if curves else {}
    return made


def release_all(results: Mapping[str, sr.Result], policy: sr.Policy) -> dict[str, sr.Result]:
    """Release results of one study together."""
    return sr.suppress(results, policy)


def write_tables(released: Mapping[str, sr.Result], folder: Path) -> None:
    """Write every table as CSV and HTML, and what a notebook would print."""
    for name, result in released.items():
        sr.write_table(result, folder / f"{name}.csv")
        sr.write_table(result, folder / f"{name}.html")
        with pl.Config(
            tbl_width_chars=5000, tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=500
        ):  # no cell is broken over two lines
            printed = repr(result)
        texts = [
            printed,
            result._repr_html_(),
            result.sentence(),
            repr(sr.sentence(result)),
            repr(sr.table(result, rows=3)),
        ]
        kind = type(result).__name__
        texts += [str(getattr(result, name)) for name in ("overall", "groups", "quality") if hasattr(result, name)]
        if has_test(result):
            texts.append(str(result.test))
        if kind == "RestrictedMeanSurvivalTime" and result.by:
            texts.append(str(result.differences))
        if kind in OF_CURVES:
            texts.append(repr(sr.outcome_table(result, times=[30, 90, 180])))
        if kind in OF_CURVES and not result.by:
            shown = sr.outcome_picture(result)
            texts += [str(getattr(shown, part, shown)) for part in ("sentence", "caption", "alt")]
        (folder / f"{name}.txt").write_text("\n".join(texts), encoding="utf-8")
        crossed = _crossed(result)
        if crossed:
            (folder / f"{name}.cross.html").write_text(crossed, encoding="utf-8")


def has_test(result: sr.Result) -> bool:
    """Whether a result has a test beside its estimates, which a mean count has of two groups alone."""
    kind = type(result).__name__
    return kind == "StandardisedRisk" or (kind == "MeanCumulativeCount" and "test" in result.count_tables)


def _crossed(result: sr.Result) -> str:
    if result.by != ("sex",):
        return ""
    for rows in ("condition", "combination", "n_conditions"):
        if rows in result.estimates.columns and "n_persons" in result.estimates.columns and "kind" not in result.estimates.columns and "n_others" not in result.estimates.columns:  # fmt: skip
            return sr.cross_table(result, rows=rows, columns="sex").html
    return ""


PLOTS = {
    "ConditionCount": ("plot_condition_count",),
    "Prevalence": ("plot_prevalence",),
    "Combinations": ("plot_upset",),
    "CostInteraction": ("plot_cost_interaction",),
    "ComorbidityProfile": ("plot_comorbidity_profile",),
    "ComorbidityCount": ("plot_comorbidity_count",),
    "Cooccurrence": ("plot_network", "plot_cooccurrence_matrix"),
    "Backbone": ("plot_network",),
    "Centrality": ("plot_centrality",),
    "NetworkComparison": ("plot_comparison",),
    "Sequences": ("plot_sequences",),
    "Attrition": ("plot_attrition",),
    "SurvivalCurve": ("plot_survival",),
    "CumulativeIncidence": ("plot_survival", "plot_stacked_incidence"),
    "NelsonAalen": ("plot_survival",),
    "MeanCumulativeCount": ("plot_survival",),
    "CoxRegression": ("plot_effects",),
    "FineGrayRegression": ("plot_effects",),
    "ParametricSurvival": ("plot_effects",),
    "RateRegression": ("plot_effects",),
    "StandardisedRisk": ("plot_standardised_risk",),
    "Projection": ("plot_population_pyramid",),
    "StochasticProjection": ("plot_fan_chart", "plot_population_pyramid"),
    "ProjectedNeed": ("plot_need",),
    "BedScenarios": ("plot_bed_scenarios",),
    "Balance": ("plot_balance",),
    "EnrolmentEffect": ("plot_enrolment_effect",),
    "BeforeAfter": ("plot_before_after",),
    "DifferenceInDifferences": ("plot_before_after",),
    "EventStudy": ("plot_event_study",),
    "InterruptedTimeSeries": ("plot_interrupted_time_series",),
    "ProgrammeEventStudy": ("plot_programme_event_study",),
    "OtherAnalyses": ("plot_other_analyses",),
    "OutcomeEffects": ("plot_outcome_effects",),
    "EffectBy": ("plot_effect_by",),
    "MatchedIncidence": ("plot_matched_incidence",),
}


def write_pictures(released: Mapping[str, sr.Result], folder: Path, kinds: tuple[str, ...] = ("svg",)) -> list[Path]:
    """Draw every figure of every family, of each stratum where there is room for one."""
    made = []
    for name, result in released.items():
        for plot in PLOTS.get(type(result).__name__, ()):
            function = getattr(sr, plot)
            strata: list[dict[str, Any]] = [{}]
            if result.by and "stratum" in inspect.signature(function).parameters:
                values = result.estimates["sex"].unique().sort().to_list()
                strata = [{"stratum": {"sex": value}} for value in values]
            for number, options in enumerate(strata):
                for kind in kinds:
                    path = folder / f"{name}.{plot}.{number}.{kind}"
                    sr.write_figure(result, path, plot=function, **options)
                    made.append(path)
    return made


def write_networks(released: Mapping[str, sr.Result], folder: Path) -> list[Path]:
    """Write every network for other programs."""
    made = []
    for name, result in released.items():
        if type(result).__name__ not in ("Cooccurrence", "Backbone"):
            continue
        strata: list[dict[str, Any]] = [{}]
        if result.by:
            strata = [{"stratum": {"sex": v}} for v in result.estimates["sex"].unique().sort().to_list()]
        for number, options in enumerate(strata):
            for kind in ("graphml", "gexf", "json"):
                path = folder / f"{name}.network.{number}.{kind}"
                try:
                    sr.write_network(result, path, **options)
                except SymphonyError:
                    continue
                made.append(path)
    return made


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder for a study's files."""
    return tempfile.TemporaryDirectory(prefix="attack")
