"""Every derived figure worked out again from the released counts, by plain formulas.

A figure that does not follow from the counts beside it, to the digits shown,
tells something of the exact ones. Allowed besides: factors of three significant
figures, and means so rounded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from attacker import STAR, Codebook, Row, Rule, base_of, names_of, number, stratum_of
from scipy import stats

Z = stats.norm.ppf(0.975)
LEVELS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
FIGURES = 1e-9


@dataclass(frozen=True)
class Files:
    """The tables of a study, and what everybody knows of it."""

    tables: Mapping[str, list[Row]]
    book: Codebook
    rule: Rule


def alike(one: float | None, other: float | None) -> bool:
    """Whether two figures are the same to the last digits of a double."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=FIGURES, abs_tol=1e-12)


def has_figures(value: float | None, digits: int = 3) -> bool:
    """Whether a figure has no more significant digits than these."""
    return value is None or value == 0 or math.isclose(value, float(f"{value:.{digits - 1}e}"), rel_tol=1e-7)


def wilson(k: float, n: float) -> tuple[float, float]:
    """Wilson's interval, from the quadratic whose roots it is."""
    a, b, c = 1 + Z**2 / n, -2 * k / n - Z**2 / n, (k / n) ** 2
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return (0.0 if k == 0 else (-b - root) / (2 * a)), (1.0 if k == n else (-b + root) / (2 * a))


def _shares(rows: Sequence[Row], of: Callable[[Row], float | None]) -> list[str]:
    """Shares and their intervals, of the total that is given."""
    wrong = []
    for r in rows:
        n, share = number(r["n_persons"]), number(r["estimate"])
        if n is None:
            if any(r.get(c) not in (STAR, "", None) for c in ("estimate", "lower", "upper")):
                wrong.append("a share stands beside a hidden count")
            continue
        total = of(r)
        if not total:
            continue
        if not alike(share, min(n / total, 1)):
            wrong.append(f"a share {share} is not {n} of {total}")
            continue
        low, high = wilson(min(n, total), total) if n <= total else (None, None)
        for name, value in (("lower", low), ("upper", high)):
            if value is not None and abs(value - (number(r[name]) or 0)) > 1e-8:
                wrong.append(f"{name} {r[name]} is not Wilson's of {n} in {total}")
    return wrong


def _guessed_totals(rows: Sequence[Row], key: Callable[[Row], object]) -> tuple[dict[object, float], list[str]]:
    """Totals that shares imply; each should be one released number, a multiple of five."""
    found: dict[object, float] = {}
    wrong = []
    for r in rows:
        n, share = number(r["n_persons"]), number(r["estimate"])
        if n and share and share < 1:
            total = n / share
            if abs(total - round(total / 5) * 5) > 1e-6 * total:
                wrong.append(f"{n} / {share} gives a total of {total}, which is not rounded")
            found[key(r)] = round(total)
    return found, wrong


def _measures(rows: Sequence[Row], rule: Rule) -> list[str]:
    """Means of three figures, gone where the count is hidden."""
    wrong = []
    for r in rows:
        for column, text in r.items():
            if column.startswith("mean_") and text not in (STAR, "", None):
                if number(r["n_persons"]) is None:
                    wrong.append(f"{column} stands beside a hidden count")
                if not has_figures(float(text)):
                    wrong.append(f"{column} {text} is exact")
                total = r.get(column.replace("mean_", "total_"))
                if total and not alike(float(total), float(text) * (number(r["n_persons"]) or 0)):
                    wrong.append(f"a total {total} is not {text} a person")
    return wrong


