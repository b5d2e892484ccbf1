"""Read the counts of a study's files and released results as sums of the attacker's unknowns, by the names that everybody sees."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attacker import MARKS, NO_ROW, Cell, Codebook, Row, Sum, sum_of

# of another study, or of no study's people
ELSEWHERE = (
    "attrition", "readmissions", "uptake", "covariate_balance", "enrolment_effect", "effect_of_censored", "cost_effect",
    "before_after", "difference_in_differences", "difference_in_differences_linear", "event_study", "event_study_linear",
    "time_series", "time_series_whole", "programme_event_study", "effect_sensitivity", "other_analyses", "outcome_effects",
    "effect_by_sex", "matched_incidence", "life_table", "projection", "projection_at_random", "balance", "back_test",
    "standardised_rate", "decomposition", "need", "beds",
)  # fmt: skip
MODELS = ("cox", "risk", "proportional", "fine_gray", "parametric", "rate_model")
CURVES = (
    *MODELS, "standardised", "kaplan_meier", "incidence", "points", "quantile", "logrank", "hazard", "restricted_mean", "gray", "landmark",
    "mean_count", "days_at_home", "loss_bounds", "attendance",
)  # fmt: skip
COMPETING = ("incidence", "gray", "standardised", "loss_bounds")
LANDMARK = 90
READMITTED = ("readmitted", "not readmitted")


def read_tables(folder: Path) -> dict[str, list[Row]]:
    """Read every CSV of a folder."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            found[path.stem] = list(csv.DictReader(lines))
    return found


def number(text: object) -> float | None:
    """A figure of a table; None where it is suppressed or does not exist."""
    try:
        return None if text is None else float(str(text))
    except ValueError:
        return None


def count(value: object) -> int | str:
    """A count of a table."""
    n = number(value)
    return MARKS[0] if n is None else int(n)


def base_of(kind: str) -> str:
    """The analysis behind a file's name."""
    return kind.split("__")[0]


def names_of(record: Mapping[str, Any]) -> list[str]:
    """The conditions of a combination."""
    held = record["combination"]
    return [name for name in held.split(" + ") if name] if isinstance(held, str) else list(held)


def of_row(kind: str, column: str, record: Mapping[str, Any], book: Codebook, level: str | None) -> Sum:
    """Return whom a count of a row is of."""
    base = base_of(kind)
    if column[-2:] in ("_a", "_b"):
        level, column = book.levels["ab".index(column[-1])], column[:-2]
    if base in MODELS or base == "readmission":
        return _of_model(base, column, record, book)
    if "characteristic" in record:
        return _of_characteristic(record, book, level)
    if "year" in record or "age_band" in record:
        return _gone_through(column, record, book, level)
    if "state" in record:
        return _in_state(base, record["time"], str(record["state"]), book, level)
    if column in ("observed", "n_lost") or (base == "standardised" and column == "n_events"):
        state = "censored" if column == "n_lost" else "event 1"  # all who are censored are lost
        return _in_state(base, record["time"], state, book, level)
    if column == "n_with_event":
        return book.ended(level, [1], range(book.slots), outcome=1)
    if "first" in record:
        return _of_order(column, record, book)
    if "n_others" in record:
        k, own = int(record["n_others"]), book.at_least([record["condition"]])
        return book.sets(level, [m for m in own if m.bit_count() - 1 == k or (k == 3 and m.bit_count() > 4)])
    if "n_conditions" in record:
        k, last = int(record["n_conditions"]), 2 if base == "condition_count_top" else None
        return book.sets(level, [m for m in book.masks() if m.bit_count() == k or (k == last and m.bit_count() > k)])
    if "source" in record:
        held = {"n_source": ["source"], "n_target": ["target"], "n_persons": []}.get(column, ["source", "target"])
        return book.sets(level, book.at_least([record[name] for name in held]))
    if "combination" in record:
        of_one = record.get("kind") == "condition"
        return _of_set("at_least" if of_one else kind, names_of(record), book, level)
    if "condition" in record:
        with_it = [book.conditions[0]] if base == "comorbidity_profile" and record.get("combination") is None and column == "n_persons" and record.get("__csv") else []  # fmt: skip
        return book.sets(level, book.at_least([*with_it, record["condition"]]))
    return book.sets(level, book.masks())


def _gone_through(column: str, record: Mapping[str, Any], book: Codebook, level: str | None) -> Sum:
    """People observed in a year, at an age or both, or those of them with the event there."""
    wanted = [(at, str(record[at_name])) for at, at_name in enumerate(("year", "age_band")) if at_name in record]
    levels = book.levels or ("",) if level is None else (level,)

    def there(cells: str) -> bool:
        return any(all(cell.split("/")[at] == value for at, value in wanted) for cell in cells.split(";") if cell)

    ways = [name for name in book.further if name[0] == "way" and name[1] in levels]
    return sum_of(book.apart(name) for name in ways if there(name[2 if column == "n_persons" else 3]))


