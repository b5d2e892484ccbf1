"""The baseline table of a cohort ("Table 1"): who the people are at the index date, and their care before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort.bands import CONDITION_BANDS, age_band_names, ages_of, wide_age_bands, within_wide
from symphony_research.collapse.margins import beside
from symphony_research.collapse.set_roles import MARGINS, of_everybody
from symphony_research.population import Population
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Partition, Relation, everybody, feature_list, of_size
from symphony_research.result.roles import Count, Internal, Key, Mean, Role, TableRoles
from symphony_research.schema import SEXES
from symphony_research.words.lexicon import NOT_ESTIMABLE, NOT_RECORDED, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number, roughly
from symphony_research.words.phrases import strata_words

__all__ = ["CARE", "COST", "LOOK_BACK", "MOST_CONDITIONS", "NUMBER", "PART", "WHOLE", "Baseline"]

Tables = Mapping[str, pl.DataFrame]

PEOPLE, CONDITION, COST, LOOK_BACK = "people", "condition", "cost", "look_back"
WHOLE, PART = "whole", "part"  # of the look-back was observed
# numbers of what are counted before the index date, and which event of a cohort each is
CARE = MappingProxyType(
    {"emergency_admissions": "emergency_admission", "accident_and_emergency_attendances": "accident_and_emergency"}
)
NUMBER, MOST_CONDITIONS = "n_conditions", 4
STRATA = ("sex", "age_band", "ten_year_age_band", "deprivation_quintile")
ORDER = (PEOPLE, *STRATA, NUMBER, CONDITION, *CARE, LOOK_BACK, COST)
INDENT = "\u2003"
OLD, SEVERAL = 65, 3  # years, and conditions, that the sentence names
MOST_GROUPS = 4  # that one sentence has room for


class Baseline(Result):
    """People by characteristic at the index date, and the care and mean cost of the months before it."""

    title: ClassVar[str] = "Baseline characteristics"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"months", "commonest", "age_bands", "whole_list"})
    shown: ClassVar[tuple[str, ...]] = (
        "characteristic", "category", "n_persons", "estimate", "mean_cost", "standard_deviation",
    )  # fmt: skip
    percentages: ClassVar[tuple[str, ...]] = ("estimate",)
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Counts by category, with each condition, and of all, whose cost has a mean and a standard deviation."""
        value = f"cost in the {settings['months']} months before" if "months" in settings else COST
        of_all: dict[str, Role] = {
            "n_persons": Count(),
            "mean_cost": Mean("n_persons", "herfindahl_cost", value),
            "standard_deviation": Mean("n_persons", "herfindahl_cost"),
            "herfindahl_cost": Internal(),
        }
        categories: dict[str, Role] = {"characteristic": Key(), "category": Key(), "n_persons": Count()}
        return {
            "categories": TableRoles(categories, _of_category),
            "conditions": MARGINS,
            "population": TableRoles(of_all, of_everybody),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield that the categories of a characteristic are everybody, and which strata of other tables make one up."""
        groups = tables["categories"].partition_by("characteristic", maintain_order=True)
        for group in groups:
            cells = {row["category"]: _of_category(row, "", settings) for row in group.iter_rows(named=True)}
            if group["characteristic"][0] != NUMBER:  # numbers of conditions say by themselves whom they make up
                yield Partition(everybody(), tuple(cells.values()))
            for category, parts in _as_elsewhere(group["characteristic"][0], settings):
                if category in cells:
                    yield Partition(cells[category], tuple(parts))

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out standard deviations where a stratum's mean is suppressed: the others' would give its squares away."""
        population = tables["population"]
        if not by or "mean_cost" not in population.columns:
            return tables
        if not population.select(pl.col("mean_cost").is_null().any()).item():
            return tables
        gone = pl.lit(None, dtype=pl.Float64).alias("standard_deviation")
        return {**tables, "population": population.with_columns(gone)}

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Share of the stratum's people in each category; of the conditions, those that most people have."""
        population = tables["population"].with_row_index("__stratum")
        totals = population.select("__stratum", *by, pl.col("n_persons").alias("__total"))
        counts = [tables["categories"].select(*by, "characteristic", "category", "n_persons")]
        if "conditions" in tables:
            counts.append(_commonest(tables["conditions"], settings["commonest"], by))
        shares = beside(pl.concat(counts).with_row_index("__row"), totals, by).with_columns(
            # of nobody there is no share
            pl.when(pl.col("__total") > 0).then(pl.col("n_persons") / pl.col("__total")).alias("estimate")
        )
        nothing = pl.lit(None, dtype=pl.Float64)
        all_rows = [_of_all(population, by, PEOPLE, "all"), shares]
        if "mean_cost" in population.columns:
            figures = (pl.col("mean_cost"), pl.col("standard_deviation"))
            all_rows.append(_of_all(population, by, COST, "mean", *figures))
        frame = pl.concat(all_rows, how="diagonal")
        frame = frame.with_columns(nothing.alias(c) for c in Baseline.shown[4:] if c not in frame.columns)
        order = pl.col("characteristic").replace_strict(list(ORDER), list(range(len(ORDER))), return_dtype=pl.Int64)
        return frame.sort("__stratum", order, "__row", nulls_last=True).select(*by, *Baseline.shown)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return a mark for what is suppressed, another for what a row does not have."""
        done, characteristic = self.disclosure, record["characteristic"]
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        has = column == "n_persons" or (
            characteristic == COST if column in Baseline.shown[4:] else characteristic not in (PEOPLE, COST)
        )
        return SUPPRESSED if has and record["n_persons"] != 0 else NOT_ESTIMABLE

    # -- as journals print it ------------------------------------------------------------------------------------

    def display(self) -> pl.DataFrame:
        """Return the table in words: a heading row to each characteristic, and a column to each stratum."""
        frame = self.named
        strata = frame.select(self.by).unique(maintain_order=True).rows() if self.by else [()]
        titles = ["Characteristic"]
        for own in strata:
            title = strata_words(dict(zip(self.by, own, strict=True))) if self.by else "All"
            while title in titles:  # two names that read alike
                title += "\u00a0"
            titles.append(title)
        by_row: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in frame.iter_rows(named=True):
            by_row.setdefault((row["characteristic"], row["category"]), []).append(row)
        lines: list[tuple[str, ...]] = []
        before = ""
        for (characteristic, category), rows in by_row.items():
            if _needless(characteristic, category, rows):
                continue
            if characteristic != before and characteristic not in (PEOPLE, LOOK_BACK, COST):
                lines.append((self._heading(characteristic), *[""] * len(strata)))
            before = characteristic
            lines.append((self._label(characteristic, category), *(self._figures(row) for row in rows)))
        return pl.DataFrame(lines, schema=dict.fromkeys(titles, pl.String), orient="row")

    def _heading(self, characteristic: str) -> str:
        months = self.settings["months"]
        words = {
            "sex": "Sex",
            "age_band": "Age, years",
            "ten_year_age_band": "Age, years",
            "deprivation_quintile": "Deprivation, national fifths",
            NUMBER: "Number of long-term conditions",
            CONDITION: "Commonest long-term conditions (a person may have several)",
            "emergency_admissions": f"Emergency admissions, {months} months before",
            "accident_and_emergency_attendances": f"A&E attendances, {months} months before",
        }
        return f"{words[characteristic]}, n (%)"

    def _label(self, characteristic: str, category: str) -> str:
        """Return the words of a row, set in under its heading where it has one."""
        months = self.settings["months"]
        alone = {
            PEOPLE: "People, n",
            LOOK_BACK: f"Observed for under {months} months before, n (%)",
            COST: f"Cost, {months} months before, £, mean (SD)",
        }
        if characteristic in alone:
            return alone[characteristic]
        words = in_words(category)
        if characteristic == "deprivation_quintile":
            words += {"1": " (most deprived)", "5": " (least deprived)"}.get(category, "")
        elif category.endswith("+"):
            words = f"{category[:-1]} or {'older' if characteristic.endswith('age_band') else 'more'}"
        elif characteristic.endswith("age_band"):
            words = words.replace("-", "–")
        return INDENT + capital(words)

    def _figures(self, row: Mapping[str, Any]) -> str:
        """Return what stands in a cell: "340 (62%)", or "2,340 (5,120)" of a cost."""
        first, second = (
            ("mean_cost", "standard_deviation") if row["characteristic"] == COST else ("n_persons", "estimate")
        )
        if row[first] is None:
            return self.missing_marker(row, first)
        if row["characteristic"] == COST:
            said = [roughly(row[c]) if row[c] is not None else self.missing_marker(row, c) for c in (first, second)]
            return f"{said[0]} ({said[1]})"
        share = row[second]
        return number(row[first]) if share is None else f"{number(row[first])} ({_percent(share)})"

    # -- in a sentence -------------------------------------------------------------------------------------------

    def sentence(self) -> str:
        """Return who the people are, from the figures that are shown."""
        enrolled = Population.of(self.settings).by_enrolment
        done = "joined" if enrolled else "were studied"
        frame = self.estimates
        if not self.by:
            total, clauses = frame["n_persons"][0], self._clauses(frame)
            if not total:
                return "Too few people for anything to be shown."
            return f"About {roughly(total)} people {done}{'; ' if clauses else ''}{_listed(clauses)}."
        strata = frame.partition_by(self.by, maintain_order=True) if frame.height else []
        if len(strata) > MOST_GROUPS or not strata:
            return f"People of {number(len(strata))} groups {done}."
        parts = []
        for own in strata:
            total, clauses = own["n_persons"][0], self._clauses(own)
            said = [f"about {roughly(total)} people", *clauses] if total else ["number not shown"]
            parts.append(f"{strata_words({c: own[c][0] for c in self.by})}: {_listed(said)}")
        return capital("; ".join(parts)) + "."

    def _clauses(self, frame: pl.DataFrame) -> list[str]:
        """Return how many were women, old, and had several conditions, as far as it is shown."""
        lowest = self.settings["age_bands"]
        wanted = [("sex", ["F"], "were women")]
        for column, ages in (("ten_year_age_band", wide_age_bands(lowest)), ("age_band", lowest)):
            old = [name for name, (low, _) in ages_of(ages).items() if low >= OLD]
            wanted += [(column, old, f"were {OLD} or older")] if OLD in ages else []
        several = [str(SEVERAL), f"{SEVERAL}+", str(SEVERAL + 1), f"{SEVERAL + 1}+"]
        wanted.append((NUMBER, several, "had three or more conditions"))
        said = [(_about(frame.filter(pl.col("characteristic") == name), own), words) for name, own, words in wanted]
        return [f"{share} {words}" for share, words in said if share]


def _of_category(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people of a category: those with a number of conditions, or in a state at or before the index date."""
    characteristic, category = record["characteristic"], record["category"]
    if characteristic == NUMBER:
        return of_size(int(category.rstrip("+")), feature_list(settings["conditions"]), or_more=category.endswith("+"))
    when = "at the index date" if characteristic in STRATA else f"in the {settings['months']} months before"
    return everybody().in_state(f"{characteristic} {when}", category)


def _as_elsewhere(characteristic: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, list[CellDefinition]]]:
    """Yield categories with the strata by which other tables count the same people, or finer ones."""

    def strata(column: str, values: Sequence[object]) -> list[CellDefinition]:
        return [everybody().within([(column, value)]) for value in values]

    if characteristic == "sex":
        yield from ((sex, strata("sex", [sex])) for sex in SEXES)
    elif characteristic == "age_band":
        yield from ((name, strata("age_band", [name])) for name in age_band_names(settings["age_bands"]))
    elif characteristic == "ten_year_age_band":
        yield from ((name, strata("age_band", ages)) for name, ages in within_wide(settings["age_bands"]).items())
    elif characteristic == "deprivation_quintile":
        fifths: dict[str, list[object]] = {str(k): [2 * k - 1, 2 * k] for k in range(1, 6)}
        fifths[NOT_RECORDED] = [None]
        for name, deciles in fifths.items():
            yield name, strata("deprivation_quintile", [None if name == NOT_RECORDED else name])
            yield name, strata("deprivation_decile", deciles)
    elif characteristic == NUMBER and settings["whole_list"] and len(settings["conditions"]) >= len(CONDITION_BANDS):
        yield from ((band, strata("n_conditions_band", [band])) for band in CONDITION_BANDS[:MOST_CONDITIONS])
        yield f"{MOST_CONDITIONS}+", strata("n_conditions_band", CONDITION_BANDS[MOST_CONDITIONS:])


