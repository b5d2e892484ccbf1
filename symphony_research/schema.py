"""The study folder's tables: columns, types, keys and ranges, in words a data manager reads.

This is the only description of the tables. The reader, the checks, the
generator and the data dictionary are all made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "GP",
    "KINDS",
    "MODES",
    "RESIDENCES",
    "SETTINGS",
    "SEXES",
    "STUDY_TABLES",
    "Column",
    "Table",
]

SEXES = ("F", "M", "other", "unknown")
RESIDENCES = ("own_home", "care_home")
SETTINGS = (
    "primary_care",
    "inpatient",
    "outpatient",
    "accident_and_emergency",
    "community",
    "mental_health",
    "social_care",
    "continuing_care",
)
KINDS = ("elective", "emergency", "maternity", "other")
GP = "general_practitioner"  # a role of staff
MODES = ("in_person", "remote", "virtual")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `type` is "identifier" (text or integer), "text", "date", "integer" or
    "number". A `required` column must be there; a `nullable` one may have missing values.
    """

    name: str
    type: str
    meaning: str
    required: bool = False
    nullable: bool = True
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of the study folder: what a row is, its columns and its key."""

    name: str
    row_is: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: bool = False

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)


def _required(name: str, kind: str, meaning: str, *, nullable: bool = False, **rules: object) -> Column:
    return Column(name, kind, meaning, required=True, nullable=nullable, **rules)  # type: ignore[arg-type]


_TABLES = (
    Table(
        "persons",
        "a person",
        (
            _required(
                "person_id",
                "identifier",
                "pseudonym of the person, the same in every table",
            ),
            _required("sex", "text", "sex as recorded", allowed=SEXES),
            _required("birth_date", "date", "date of birth; month precision is enough"),
            Column("death_date", "date", "date of death, empty while alive"),
            Column(
                "deprivation_decile",
                "integer",
                "tenth of the Index of Multiple Deprivation; 1 = most deprived",
                minimum=1,
                maximum=10,
            ),
            Column("area", "text", "small area of residence"),
            Column("residence", "text", "own home or care home", allowed=RESIDENCES),
        ),
        key=("person_id",),
        required=True,
    ),
    Table(
        "registrations",
        "a spell with a practice",
        (
            _required("person_id", "identifier", "person"),
            _required("practice_id", "identifier", "practice"),
            _required("start_date", "date", "first day registered"),
            Column("end_date", "date", "last day registered, empty while it lasts"),
        ),
        key=("person_id", "start_date"),
    ),
    Table(
        "conditions",
        "a person's condition",
        (
            _required("person_id", "identifier", "person"),
            _required("condition", "text", "name of the long-term condition"),
            _required(
                "onset_date",
                "date",
                "first day recorded; empty where only its presence is known, then it counts as always present",
                nullable=True,
            ),
        ),
        key=("person_id", "condition"),
        required=True,
    ),
    Table(
        "activity",
        "a contact or spell",
        (
            _required("person_id", "identifier", "person"),
            _required("date", "date", "day of the contact, or of admission"),
            _required("setting", "text", "setting of care", allowed=SETTINGS),
            Column("end_date", "date", "day of discharge"),
            Column("kind", "text", "how it came about", allowed=KINDS),
            _required("cost", "number", "cost in pounds of the study's price year", minimum=0),
            Column("provider", "text", "organisation that gave the care"),
            Column("staff_role", "text", "role of the member of staff"),
            Column("specialty", "text", "specialty of the care"),
            Column("mode", "text", "in person, remote or virtual", allowed=MODES),
        ),
    ),
    Table(
        "enrolments",
        "a person on a programme",
        (
            _required("person_id", "identifier", "person"),
            _required("programme", "text", "programme, such as complex_care"),
            _required("hub", "text", "hub that gives it"),
            _required("start_date", "date", "first day on the programme"),
            Column("end_date", "date", "last day on the programme, empty while it lasts"),
        ),
        key=("person_id", "programme", "start_date"),
    ),
    Table(
        "practices",
        "a practice",
        (
            _required("practice_id", "identifier", "practice"),
            Column("name", "text", "name of the practice"),
            Column("hub", "text", "hub the practice refers to"),
            Column("list_size", "integer", "people registered", minimum=0),
        ),
        key=("practice_id",),
    ),
    Table(
        "practice_programmes",
        "a programme reaching a practice",
        (
            _required("practice_id", "identifier", "practice"),
            _required("programme", "text", "programme, such as health_coaching"),
            _required("start_date", "date", "first day"),
            Column("end_date", "date", "last day, empty while it lasts"),
            Column("whole_time_staff", "number", "whole-time equivalent staff", minimum=0),
        ),
        key=("practice_id", "programme", "start_date"),
    ),
    Table(
        "population",
        "people of one sex and age in one year, by area where areas differ",
        (
            Column("area", "text", "area"),
            _required("year", "integer", "mid-year", minimum=1900, maximum=2200),
            _required("sex", "text", "sex", allowed=SEXES),
            _required(
                "age",
                "integer",
                "age in completed years; the last may be open",
                minimum=0,
                maximum=125,
            ),
            _required("persons", "number", "people", minimum=0),
        ),
        key=("area", "year", "sex", "age"),
    ),
    Table(
        "outcomes",
        "a measure of a person",
        (
            _required("person_id", "identifier", "person"),
            _required("date", "date", "day measured"),
            _required("measure", "text", "name of the measure"),
            _required("value", "number", "its value"),
        ),
    ),
)

STUDY_TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