def prevalence(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Shares of the people of each stratum."""
    totals, wrong = _guessed_totals(rows, stratum_of)
    return wrong + _shares(rows, lambda r: totals.get(stratum_of(r)))


def _margins(kind: str, files: Files, stratum: str | None) -> dict[str, float | None] | None:
    """The released people with each condition, where their table is out too."""
    rows = files.tables.get("prevalence" + kind[len(base_of(kind)) :].replace("__adjusted", ""))
    if rows is None:
        return None
    return {r["condition"]: number(r["n_persons"]) for r in rows if stratum_of(r) == stratum}


def condition_count(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Shares of the sum of what is shown, and people expected were conditions independent."""
    wrong: list[str] = []
    for stratum in {stratum_of(r) for r in rows}:
        own = [r for r in rows if stratum_of(r) == stratum]
        total = sum(number(r["n_persons"]) or 0 for r in own)
        wrong += _shares(own, lambda r, total=total: total)  # type: ignore[misc]
        margins = _margins(kind, files, stratum)
        if not total or margins is None:
            continue
        chances = [1.0]
        for held in margins.values():
            p = min((held or 0) / total, 1)
            chances = [a * (1 - p) + b * p for a, b in zip([*chances, 0], [0, *chances], strict=True)]
        for r in own:
            k = int(r["n_conditions"])
            at_top = base_of(kind).endswith("top") and k == 2
            expected = total * (sum(chances[k:]) if at_top else chances[k])
            n, shown = number(r["n_persons"]), number(r["expected"])
            if n is None and (shown is not None or number(r["observed_expected"]) is not None):
                wrong.append("an expected number stands beside a hidden count")
            elif n is not None and not _near(shown, expected):
                wrong.append(f"expected {shown} of {k} conditions is not {expected}")
            elif n is not None and expected > 1e-9 and not _near(number(r["observed_expected"]), n / expected):
                wrong.append(f"observed/expected {r['observed_expected']} is not {n} / {expected}")
    return wrong


def _near(one: float | None, other: float) -> bool:
    return one is not None and math.isclose(one, other, rel_tol=1e-8, abs_tol=1e-9)


def combinations(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Shares, means, and people expected from the margins; adjusted, times a factor of three figures."""
    totals, wrong = _guessed_totals(rows, stratum_of)
    wrong += _shares(rows, lambda r: totals.get(stratum_of(r))) + _measures(rows, files.rule)
    scaled = "adjusted" in kind or kind == "triads"
    for r in rows:
        n, stratum = number(r["n_persons"]), stratum_of(r)
        margins, total = _margins(kind if not scaled else base_of(kind), files, stratum), totals.get(stratum)
        shown = number(r["expected"])
        if n is None or not total or margins is None or shown is None:
            continue
        own = names_of(r)
        exact = base_of(kind) == "exact"
        crude = total
        for name, held in margins.items():
            if name in own or exact:
                if held is None and name in own:
                    wrong.append(f"a number is expected though the people with {name} are hidden")
                    break
                p = min((held or 0) / total, 1)  # a hidden few are taken as none where others must not have it
                crude *= p if name in own else 1 - p
        else:
            if not scaled and not _near(shown, crude):
                wrong.append(f"expected {shown} of {r['combination']} is not {crude}")
            if scaled and crude > 0 and not has_figures(shown / crude):
                wrong.append(f"a factor {shown / crude} has more than three figures")
            ratio = number(r["observed_expected"])
            if ratio is not None and not _near(ratio, n / shown):
                wrong.append(f"observed/expected {ratio} is not {n} / {shown}")
    return wrong


def further(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Shares of the sum of what is shown of each condition."""
    sums: dict[object, float] = {}
    for r in rows:
        key = (stratum_of(r), r["condition"])
        sums[key] = sums.get(key, 0) + (number(r["n_persons"]) or 0)
    return _shares(rows, lambda r: sums[stratum_of(r), r["condition"]]) + _measures(rows, files.rule)


def companions(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Shares of the people with the condition asked of."""
    totals, wrong = _guessed_totals(rows, stratum_of)
    return wrong + _shares(rows, lambda r: totals.get(stratum_of(r))) + _measures(rows, files.rule)


def pairs(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Every measure of a pair from its four counts, where they are a table that can exist."""
    wrong = []
    derived = [c for c in (rows[0] if rows else {}) if c not in ("sex", "source", "target") and not c.startswith("n_")]
    for r in rows:
        counts = [number(r[f"n_{c}"]) for c in ("both", "source", "target", "persons")]
        if counts[0] is None:
            wrong += [f"{c} stands beside a hidden count" for c in derived if r[c] not in (STAR, "")]
            continue
        if any(x is None or x == 0 for x in counts):
            continue
        c, a, b, n = (float(x or 0) for x in counts)
        if c > min(a, b) or a + b - c > n:
            continue
        for name, value in _of_a_pair(c, a, b, n).items():
            shown = number(r[name])
            if "adjusted" in kind and name not in ("phi", "jaccard", "cosine", "overlap"):
                if name == "expected" and shown is not None and not has_figures(shown / value):
                    wrong.append(f"a factor {shown / value} has more than three figures")
                continue
            if (
                shown is not None
                and math.isfinite(value)
                and not math.isclose(shown, value, rel_tol=1e-6, abs_tol=1e-9)
            ):
                wrong.append(f"{name} {shown} of {c, a, b, n} is not {value}")
    return wrong


def _of_a_pair(c: float, a: float, b: float, n: float) -> dict[str, float]:
    expected, d = a * b / n, n - a - b + c
    spread = Z * math.sqrt(max(1 / c - 1 / a - 1 / b + 2 * c / (a * b) - 1 / n, 0))
    odd = c * d / ((a - c) * (b - c)) if (a - c) * (b - c) > 0 else math.inf
    odd_spread = Z * math.sqrt(sum(1 / x for x in (c, a - c, b - c, d))) if min(c, a - c, b - c, d) > 0 else math.inf
    below = stats.hypergeom.cdf(c, n, a, b) - stats.hypergeom.pmf(c, n, a, b) / 2
    wide = a < n and b < n
    return {
        "expected": expected,
        "observed_expected": c / expected,
        "lower": c / expected * math.exp(-spread),
        "upper": c / expected * math.exp(spread),
        "phi": (c * n - a * b) / math.sqrt(a * b * (n - a) * (n - b)) if wide else math.inf,
        "odds_ratio": odd,
        "odds_ratio_lower": odd * math.exp(-odd_spread) if math.isfinite(odd_spread) else math.inf,
        "odds_ratio_upper": odd * math.exp(odd_spread) if math.isfinite(odd_spread) else math.inf,
        "jaccard": c / (a + b - c),
        "cosine": c / math.sqrt(a * b),
        "overlap": c / min(a, b),
        "information_component": math.log2((c + 0.5) / (expected + 0.5)),
        "ic_lower": math.log2(stats.gamma.ppf(0.025, c + 0.5, scale=1 / (expected + 0.5))),
        "p_value": min(1.0, 2 * min(below, 1 - below)) if wide else math.inf,
    }


def costs(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Means and errors of three figures; a total is its mean times the count shown."""
    wrong = []
    for r in rows:
        n = number(r["n_persons"])
        told = [
            c
            for c in ("estimate", "lower", "upper", "total", "share_of_total", "expected", "excess")
            if r[c] not in (STAR, "")
        ]
        if n is None and told:
            wrong.append(f"{told[0]} stands beside a hidden count")
        mean, total, upper = number(r["estimate"]), number(r["total"]), number(r["upper"])
        wrong += [f"{c} {r[c]} is exact" for c in ("estimate", "expected", "excess") if not has_figures(number(r[c]))]
        if mean is not None and not alike(total, mean * (n or 0)):
            wrong.append(f"a total {total} is not {mean} for each of {n}")
        if mean and upper is not None and not has_figures(round((upper - mean) / Z, 9)):
            wrong.append(f"an error {(upper - mean) / Z} has more than three figures")
        for c in ("n_compared", "n_left_out"):
            m = number(r[c])
            if m and (m % 5 or files.rule.small(int(m))):
                wrong.append(f"{c} is {m}")
    return wrong


def set_centrality(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Nothing is told of a hidden set or condition, and the squares of a stratum add up to one."""
    wrong = []
    squares: dict[str | None, float] = {}
    for r in rows:
        n, central = number(r["n_persons"]), number(r["centrality"])
        if n is None and (number(r["weight"]) or central):
            wrong.append("a weight stands beside a hidden count")
        squares[stratum_of(r)] = squares.get(stratum_of(r), 0) + (central or 0) ** 2
    return wrong + [f"squares add up to {x}" for x in squares.values() if x and abs(x - 1) > 1e-6]


def network_figures(kind: str, rows: list[Row], files: Files) -> list[str]:
    """What is told of a condition whose people are hidden."""
    own = ("degree", "strength", "betweenness", "eigenvector", "pagerank", "stability")
    return [
        f"{c} stands beside a hidden count"
        for r in rows
        if number(r["n_persons"]) is None
        for c in own
        if c in r and r[c] not in (STAR, "")
    ]


def comparison(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Observed/expected follows from the counts, and a p value is a level."""
    wrong = []
    for r in rows:
        for side in "ab":
            n, expected, ratio = (number(r[f"{c}_{side}"]) for c in ("n_both", "expected", "observed_expected"))
            if n is None and any(x is not None for x in (ratio, number(r["ratio"]), number(r["p_value"]))):
                wrong.append("a figure stands beside a hidden count")
            if ratio is not None and expected and n is not None and ratio > n / expected * (1 + 1e-9) and n > 0 and not _near(ratio, n / expected):  # fmt: skip
                wrong.append(f"observed/expected {ratio} is more than {n} / {expected}")
        for column in ("p_value", "family_wise_p"):
            p = number(r[column])
            if p is not None and p not in LEVELS:
                wrong.append(f"{column} {p} is exact")
    return wrong


def sequences(kind: str, rows: list[Row], files: Files) -> list[str]:
    """The share in one order from the two counts, and what chance gives to three figures."""
    wrong = []
    for r in rows:
        n, first, second, share = (number(r[c]) for c in ("n_both", "n_first", "n_second", "estimate"))
        hidden = n is None or first is None or second is None
        if hidden and any(
            r[c] not in (STAR, "") for c in ("estimate", "lower", "upper", "observed_expected", "p_value")
        ):
            wrong.append("a share stands beside a hidden count")
        for c in ("n_both", "n_first", "n_second", "n_same_day", "n_alone", "n_left_out"):
            m = number(r[c])
            if m is not None and (m % 5 or files.rule.small(int(m))):
                wrong.append(f"{c} is {m}")
        if not hidden and n and not alike(share, min(max((1 + ((first or 0) - (second or 0)) / n) / 2, 0), 1)):
            wrong.append(f"a share {share} is not of {first} and {second} in {n}")
        expected = number(r["expected"])
        if expected is not None and not (has_figures(expected) or has_figures(1 - expected)):
            wrong.append(f"expected {expected} has more than three figures")
        for c in ("median_gap_months", "median_months_to_second"):
            months = number(r[c])
            if months is not None and months != round(months):
                wrong.append(f"{c} {months} is not in whole months")
        if not hidden and share is not None and n:
            low, high = wilson(share * n, n)
            if abs(low - (number(r["lower"]) or 0)) > 1e-7 or abs(high - (number(r["upper"]) or 0)) > 1e-7:
                wrong.append("an interval is not Wilson's")
    return wrong


def attrition(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Who remains is what is left of the number before by what is shown as left out."""
    wrong = []
    for before, after in itertools.pairwise(rows):
        out, was, now = number(after["n_excluded"]), number(before["n_persons"]), number(after["n_persons"])
        for value in (out, was, now):
            if value is not None and (value % 5 or (files.rule.small(int(value)) and value)):
                wrong.append(f"{value} people are shown")
        if was is not None and now is not None and was - now != (out or 0):
            wrong.append(f"{was} less {now} is not {out}")
    return wrong


def backbone(kind: str, rows: list[Row], files: Files) -> list[str]:
    """The pairs of the network, and no other figures than there."""
    whole = files.tables.get(kind.replace("backbone", "cooccurrence"))
    wrong = pairs(kind, rows, files)
    if whole is not None:
        there = {(stratum_of(r), r["source"], r["target"]): r for r in whole}
        for r in rows:
            other = there[stratum_of(r), r["source"], r["target"]]
            wrong += [f"{c} {r[c]} is {other[c]} in the network" for c in r if c != "q_value" and r[c] != other[c]]
    return wrong
