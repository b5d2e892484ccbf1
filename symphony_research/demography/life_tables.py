"""Life tables from rates or probabilities, abridged or by single year, with Chiang's standard errors.

References
----------
Chiang, C. L. (1968). The life table and its construction. In: Introduction to Stochastic Processes in Biostatistics,
189-214. Wiley.
Silcocks, P. B. S., Jenner, D. A. and Reza, R. (2001). Life expectancy as a summary of mortality in a population. Journal
of Epidemiology and Community Health 55, 38-43.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import column_names, names_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.demography.engine import INFANT_YEARS_LIVED
from symphony_research.demography.inputs import KINDS, read_mortality
from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.demography.read import with_keys
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import normal_quantile
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import number

__all__ = ["LifeTable", "life_table"]

Array = NDArray[np.float64]
RADIX = 100_000.0
OWN = (
    "central_rate", "probability_of_death", "survivors", "person_years", "life_expectancy", "standard_error", "lower",
    "upper", "deaths", "share_lived", "rate",
)  # fmt: skip


class LifeTable(_OfPublished):
    """Survivors, person-years lived and life expectancy by age, for each sex."""

    title: ClassVar[str] = "Life table"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published", "radix", "open_interval"})
    keys: ClassVar[frozenset[str]] = frozenset({"age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"mortality": ("age", "rate", "deaths", "share_lived")}
    )
    shown: ClassVar[tuple[str, ...]] = ("age", "probability_of_death", "survivors", "life_expectancy", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "age": "Age", "central_rate": "Central death rate", "probability_of_death": "Probability of dying",
            "survivors": "Survivors", "person_years": "Person-years lived", "life_expectancy": "Life expectancy",
            "standard_error": "Standard error", "lower": "Lower limit", "upper": "Upper limit",
        }
    )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Build the table of each stratum from its rates."""
        table = tables["mortality"]
        parts = [
            _built(part, settings).select(*by, "age", *OWN[:8])
            for part in table.partition_by(by, maintain_order=True)
        ]  # fmt: skip
        return pl.concat(parts)

    def sentence(self) -> str:
        """Return life expectancy at the first age, of each stratum."""
        youngest = self._derived["age"].min()
        rows = self._derived.filter(pl.col("age") == youngest)
        at = "birth" if youngest in (-1, 0) else f"age {youngest!s}"
        said = [
            f"{', '.join(in_words(row[name]) for name in self.by)} {number(row['life_expectancy'])} years"
            + (f" ({number(row['lower'])} to {number(row['upper'])})" if row["standard_error"] is not None else "")
            for row in rows.iter_rows(named=True)
        ]
        return f"Life expectancy at {at}: {'; '.join(said)}."


