"""How common the 49 conditions are, in whom, and which raise the hazard of others."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "AGE_KNOTS",
    "CLASSES",
    "CLUSTERS",
    "CONDITIONS",
    "CONDITION_NAMES",
    "FRAILTY_SCALE",
    "LINKS",
    "PREVALENCE_SCALE",
    "PRIORITY_CONDITIONS",
    "REPLACEMENT_BY_MORTALITY",
    "REPLACEMENT_FOR_ALL",
    "SEQUENCES",
    "Condition",
    "LatentClass",
    "Link",
    "Sequence",
]

PRIORITY_CONDITIONS = (
    "depression",
    "cancer",
    "diabetes",
    "coronary_heart_disease",
    "stroke",
    "copd",
    "dementia",
    "chronic_kidney_disease",
)

AGE_KNOTS = (0, 15, 30, 45, 60, 75, 90)


@dataclass(frozen=True)
class Condition:
    """How common a condition is, and in whom.

    Attributes
    ----------
    prevalence : tuple of float
        Percentage of people who have ever had it, at the ages of `AGE_KNOTS` after birth (15, 30, ...).
    men_to_women : float
        Ratio of the hazards; `math.inf` for men only, 0 for women only.
    deprivation : float
        Hazard in the most over the least deprived tenth.
    frailty : float
        Change in the log hazard with one standard deviation of the shared frailty.
    cluster : str
        The group of conditions that a latent class makes more common together.
    mortality, admission : float
        What having it adds to the log hazard of death, and to the log rate of emergency admission
        beyond the number of conditions.
    mental, social : float
        The same for contacts with mental health services, and for the need of social care.
    """

    name: str
    prevalence: tuple[float, float, float, float, float, float]
    men_to_women: float
    deprivation: float
    frailty: float
    cluster: str
    mortality: float = 0.0
    admission: float = 0.0
    mental: float = 0.0
    social: float = 0.0


# The prevalences below times this, for the eight priority conditions and for the others, and the loadings on the
# shared frailty times that: fitted once to the published figures.
PREVALENCE_SCALE = {"priority": 0.8709, "other": 1.06}
FRAILTY_SCALE = 1.234
# Prevalences are those of the people alive, so new cases must also replace those who die: in the period the hazard
# of a condition is multiplied by exp(this x its mortality), plus a part for the frailty it is found in.
REPLACEMENT_BY_MORTALITY = 0.8
REPLACEMENT_FOR_ALL = 0.1

CONDITIONS = (
    Condition("depression", (1.1, 7.2, 11.6, 13.2, 13.6, 14.0), 0.6, 1.6, 0.55, "mental", 0.15, 0.47, 1.3, 0.08),
    Condition("cancer", (0.1, 0.4, 1.6, 4.9, 10.3, 13.0), 1.1, 1.0, 0.4, "other", 0.9, 0.67, 0.0, 0.08),
    Condition("diabetes", (0.3, 1.1, 4.5, 10.2, 15.0, 15.0), 1.3, 1.6, 0.55, "vascular", 0.3, 0.47, 0.0, 0.08),
    Condition(
        "coronary_heart_disease", (0.0, 0.1, 1.2, 5.2, 13.5, 20.0), 1.8, 1.5, 0.55, "vascular", 0.25, 0.52, 0.0, 0.08
    ),
    Condition("stroke", (0.0, 0.2, 0.8, 2.5, 6.5, 12.0), 1.2, 1.4, 0.55, "vascular", 0.4, 0.52, 0.0, 1.08),
    Condition("copd", (0.0, 0.1, 0.9, 3.8, 7.0, 7.5), 1.15, 2.2, 0.65, "respiratory", 0.6, 0.72, 0.0, 0.08),
    Condition("dementia", (0.0, 0.0, 0.05, 0.35, 2.1, 10.5), 0.8, 1.2, 0.5, "neurological", 1.1, 0.62, 1.2, 2.08),
    Condition(
        "chronic_kidney_disease", (0.1, 0.3, 1.1, 4.3, 12.8, 22.0), 0.85, 1.2, 0.55, "vascular", 0.3, 0.52, 0.0, 0.08
    ),
    Condition("hypertension", (0.0, 1.2, 9.0, 28.0, 48.0, 58.0), 1.0, 1.2, 0.35, "vascular", 0.0, -0.15),
    Condition("anxiety", (1.0, 2.5, 3.2, 3.5, 3.6, 3.6), 0.6, 1.4, 0.5, "mental", 0.0, 0.05, 1.1),
    Condition("asthma", (6.5, 7.0, 7.0, 7.0, 7.0, 7.0), 0.85, 1.2, 0.3, "respiratory", 0.0, 0.1),
    Condition("atrial_fibrillation", (0.0, 0.05, 0.4, 2.0, 7.5, 17.0), 1.3, 1.0, 0.45, "vascular", 0.2, 0.15),
    Condition("heart_failure", (0.0, 0.03, 0.2, 0.8, 3.0, 9.0), 1.25, 1.4, 0.65, "vascular", 0.8, 0.35, 0.0, 0.3),
    Condition("peripheral_vascular_disease", (0.0, 0.0, 0.2, 0.9, 2.6, 4.2), 1.6, 1.8, 0.55, "vascular", 0.3, 0.1),
    Condition("osteoarthritis", (0.0, 0.3, 1.8, 6.0, 12.0, 16.0), 0.65, 1.2, 0.4, "pain", 0.0, -0.1, 0.0, 0.2),
    Condition("rheumatoid_arthritis", (0.02, 0.15, 0.5, 1.0, 1.5, 1.7), 0.4, 1.1, 0.3, "pain", 0.15, 0.0),
    Condition("osteoporosis", (0.0, 0.05, 0.3, 1.6, 5.5, 11.0), 0.2, 1.0, 0.35, "pain", 0.05, 0.05, 0.0, 0.2),
    Condition("hypothyroidism", (0.2, 1.1, 2.6, 4.6, 6.8, 7.8), 0.2, 1.0, 0.25, "other", 0.0, -0.15),
    Condition("epilepsy", (0.5, 0.7, 0.85, 1.0, 1.2, 1.3), 1.05, 1.5, 0.4, "neurological", 0.3, 0.25),
    Condition(
        "parkinsons_disease", (0.0, 0.0, 0.03, 0.2, 0.9, 1.9), 1.4, 1.0, 0.3, "neurological", 0.6, 0.15, 0.0, 1.5
    ),
    Condition("multiple_sclerosis", (0.0, 0.1, 0.25, 0.3, 0.3, 0.3), 0.4, 1.0, 0.2, "neurological", 0.4, 0.1, 0.0, 1.6),
    Condition("schizophrenia", (0.03, 0.35, 0.55, 0.6, 0.6, 0.6), 1.4, 2.2, 0.4, "mental", 0.5, 0.05, 3.2, 1.0),
    Condition("bipolar_disorder", (0.02, 0.25, 0.45, 0.5, 0.5, 0.5), 0.8, 1.5, 0.4, "mental", 0.3, 0.05, 2.9, 0.4),
    Condition(
        "learning_disability", (0.55, 0.58, 0.6, 0.6, 0.6, 0.6), 1.4, 1.6, 0.2, "neurological", 0.6, 0.1, 1.0, 3.5
    ),
    Condition("alcohol_problems", (0.05, 0.8, 1.5, 1.8, 1.9, 1.9), 2.2, 1.9, 0.5, "mental", 0.5, 0.25, 1.0),
    Condition("substance_misuse", (0.1, 0.7, 0.9, 0.95, 0.95, 0.95), 2.0, 2.3, 0.5, "mental", 0.5, 0.2, 1.5),
    Condition("eating_disorder", (0.15, 0.4, 0.45, 0.45, 0.45, 0.45), 0.12, 1.0, 0.3, "mental", 0.3, 0.1, 1.8),
    Condition("migraine", (0.6, 1.6, 2.2, 2.4, 2.4, 2.4), 0.35, 1.0, 0.2, "pain", 0.0, -0.15),
    Condition("irritable_bowel_syndrome", (0.1, 1.0, 1.6, 2.0, 2.1, 2.1), 0.4, 1.0, 0.3, "pain", 0.0, -0.1),
    Condition("inflammatory_bowel_disease", (0.06, 0.35, 0.55, 0.7, 0.8, 0.8), 1.0, 1.0, 0.2, "other", 0.1, 0.1),
    Condition("peptic_ulcer", (0.0, 0.15, 0.5, 1.1, 1.8, 2.2), 1.5, 1.5, 0.4, "other", 0.05, 0.05),
    Condition("gastro_oesophageal_reflux", (0.1, 0.4, 1.2, 2.4, 3.4, 3.8), 0.9, 1.2, 0.4, "other", 0.0, -0.1),
    Condition("chronic_liver_disease", (0.0, 0.1, 0.35, 0.6, 0.7, 0.7), 1.5, 2.0, 0.5, "other", 0.8, 0.3),
    Condition("diverticular_disease", (0.0, 0.05, 0.4, 1.8, 4.0, 5.6), 0.8, 1.0, 0.35, "other", 0.0, 0.05),
    Condition("psoriasis", (0.2, 0.8, 1.2, 1.5, 1.6, 1.6), 1.05, 1.1, 0.15, "other", 0.0, -0.15),
    Condition("eczema", (2.6, 2.8, 2.8, 2.8, 2.8, 2.8), 0.9, 1.0, 0.15, "other", 0.0, -0.15),
    Condition("glaucoma", (0.0, 0.05, 0.3, 1.0, 2.8, 5.0), 1.0, 1.0, 0.15, "sensory", 0.0, -0.15),
    Condition("cataract", (0.0, 0.05, 0.2, 0.9, 3.8, 8.0), 0.75, 1.0, 0.25, "sensory", 0.0, -0.15),
    Condition("macular_degeneration", (0.0, 0.0, 0.05, 0.35, 2.0, 6.5), 0.7, 1.0, 0.15, "sensory", 0.0, -0.1, 0.0, 0.4),
    Condition("hearing_loss", (0.3, 0.5, 0.9, 2.4, 6.2, 12.5), 1.1, 1.1, 0.2, "sensory", 0.0, -0.15),
    Condition("chronic_back_pain", (0.1, 1.3, 2.6, 3.4, 3.8, 3.8), 0.85, 1.4, 0.5, "pain", 0.0, 0.0, 0.2),
    Condition("fibromyalgia", (0.0, 0.25, 0.65, 0.85, 0.85, 0.85), 0.15, 1.4, 0.5, "pain", 0.0, 0.0, 0.2),
    Condition("gout", (0.0, 0.1, 0.7, 2.0, 3.3, 4.0), 4.0, 1.1, 0.35, "vascular", 0.0, -0.1),
    Condition("prostate_disorder", (0.0, 0.0, 0.4, 2.6, 7.5, 10.0), math.inf, 1.0, 0.3, "other", 0.0, 0.0),
    Condition("endometriosis", (0.0, 0.4, 0.75, 0.8, 0.8, 0.8), 0.0, 1.0, 0.2, "pain", 0.0, 0.0),
    Condition("anaemia", (0.2, 0.6, 0.9, 1.2, 2.4, 4.2), 0.5, 1.2, 0.5, "other", 0.2, 0.15),
    Condition("sleep_apnoea", (0.0, 0.1, 0.5, 0.8, 0.9, 0.9), 2.5, 1.2, 0.4, "respiratory", 0.05, 0.0),
    Condition("bronchiectasis", (0.0, 0.04, 0.1, 0.3, 0.7, 0.9), 0.85, 1.0, 0.4, "respiratory", 0.2, 0.2),
    Condition("urinary_incontinence", (0.0, 0.2, 0.8, 2.0, 4.0, 7.5), 0.3, 1.0, 0.4, "other", 0.0, 0.0, 0.0, 0.6),
)
CONDITION_NAMES = tuple(condition.name for condition in CONDITIONS)
CLUSTERS = tuple(sorted({condition.cluster for condition in CONDITIONS}))


@dataclass(frozen=True)
class LatentClass:
    """A kind of person that no table shows: its share of people, and the hazard ratio of each condition.

    `ratios` are those of clusters, others have the ratio `elsewhere`; `priority` multiplies the ratios of the eight
    priority conditions.
    """

    name: str
    share: float
    ratios: dict[str, float]
    elsewhere: float = 1.0
    priority: float = 1.0

    def ratio(self, condition: Condition) -> float:
        """Return the hazard ratio of a condition."""
        by_cluster = self.ratios.get(condition.cluster, self.elsewhere)
        return by_cluster * (self.priority if condition.name in PRIORITY_CONDITIONS else 1.0)


CLASSES = (
    LatentClass("general", 0.765, {}),
    LatentClass("heart_and_vessels", 0.07, {"vascular": 2.5}),
    LatentClass("mind_and_pain", 0.07, {"mental": 3.0, "pain": 2.5}),
    LatentClass("lungs", 0.035, {"respiratory": 4.0}),
    LatentClass("complex", 0.06, {}, elsewhere=1.06, priority=4.167),
)


@dataclass(frozen=True)
class Link:
    """A planted excess: once a person has all of `after`, the hazard of `condition` is multiplied by `hazard_ratio`.

    Two names in `after` plant a true triad, which no combination of its pairs explains.
    """

    after: tuple[str, ...]
    condition: str
    hazard_ratio: float


# In an order where every condition is settled before it is named in `after`.
LINKS = (
    Link(("rheumatoid_arthritis",), "osteoporosis", 3.0),
    Link(("chronic_back_pain",), "depression", 2.4),
    Link(("depression",), "anxiety", 4.0),
    Link(("asthma",), "copd", 2.0),
    Link(("copd",), "bronchiectasis", 5.0),
    Link(("diabetes",), "chronic_kidney_disease", 2.0),
    Link(("diabetes", "chronic_kidney_disease"), "coronary_heart_disease", 5.0),
    Link(("coronary_heart_disease",), "heart_failure", 4.0),
    Link(("diabetes", "hypertension"), "atrial_fibrillation", 4.0),
    Link(("atrial_fibrillation",), "stroke", 2.5),
    Link(("stroke",), "dementia", 3.0),
    Link(("alcohol_problems",), "chronic_liver_disease", 6.0),
    Link(("chronic_kidney_disease",), "anaemia", 3.5),
)


@dataclass(frozen=True)
class Sequence:
    """A planted order: `first` brings on `then` in a share of people, after a log-normal interval in days."""

    first: str
    then: str
    share: float
    median_gap: float
    spread: float = 0.5


# `then` is the cause of nothing else above, so that these can be settled last.
SEQUENCES = (
    Sequence("stroke", "epilepsy", 0.08, 300.0),
    Sequence("diabetes", "cataract", 0.10, 900.0),
    Sequence("parkinsons_disease", "urinary_incontinence", 0.25, 500.0),
)
