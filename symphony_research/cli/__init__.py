"""The command line: ``symphony ...``.

Heavy modules are imported by the command that needs them, so that help is quick.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from symphony_research.cli.arguments import add_register, add_size, add_subjects, effect_of, positive, subjects_of
from symphony_research.errors import ArgumentError, SymphonyError

__all__ = ["main"]

DONE, FOUND, WRONG_ARGUMENTS, STOPPED = 0, 1, 2, 130  # 130 is a shell's word for Ctrl-C
PUBLIC_STUDY = ("synthetic", "south_somerset")
POLICY_NAMES = "nhs_england, opensafely, sacro or synthetic"
LEVELS = ("default", "strict", "rule_text")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``symphony``; those of the command line by default.

    Returns
    -------
    int
        0 done, 1 a finding or a failed report, 2 wrong arguments, 130 stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may not know every character
            stream.reconfigure(errors="replace")
    parser = _parser()
    try:
        arguments = _read(parser, argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG_ARGUMENTS
    if arguments.run is None:
        arguments.parser.print_help()
        return DONE
    before = _end_gently()
    try:
        return int(arguments.run(arguments))
    except ArgumentError as fault:
        _complain(str(fault))
        return WRONG_ARGUMENTS
    except SymphonyError as fault:
        _complain(str(fault))
        return FOUND
    except KeyboardInterrupt:
        _complain("Stopped. Reports already finished are kept; nothing is half written.")
        return STOPPED
    except BrokenPipeError:
        sys.stderr.close()
        return FOUND
    except OSError as fault:
        _complain(
            f"A file or folder could not be used ({fault.strerror or type(fault).__name__}): in use elsewhere, not permitted, or not a folder."
        )
        return WRONG_ARGUMENTS
    except Exception as fault:
        if getattr(arguments, "debug", False):
            raise
        _complain(
            f"This is a fault of symphony_research itself ({type(fault).__name__}). Please report it, with the "
            "command you gave. Add --debug for the details, which may hold values from your data."
        )
        return FOUND
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _read(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the words of a command; options may stand between the study and the notebooks, which argparse does not expect."""
    arguments, left = parser.parse_known_args(argv)
    if left and (not hasattr(arguments, "notebooks") or any(word.startswith("-") for word in left)):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        arguments.notebooks = [*arguments.notebooks, *left]
    return arguments


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _end_gently() -> Any:
    """Treat a request to end like Ctrl-C, so that workers are stopped too."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        return signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        return None


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    # Suppressed by default, so that the command's own default does not undo "symphony --debug COMMAND".
    common.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the details of an unexpected fault"
    )
    parser = argparse.ArgumentParser(
        prog="symphony",
        description="A workbench for population health: study folders in, reports out.",
        epilog="Start with: symphony demo. Help on one command: symphony COMMAND --help.",
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"symphony_research {_version()}")
    parser.set_defaults(run=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(
        name: str, words: str, run: Callable[[argparse.Namespace], int], into: Any = commands
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = into.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}.", parents=[common]
        )
        made.set_defaults(run=run)
        return made

    demo = command("demo", "make the public synthetic study, and every report from it", _demo)
    demo.add_argument("--out", metavar="DIR", default="reports", help="folder for the reports (default: reports)")
    demo.add_argument(
        "--study", metavar="DIR", help="folder for the study (default: synthetic/south_somerset beside the reports)"
    )
    add_size(demo)

    synthesise = command("synthesise", "make a study of generated people, in a new folder", _synthesise)
    synthesise.add_argument("out", metavar="OUT", help="folder for the study")
    add_size(synthesise)
    synthesise.add_argument(
        "--profile", metavar="NAME", help="what makes conditions go together: calibrated (default), planted or null"
    )
    synthesise.add_argument(
        "--effect", metavar="PROGRAMME.OUTCOME=VALUE[,VALUE...]", action="append", default=[], type=effect_of,
        help="what a programme does, by year since its start, such as complex_care.emergency_admissions=0.9,0.8; may be repeated",
    )  # fmt: skip
    synthesise.add_argument(
        "--messy", action="store_true", help="as untidy as real extracts: incomplete months, late deaths, faults"
    )
    synthesise.add_argument(
        "--faults", metavar="N", type=int, help="rows of each kind of fault in a messy study (default: 20)"
    )

    check = command("check", "check a study folder, and list everything found in it", _check)
    check.add_argument("study", metavar="STUDY", help="the study folder")

    protocol = command("protocol", "write the protocol of a study's evaluation, look it over, or fix it", _protocol)
    protocol.add_argument("study", metavar="STUDY", help="the study folder")
    protocol.add_argument("--check", action="store_true", help="say whether it can be read, and what it says")
    protocol.add_argument(
        "--fix", action="store_true", help="record it with day and name, before outcomes are read; none of it is sent anywhere"
    )  # fmt: skip
    protocol.add_argument("--by", metavar="NAME", help="who fixes it (default: its authors, or you)")
    protocol.add_argument(
        "--file", metavar="FILE", help="another protocol (default: protocol.toml in the study folder)"
    )
    protocol.add_argument(
        "--programme", metavar="NAME", help="of this programme (default: the study's only one, or complex_care)"
    )

    importing = command("import", "turn other people's data into a study folder", _import_help)
    importing.set_defaults(run=None, parser=importing)
    kinds = importing.add_subparsers(title="kinds of data", metavar="KIND")
    survey = command("survey", "turn a survey file into a study folder", _import_survey, kinds)
    survey.add_argument("file", metavar="FILE", help="the survey, CSV or Parquet")
    survey.add_argument("out", metavar="OUT", help="folder for the study")
    survey.add_argument(
        "--config",
        metavar="MAP.TOML",
        required=True,
        help="which column means what: a file, or a mapping that ships, such as brfss2020",
    )

    command("notebooks", "list the notebooks: what each asks, and its parameters", _notebooks)

    project = command("project", "project the population of South Somerset from what was known in 2013", _project)
    project.add_argument("out", metavar="OUT", help="folder for the tables")
    project.add_argument(
        "--years", metavar="YEAR", type=int, nargs="+", help="mid-years to write (default: 2017 2019 2020 2021)"
    )
    project.add_argument("--variant", metavar="NAME", default="principal", help="principal (default), low, high, ...")
    project.add_argument(
        "--runs", metavar="N", type=positive, help="stochastic runs behind the intervals (default: 1,000)"
    )
    project.add_argument("--seed", metavar="S", type=int, help="another number draws other runs")

    report = command("report", "run notebooks on a study, and make a report from each", _report)
    report.add_argument("study", metavar="STUDY", help="the study folder")
    report.add_argument(
        "notebooks", metavar="NOTEBOOK", nargs="*",
        help="by name, number or beginning of the name, such as 02 or multimorbidity (default: all)",
    )  # fmt: skip
    add_subjects(report)
    report.add_argument(
        "-p", "--parameter", metavar="NAME=VALUE", action="append", default=[],
        help="set a parameter; may be repeated; see: symphony notebooks",
    )  # fmt: skip
    report.add_argument(
        "--policy", metavar="NAME", help=f"disclosure policy: {POLICY_NAMES} (default: the study's own)"
    )
    report.add_argument(
        "--level", choices=LEVELS, default=LEVELS[0],
        help="how much the policy protects; rule_text, the text of the rule and no more, is for nhs_england alone (default: default)",
    )  # fmt: skip
    report.add_argument("--out", metavar="DIR", default="reports", help="folder for the reports (default: reports)")
    report.add_argument("--jobs", metavar="N", type=positive, help="notebooks run at once (default: one a processor)")
    report.add_argument(
        "--pdf", action="store_true", help="print each report to report.pdf too, by Edge, Chrome or Chromium"
    )
    report.add_argument(
        "--without", metavar="NAME", action="append", default=[],
        help="omit a result, by its name in the notebook, such as baseline; may be repeated",
    )  # fmt: skip
    add_register(report, "as study.toml says, else your own")

    release = command("release", "enter finished reports into the register of releases", _release)
    release.add_argument("reports", metavar="REPORT", nargs="*", help="folder of a report, or of all reports")
    release.add_argument("--list", dest="listed", action="store_true", help="list what was released")
    release.add_argument("--withdraw", metavar="N", type=positive, help="declare entry N out of use; it stays listed")
    release.add_argument("--reason", metavar="TEXT", default="", help="why an entry is withdrawn")
    release.add_argument(
        "--by", metavar="NAME", help="who releases or withdraws (default: the report's author, or you)"
    )
    add_register(release, "of reports the one they were made beside; to list or withdraw your own")
    return parser


def _version() -> str:
    try:
        return version("symphony_research")
    except PackageNotFoundError:
        return "(not installed)"


def _demo(arguments: argparse.Namespace) -> int:
    out = Path(arguments.out)
    study = Path(arguments.study) if arguments.study else out.absolute().parent.joinpath(*PUBLIC_STUDY)
    _complain(f"Making the study {_shown(study)}")
    _make_study(study, arguments)
    return _make_reports(study, None, all_hubs=True, out=out, jobs=arguments.jobs)


def _synthesise(arguments: argparse.Namespace) -> int:
    effects: dict[str, dict[str, list[float]]] = {}
    for programme, outcome, values in arguments.effect:
        effects.setdefault(programme, {})[outcome] = values
    if arguments.faults is not None and not arguments.messy:
        raise ArgumentError("--faults is for a messy study: add --messy.")
    own = {"profile": arguments.profile, "effects": effects or None, "messy": arguments.messy or None}
    _make_study(Path(arguments.out), arguments, **own, faults=arguments.faults)
    print(f"A study of generated people is in {_shown(Path(arguments.out))}")
    return DONE


def _make_study(out: Path, arguments: argparse.Namespace, **own: Any) -> None:
    from symphony_research.synthetic import synthesise

    asked = {name: getattr(arguments, name) for name in ("people", "seed", "jobs")} | own
    synthesise(out, **{name: value for name, value in asked.items() if value is not None}, progress=True)


def _check(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.study)
    if not folder.is_dir():
        raise ArgumentError(f"There is no study folder '{folder}'.")
    from symphony_research.study import check_study

    findings = check_study(folder)
    print(findings.text())
    return DONE if findings.ok else FOUND


def _protocol(arguments: argparse.Namespace) -> int:
    from symphony_research.evaluation.protocol_command import protocol_in_words

    names = ("check", "fix", "by", "file", "programme")
    print(protocol_in_words(arguments.study, **{name: getattr(arguments, name) for name in names}))
    return DONE


def _import_help(arguments: argparse.Namespace) -> int:  # pragma: no cover - the parser prints help instead
    return DONE


def _import_survey(arguments: argparse.Namespace) -> int:
    from symphony_research.survey import import_survey

    import_survey(Path(arguments.file), Path(arguments.out), config=arguments.config)
    print(f"The study is in {_shown(Path(arguments.out))}. Look it over with: symphony check {arguments.out}")
    return DONE


def _notebooks(arguments: argparse.Namespace) -> int:
    from symphony_research.report.notebooks import list_notebooks
    from symphony_research.report.subject import PLURALS

    for notebook in list_notebooks():
        print(f"{notebook.name}\n    {notebook.question or notebook.title}")
        for kind in notebook.takes:
            every = f", or --all-{PLURALS[kind]}" if kind != "quarter" else ""
            print(f"    may be asked for one {kind}: --{kind} {'2016-Q3' if kind == 'quarter' else 'NAME'}{every}")
        for p in notebook.own_parameters:
            default = "none" if p.default is None else p.default
            print(f"    -p {p.name}={default}  ({p.kind_in_words}){f'  {p.help}' if p.help else ''}")
            if p.choices:
                print(f"        one of: {', '.join(p.choices)}")
        print()
    return DONE


def _project(arguments: argparse.Namespace) -> int:
    from symphony_research.demography.marking import write_south_somerset

    asked = {name: getattr(arguments, name) for name in ("years", "variant", "runs", "seed")}
    print(write_south_somerset(arguments.out, **{name: value for name, value in asked.items() if value is not None}))
    print(f"The tables are in {_shown(Path(arguments.out))}")
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from symphony_research.report.parameters import read_pairs

    return _make_reports(
        Path(arguments.study),
        arguments.notebooks or None,
        **subjects_of(arguments),
        parameters=read_pairs(arguments.parameter),
        policy=arguments.policy,
        level=arguments.level,
        out=Path(arguments.out),
        jobs=arguments.jobs,
        pdf=arguments.pdf,
        register=arguments.register,
        without=arguments.without,
    )


def _release(arguments: argparse.Namespace) -> int:
    from symphony_research.report.releasing import release_in_words

    told = {name: getattr(arguments, name) for name in ("reports", "register", "by", "listed", "withdraw", "reason")}
    print(release_in_words(**told))
    return DONE


def _make_reports(study: Path, notebooks: Sequence[str] | None, **asked: Any) -> int:
    from symphony_research.report.run import run_reports

    made = run_reports(study, notebooks, **asked)
    n_made, n_failed = len(made.runs) - len(made.failed), len(made.failed)
    print(f"{n_made} report{'s' if n_made != 1 else ''} made{f', {n_failed} failed:' if n_failed else '.'}")
    for run in made.failed:
        print(f"  {run.label}: {run.error}")
    for run in made.runs:
        if run.not_printed:
            print(f"  {run.label}: no PDF, as {run.not_printed}. The report itself is made: open it and print it.")
    for warning in made.warnings:
        print(f"Note: {warning}")
    print(made.index.absolute().as_uri())
    return DONE if made.ok else FOUND


def _shown(path: Path) -> str:
    """Return a path as the user would write it: from the current folder where it lies below that."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
