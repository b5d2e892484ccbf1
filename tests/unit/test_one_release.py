"""One call is one release: one number for one group of people, whatever the order of tables, rows and threads."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.disclosure.outputs import released_output

POLICIES = [sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro()]
CONDITIONS = ["asthma", "copd", "stroke"]


def results_of(frame: pl.DataFrame) -> list[sr.Result]:
    m, made = sr.multimorbidity, []
    for by in ((), ("sex",)):
        patterns = sr.Patterns.from_wide(frame, conditions=CONDITIONS, by=by)
        made += [m.condition_count(patterns, top=2 if by else None), m.prevalence(patterns)]
        made += [m.combinations(patterns, kind="exact", min_size=0), m.comorbidity_count(patterns, top=1)]
        made += [sr.networks.cooccurrence(patterns), m.combinations(patterns, kind="at_least", min_size=1)]
    return made


kinds = st.tuples(*[st.booleans()] * 3, st.sampled_from("FM"))
people = st.dictionaries(kinds, st.integers(1, 60), min_size=2, max_size=16)


def as_frame(held: dict[tuple, int]) -> pl.DataFrame:
    rows = [kind for kind, n in sorted(held.items()) for _ in range(n)]
    return pl.DataFrame(rows, schema=[*CONDITIONS, "sex"], orient="row")


@settings(max_examples=15)
@given(people, st.sampled_from(POLICIES), st.permutations(range(12)))
def test_one_group_of_people_has_one_number_in_all_tables(held, policy, order):
    results = results_of(as_frame(held))
    released = sr.suppress([results[k] for k in order[:7]], policy)
    numbers: dict = {}
    for one in released:
        for cell in released_output(one).cells:
            if cell.listed and cell.named:
                numbers.setdefault(cell.of, set()).add(cell.shown)
    assert not {of: shown for of, shown in numbers.items() if len(shown) > 1}


@settings(max_examples=10)
@given(people, st.sampled_from(POLICIES))
def test_what_is_released_is_not_changed_by_releasing_it_again(held, policy):
    released = sr.suppress(results_of(as_frame(held))[:5], policy)
    again = sr.suppress(released, policy)
    assert all(one is other for one, other in zip(released, again, strict=True))
    alone = [sr.suppress(one, policy, beside=[o for o in released if o is not one]) for one in released]
    assert all(one is other for one, other in zip(released, alone, strict=True))


def somebody(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    held = {c: rng.random(250) < p for c, p in zip(CONDITIONS, (0.04, 0.15, 0.3), strict=True)}
    return pl.DataFrame({**held, "sex": rng.choice(["F", "M"], 250)})


def digest(released: list[sr.Result]) -> str:
    told = [{name: t.write_ndjson() for name, t in one.count_tables.items()} for one in released]
    told += [one.estimates.select(pl.exclude(pl.List(pl.String))).write_csv() for one in released]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
def test_the_order_of_people_and_of_results_changes_no_number(policy: sr.Policy) -> None:
    frame = somebody(1)
    released = sr.suppress(results_of(frame), policy)
    shuffled = sr.suppress(results_of(frame.sample(fraction=1, shuffle=True, seed=5)), policy)
    assert digest(list(released)) == digest(list(shuffled))
    backwards = sr.suppress(results_of(frame)[::-1], policy)[::-1]
    assert digest(list(released)) == digest(list(backwards))
    named = sr.suppress({str(k): one for k, one in enumerate(results_of(frame))}, policy)
    assert digest(list(released)) == digest(list(named.values()))


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_one_release import POLICIES, digest, results_of, somebody
import symphony_research as sr
print(digest(list(sr.suppress(results_of(somebody(2)), POLICIES[0]))))
"""


def test_the_number_of_threads_changes_no_byte() -> None:
    found = set()
    for threads in ("1", "2", "5"):
        environment = {**os.environ, "POLARS_MAX_THREADS": threads}
        script = SCRIPT.format(folder=os.path.dirname(__file__))
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, timeout=120
        )
        found.add(done.stdout.strip())
    assert len(found) == 1
