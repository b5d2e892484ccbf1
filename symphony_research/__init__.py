"""A workbench for people who study how a population uses health and social care.

    import symphony_research as sr

Names are loaded when first used, so that the import is as quick as that of a
single module; `dir(sr)` lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symphony_research.lazily import lazily

if TYPE_CHECKING:  # for editors and type checkers; nothing here runs
    from symphony_research import demography, evaluation, multimorbidity, networks, survival
    from symphony_research.cohort import Cohort, define_cohort
    from symphony_research.collapse import Patterns
    from symphony_research.disclosure import check_differencing, suppress
    from symphony_research.errors import (
        ArgumentError,
        DisclosureError,
        ReportError,
        SchemaError,
        SymphonyError,
    )
    from symphony_research.example import example_study
    from symphony_research.policy import Policy
    from symphony_research.result import Result
    from symphony_research.show import (
        cross_table,
        facts,
        finding,
        heading,
        outcome_picture,
        outcome_table,
        picture,
        plot,
        plot_attrition,
        plot_balance,
        plot_bed_scenarios,
        plot_before_after,
        plot_centrality,
        plot_comorbidity_count,
        plot_comorbidity_profile,
        plot_comparison,
        plot_condition_count,
        plot_cooccurrence_matrix,
        plot_cost_interaction,
        plot_effect_by,
        plot_effects,
        plot_enrolment_effect,
        plot_event_study,
        plot_fan_chart,
        plot_interrupted_time_series,
        plot_matched_incidence,
        plot_need,
        plot_network,
        plot_other_analyses,
        plot_outcome_effects,
        plot_population_pyramid,
        plot_prevalence,
        plot_programme_event_study,
        plot_sequences,
        plot_stacked_incidence,
        plot_standardised_risk,
        plot_survival,
        plot_upset,
        sentence,
        table,
        write_acro,
        write_figure,
        write_network,
        write_table,
    )
    from symphony_research.study import Study, check_study, read_study
    from symphony_research.survey import import_survey
    from symphony_research.synthetic import synthesise

_HOMES = {
    "demography": (),
    "evaluation": (),
    "multimorbidity": (),
    "networks": (),
    "survival": (),
    "cohort": ("Cohort", "define_cohort"),
    "collapse": ("Patterns",),
    "disclosure": ("check_differencing", "suppress"),
    "errors": ("ArgumentError", "DisclosureError", "ReportError", "SchemaError", "SymphonyError"),
    "example": ("example_study",),
    "policy": ("Policy",),
    "result": ("Result",),
    "show": (
        "cross_table",
        "facts",
        "finding",
        "heading",
        "outcome_picture",
        "outcome_table",
        "picture",
        "plot",
        "plot_attrition",
        "plot_balance",
        "plot_bed_scenarios",
        "plot_before_after",
        "plot_centrality",
        "plot_cost_interaction",
        "plot_comorbidity_profile",
        "plot_comparison",
        "plot_condition_count",
        "plot_cooccurrence_matrix",
        "plot_effect_by",
        "plot_effects",
        "plot_enrolment_effect",
        "plot_event_study",
        "plot_fan_chart",
        "plot_interrupted_time_series",
        "plot_matched_incidence",
        "plot_need",
        "plot_comorbidity_count",
        "plot_network",
        "plot_other_analyses",
        "plot_outcome_effects",
        "plot_population_pyramid",
        "plot_prevalence",
        "plot_programme_event_study",
        "plot_sequences",
        "plot_stacked_incidence",
        "plot_standardised_risk",
        "plot_survival",
        "plot_upset",
        "sentence",
        "table",
        "write_acro",
        "write_figure",
        "write_network",
        "write_table",
    ),
    "study": ("Study", "check_study", "read_study"),
    "survey": ("import_survey",),
    "synthetic": ("synthesise",),
}
_named, _names = lazily(__name__, _HOMES)

__all__ = _names()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from symphony_research.result import library_version

        return library_version()
    return _named(name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
