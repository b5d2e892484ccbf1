"""What a cohort is like: sets of conditions, the baseline table, onsets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from symphony_research.cohort.baseline import Baseline
from symphony_research.cohort.care_use import CareUse, care_use_of
from symphony_research.cohort.characteristics import baseline_of
from symphony_research.cohort.measures import measured
from symphony_research.cohort.onsets import onsets_of
from symphony_research.cohort.rows import PersonRows, as_date, conditions_on, listed_conditions
from symphony_research.cohort.strata import with_strata
from symphony_research.cohort.uptake import Uptake, uptake_of
from symphony_research.collapse import Onsets, Patterns, names_of
from symphony_research.errors import ArgumentError

__all__ = ["Described"]


class Described:
    """Collapses of who people are, by their rows."""

    _rows: PersonRows

    def patterns(
        self,
        *,
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        on: str | date = "index",
        months: int = 12,
        conditions: Sequence[str] | None = None,
    ) -> Patterns:
        """Collapse the cohort to sets of conditions.

        Parameters
        ----------
        by : str or sequence of str
            Strata, any of `STRATA`.
        values : str or sequence of str
            "cost" (pounds), "cost_<setting>", "contacts_<setting>",
            "emergency_admissions", "bed_days": each person's sum over the months
            from the index date, zeros included. Care after the study's last day
            is not known: the sums of people who join within the last months are of a
            shorter time.
        on : "index" or date
            The day on which a condition must already be recorded.
        months : int, default 12
            Length of the window of `values`.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.

        Raises
        ------
        ArgumentError
            If a stratum, value or condition is unknown.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study())
        >>> cohort.patterns(by="sex", values="cost").by
        ('sex',)
        """
        self._rows.require_one_index("patterns")
        by, values = names_of(by), names_of(values)
        listed = listed_conditions(self._rows.study, conditions)
        people = with_strata(self._rows, by)
        day = pl.col("index_date") if on == "index" else pl.lit(as_date(on, "on"))
        held = conditions_on(self._rows, day, listed).drop("index_date")
        if values:
            people = people.join(measured(self._rows, values, months), on="person_id", how="left").with_columns(
                pl.col(values).fill_null(0.0)
            )
        return Patterns.from_long(
            held,
            people.select("person_id", *by, *values),
            by=by,
            values=values,
            conditions=listed,
            provenance=self._rows.study.provenance(
                **self._rows.rules,
                on=str(on),
                values=list(values),
                months=months if values else None,
                conditions=len(listed),
            ),
        )

    def baseline(
        self,
        *,
        by: str | Sequence[str] = (),
        months: int = 12,
        conditions: Sequence[str] | None = None,
        commonest: int = 10,
    ) -> Baseline:
        """Describe the cohort at the index date: who the people are, and the care of the months before.

        Parameters
        ----------
        by : str or sequence of str
            Strata, any of `STRATA`: one column of the table each.
        months : int, default 12
            Length of the look-back: from so many months before the index date to
            the day before it.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.
        commonest : int, default 10
            How many conditions are listed by name: those that most people have by
            the released counts.

        Returns
        -------
        Baseline
            `characteristic`, `category`, `n_persons`, `estimate` (share of the
            people of the stratum), and in the row of cost `mean_cost` and
            `standard_deviation` (pounds). `sr.table` prints it as journals do.

        Raises
        ------
        ArgumentError
            If a stratum or condition is unknown, `months` is below one or
            `commonest` below zero.

        Notes
        -----
        Characteristics are those of the index date. Somebody who joined a
        practice, or was born, within the look-back is counted with what was
        observed of it, and so is whoever's look-back begins before the study
        does; the row `look_back` counts them. Where that is everybody, nothing
        is known of the whole look-back, and its rows are omitted. What a
        study does not record is omitted too: the note says what.

        Age is given in bands of ten years where the study has more than ten
        bands (0-4, 5-14, ... 75-84, 85+). A characteristic that is a stratum,
        or that a rule of the cohort fixes, is not repeated.

        References
        ----------
        von Elm, E. et al. (2007). The STROBE statement. Lancet 370, 1453-1457, item 14.
        Pollard, T. J. et al. (2018). tableone. JAMIA Open 1, 26-31.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study(), index="2013-04-01")
        >>> baseline = cohort.baseline()
        >>> baseline.estimates.columns
        ['characteristic', 'category', 'n_persons', 'estimate', 'mean_cost', 'standard_deviation']
        """
        self._rows.require_one_index("the baseline table")
        by, listed = names_of(by), listed_conditions(self._rows.study, conditions)
        if type(months) is not int or months < 1:
            raise ArgumentError(f"months={months} must be an integer number of months, at least one.")
        if type(commonest) is not int or commonest < 0:
            raise ArgumentError(f"commonest={commonest} must be an integer number of conditions, 0 for none.")
        held = conditions_on(self._rows, pl.col("index_date"), listed).drop("index_date")
        return baseline_of(
            self._rows,
            with_strata(self._rows, by),
            held,
            listed=listed,
            by=by,
            months=months,
            commonest=commonest,
        )

    def uptake(self, *, planned: int | None = None) -> Uptake:
        """Count whom the programme reached: of those ever eligible, by deprivation, when, after what time, and who stayed.

        Parameters
        ----------
        planned : int, optional
            How many people were to be enrolled, said beside how many were.

        Returns
        -------
        Uptake
            `question`, `category`, `n_persons` (enrolled), `n_eligible`, `share`: of the eligible, and further down of
            those who enrolled.

        Raises
        ------
        ArgumentError
            If the cohort is not one of enrolment, or `planned` is no number of people.

        Notes
        -----
        Eligible is whoever was registered and alive on some day of the study's period and met the cohort's rules on it before
        enrolling, or enrolled. Time to enrolling runs from the first such day.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study(2_000), programme="complex_care")
        >>> found = cohort.uptake().estimates
        >>> found.filter(found["question"] == "after a year")["category"].to_list()[0]
        'still enrolled'
        """
        return uptake_of(self._rows, planned)

    def care_use(
        self,
        *,
        by: str | Sequence[str] = (),
        horizon: int | None = 365,
        confidence: float = 0.95,
        optional: bool = False,
    ) -> CareUse:
        """Count contacts in each setting, and their cost, per person-year from the index date.

        Parameters
        ----------
        by : str or sequence of str
            Strata, any of `STRATA`, as of the index date.
        horizon : int, optional
            Days after the index date that are counted, as in `rates`; None for all.
        confidence : float, default 0.95
            Of the intervals.
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study has no activity.

        Returns
        -------
        CareUse
            The strata, `quantity` ("cost" in pounds of the study's price year, "contacts_<setting>" for each setting recorded),
            `n_persons`, `mean_years` (observed), `estimate` (per person-year), `lower`, `upper`, `standard_error`.

        Raises
        ------
        ArgumentError
            If a stratum is unknown, or the study has no activity.

        Notes
        -----
        Each row of activity is a contact. The standard error is that of a ratio of means (linearised), so it knows that contacts of
        one person go together.

        References
        ----------
        Cochran, W. G. (1977). Sampling Techniques, third edition, section 6.4. Wiley.

        Examples
        --------
        >>> import symphony_research as sr
        >>> sr.define_cohort(sr.example_study()).care_use().estimates["quantity"][0]
        'cost'
        """
        found: Any = care_use_of(self._rows, by=names_of(by), horizon=horizon, confidence=confidence, optional=optional)
        return found

    def onsets(
        self,
        *,
        adjust: str | Sequence[str] = ("sex", "birth_year"),
        birth_years: int = 5,
        washout_days: int = 90,
        on: str | date = "index",
        conditions: Sequence[str] | None = None,
    ) -> Onsets:
        """Hand over when each condition of each person began, for `networks.sequences`.

        Parameters
        ----------
        adjust : str or sequence of str, default ("sex", "birth_year")
            "birth_year", or any of `STRATA`: orders of onset are compared within them.
        birth_years : int, default 5
            Years of birth put together to one cohort: 10 for a few thousand people, 1
            where there are many millions.
        washout_days : int, default 90
            An onset from the day of joining any practice to this many days later
            was entered on joining, so its day is taken as unknown.
        on : "index" or date
            The last day of an onset. People no longer observed on a later day than
            the index date are excluded: what began in them by then is not known.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.

        Returns
        -------
        Onsets
            Person rows, which it does not show.

        Raises
        ------
        ArgumentError
            If a stratum or condition is unknown.

        Examples
        --------
        >>> import symphony_research as sr
        >>> sr.define_cohort(sr.example_study()).onsets()
        Onsets of 49 conditions by sex, birth_year (confidential: person rows)
        """
        return onsets_of(
            self._rows,
            adjust=names_of(adjust),
            birth_years=birth_years,
            washout_days=washout_days,
            on=on,
            conditions=conditions,
        )
