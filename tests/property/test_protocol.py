"""A protocol written is the protocol read, and its fingerprint is of what it says and not of how it is written."""

from __future__ import annotations

import tempfile
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.evaluation.protocol import Departure, Protocol, field_value
from symphony_research.evaluation.protocol_defaults import changes_nothing
from symphony_research.evaluation.protocol_keys import KEYS, MULTIPLE_TESTING, SENSITIVITY
from symphony_research.evaluation.protocol_template import protocol_text

STUDY = sr.example_study(3_000)
DEFAULT = sr.evaluation.default_protocol(STUDY)
CONDITIONS = STUDY.condition_names()
OUTCOMES = ["emergency_admission", "admission", "accident_and_emergency", "outpatient", "bed_day", "death"]
# what people write: quotation marks, lines, signs of comments and of other alphabets; TOML holds no other control characters
words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters='"\\#\n\t[]= é£中'), min_size=1, max_size=40
)
text = words.filter(lambda one: one.strip()).map(str.strip)
phrase = text.filter(lambda one: not any(letter.isnumeric() for letter in one))


def some(names: list[str] | tuple[str, ...], *, least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(list(names)), unique=True, min_size=least)


@st.composite
def protocols(draw: Any) -> Protocol:
    """Any protocol that the example study can have."""
    plain: dict[str, Any] = {key.place: None for key in KEYS}
    for key in KEYS:
        if key.section in ("strategies", "time_zero") or key.place in ("title", "estimand.contrast"):
            plain[key.place] = draw(text)
        elif key.section == "statements":
            plain[key.place] = draw(st.just("") | text)
    low, high = sorted(draw(st.tuples(st.integers(0, 110), st.integers(0, 110))))
    least = draw(st.integers(0, 3))
    outcomes = draw(st.permutations(OUTCOMES))
    n = draw(st.integers(0, 4))
    control = draw(st.sampled_from([outcomes[-1], "none"]))
    sex = draw(st.sampled_from([None, "F", "M", "other", "unknown"]))
    strata = ["broad_age_band", "age_band", "n_conditions_band", *([] if sex else ["sex"])]
    plain |= {
        "authors": draw(st.lists(text, max_size=3)),
        "eligibility.programme": "complex_care",
        "eligibility.sex": sex,
        "eligibility.min_age": draw(st.sampled_from([None, low])),
        "eligibility.max_age": draw(st.sampled_from([None, high])),
        "eligibility.residence": draw(st.sampled_from([None, "own_home", "care_home"])),
        "eligibility.min_conditions": least,
        "eligibility.conditions": draw(some(CONDITIONS, least=3)) if least else None,
        "assignment.score": draw(st.sampled_from(["propensity", "mahalanobis", "odds_weights"])),
        "assignment.exact": draw(some(["sex", "age_band", "area", "health_coaching"])),
        "assignment.caliper": draw(st.sampled_from(["none"]) | st.floats(0.001, 10) | st.integers(1, 3)),
        "assignment.ratio": draw(st.integers(1, 20)),
        "assignment.replacement": draw(st.booleans()),
        "assignment.practices": draw(st.sampled_from(["any", "of the hub", "of other hubs"])),
        "assignment.candidates": draw(st.integers(1, 10**6)),
        "assignment.seed": draw(st.integers(0, 2**40)),
        "follow_up.days": draw(st.integers(1, 2_000)),
        "outcomes.primary": outcomes[0],
        "outcomes.secondary": list(outcomes[1 : 1 + n]),
        "negative_control.outcome": control,
        "negative_control.reason": draw(text),
        "estimand.assumptions": draw(st.lists(text, max_size=3)),
        "analysis.estimator": "poisson",
        "analysis.adjust": draw(st.booleans()),
        "analysis.later_enrolment": draw(st.sampled_from(["kept", "censored"])),
        "analysis.confidence": draw(st.floats(0.5, 0.999)),
        "analysis.multiple_testing": draw(st.sampled_from(list(MULTIPLE_TESTING))),
        "analysis.subgroups": draw(some(strata)),
    }
    possible = [
        name
        for name in SENSITIVITY
        if not changes_nothing(name, plain) and SENSITIVITY[name][1].get("days", 0) <= plain["follow_up.days"]
    ]
    plain["analysis.sensitivity"] = draw(some(possible)) if possible else []
    own = st.builds(Departure, st.dates(date(2020, 1, 1), date(2030, 1, 1)), phrase, phrase)
    return Protocol(
        **{key.field: field_value(key, plain[key.place]) for key in KEYS},
        departures=tuple(draw(st.lists(own, max_size=2))),
    )


def read(text: str) -> Protocol:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "protocol.toml"
        path.write_bytes(text.encode("utf-8"))
        return sr.evaluation.read_protocol(STUDY, file=path)


@given(protocols())
def test_what_is_written_is_read(protocol: Protocol) -> None:
    again = read(protocol_text(protocol))
    assert again == protocol
    assert again.content == protocol.content
    assert again.fingerprint == protocol.fingerprint
    assert again.as_matching_arguments() == protocol.as_matching_arguments()


@given(protocols(), st.randoms(use_true_random=False))
def test_order_and_comments_do_not_change_the_fingerprint(protocol: Protocol, random: Any) -> None:
    told = tomllib.loads(protocol_text(protocol))
    told.pop("departures", None)
    first = [name for name, value in told.items() if not isinstance(value, dict)]
    sections = [name for name in told if name not in first]
    random.shuffle(first)
    random.shuffle(sections)
    lines = [tomli_w.dumps({name: told[name]}) for name in first]
    for name in sections:
        keys = list(told[name].items())
        random.shuffle(keys)
        lines += [f"[{name}] # {random.random()}\n", *(tomli_w.dumps({key: value}) for key, value in keys)]
    again = read("\n# a comment\n".join(lines))
    assert again.fingerprint == protocol.fingerprint


@given(protocols(), st.sampled_from(["days", "seed", "ratio", "candidates"]))
def test_another_value_has_another_fingerprint(protocol: Protocol, name: str) -> None:
    from dataclasses import replace

    other = replace(protocol, **{name: getattr(protocol, name) + 1})
    assert other.fingerprint != protocol.fingerprint
