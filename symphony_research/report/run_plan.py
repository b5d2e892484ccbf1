"""Turn the arguments into a list of runs, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.policy import Policy, policy_named
from symphony_research.report.asked import ask, wrong_defaults, wrong_notebooks
from symphony_research.report.notebooks import (
    FILLED_BY_RUNNER,
    LEVEL,
    Notebook,
    find_notebook,
    list_notebooks,
)
from symphony_research.report.parameters import check_names, convert, with_defaults
from symphony_research.report.subject import Subject
from symphony_research.report.wanted import check_against_study

__all__ = ["LEVELS", "Run", "open_study", "plan_runs"]

LEVELS = ("default", "strict", "rule_text")


@dataclass(frozen=True)
class Run:
    """One notebook to be run once.

    Attributes
    ----------
    notebook : Notebook
        Which notebook.
    subject : Subject
        Whom it is about.
    given : mapping
        The values put into the notebook.
    folder : str
        Name of the report's folder.
    policy : Policy
        The disclosure policy.
    """

    notebook: Notebook
    subject: Subject
    given: Mapping[str, Any]
    folder: str
    policy: Policy

    @property
    def hub(self) -> str | None:
        """The hub it is about, if it is one."""
        return self.subject.name if self.subject.kind == "hub" else None

    @property
    def label(self) -> str:
        """Notebook and subject, for a line of progress."""
        return self.subject.label(self.notebook.name)

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Every parameter's value, defaults included."""
        return with_defaults(self.notebook, self.given)


def open_study(study: Any) -> Any:
    """Return the Study meant by a folder, or the Study given.

    Raises
    ------
    ArgumentError
        If the folder is not there, or the study was never written to one.
    """
    if hasattr(study, "fingerprint"):
        if getattr(study, "folder", None) is None:
            raise ArgumentError("Reports are made from a study folder; this study is only in memory.")
        return study
    folder = Path(study)
    if not folder.is_dir():
        beside = folder.parent if folder.parent.is_dir() else Path()
        studies = sorted(p.parent.name for p in beside.glob("*/study.toml"))
        there = f" Study folders beside it: {', '.join(studies)}." if studies else ""
        raise ArgumentError(
            f"There is no study folder '{study}'.{there}{suggestion(folder.name, studies)} "
            "Make one with: symphony synthesise OUT"
        )
    from symphony_research.study import read_study

    return read_study(folder)


def plan_runs(
    study: Any,
    notebooks: Sequence[str] | None,
    *,
    hubs: Iterable[str] = (),
    all_hubs: bool = False,
    practices: Iterable[str] = (),
    all_practices: bool = False,
    areas: Iterable[str] = (),
    all_areas: bool = False,
    quarters: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
    policy: str | Policy | None = None,
    level: str = LEVELS[0],
    without: Iterable[str] = (),
) -> list[Run]:
    """Return the runs asked for, in the order in which they are released.

    Notebook by notebook as they were asked for; within one the whole before its
    parts, and these by name.

    Raises
    ------
    ArgumentError
        With every fault found, one a line.
    """
    available = list_notebooks()
    faults: list[str] = []
    chosen: list[Notebook] = []
    for name in [notebooks] if isinstance(notebooks, str) else notebooks or ():
        try:
            notebook = find_notebook(name, available)
        except ArgumentError as fault:
            faults.append(str(fault))
        else:
            chosen += [notebook] if notebook not in chosen else []
    every = {"hub": all_hubs, "practice": all_practices, "area": all_areas}
    asked = ask(
        study,
        {"hub": hubs, "practice": practices, "area": areas, "quarter": quarters},
        [kind for kind, wanted in every.items() if wanted],
    )
    faults += asked.faults
    if not notebooks:
        chosen = asked.notebooks(available, study)

    try:
        chosen_policy = _policy(policy, study, level)
    except ArgumentError as fault:
        faults.append(str(fault))
        chosen_policy = study.policy

    faults += wrong_notebooks(asked, chosen, available) if chosen or not notebooks else []
    faults += [] if "hub" in asked.kinds else wrong_defaults(study, chosen)
    if any(nb.compares_hubs for nb in chosen) and not study.hubs():
        names = ", ".join(nb.name for nb in chosen if nb.compares_hubs)
        faults.append(f"The study '{study.name}' names no hub, so {names} has none to compare.")
    given = dict(parameters or {})
    faults += check_names(given, chosen) if chosen else []

    faults += _not_there(without, chosen)

    runs: list[Run] = []
    for notebook in chosen:
        values, wrong = _values(notebook, given)
        faults += wrong or check_against_study(study, with_defaults(notebook, values), given, chosen_policy)
        # The folder is made absolute because a notebook runs in a folder of its own.
        values["study"] = str(Path(study.folder).absolute())
        if level != LEVELS[0]:
            values |= {"policy": chosen_policy.name, LEVEL: level}
        elif chosen_policy == policy_named(chosen_policy.name):
            values["policy"] = chosen_policy.name
        for subject in asked.of(notebook, named=bool(notebooks)):
            own = {**values, **subject.parameters(notebook.takes)}
            runs.append(Run(notebook, subject, own, asked.folder(subject, notebook), chosen_policy))
        faults += _missing(notebook, level)
    if faults:
        raise ArgumentError("\n".join(dict.fromkeys(faults)))
    return runs


def _policy(policy: str | Policy | None, study: Any, level: str) -> Policy:
    if level not in LEVELS:
        raise ArgumentError(f"There is no level '{level}'. Levels: {', '.join(LEVELS)}.{suggestion(level, LEVELS)}")
    chosen: Policy = (
        study.policy if policy is None else policy if isinstance(policy, Policy) else _named(str(policy), study)
    )
    if isinstance(policy, Policy) and policy != policy_named(policy.name):
        raise ArgumentError("A report takes a policy by its name; write its settings in study.toml instead.")
    if chosen.changes_nothing and not study.generated:
        raise ArgumentError(
            "The policy 'synthetic' changes nothing, and is for generated data alone. "
            f"'{study.name}' does not carry the generator's fingerprint: choose another policy."
        )
    return chosen.at_level(level)


def _named(policy: str, study: Any) -> Policy:
    """Return the study's own settings of its own policy, or another policy's standard ones."""
    own: Policy = study.policy
    return own if policy == own.name else policy_named(policy)


def _values(notebook: Notebook, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values, faults = {}, []
    for parameter in notebook.own_parameters:
        if parameter.name in given:
            try:
                values[parameter.name] = convert(parameter, given[parameter.name], notebook=notebook.name)
            except ArgumentError as fault:
                faults.append(str(fault))
    return values, faults


def _not_there(without: Iterable[str], chosen: Sequence[Notebook]) -> list[str]:
    """Return what is wrong with the results that are to be omitted: none of the notebooks releases them."""
    names = sorted({name for notebook in chosen for name in notebook.results})
    return [
        f"No notebook chosen has a result '{name}' to omit. Results: {', '.join(names)}.{suggestion(name, names)}"
        for name in without
        if name not in names
    ]


def _missing(notebook: Notebook, level: str) -> list[str]:
    needed = (*FILLED_BY_RUNNER, LEVEL) if level != LEVELS[0] else FILLED_BY_RUNNER
    how = "as a report" if level == LEVELS[0] else f"as a report at the level '{level}'"
    return [
        f"{notebook.name} cannot be run {how}: its cell tagged 'parameters' has no '{name}'."
        for name in needed
        if notebook.parameter(name) is None
    ]