def _since(time: float, state: str, book: Codebook, level: str | None) -> Sum:
    """People who left between a landmark and a time since, or are at risk at it."""
    now = _in_state("kaplan_meier", LANDMARK + time, state, book, level)
    if state == "at risk":
        return now
    before = {unknown for unknown, _ in _in_state("kaplan_meier", LANDMARK, state, book, level)}
    return tuple(pair for pair in now if pair[0] not in before)


def _of_model(base: str, column: str, record: Mapping[str, Any], book: Codebook) -> Sum:
    """People of a level of a model's covariate, those of them with the event by a time, or their number of events."""
    if base == "readmission":
        return sum_of(book.apart((base, state)) for state in READMITTED if record.get("readmitted") in (None, state))
    level = record.get("category") if record.get("variable") == "sex" else None
    if column == "n_persons":
        return book.sets(level, book.masks())
    if base == "rate_model":  # events are no people: a number of its own for each level
        names = [("events", own) for own in ([level] if level is not None else book.levels or [""])]
        return sum_of(book.apart(name) for name in names if name in book.further)
    like = "incidence" if base == "fine_gray" else base
    if record["time"] > book.times[-1]:  # a risk may be asked for after the end: everybody's event has come by then
        return book.ended(level, [1], range(book.slots), outcome=int(like in COMPETING))
    return _in_state(like, record["time"], "event 1", book, level)


def _of_characteristic(record: Mapping[str, Any], book: Codebook, level: str | None) -> Sum:
    """People of a category of a baseline table; what conditions and strata do not tell is told apart further."""
    characteristic, category = record["characteristic"], record["category"]
    if characteristic in ("people", "cost"):
        return book.sets(level, book.masks())
    if characteristic == "sex":
        return book.sets(category, book.masks())
    if characteristic == "condition":
        return book.sets(level, book.at_least([category]))
    if characteristic == "n_conditions":
        least, more = int(category.rstrip("+")), category.endswith("+")
        return book.sets(level, [m for m in book.masks() if m.bit_count() == least or (more and m.bit_count() > least)])
    names = [
        ("baseline", own, characteristic, category) for own in ([level] if level is not None else ["", *book.levels])
    ]
    return sum_of(book.apart(name) for name in names if name in book.further)


def _of_set(kind: str, names: Sequence[str], book: Codebook, level: str | None) -> Sum:
    exact = base_of(kind) in ("exact", "costs", "set_centrality_exact")
    return book.sets(level, [book.mask(names)] if exact else book.at_least(names))


def _less(of: Sum, unknowns: Sequence[int]) -> Sum:
    return tuple(sorted([*of, *((u, -1) for u in unknowns)]))


def _in_state(base: str, time: float, state: str, book: Codebook, level: str | None) -> Sum:
    """People with an event up to a time, censored before it, or at risk: the rest."""
    if base == "landmark":
        return _since(time, state, book, level)
    until, before, _ = book.by(time)
    causes, outcome = (
        ((1, 2), 1) if base in COMPETING else ((1,), 2) if base in ("mean_count", "days_at_home") else ((1,), 0)
    )
    if base == "attendance":
        causes, outcome = (1, 2), 3
    censored = [c for c in range(book.causes) if c not in causes]
    if state.startswith("event"):
        return book.ended(level, [int(state.split()[1])], until, outcome)
    if state == "censored":
        return book.ended(level, censored, before, outcome)
    gone = {*book.ended(level, causes, until, outcome), *book.ended(level, censored, before, outcome)}
    return tuple(pair for pair in book.ended(level, range(book.causes), range(book.slots), outcome) if pair not in gone)


ORDERS = ("n_first", "n_second", "n_same_day", "n_alone")


def _of_order(column: str, record: Mapping[str, Any], book: Codebook) -> Sum:
    """People with both conditions by which came first; the rest have no order that is known."""
    pair = sorted((record["first"], record["second"]))
    order = {name: book.apart((name, *pair)) for name in ORDERS}
    if column == "n_both":
        return sum_of(order[name] for name in ORDERS[:3])
    if column == "n_left_out":
        return _less(book.sets(None, book.at_least(pair)), list(order.values()))
    return sum_of([order[column]])