def _built(part: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    age = part["age"].to_numpy()
    start = np.where(age == -1, 0.0, age + (0.5 if age[0] == -1 else 0.0))
    width = np.append(np.diff(start), np.inf)
    lived = part["share_lived"].to_numpy()
    rate, kind = part["rate"].to_numpy().astype(float), settings["kind"]
    finite = np.isfinite(width)
    n = np.where(finite, width, 1.0)
    if kind == "central_rate":
        m = rate
        q = np.where(finite, np.minimum(n * m / (1 + (1 - lived) * n * m), 1.0), 1.0)
        last = 1 / m[-1] if m[-1] > 0 else np.inf
    else:
        q = rate
        with np.errstate(divide="ignore", invalid="ignore"):
            m = q / (n * (1 - (1 - lived) * q))
            # the open age: probability 1 closes the table after a year; less is a constant hazard
            m[-1] = 1 / lived[-1] if q[-1] >= 1 else -np.log1p(-q[-1])
        last = 1 / m[-1] if m[-1] > 0 else np.inf
        q = np.where(finite, q, 1.0)
    alive = RADIX * np.concatenate([[1.0], np.cumprod(1 - q[:-1])])
    years = np.where(finite, n * alive * (1 - (1 - lived) * q), 0.0)
    years[-1] = alive[-1] * last
    total = np.cumsum(years[::-1])[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        expectation = np.where(alive > 0, total / alive, 0.0)
    error = _standard_error(part, q, m, alive, expectation, n, lived, settings["open_interval"])
    z = normal_quantile(settings["confidence"])
    columns = {
        "central_rate": m, "probability_of_death": q, "survivors": alive, "person_years": years,
        "life_expectancy": expectation, "standard_error": error, "lower": expectation - z * error,
        "upper": expectation + z * error,
    }  # fmt: skip
    made = part.with_columns(pl.Series(name, values) for name, values in columns.items())
    return made.with_columns(
        pl.when(pl.col(c).is_finite()).then(c).alias(c)
        for c in columns
        if c not in ("probability_of_death", "survivors")
    )


def _standard_error(
    part: pl.DataFrame, q: Array, m: Array, alive: Array, expectation: Array, n: Array, lived: Array, open_interval: str
) -> Array:
    """Return Chiang's standard errors of life expectancy; NaN where deaths are not given."""
    if part["deaths"].null_count():
        return np.full(len(q), np.nan)
    deaths = part["deaths"].to_numpy().astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(deaths > 0, q**2 * (1 - q) / deaths, 0.0)
        after = np.append(expectation[1:], 0.0)
        terms = alive**2 * ((1 - lived) * n + after) ** 2 * spread
        # in the open age everybody dies, but when rests on its rate: 1 / m has the variance 1 / (D m^2)
        terms[-1] = alive[-1] ** 2 / (deaths[-1] * m[-1] ** 2) if open_interval == "silcocks" else 0.0
        return np.asarray(np.sqrt(np.cumsum(terms[::-1])[::-1]) / alive)


def life_table(
    mortality: Any,
    *,
    kind: str,
    by: str | Sequence[str] = (),
    confidence: float = 0.95,
    open_interval: str = "silcocks",
    published: str | None = None,
) -> LifeTable:
    """Build a life table of each sex from mortality by age.

    Parameters
    ----------
    mortality : frame
        `sex`, `age` (lower ends of age groups, such as 0, 1, 5, 10, ...; the last one open), `rate` per person; `deaths`,
        from which standard errors follow; `share_lived`, of the interval by those who die in it (by default 0.1 of the
        first year of life and a half elsewhere). Without `deaths`, standard errors are missing.
    kind : {"probability", "central_rate"}
        What `rate` is: the probability of dying within the age group, or deaths per person-year. With a row of age -1,
        probabilities are between mid-years: from birth to the first mid-year (half a year), then from age x + 1/2 to x + 3/2.
    by : str or sequence of str, optional
        Further strata.
    confidence : float, default 0.95
    open_interval : {"silcocks", "chiang"}
        Whether the variance counts that of the open age's rate, as public health practice in England does; Chiang's
        own has none.
    published : str, optional
        The published source; needed before the result may be released.

    Returns
    -------
    LifeTable
        `sex`, `age`, `central_rate`, `probability_of_death`, `survivors` (of 100,000), `person_years`, `life_expectancy`,
        `standard_error`, `lower`, `upper`.

    Raises
    ------
    ArgumentError
        On ages as text, a rate per 1,000 or 100,000, a missing sex or age, or a last rate that closes nothing.

    Notes
    -----
    Of age groups of n years with share lived a: ``q = n m / (1 + (1 - a) n m)``, ``L = n (l - (1 - a) d)``, in the open age
    ``L = l / m``. A last probability below 1 is taken as that of a year with a constant hazard. The variance of q is
    ``q^2 (1 - q) / D``, of D deaths.

    References
    ----------
    Chiang, C. L. (1968). The life table and its construction. In: Introduction to Stochastic Processes in
    Biostatistics, 189-214. Wiley.
    Silcocks, P. B. S., Jenner, D. A. and Reza, R. (2001). Journal of Epidemiology and Community Health 55, 38-43.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> rates = pl.DataFrame({"sex": ["F"] * 3, "age": [0, 1, 2], "rate": [0.2, 0.5, 1.0], "share_lived": [0.5] * 3})
    >>> table = sr.demography.life_table(rates, kind="probability").estimates
    >>> table["survivors"].to_list(), table["life_expectancy"].round(6).to_list()
    ([100000.0, 80000.0, 40000.0], [1.7, 1.0, 0.5])
    """
    require_one_of(kind, KINDS, argument="kind")
    require_one_of(open_interval, ("silcocks", "chiang"), argument="open_interval")
    normal_quantile(confidence)
    refuse_study(published, mortality)
    strata = names_of(by, column_names(mortality))
    refuse_names(strata, (*OWN, "age"), what="by")
    strata = (*(name for name in strata if name != "sex"), "sex")
    checked = read_mortality(mortality, [*strata[:-1], "deaths", "share_lived"], kind)
    checked = checked.drop([c for c in ("year",) if c in checked.columns and c not in strata])
    if "deaths" not in checked.columns:
        checked = checked.with_columns(pl.lit(None, dtype=pl.Float64).alias("deaths"))
    elif int((checked["deaths"] < 0).sum()):
        raise ArgumentError("mortality has deaths below zero.")
    if "share_lived" not in checked.columns:
        infant = pl.col("age") == 0
        usual = pl.when(infant & (pl.col("age").min() == 0)).then(INFANT_YEARS_LIVED).otherwise(0.5)
        checked = checked.with_columns(usual.alias("share_lived"))
    elif bool((~checked["share_lived"].is_between(0, 1)).any()):
        raise ArgumentError("share_lived is the share of the age group lived by those who die in it, between 0 and 1.")
    if -1 in checked["age"] and kind == "central_rate":
        raise ArgumentError(
            "mortality has rows of age -1, which are probabilities from birth to the first mid-year: exclude them from a life "
            "table of central rates."
        )
    wanted = checked["age"].unique().sort().to_list()
    for part in checked.partition_by(strata):
        own = sorted(part["age"].to_list())
        if own != wanted:
            raise ArgumentError(
                f"mortality has {len(set(wanted) - set(own))} ages missing, or {len(own) - len(set(own))} twice, in one stratum by "
                f"{', '.join(strata)}: the others have {len(wanted)} ages. Give every age once, for each sex."
            )
    if len(wanted) < 2:
        raise ArgumentError("A life table needs at least two ages, the last of them open.")
    if wanted[0] in (0, -1) and wanted[-1] - wanted[0] + 1 != len(wanted) and wanted[:2] == [0, 1] and wanted[2] == 2:
        holes = sorted(set(range(wanted[-1] + 1)) - set(wanted))
        raise ArgumentError(
            f"mortality is by single year of age and lacks {len(holes)} of them (first {holes[0]}). Add the rows; for an abridged "
            "table give the lower ends of age groups, such as 0, 1, 5, 10."
        )
    last = checked.filter(pl.col("age") == wanted[-1])["rate"]
    if bool((last <= 0).any()):
        raise ArgumentError(f"mortality at the open age {wanted[-1]} is zero: nobody would die. Give its rate.")
    with_keys(checked, ["sex", "age"], what="mortality")
    settings = {
        "method": "Chiang's life table",
        "reference": "Chiang 1968",
        "kind": kind,
        "radix": RADIX,
        "confidence": confidence,
        "open_interval": open_interval,
        "published": published,
    }
    order = [*strata, "age", "rate", "deaths", "share_lived"]
    return LifeTable({"mortality": checked.select(order).sort([*strata, "age"])}, settings, strata)
