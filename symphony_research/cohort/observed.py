"""What happens to a cohort: time to an event, every event, events and person-years, readmissions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from symphony_research.cohort.follow_up import follow_up_of
from symphony_research.cohort.home import days_at_home_of
from symphony_research.cohort.rates import rates_of
from symphony_research.cohort.readmission import ReadmissionRate, readmissions_of
from symphony_research.cohort.recurrent import RecurrentEvents, recurrent_events_of
from symphony_research.cohort.rows import PersonRows
from symphony_research.collapse import Collapsed, names_of

__all__ = ["Observed"]


class Observed:
    """Collapses of what happens to people, by their rows."""

    _rows: PersonRows

    def follow_up(
        self,
        *,
        event: str | None = None,
        until: date | str | None = None,
        horizon: int | None = None,
        by: str | Sequence[str] = (),
        washout: int | None = None,
        entry: date | str = "index",
        leave_programme: bool = False,
        enrolment: str | None = None,
        unit: str | None = None,
        lost: bool = False,
        optional: bool = False,
    ) -> Collapsed:
        """Collapse the time from the index date to the first event.

        Parameters
        ----------
        event : str, optional
            By default an emergency admission, or death where the study records
            none. One of `EVENTS`: "emergency_admission", "admission",
            "accident_and_emergency", "outpatient", "readmission" (an emergency
            admission after a live discharge; time runs from each discharge) or "death".
        until : date, optional
            Last day of follow-up; by default that of the data: the study's, or an earlier one
            on which a table that is needed ends (`[period] data_end` of study.toml).
        horizon : int, optional
            Days after the index date (or the discharge) at which follow-up ends; an event on
            the last of them counts, and whoever has none by then is censored half a day later.
        by : str or sequence of str
            Strata, any of `STRATA`.
        washout : int, optional
            Exclude people with the event in so many days before the index date.
        entry : "index" or date
            The first day on which anybody is observed, where that is later than index
            dates: those people enter late, and whoever had the event before is excluded.
        leave_programme : bool, default False
            End follow-up on the last day on the programme.
        enrolment : str, optional
            A programme: people are observed before and after they join it, as the stratum
            `enrolled`, "no" up to that day and "yes" from it on. For a cohort with an index date.
        unit : {"person", "discharge"}, optional
            What is observed after a discharge: each person's first live discharge, or by
            default every one.
        lost : bool, default False
            Add a column `lost`: 1 for whoever left their practice, and so the study, before anything else ended
            their follow-up, for `sr.survival.loss_bounds`.
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study does not record the event.

        Returns
        -------
        Collapsed
            `time` (days from index, in half days: what happens on the index day itself is
            at half a day), `event` (0 = censored, 1 = the event, 2 = death first), `entry`,
            the strata, `n_persons`; by discharge also `n_discharges`. Its `attrition` says
            who of the cohort is not in it.

        Raises
        ------
        ArgumentError
            If the event or a stratum is unknown, or the study has no activity.

        Notes
        -----
        Inpatient spells that touch or overlap are one stay, and its admission one
        event. Discharges of one person are not independent, so standard errors of a curve by
        discharge are too small, and it is not released: `readmissions` gives the share
        readmitted with an interval by person, `unit="person"` a curve of people.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study())
        >>> cohort.follow_up(event="death").columns
        ['time', 'event', 'entry', 'n_persons']
        """
        found: Any = follow_up_of(
            self._rows,
            event=event,
            until=until,
            horizon=horizon,
            by=names_of(by),
            washout=washout,
            entry=entry,
            leave_programme=leave_programme,
            enrolment=enrolment,
            unit=unit,
            lost=lost,
            optional=optional,
        )
        return found

    def rates(
        self,
        *,
        event: str | None = None,
        by: str | Sequence[str] = (),
        until: date | str | None = None,
        horizon: int | None = None,
        entry: date | str = "index",
        leave_programme: bool = False,
        enrolment: str | None = None,
        first: bool = False,
        episode_days: int = 0,
        optional: bool = False,
    ) -> Collapsed:
        """Collapse events and the time people are observed for rates.

        Parameters
        ----------
        event : str, optional
            As in `follow_up`, but for "readmission".
        by : str or sequence of str
            "year" (calendar), "age_band" (attained age: people grow older as they are
            observed), and any other of `STRATA`, as of the index date.
        until, horizon, entry, leave_programme, enrolment
            As in `follow_up`.
        first : bool, default False
            Count first events alone, and no time after them; else every event and all time.
        episode_days : int, default 0
            An event within so many days of the person's event before it is of the same episode.
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study does not record the event.

        Returns
        -------
        Collapsed
            The strata, `n_persons` (observed in them), `n_with_event` (people), `n_events`,
            `n_events_squared` (summed over people, for intervals where people have several)
            and `person_years` (of 365.25 days). `sr.survival.event_rate` takes it.

        Raises
        ------
        ArgumentError
            If the event or a stratum is unknown, or the study has no activity.

        Notes
        -----
        Somebody observed in two years, or at two ages, is counted in both, so people
        do not add up over them; events and person-years do.

        Examples
        --------
        >>> import symphony_research as sr
        >>> deaths = sr.define_cohort(sr.example_study()).rates(event="death", by=("year", "sex"))
        >>> deaths.columns
        ['year', 'sex', 'n_persons', 'n_with_event', 'n_events', 'n_events_squared', 'person_years']
        """
        found: Any = rates_of(
            self._rows,
            event=event,
            by=names_of(by),
            until=until,
            horizon=horizon,
            entry=entry,
            leave_programme=leave_programme,
            enrolment=enrolment,
            first=first,
            episode_days=episode_days,
            optional=optional,
        )
        return found

    def recurrent_events(
        self,
        *,
        event: str | None = None,
        by: str | Sequence[str] = (),
        until: date | str | None = None,
        horizon: int | None = None,
        entry: date | str = "index",
        leave_programme: bool = False,
        episode_days: int = 0,
        optional: bool = False,
    ) -> RecurrentEvents:
        """List every event of people up to death or censoring, for `sr.survival.mean_cumulative_count`.

        Parameters
        ----------
        event : str, optional
            By default an emergency admission; as in `follow_up`, but for "death" and "readmission".
        by : str or sequence of str
            Strata, any of `STRATA`, as of the index date.
        until, horizon, entry, leave_programme
            As in `follow_up`.
        episode_days : int, default 0
            An event within so many days of the person's event before it is of the same episode.
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study does not record the event.

        Returns
        -------
        RecurrentEvents
            People and events by day, which are not shown: a variance by person follows from no table of counts.

        Raises
        ------
        ArgumentError
            If the event or a stratum is unknown, the study does not record it, or it happens once.

        Examples
        --------
        >>> import symphony_research as sr
        >>> again = sr.define_cohort(sr.example_study()).recurrent_events(horizon=365)
        >>> again
        RecurrentEvents of 'emergency_admission' (people are not shown)
        >>> sr.survival.mean_cumulative_count(again).settings["recurrent_name"]
        'emergency_admission'
        """
        found: Any = recurrent_events_of(
            self._rows,
            event=event,
            by=names_of(by),
            until=until,
            horizon=horizon,
            entry=entry,
            leave_programme=leave_programme,
            episode_days=episode_days,
            optional=optional,
        )
        return found

    def readmissions(
        self,
        *,
        days: int = 30,
        by: str | Sequence[str] = (),
        until: date | str | None = None,
        exclude_kinds: str | Sequence[str] = (),
        confidence: float = 0.95,
        optional: bool = False,
    ) -> ReadmissionRate:
        """Estimate the share of live discharges followed by an emergency admission.

        Parameters
        ----------
        days : int, default 30
            An emergency admission up to so many days after the discharge counts.
        by : str or sequence of str
            Strata, any of `STRATA`, as of the index date.
        until : date, optional
            Last day of follow-up, as in `follow_up`.
        exclude_kinds : str or sequence of str
            Kinds of stay whose discharges are excluded, such as "maternity".
        confidence : float, default 0.95
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study does not record the event.

        Returns
        -------
        ReadmissionRate
            `n_persons` (with a discharge), `n_readmitted` (people), `discharges_per_person`,
            `n_discharges`, `n_readmissions`, `estimate` (share of discharges),
            `standard_error`, `lower`, `upper`.

        Raises
        ------
        ArgumentError
            If a stratum or kind is unknown, or the study does not record how admissions came about.

        Notes
        -----
        Every discharge within follow-up counts, from a stay of any kind, if the person
        left alive and the days after it were observed (to the end of the data and of
        registration; whoever dies in them was not readmitted). Spells that touch are one
        stay. A readmission after a planned stay counts for each discharge before it. The share is a ratio of two sums over people, and its variance is by person:
        of n people with d discharges and r readmissions each, in all D and R, with p = R / D,
        n / (n - 1) times the sum of (r - p d) squared over D squared. The interval is
        Wilson's, of the number of independent discharges with that variance.

        References
        ----------
        Cochran, W. G. (1977). Sampling Techniques, 3rd edition, section 2.11 (ratio estimator). Wiley.
        Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
        inference. Journal of the American Statistical Association 22, 209-212.

        Examples
        --------
        >>> import symphony_research as sr
        >>> rate = sr.define_cohort(sr.example_study()).readmissions()
        >>> rate.settings["days"]
        30
        """
        found: Any = readmissions_of(
            self._rows,
            days=days,
            by=names_of(by),
            until=until,
            exclude_kinds=names_of(exclude_kinds),
            confidence=confidence,
            optional=optional,
        )
        return found

    def days_at_home(
        self,
        *,
        horizon: int = 365,
        by: str | Sequence[str] = (),
        until: date | str | None = None,
        optional: bool = False,
    ) -> Collapsed:
        """Collapse the days that people are alive and out of hospital over a horizon from the index date.

        Parameters
        ----------
        horizon : int, default 365
            Days from the index date, which is the first of them.
        by : str or sequence of str
            Strata, any of `STRATA`.
        until : date, optional
            Last day of follow-up, as in `follow_up`.
        optional : bool, default False
            Return a `NotAvailable`, which stands in a report as one sentence, where the study records no hospital stays
            or not when they ended.

        Returns
        -------
        Collapsed
            `time` (days from index to death, censoring or the horizon), `event` (1 = death), the strata, `n_persons`,
            and sums over them: `days_at_home`, `days_at_home_squared`. `sr.survival.days_at_home` takes it.

        Raises
        ------
        ArgumentError
            If a stratum is unknown, or the study has no activity or no days of discharge.

        Notes
        -----
        A day in hospital is a night there: a stay takes the days from admission up to the one before discharge, so that
        a day case takes none. Spells that touch are one stay. The day of death is no day at home.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study())
        >>> cohort.days_at_home(horizon=90).columns
        ['time', 'event', 'n_persons', 'days_at_home', 'days_at_home_squared']
        """
        found: Any = days_at_home_of(self._rows, horizon=horizon, by=names_of(by), until=until, optional=optional)
        return found