def _of_all(
    population: pl.DataFrame, by: Sequence[str], characteristic: str, category: str, *more: pl.Expr
) -> pl.DataFrame:
    """Return one row a stratum, of all its people."""
    return population.select(
        "__stratum", *by, pl.lit(characteristic).alias("characteristic"), pl.lit(category).alias("category"),
        "n_persons", *more,
    )  # fmt: skip


def _commonest(conditions: pl.DataFrame, most: int, by: Sequence[str]) -> pl.DataFrame:
    """Return the conditions that most people have by the counts that are shown, the same in every stratum."""
    ranked = (
        conditions.group_by("condition")
        .agg(pl.col("n_persons").sum().alias("__people"))
        .filter(pl.col("__people") > 0)
        .sort(["__people", "condition"], descending=[True, False])
        .head(most)
        .with_row_index("__rank")
    )
    found = conditions.join(ranked, on="condition", how="inner").sort("__rank", maintain_order=True)
    return found.select(
        *by, pl.lit(CONDITION).alias("characteristic"), pl.col("condition").alias("category"), "n_persons"
    )


def _needless(characteristic: str, category: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a row says nothing: of a category of sex, age or missing values that nobody is in, or of the whole look-back."""
    if characteristic == LOOK_BACK:
        return category == WHOLE
    may_go = characteristic in ("sex", "age_band", "ten_year_age_band") or category == NOT_RECORDED
    return may_go and all(row["n_persons"] == 0 for row in rows)


def _about(rows: pl.DataFrame, chosen: Sequence[str]) -> str:
    """Return the share of people in some categories in words, by the others where one of these is suppressed; "" if unknown."""
    inside = pl.col("category").is_in(list(chosen))
    ours, others = rows.filter(inside)["estimate"], rows.filter(~inside)["estimate"]
    known = [bool(len(own)) and not own.null_count() for own in (ours, others)]
    if not (len(ours) and len(others) and any(known)):
        return ""
    # a rounded count may be the rounded total and yet not everybody
    if known[0] and ours.sum() == 0:
        return "none"
    if known[1] and others.sum() == 0:
        return "all"
    share = float(ours.sum() if known[0] else 1 - others.sum())
    if not 0.005 <= share < 0.995:
        return "few" if share < 0.5 else "nearly all"
    return f"about {100 * share:.0f}%"


def _percent(share: float) -> str:
    """Return a share as tables print it: whole percent from ten on, else one decimal."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1%"
    return f"{value:.0f}%" if value >= 9.95 or value == 0 else f"{value:.1f}%"


def _listed(clauses: Sequence[str]) -> str:
    return ", ".join(clauses[:-1]) + (" and " if clauses[1:] else "") + clauses[-1] if clauses else ""
