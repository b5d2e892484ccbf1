"""Real public cohorts as study folders, and why some cannot be: what is missing in them is omitted, and nothing is made up."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from made_studies import StudyPlan, write_settings

# long-term conditions by the first three digits of ICD-9: (lowest, highest)
ICD9 = {
    "cancer": (140, 208), "hypothyroidism": (243, 244), "diabetes": (250, 250), "lipid_disorder": (272, 272),
    "obesity": (278, 278), "anaemia": (280, 285), "psychosis": (295, 298), "anxiety": (300, 300),
    "alcohol_or_drugs": (303, 305), "depression": (311, 311), "epilepsy": (345, 345), "hypertension": (401, 405),
    "ischaemic_heart_disease": (410, 414), "arrhythmia": (427, 427), "heart_failure": (428, 428),
    "cerebrovascular_disease": (430, 438), "arterial_disease": (440, 448), "chronic_lung_disease": (490, 496),
    "liver_disease": (571, 571), "kidney_disease": (581, 588), "arthritis": (710, 719), "back_pain": (720, 724),
}  # fmt: skip
# cohorts of the shared data that have no study folder, and why
NOT_BROUGHT_IN = {
    "utilisation/randhie_full": "diseases are counted in `disea`, not named; neither onset nor calendar date",
    "utilisation/AER_NMES1988": "chronic conditions are counted in `chronic`, not named",
    "utilisation/Ecdat_MedExp": "diseases are counted in `ndisease`, not named",
    "utilisation/Ecdat_DoctorAUS": "`chcond` says whether there is a chronic condition, not which",
    "utilisation/COUNT_rwm5yr": "no condition is recorded",
    "utilisation/COUNT_medpar": "no condition is recorded, and no sex or age in years",
    "utilisation/COUNT_azpro": "one procedure a row; no condition is recorded",
    "utilisation/NHSR_LOS_model": "no condition is recorded, and no sex",
    "utilisation/NHSR_ae_attendances": "totals by organisation and month: no persons",
    "survival/readmission": "the Charlson index is a score; no condition is named but the cancer that everybody has",
    "survival (colon, rotterdam, pbc, mgus2, cgd, bladder, ebmt3, ebmt4, prothr, bmt, heart)": "everybody has the one "
    "disease that the cohort is of: there is no combination to count",
    "survival/flchain": "no condition is recorded but the cause of death",
    "rollmatch": "`chron_num` counts chronic conditions, and does not name them",
    "ons_south_somerset, ons_bristol": "totals by sex and age: no persons",
    "codemaps/caliber308": "code lists: no persons",
}


def real_plans(data: Path) -> list[StudyPlan]:
    """List the real cohorts that become study folders."""
    return [
        StudyPlan("BRFSS 2020", "real", lambda folder: _brfss(data, folder), lacking="costs, onsets, activity, hubs"),
        StudyPlan(
            "Diabetes 130", "real", lambda folder: _diabetes130(data, folder), lacking="costs, onsets, activity, hubs"
        ),
        StudyPlan("NHEFS", "real", lambda folder: _nhefs(data, folder), lacking="costs, onsets, activity, hubs"),
        StudyPlan("NHANES", "real", lambda folder: _nhanes(data, folder), lacking="costs, onsets, activity, hubs"),
        StudyPlan("MIMIC-III demo", "real", lambda folder: _mimic3(data, folder), lacking="costs, hubs"),
        StudyPlan("Synthea", "real", lambda folder: _synthea(data, folder), lacking="costs, hubs"),
    ]


def _brfss(data: Path, folder: Path) -> None:
    file = _there(data / "brfss2020" / "heart_2020_cleaned.csv.zip")
    command = [
        sys.executable,
        "-m",
        "symphony_research",
        "import",
        "survey",
        str(file),
        str(folder),
        "--config",
        "brfss2020",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join((done.stdout + done.stderr).split())[:300])


def _diabetes130(data: Path, folder: Path) -> None:
    """Stays have no date, so a condition is known to be there and no more; ages are decades, and births mid-decade."""
    with zipfile.ZipFile(_there(data / "diabetes130" / "dataset_diabetes.zip")) as archive:
        text = archive.read("dataset_diabetes/diabetic_data.csv").decode()
    persons: dict[str, dict[str, object]] = {}
    held: set[tuple[str, str]] = set()
    for row in csv.DictReader(io.StringIO(text)):
        person = row["patient_nbr"]
        decade = int(row["age"].strip("[)").split("-")[0])
        sex = {"Female": "F", "Male": "M"}.get(row["gender"], "unknown")
        persons.setdefault(person, {"person_id": person, "sex": sex, "birth_date": date(2003 - decade, 7, 1)})
        held |= {(person, name) for code in ("diag_1", "diag_2", "diag_3") for name in _icd9(row[code])}
        held.add((person, "diabetes"))
    bands = tuple(range(0, 100, 10))
    _write(
        folder, "Diabetes 130-US hospitals", date(2008, 12, 31), date(2008, 12, 31), persons, present(held), bands=bands
    )


def _nhefs(data: Path, folder: Path) -> None:
    """Conditions are those of the visit of 1971; a death has its month at most, and is taken to be mid-year."""
    names = {
        "asthma": "asthma", "bronch": "chronic_bronchitis", "tb": "tuberculosis", "hf": "heart_failure",
        "pepticulcer": "peptic_ulcer", "colitis": "colitis", "hepatitis": "hepatitis", "hayfever": "hay_fever",
        "polio": "polio", "tumor": "tumour", "nervousbreak": "nervous_breakdown", "headache": "headache",
        "hbp": "hypertension", "diabetes": "diabetes",
    }  # fmt: skip
    persons: dict[str, dict[str, object]] = {}
    held = set()
    for row in _rows(data / "utilisation" / "causaldata_nhefs.csv"):
        person = row["seqn"]
        death = date(1900 + int(float(row["yrdth"])), 7, 1) if row["death"] == "1" and row["yrdth"] else None
        sex, birth = "F" if row["sex"] == "1" else "M", date(1971 - int(float(row["age"])), 1, 1)
        persons[person] = {"person_id": person, "sex": sex, "birth_date": birth, "death_date": death}
        held |= {(person, name) for column, name in names.items() if row[column] == "1"}
    _write(folder, "NHEFS", date(1971, 7, 1), date(1992, 12, 31), persons, present(held))


def _nhanes(data: Path, folder: Path) -> None:
    """One row a person: the file repeats people in place of weights, and each is taken once."""
    rules = {
        "diabetes": lambda row: row["Diabetes"] == "Yes",
        "depression": lambda row: row["Depressed"] in ("Several", "Most"),
        "sleep_trouble": lambda row: row["SleepTrouble"] == "Yes",
        "obesity": lambda row: _number(row["BMI"]) >= 30,
        "high_blood_pressure": lambda row: _number(row["BPSysAve"]) >= 140 or _number(row["BPDiaAve"]) >= 90,
        "high_cholesterol": lambda row: _number(row["TotChol"]) >= 6.2,
    }
    persons: dict[str, dict[str, object]] = {}
    held = set()
    for row in _rows(data / "utilisation" / "NHANES.csv"):
        person, sex = row["ID"], {"female": "F", "male": "M"}.get(row["Gender"], "unknown")
        persons[person] = {"person_id": person, "sex": sex, "birth_date": date(2010 - int(row["Age"]), 1, 1)}
        held |= {(person, name) for name, rule in rules.items() if rule(row)}
    _write(folder, "NHANES 2009-12", date(2010, 7, 1), date(2010, 7, 1), persons, present(held))


def _mimic3(data: Path, folder: Path) -> None:
    """Each patient's dates are shifted by an unknown span, so that each is moved: the first admission is day one."""
    first_day, place = date(2010, 1, 1), data / "mimic3_demo"
    stays = {row["hadm_id"]: row for row in _rows(place / "ADMISSIONS.csv")}
    moved: dict[str, timedelta] = {}
    for row in sorted(stays.values(), key=lambda row: row["admittime"]):
        moved.setdefault(row["subject_id"], first_day - _day(row["admittime"]))
    persons: dict[str, dict[str, object]] = {}
    for row in _rows(place / "PATIENTS.csv"):
        who, shift = row["subject_id"], moved[row["subject_id"]]
        birth = max(_day(row["dob"]) + shift, date(1915, 1, 1))  # those over 89 have one 300 years before
        death = max(_day(row["dod"]) + shift, first_day) if row["dod"] else None
        persons[who] = {"person_id": who, "sex": row["gender"], "birth_date": birth, "death_date": death}
    kinds = {"EMERGENCY": "emergency", "URGENT": "emergency", "ELECTIVE": "elective"}
    activity = []
    for row in stays.values():
        who, begin, end = row["subject_id"], _day(row["admittime"]), _day(row["dischtime"])
        shift, died = moved[who], persons[who]["death_date"]
        dates = [begin + shift, end + shift]
        dates = [min(day, died) for day in dates] if isinstance(died, date) else dates
        activity.append([who, dates[0], "inpatient", dates[1], kinds.get(row["admission_type"], "other"), 0.0])
    onsets: dict[tuple[str, str], date | None] = {}
    for row in _rows(place / "DIAGNOSES_ICD.csv"):
        who, day = row["subject_id"], _day(stays[row["hadm_id"]]["admittime"]) + moved[row["subject_id"]]
        for name in _icd9(row["icd9_code"]):
            earlier = onsets.get((who, name))
            onsets[who, name] = min(day, earlier) if earlier else day
    _write(folder, "MIMIC-III demo", first_day, date(2019, 12, 31), persons, onsets, activity=activity)


