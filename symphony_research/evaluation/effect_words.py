"""An effect in words, in the order of a page: the verdict, who was compared, their rate, the effect, what dilutes it, and deaths."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.evaluation.release import ARMS
from symphony_research.evaluation.verdicts import few_rule, rate_words, with_ratio
from symphony_research.inference import normal_quantile
from symphony_research.result.facts import of_whom
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number, percentage, roughly
from symphony_research.words.phrases import confidence_of

if TYPE_CHECKING:
    from symphony_research.evaluation.effect import EnrolmentEffect

__all__ = ["DEATHS", "DIFFERENCE", "RATIO", "compared_words", "effect_sentence", "error_of"]

RATIO, DIFFERENCE, DEATHS = "rate ratio", "rate difference per 100 person-years", "death rate ratio"


def effect_sentence(effect: EnrolmentEffect) -> str:
    """Return the words of an effect; of one that is suppressed, or of few, why there is none."""
    settings, what = effect.settings, EVENTS[effect.settings["outcome"]].plural
    row, people = effect.row(RATIO), effect.arms["n_persons"].to_list()
    if row["estimate"] is None and not effect.few:
        return f"Too few people are matched for an effect on {what} to be shown."
    parts = [f"Verdict: {effect.verdict}.", compared_words(settings, people)]
    if row["estimate"] is None:
        return " ".join([*parts, few_rule(settings)])
    rate = effect.arms.filter(pl.col("arm") == ARMS[0])["rate"][0]
    parts += [
        rate_words(row, effect.row(DIFFERENCE), what, confidence_of(settings), rate),
        _later_words(effect),
        _death_words(effect),
    ]
    return " ".join(part for part in parts if part)


def compared_words(settings: Any, people: list[int | None]) -> str:
    """Return who was compared with whom, over which days."""
    whom = of_whom(settings)
    own, controls = (f"about {roughly(n)}" if n is not None else "some" for n in people)
    return capital(
        f"{own} people who enrolled{f' ({whom})' if whom else ''} and could be matched were compared with {controls} comparable people who had not "
        f"enrolled by that day, over the {number(int(settings['horizon']))} days after it."
    )


def error_of(row: Any, settings: Any) -> float:
    """Return the standard error of a log ratio that its interval, as it is shown, comes from."""
    return log(row["upper"] / row["lower"]) / (2 * normal_quantile(settings["confidence"]))


def _later_words(effect: EnrolmentEffect) -> str:
    share = effect.later["share_enrolled"][0]
    if share and effect.settings["later_enrolment"] == "censored":
        return (
            "Controls are followed until they enrol themselves, and those who have not are weighted for those who have."
        )
    return (
        f"Some controls enrolled later: for {percentage(share)} of all controls' time, which dilutes an effect."
        if share
        else ""
    )


def _death_words(effect: EnrolmentEffect) -> str:
    row = effect.row(DEATHS)
    if effect.settings["outcome"] == "death" or row["estimate"] is None:
        return ""
    ratio = with_ratio(row)
    clear = row["lower"] > 1 or row["upper"] < 1
    return (
        f"The death rate was {ratio} times theirs."
        if clear
        else f"Deaths did not clearly differ: {ratio} times the rate."
    )