def of_result(kind: str, result: Any, book: Codebook) -> Iterator[Cell]:
    """Every count that a released result holds, shown or not."""
    small = _small_strata(result)
    for name, table in result.count_tables.items():
        listed = not (result.rows_from_records and name in result.minimum_size_tables[:1])
        counts = [c for c in table.columns if c.startswith("n_") and c in result.roles[name].people]
        counts += [c for c in ("observed",) if c in table.columns]
        for record in table.iter_rows(named=True):
            level = record.get("sex")
            for column in counts:
                of = of_row(kind, column, record, book, level)
                said = " ".join(str(v) for k, v in record.items() if (k not in counts and isinstance(v, (str, list))) or k == "time")  # fmt: skip
                everybody = len(counts) == 1 and len(record) == 2 and "sex" in record
                of_small = level in small and not everybody
                yield Cell(f"{kind}.{name}", f"{said} {column}", of, count(record[column]), listed, of_small)
    yield from _without_a_row(kind, result, book, small)
    if base_of(kind) == "condition_count":
        # nobody has more conditions than the last row says
        last = result.count_tables["cells"]["n_conditions"].max()
        for level in book.levels if result.by else [None]:
            more = [m for m in book.masks() if m.bit_count() > last]
            if more:
                yield Cell(f"{kind}.rows", f"more than {last} conditions", book.sets(level, more), 0)


def _small_strata(result: Any) -> set[str | None]:
    """Strata whose people are suppressed: all of their counts are, zeros too."""
    for name, table in result.count_tables.items():
        if "sex" in table.columns and "n_persons" in table.columns:
            if name == "population" or len(table.columns) == 2:
                return set(table.filter(table["n_persons"].is_null())["sex"])
            if "state" in table.columns:
                first = table.filter((table["time"] == 0) & (table["state"] == "at risk"))
                return set(first.filter(first["n_persons"].is_null())["sex"])
            if "observed" in table.columns:
                return set(table.filter(table["n_persons"].is_null())["sex"])
    return set()


def _without_a_row(kind: str, result: Any, book: Codebook, small: set[str | None]) -> Iterator[Cell]:
    """Sets that were looked for and have no row: of nobody, or suppressed."""
    s = result.settings
    if type(result).__name__ != "Combinations" or s["min_persons"] > 1 or s["which"] != "all":
        return
    there = {(r.get("sex"), book.mask(r["combination"])) for r in result.count_tables["cells"].iter_rows(named=True)}
    for level in book.levels if result.by else [None]:
        for mask in book.masks():
            if s["min_size"] <= mask.bit_count() <= (s["max_size"] or 99) and (level, mask) not in there:
                names = [c for k, c in enumerate(book.conditions) if mask >> k & 1]
                of = _of_set(kind, names, book, level)
                yield Cell(f"{kind}.cells", " + ".join(names), of, NO_ROW, listed=False, of_small=level in small)


def of_files(kind: str, rows: Sequence[Row], book: Codebook) -> Iterator[Cell]:
    """The counts of a CSV: of people, and of the whole that a share is of."""
    if base_of(kind) in (*CURVES, *ELSEWHERE, "sequences") or not rows:
        return
    wholes = {}
    for r in rows:
        level = r.get("sex")
        for column in r:
            if column.startswith(("n_both", "n_persons", "n_source", "n_target")):
                of = of_row(kind, column, {**r, "__csv": True}, book, level)
                if (shown := count(r[column])) not in MARKS:
                    yield Cell(f"{kind}.csv", f"{list(r.values())[:3]} {column}", of, shown)
        n, share = number(r.get("n_persons")), number(r.get("estimate"))
        # of everybody; of those with a condition where the others are counted
        if (
            n
            and share
            and share < 1
            and base_of(kind) in ("prevalence", "exact", "at_least", "closed", "maximal", "baseline")
        ):
            wholes[level] = round(n / share)
    for level, n in wholes.items():
        yield Cell(f"{kind}.csv", f"everybody {level or ''}", book.sets(level, book.masks()), n)


def of_cross_tables(folder: Path, book: Codebook) -> Iterator[Cell]:
    """The counts of cross tables."""
    for path in sorted(folder.glob("*.cross.html")):
        kind = path.name.removesuffix(".cross.html")
        text = path.read_text(encoding="utf-8")
        head = re.search(r"<thead>(.*?)</thead>", text, re.S)
        heads = [html.unescape(h) for h in re.findall(r"<th[^>]*>(.*?)</th>", head.group(1))] if head else []
        levels = [{"women": "F", "men": "M", "f": "F", "m": "M"}.get(h.lower(), h.lower()) for h in heads]
        for row in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text, re.S):
            said = html.unescape(row[0]).lower()
            values = [html.unescape(v) for v in re.findall(r"<td[^>]*>(.*?)</td>", row[1])]
            names = [c for c in book.conditions if re.search(rf"\b{c}\b", said)]
            record = {"n_conditions": said} if base_of(kind).startswith("condition_count") else {"combination": names}
            if "top" in kind or base_of(kind) not in ("condition_count", "prevalence", "exact", "at_least"):
                continue
            for level, value in zip(levels[-len(values) :], values, strict=True):
                if level in book.levels and re.fullmatch(r"[\d,]+", value):
                    of = of_row("at_least" if base_of(kind) == "prevalence" else kind, "n_persons", record, book, level)
                    yield Cell(f"{kind}.cross", f"{said} {level}", of, int(value.replace(",", "")))
