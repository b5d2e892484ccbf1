"""A small study of invented people, in memory, for examples and first steps."""

from __future__ import annotations

from functools import cache

from symphony_research.door.table import conform
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import Study, empty

__all__ = ["example_study"]


@cache
def example_study(people: int = 200) -> Study:
    """Return a study of invented people, 200 of them registered in 2012-13, held in memory.

    It is made by the generator of the public study, always the same, so it may
    be shown as it is: `Policy.synthetic()` is accepted.

    Parameters
    ----------
    people : int, default 200
        How many are registered in 2012-13. Of 200 nobody is on a programme; of 3,000 some are.

    Returns
    -------
    Study
        With every table of the schema; `persons` holds everyone ever registered in the seven years.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.example_study().name
    'Example of 200 invented people in 2012-13'
    """
    from symphony_research.synthetic import generate_tables
    from symphony_research.synthetic.parameters import (
        CONDITION_NAMES,
        PERIOD_END,
        PERIOD_START,
        PRICE_YEAR,
        PRIORITY_CONDITIONS,
    )

    made = generate_tables(people, seed=2013)
    tables = {name: conform(STUDY_TABLES[name], frame.lazy()).collect() for name, frame in made.items()}
    return Study(
        f"Example of {people:,} invented people in 2012-13",
        (PERIOD_START, PERIOD_END),
        {name: tables[name].lazy() if name in tables else empty(table) for name, table in STUDY_TABLES.items()},
        conditions_listed=CONDITION_NAMES,
        fingerprint=f"example-2013-{people}",
        generated=True,
        given=frozenset(tables),
        price_year=PRICE_YEAR,
        priority_conditions=PRIORITY_CONDITIONS,
    )