def _synthea(data: Path, folder: Path) -> None:
    """A condition is long-term where somebody has it without an end."""
    with zipfile.ZipFile(_there(data / "synthea" / "Synthea27Nj_5.4.zip")) as archive:
        tables = {
            name: list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode())))
            for name in ("PERSON", "CONDITION_OCCURRENCE", "VISIT_OCCURRENCE", "DEATH", "CONCEPT")
        }
    names = {row["concept_id"]: row["concept_name"].lower().replace(" ", "_") for row in tables["CONCEPT"]}
    deaths = {row["person_id"]: date.fromisoformat(row["death_date"]) for row in tables["DEATH"]}
    persons = {
        row["person_id"]: {
            "person_id": row["person_id"],
            "sex": row["gender_source_value"],
            "birth_date": _day(row["birth_datetime"]),
            "death_date": deaths.get(row["person_id"]),
        }
        for row in tables["PERSON"]
    }
    onsets: dict[tuple[str, str], date | None] = {}
    for row in tables["CONDITION_OCCURRENCE"]:
        name = names.get(row["condition_concept_id"])
        if name and not row["condition_end_date"]:
            key, day = (row["person_id"], name), date.fromisoformat(row["condition_start_date"])
            onsets[key] = min(day, onsets[key] or day) if key in onsets else day
    settings = {"9201": "inpatient", "9202": "outpatient", "9203": "accident_and_emergency"}
    activity = []
    for row in tables["VISIT_OCCURRENCE"]:
        who, setting = row["person_id"], settings.get(row["visit_concept_id"], "primary_care")
        begin, end = (date.fromisoformat(row[f"visit_{side}_date"]) for side in ("start", "end"))
        death = deaths.get(who)
        if date(2015, 1, 1) <= begin <= date(2022, 12, 31) and (death is None or end <= death):
            spell = [end, "other"] if setting == "inpatient" else [None, None]
            activity.append([who, begin, setting, *spell, 0.0])
    _write(folder, "Synthea", date(2015, 1, 1), date(2022, 12, 31), persons, onsets, activity=activity)


