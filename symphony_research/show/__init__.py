"""From a Result to what a reader sees: figures, tables and sentences.

Each plot is `(result, ax=None, ...) -> Axes` and draws only what the result
holds. `picture`, `table` and `sentence` return what a notebook displays;
`write_figure` and `write_table` write files of disclosed results alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symphony_research.lazily import lazily

if TYPE_CHECKING:  # for editors and type checkers; nothing here runs
    from symphony_research.show.acro import write_acro
    from symphony_research.show.bars import plot_condition_count, plot_prevalence
    from symphony_research.show.before_after import plot_before_after
    from symphony_research.show.comorbidity_plots import (
        plot_comorbidity_count,
        plot_comorbidity_profile,
        plot_cost_interaction,
    )
    from symphony_research.show.cross import cross_table
    from symphony_research.show.curve_plots import plot_survival
    from symphony_research.show.effect_forests import plot_effect_by, plot_other_analyses, plot_outcome_effects
    from symphony_research.show.enrolment import plot_enrolment_effect
    from symphony_research.show.event_study import plot_event_study
    from symphony_research.show.export import write_network
    from symphony_research.show.families import plot
    from symphony_research.show.fan import plot_fan_chart
    from symphony_research.show.findings import facts, finding, heading
    from symphony_research.show.flow import plot_attrition
    from symphony_research.show.forest import plot_effects
    from symphony_research.show.heatmap import plot_cooccurrence_matrix
    from symphony_research.show.love import plot_balance
    from symphony_research.show.matched_curves import plot_matched_incidence
    from symphony_research.show.need_plots import plot_bed_scenarios, plot_need
    from symphony_research.show.network import plot_network
    from symphony_research.show.outcomes import outcome_picture, outcome_table
    from symphony_research.show.pictures import Picture, picture, write_figure
    from symphony_research.show.programme_study import plot_programme_event_study
    from symphony_research.show.pyramid import plot_population_pyramid
    from symphony_research.show.ranked import plot_centrality, plot_comparison, plot_sequences
    from symphony_research.show.risk_forest import plot_standardised_risk
    from symphony_research.show.sentences import Sentence, sentence
    from symphony_research.show.series import plot_interrupted_time_series
    from symphony_research.show.stacked import plot_stacked_incidence
    from symphony_research.show.tables import Table, table, write_table
    from symphony_research.show.upset import EXACT_SET_CAUTION, plot_upset

_HOMES = {
    "acro": ("write_acro",),
    "bars": ("plot_condition_count", "plot_prevalence"),
    "before_after": ("plot_before_after",),
    "comorbidity_plots": ("plot_comorbidity_count", "plot_comorbidity_profile", "plot_cost_interaction"),
    "cross": ("cross_table",),
    "curve_plots": ("plot_survival",),
    "effect_forests": ("plot_effect_by", "plot_other_analyses", "plot_outcome_effects"),
    "enrolment": ("plot_enrolment_effect",),
    "event_study": ("plot_event_study",),
    "export": ("write_network",),
    "families": ("plot",),
    "fan": ("plot_fan_chart",),
    "findings": ("facts", "finding", "heading"),
    "flow": ("plot_attrition",),
    "forest": ("plot_effects",),
    "heatmap": ("plot_cooccurrence_matrix",),
    "love": ("plot_balance",),
    "matched_curves": ("plot_matched_incidence",),
    "need_plots": ("plot_bed_scenarios", "plot_need"),
    "network": ("plot_network",),
    "outcomes": ("outcome_picture", "outcome_table"),
    "pictures": ("Picture", "picture", "write_figure"),
    "programme_study": ("plot_programme_event_study",),
    "pyramid": ("plot_population_pyramid",),
    "ranked": ("plot_centrality", "plot_comparison", "plot_sequences"),
    "risk_forest": ("plot_standardised_risk",),
    "sentences": ("Sentence", "sentence"),
    "series": ("plot_interrupted_time_series",),
    "stacked": ("plot_stacked_incidence",),
    "tables": ("Table", "table", "write_table"),
    "upset": ("EXACT_SET_CAUTION", "plot_upset"),
}
__getattr__, __dir__ = lazily(__name__, _HOMES)

__all__ = __dir__()
