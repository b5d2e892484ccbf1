"""Several rows a person: three people drawn as a table, what is counted, and what is refused."""

from __future__ import annotations

from datetime import date
from math import exp

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "stop", "event": "died", "entry": "start", "covariates": "programme", "person": "person_id"}

# person 1: off the programme to day 4, then on it, dies on 9; 2: off it, dies on 6; 3: on it from the start, alive on 12;
# 4: off it, alive on 12
ROWS = pl.DataFrame(
    [(1, 0, 4, 0, "off"), (1, 4, 9, 1, "on"), (2, 0, 6, 1, "off"), (3, 0, 12, 0, "on"), (4, 0, 12, 0, "off")],
    schema=["person_id", "start", "stop", "died", "programme"],
    orient="row",
)


def test_people_are_counted_once_and_at_every_level_that_they_are_at():
    model = sr.survival.cox_regression(ROWS, reference={"programme": "off"}, **NAMED)
    assert model.count_tables["population"].row(0) == (4, 2)
    (on,) = model.estimates.to_dicts()
    assert (on["n_persons"], on["n_events"]) == (2, 1)  # 1 and 3
    assert model.count_tables["references"].select("n_persons", "n_events").row(0) == (3, 1)  # 1, 2 and 4
    # with hazard ratio b: day 6 1 / (2 + 2 b), day 9 b / (1 + 2 b); its logarithm is flat where b squared is one half
    assert on["hazard_ratio"] == pytest.approx(0.5**0.5)