def present(held: Iterable[tuple[str, str]]) -> dict[tuple[str, str], date | None]:
    """Return conditions of which only the presence is known."""
    return dict.fromkeys(held)


def _write(
    folder: Path,
    name: str,
    start: date,
    end: date,
    persons: Mapping[str, Mapping[str, object]],
    onsets: Mapping[tuple[str, str], date | None],
    *,
    activity: list[list[object]] | None = None,
    bands: tuple[int, ...] | None = None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(list(persons.values()), infer_schema_length=None).write_parquet(folder / "persons.parquet")
    rows = [[*key, onsets[key]] for key in sorted(onsets)]
    schema: dict[str, type[pl.DataType]] = {"person_id": pl.String, "condition": pl.String, "onset_date": pl.Date}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "conditions.parquet")
    if activity is not None:
        types = [pl.String, pl.Date, pl.String, pl.Date, pl.String, pl.Float64]
        schema = dict(zip(("person_id", "date", "setting", "end_date", "kind", "cost"), types, strict=True))
        pl.DataFrame(activity, schema=schema, orient="row").write_parquet(folder / "activity.parquet")
    write_settings(folder, name, start, end, age_bands=bands)


def _there(file: Path) -> Path:
    if not file.exists():
        raise FileNotFoundError(f"{file.parent.name}/{file.name} is not in the folder of shared data")
    return file


def _rows(file: Path) -> list[dict[str, str]]:
    with _there(file).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _icd9(code: str) -> list[str]:
    """Return the long-term condition that a code stands for, if any."""
    head = code.split(".")[0][:3]
    return [name for name, (low, high) in ICD9.items() if head.isdigit() and low <= int(head) <= high]
