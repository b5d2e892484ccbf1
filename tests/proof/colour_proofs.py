"""Every figure of a study in colour, in greyscale, and as a reader without green cones sees it, on one sheet each.

python tests/proof/colour_proofs.py OUT [STUDY]

Writes OUT/<figure>.png: three pictures side by side, to be looked at. Without a
study the one of 200 people that the library brings is drawn, undisclosed.

Greyscale is the luminance of ITU-R BT.709. The other simulates deuteranopia
(severity 1.0) by the matrix of Machado, G. M., Oliveira, M. M. and Fernandes,
L. A. F. (2009). A physiologically-based model for simulation of color vision
deficiency. IEEE Transactions on Visualization and Computer Graphics 15,
1291-1298, table 1; it is applied to linear light.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from PIL import Image

import symphony_research as sr
from symphony_research import show

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
GAP = 24


def linear(values: np.ndarray) -> np.ndarray:
    """Return sRGB values between 0 and 1 as linear light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    """Return linear light as sRGB values between 0 and 1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def greyscale(values: np.ndarray) -> np.ndarray:
    """Return each colour as the grey of its luminance."""
    return np.repeat(encoded(linear(values) @ LUMINANCE)[..., None], 3, axis=-1)


def deuteranopia(values: np.ndarray) -> np.ndarray:
    """Return each colour as somebody without green cones sees it."""
    return encoded(linear(values) @ DEUTERANOPIA.T)


def sheet(png: bytes) -> Image.Image:
    """Return a picture in colour, greyscale and deuteranopia, side by side."""
    own = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) / 255
    views = [own, greyscale(own), deuteranopia(own)]
    gap = np.ones((own.shape[0], GAP, 3))
    row = np.concatenate([part for view in views for part in (view, gap)][:-1], axis=1)
    return Image.fromarray((row * 255 + 0.5).astype(np.uint8))


def figures(study: Any, release: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """Yield a name and a picture of every family with a figure."""
    groups = ("age_band", "sex")
    cohort = sr.define_cohort(study)
    patterns, strata = cohort.patterns(values=study.costs), cohort.patterns(by=groups, values=study.costs)
    few = 20 if patterns.n_persons > 2000 else 5
    sets, networks, survival = sr.multimorbidity, sr.networks, sr.survival
    yield "attrition", (release(cohort.attrition), None, {})
    yield "number", (release(sets.condition_count(patterns, top=7)), None, {})
    yield "number_by_age", (release(sets.condition_count(cohort.patterns(by="age_band"), top=5)), None, {})
    yield "prevalence", (release(sets.prevalence(patterns)), None, {})
    yield "further", (release(sets.comorbidity_count(patterns)), None, {})
    yield "comorbidities", (release(sets.comorbidity_profile(strata, adjust=groups)), None, {})
    for kind in ("exact", "at_least"):
        held = sets.combinations(strata, kind=kind, adjust=groups, max_size=3, min_persons=few)
        yield f"combinations_{kind}", (release(held), None, {})
    yield "costs", (release(sets.cost_interaction(strata, adjust=groups, min_persons=few)), None, {})
    network = networks.cooccurrence(strata, adjust=groups)
    found = networks.communities(network, seed=1, patterns=strata, resamples=30)
    both = release({"network": network, "communities": found})
    drawn = {"communities": both["communities"], "top_edges": 30}
    yield "network", (both["network"], show.plot_network, drawn)
    yield "network_plain", (both["network"], None, {})
    yield "matrix", (both["network"], show.plot_cooccurrence_matrix, {})
    yield "centrality", (networks.centrality(both["network"]), None, {})
    yield "sequences", (release(networks.sequences(cohort.onsets())), None, {})
    women = sr.define_cohort(study, sex="F").patterns(by="age_band")
    men = sr.define_cohort(study, sex="M").patterns(by="age_band", conditions=women.conditions)
    pairs = networks.compare(women, men, names=("women", "men"), permutations=49, adjust="age_band")
    yield "comparison", (release(pairs), None, {})
    programme = study.enrolments.collect().height > 0
    enrolled = sr.define_cohort(study, programme="complex_care" if programme else None)
    how: dict[str, Any] = {"time": "time", "event": "event", "weights": "n_persons"}
    for by in ("", "sex", "hub")[: 3 if programme else 2]:
        followed, dead = (enrolled.follow_up(event=e, horizon=365, by=by or ()) for e in (None, "death"))
        named = f"_by_{by}" * bool(by)
        yield f"incidence{named}", (release(survival.cumulative_incidence(followed, by=by or (), **how)), None, {})
        yield f"survival{named}", (release(survival.kaplan_meier(dead, by=by or (), **how)), None, {})
        yield f"survival_by_day{named}", (survival.kaplan_meier(dead, by=by or (), **how), None, {})


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="folder to write to")
    reader.add_argument("study", type=str, nargs="?", default=None, help="folder of a study; by default the example")
    given = reader.parse_args()
    target = given.target
    target.mkdir(parents=True, exist_ok=True)
    study = sr.read_study(given.study) if given.study else sr.example_study()
    policy = study.disclosure_policy("nhs_england") if given.study else sr.Policy.synthetic()
    for name, (result, plot, options) in figures(study, lambda found: sr.suppress(found, policy)):
        shown = show.picture(result, plot, **options)
        if isinstance(shown, show.Picture):
            sheet(shown.png).save(target / f"{name}.png")
        print(f"{name}: {shown.alt if isinstance(shown, show.Picture) else f'nothing drawn. {shown}'}")


if __name__ == "__main__":
    main()