def test_the_variance_is_by_person_unless_another_cluster_is_named():
    rows = pl.concat([ROWS.with_columns(pl.col("person_id") + 4 * k) for k in range(6)])
    rows = rows.with_columns(practice=pl.col("person_id") // 8)
    shared = {k: v for k, v in NAMED.items() if k != "person"}
    by_person = sr.survival.cox_regression(rows, person="person_id", **shared)
    assert by_person.settings["cluster"] == "person_id"
    # authority: the variance by a cluster, which is R's (tests/reference)
    clustered = sr.survival.cox_regression(rows, cluster="person_id", **shared)
    assert by_person.estimates["standard_error"].item() == pytest.approx(clustered.estimates["standard_error"].item())
    assert (by_person.count_tables["population"]["n_persons"].item(), rows.height) == (24, 30)
    by_practice = sr.survival.cox_regression(rows, person="person_id", cluster="practice", **shared)
    own = sr.survival.cox_regression(rows, cluster="practice", **shared)
    assert by_practice.estimates["standard_error"].item() == pytest.approx(own.estimates["standard_error"].item())
    assert by_practice.count_tables["population"]["n_persons"].item() == 24


def test_rows_of_one_person_may_not_overlap():
    twice = pl.concat([ROWS, ROWS.filter(pl.col("person_id") == 2)])
    with pytest.raises(ArgumentError, match="1 rows overlap another row of the same 'person_id'"):
        sr.survival.cox_regression(twice, **NAMED)
    longer = ROWS.with_columns(pl.when(pl.col("stop") == 4).then(5).otherwise("stop").alias("stop"))
    with pytest.raises(ArgumentError, match="Rows of one person follow one another"):
        sr.survival.cox_regression(longer, **NAMED)
    with pytest.raises(ArgumentError, match="with person each row is of one"):
        sr.survival.cox_regression(ROWS.with_columns(n=1), weights="n", **NAMED)


def test_a_level_at_which_few_people_have_most_events_is_not_released():
    # 40 people with an event each off the programme; on it 40 people, one of whom has twenty events
    rows = [(k, 0, 10 + k, 1, "off") for k in range(40)] + [(100 + k, 0, 60, 0, "on") for k in range(40)]
    rows += [(200, k, k + 1, 1, "on") for k in range(20)]
    frame = pl.DataFrame(rows, schema=ROWS.columns, orient="row")
    model = sr.survival.cox_regression(frame, time_unit="days", **NAMED)
    with pytest.raises(DisclosureError, match="few clusters of 'person_id'"):
        sr.suppress(model, NHS)


def test_a_table_of_people_who_enter_late_is_never_read_as_if_they_did_not():
    table = sr.define_cohort(sr.example_study()).follow_up(event="admission", entry=date(2012, 9, 1), by="sex")
    assert table.entry == "entry"
    named = {"time": "time", "event": "event", "covariates": "sex", "weights": "n_persons"}
    for call in (
        lambda: sr.survival.cox_regression(table, cause=1, **named),
        lambda: sr.survival.fine_gray(table, **named),
        lambda: sr.survival.parametric_survival(table, **named, distributions="weibull"),
    ):
        with pytest.raises(ArgumentError, match=r"People of this table enter late\. Pass entry='entry'"):
            call()
    for given in ({}, {"entry": "entry"}):
        with pytest.raises(ArgumentError, match="Gray's test has everybody at risk from the start"):
            sr.survival.gray_test(table, by="sex", **given)


def test_weights_of_late_entry_by_hand():
    # entries 0, 0, 2, 3, and who leaves how: competing event, event on day 6, censored on day 5, event on day 7
    people = pl.DataFrame(
        {"entry": [0, 0, 2, 3], "time": [4, 6, 5, 7], "event": [2, 1, 0, 1], "x": [0.5, 1.0, 0.0, 0.0]}
    )
    named = {"time": "time", "event": "event", "covariates": "x"}
    # a competing event on day 4, when all have entered: entry changes nothing
    late, now = sr.survival.fine_gray(people, entry="entry", **named), sr.survival.fine_gray(people, **named)
    assert late.estimates["estimate"].item() == pytest.approx(now.estimates["estimate"].item())
    # on day 1, before two of them enter: of the three there on day 3 one is new, of the two on day 2 one, so that
    # H(1) = 2/3 x 1/2. Uncensored after day 5: 2/3. So the weight on days 6 and 7 is 2/3 / (1/3) = 2
    early = people.with_columns(time=pl.Series([1, 6, 5, 7]))
    b = sr.survival.fine_gray(early, entry="entry", **named).estimates["estimate"].item()

    def mean(values: list[tuple[float, float]]) -> float:
        total = sum(w * exp(b * x) for x, w in values)
        return sum(w * x * exp(b * x) for x, w in values) / total

    score = (1 - mean([(1, 1), (0, 1), (0.5, 2)])) + (0 - mean([(0, 1), (0.5, 2)]))
    assert score == pytest.approx(0, abs=1e-8)


def test_late_entry_that_leaves_nobody_to_stand_for_those_before_is_refused():
    # whoever is at risk after day 3 entered on day 3: how many had left before is not known
    people = pl.DataFrame({"entry": [0, 3, 3], "time": [2, 5, 6], "event": [2, 1, 1], "x": [0.0, 1.0, 0.0]})
    with pytest.raises(ArgumentError, match="Late entry cannot be allowed for: 1 people"):
        sr.survival.fine_gray(people, time="time", event="event", entry="entry", covariates="x")


def entered() -> pl.DataFrame:
    """Weibull times of two arms, of whom only those are seen who have no event before they enter."""
    rng = np.random.default_rng(7)
    arm = rng.integers(0, 2, 900)
    times, entry, left = (
        rng.weibull(1.4, 900) * np.exp(5 + 0.4 * arm),
        rng.uniform(0, 80, 900),
        rng.uniform(60, 400, 900),
    )
    seen = np.minimum(times, left) > entry
    people = {"time": np.minimum(times, left), "event": (times <= left).astype(int), "entry": entry, "arm": arm}
    return pl.DataFrame(people).filter(pl.Series(seen)).with_columns(pl.col("time", "entry").round(3))


@pytest.mark.parametrize("distribution", ["weibull", "log_normal", "log_logistic"])
def test_parametric_models_divide_by_the_survival_to_entry(distribution):
    # authority: the likelihood written out with scipy's distributions, and maximised by a search without derivatives
    from scipy import optimize, stats

    people = entered()
    t, d, e, x = (people[c].to_numpy().astype(float) for c in ("time", "event", "entry", "arm"))
    of = {
        "weibull": lambda m, s: stats.weibull_min(1 / s, scale=np.exp(m)),
        "log_normal": lambda m, s: stats.lognorm(s, scale=np.exp(m)),
        "log_logistic": lambda m, s: stats.fisk(1 / s, scale=np.exp(m)),
    }[distribution]

    def loss(b: np.ndarray) -> float:
        law = of(b[0] + b[1] * x, np.exp(b[2]))
        return -float((d * law.logpdf(t) + (1 - d) * law.logsf(t) - law.logsf(e)).sum())

    best = optimize.minimize(
        loss, [5.0, 0.3, -0.2], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 4000}
    )
    model = sr.survival.parametric_survival(
        people, time="time", event="event", entry="entry", covariates="arm", distributions=distribution
    )
    assert model.estimates["estimate"].item() == pytest.approx(best.x[1], abs=1e-6)
    row = model.comparison.row(0, named=True)
    assert row["log_likelihood"] == pytest.approx(-best.fun, rel=1e-10)
    assert (row["intercept"], row["scale"]) == (
        pytest.approx(best.x[0], abs=1e-6),
        pytest.approx(np.exp(best.x[2]), abs=1e-6),
    )
    # its standard error: second differences of the likelihood
    step, hessian = 1e-3, np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            a, b = step * (np.arange(3) == i), step * (np.arange(3) == j)
            corners = (loss(best.x + a + b), loss(best.x + a - b), loss(best.x - a + b), loss(best.x - a - b))
            hessian[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step**2)
    assert model.estimates["standard_error"].item() == pytest.approx(np.linalg.inv(hessian)[1, 1] ** 0.5, rel=1e-4)


def test_entry_at_the_start_changes_nothing_and_a_generalised_gamma_takes_it():
    people = entered()
    named = {"time": "time", "event": "event", "covariates": "arm"}
    plain = sr.survival.parametric_survival(people, distributions="weibull", **named)
    begun = sr.survival.parametric_survival(
        people.with_columns(entry=0.0), entry="entry", distributions="weibull", **named
    )
    assert begun.estimates["estimate"].item() == pytest.approx(plain.estimates["estimate"].item(), rel=1e-12)
    # 0.4 and 1 / 1.4 were drawn; whoever is counted from 0 although they came late moves both
    late = sr.survival.parametric_survival(
        people, entry="entry", distributions=["weibull", "generalised_gamma"], **named
    )
    row = late.estimates.row(0, named=True)
    assert abs(row["estimate"] - 0.4) < 2 * row["standard_error"]
    weibull, gamma = (
        late.comparison.filter(pl.col("distribution") == n).row(0, named=True) for n in ("weibull", "generalised_gamma")
    )
    assert weibull["scale"] == pytest.approx(1 / 1.4, rel=0.08)
    # the Weibull is one of its family, so that it fits no worse, and hardly better where it is true
    assert -1e-3 <= gamma["log_likelihood"] - weibull["log_likelihood"] < 4
