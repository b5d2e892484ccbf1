"""Find notebooks, and read what each one asks and which parameters it takes.

Nothing is executed: the parameters are read from the cell tagged `parameters`
as text, so listing notebooks is fast and safe.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symphony_research.errors import ArgumentError, ReportError, suggestion
from symphony_research.report.subject import PARTS

__all__ = ["FILLED_BY_RUNNER", "LEVEL", "Notebook", "Parameter", "find_notebook", "list_notebooks", "notebook_folder"]

FILLED_BY_RUNNER = ("study", "policy", "session")
LEVEL = "level"  # of the policy; a notebook without it is run at the default level alone

_KIND_WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "yes or no", "None": "nothing"}
_TYPE = re.compile(r"^type:\s*([\w\[\]]+)\s*")
_CHOICES = re.compile(r"[,;.]?\s*\bone of:\s*(?P<choices>[^;.]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Attributes
    ----------
    name : str
        Its name in the notebook.
    kinds : tuple of str
        The types it may have: "str", "int", "float", "bool", "None", or a list such as "list[int]".
        Empty where the notebook does not say.
    default : object
        Its value unless another is asked for.
    help : str
        What it is, in words.
    choices : tuple of str
        The values it may have; empty where any value of its type will do.
    """

    name: str
    kinds: tuple[str, ...]
    default: Any
    help: str = ""
    choices: tuple[str, ...] = ()

    @property
    def kind_in_words(self) -> str:
        """Its types, for a reader."""
        words = []
        for kind in self.kinds:
            inner = re.fullmatch(r"list\[(\w+)\]", kind)
            words.append(f"list of {_KIND_WORDS[inner[1]]}s, with commas" if inner else _KIND_WORDS[kind])
        return " or ".join(words) or "any value"


@dataclass(frozen=True)
class Notebook:
    """A notebook: its name, what it asks, and its parameters.

    Attributes
    ----------
    name : str
        File name without its ending, such as "02_multimorbidity_combinations".
    title, question : str
        First heading, and the first paragraph under it.
    parameters : tuple of Parameter
        In the notebook's order.
    path : pathlib.Path
        The file.
    results : tuple of str
        Names of the results that it has suppressed together.
    """

    name: str
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    path: Path
    results: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        """The kinds of subjects of which it can be run for one at a time."""
        return tuple(kind for kind in PARTS if self.parameter(kind) is not None)

    @property
    def takes_hub(self) -> bool:
        """Whether it can be run for one hub at a time."""
        return "hub" in self.takes

    @property
    def about_hubs(self) -> bool:
        """Whether it is about the people of a programme and its hubs, one hub at a time or all compared.

        What takes a practice or an area too, and no programme, is about everybody, and may be about those of a hub.
        """
        return self.parameter("programme") is not None or self.takes == ("hub",)

    @property
    def compares_hubs(self) -> bool:
        """Whether it compares the hubs of a programme: it is about hubs, and takes none."""
        return self.about_hubs and not self.takes_hub

    @property
    def has_protocol(self) -> bool:
        """Whether it follows a protocol, which is of a whole programme: with all hubs that is reported too."""
        return self.takes_hub and self.parameter("protocol") is not None

    @property
    def own_parameters(self) -> tuple[Parameter, ...]:
        """The parameters a user may set with -p: all but those that have an option of their own or are filled in."""
        return tuple(p for p in self.parameters if p.name not in (*FILLED_BY_RUNNER, LEVEL, *PARTS))

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)


def notebook_folder() -> Path:
    """Return the folder of notebooks: the checkout's own, else the copy inside the installed package.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ReportError
        If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    # Beside the package first: an editable install may hold a stale packaged copy, or none.
    for folder in (package.parent / "notebooks", package / "_notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise ReportError("No notebooks were found with this installation. Install symphony_research again.")


def list_notebooks(folder: str | Path | None = None) -> list[Notebook]:
    """Return every notebook of a folder, in the order of their names.

    Parameters
    ----------
    folder : str or path, optional
        Where to look; the library's own notebooks by default.

    Returns
    -------
    list of Notebook
    """
    folder = notebook_folder() if folder is None else Path(folder)
    return [read_notebook(path) for path in sorted(folder.glob("*.ipynb"))]


def find_notebook(name: str, available: list[Notebook]) -> Notebook:
    """Return the notebook meant by its name, its number, or the beginning of either.

    A path to a notebook of one's own is accepted too.

    Raises
    ------
    ArgumentError
        If no notebook, or more than one, is meant.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return read_notebook(Path(name))
    wanted = name.removesuffix(".ipynb").lower()
    by_name = {notebook.name.lower(): notebook for notebook in available}
    if wanted in by_name:
        return by_name[wanted]
    if wanted.isdigit():
        meant = [nb for nb in available if re.match(rf"0*{int(wanted)}(_|$)", nb.name)]
    else:
        meant = [nb for nb in available if wanted and _without_number(nb.name.lower()).startswith(wanted)]
        meant = meant or [nb for nb in available if wanted and nb.name.lower().startswith(wanted)]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(nb.name for nb in (meant or available)) or "none"
    if meant:
        raise ArgumentError(f"'{name}' could be any of these notebooks: {names}. Give more of the name.")
    words = [nb.name for nb in available] + [_without_number(nb.name) for nb in available]
    raise ArgumentError(f"There is no notebook '{name}'. Notebooks: {names}.{suggestion(name, words)}")


def read_notebook(path: Path) -> Notebook:
    """Read one notebook's title, question and parameters."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = [_source(cell) for cell in cells if cell["cell_type"] == "markdown"]
        tagged = [_source(c) for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ReportError(f"{path.name} is not a notebook that can be read (format 4).") from None
    title, question = _title_and_question("\n\n".join(prose))
    try:
        parameters = read_parameters(tagged[0]) if tagged else ()
    except SyntaxError:
        raise ReportError(f"The cell tagged 'parameters' in {path.name} is not valid Python.") from None
    code = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
    return Notebook(path.stem, title or path.stem, question, parameters, path, _suppressed_names(code))


def _suppressed_names(code: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which a notebook's call of `suppress` takes results; none of a cell that is not plain Python."""
    names: list[str] = []
    for source in code:
        if "suppress(" not in source:
            continue
        try:
            calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
        except SyntaxError:
            continue
        for call in calls:
            if getattr(call.func, "attr", "") == "suppress" and isinstance(call.args[0], ast.Dict):
                names += [str(key.value) for key in call.args[0].keys if isinstance(key, ast.Constant)]
    return tuple(names)


def read_parameters(source: str) -> tuple[Parameter, ...]:
    """Read the parameters that a cell of assignments declares.

    Each is an assignment of a literal. Where the default does not show its type,
    the comment begins with it ("type: str"), as papermill reads it too, or it is
    annotated. A comment on the line, or where it is long on the lines right above,
    says what it is, and may end with "one of: a, b" to give the valid choices.
    """
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    whole = {number for number, line in enumerate(source.splitlines(), 1) if line.lstrip().startswith("#")}
    found = []
    for node in ast.parse(source).body:
        target: ast.expr
        annotation: ast.expr | None
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            target, annotation = node.target, node.annotation
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, annotation = node.targets[0], None
        else:
            continue
        if not isinstance(target, ast.Name):
            continue
        try:
            default = ast.literal_eval(node.value)  # type: ignore[arg-type]
        except ValueError:
            continue
        beside = comments.get(node.end_lineno or node.lineno, "")
        kind = _TYPE.match(beside)
        comment = _TYPE.sub("", beside) or _above(node.lineno, comments, whole)
        choices = _CHOICES.search(comment)
        words = tuple(re.split(r"\s*,\s*(?:or\s+)?|\s+or\s+", choices["choices"].strip())) if choices else ()
        found.append(
            Parameter(
                target.id,
                _kinds(annotation, kind[1] if kind else None, default),
                default,
                _CHOICES.sub("", comment).strip(" ;,"),
                tuple(word.strip("'\"` ") for word in words if word.strip("'\"` ")),
            )
        )
    return tuple(found)


def _above(line: int, comments: dict[int, str], whole: set[int]) -> str:
    """Return the comment that fills the lines right above a line."""
    said: list[str] = []
    while line - 1 in whole and line - 1 in comments:
        line -= 1
        said.insert(0, comments[line])
    return " ".join(said)


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _without_number(name: str) -> str:
    return re.sub(r"^\d+_", "", name)


def _title_and_question(text: str) -> tuple[str, str]:
    heading = re.search(r"^#{1,2}\s+(.+?)\s*#*\s*$", text, re.MULTILINE)
    if heading is None:
        return "", ""
    under = text[heading.end() :].strip()
    paragraph = re.split(r"\n\s*\n", under, maxsplit=1)[0] if under and not under.startswith("#") else ""
    return _plain(heading[1]), _plain(paragraph)


def _plain(markdown: str) -> str:
    """Markdown as plain words on one line: marks of emphasis and links' addresses are dropped."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"\s+", " ", re.sub(r"(\*\*|__|`|(?<!\w)[*_]|[*_](?!\w))", "", text)).strip()


def _kinds(annotation: ast.expr | None, named: str | None, default: Any) -> tuple[str, ...]:
    """Return the types a parameter may have, by its annotation, the type named in its comment, or its default."""
    if annotation is not None:
        return _kinds_of_annotation(annotation)
    if named is not None:
        kinds = _kinds_of_annotation(ast.parse(named, mode="eval").body)
        return (*kinds, "None") if default is None and kinds else kinds
    return _kinds_of_value(default)


def _kinds_of_annotation(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return (*_kinds_of_annotation(node.left), *_kinds_of_annotation(node.right))
    if isinstance(node, ast.Constant):
        return ("None",) if node.value is None else _kinds_of_annotation(ast.parse(str(node.value), mode="eval").body)
    text = ast.unparse(node).replace("tuple[", "list[").replace(", ...]", "]")
    text = "list[str]" if text in ("list", "tuple") else text
    return (text,) if text in _KIND_WORDS or re.fullmatch(r"list\[(str|int|float)\]", text) else ()


def _kinds_of_value(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        kinds = {type(item).__name__ for item in value} or {"str"}
        kind = "float" if kinds == {"int", "float"} else kinds.pop() if len(kinds) == 1 else "str"
        return (f"list[{kind if kind in ('str', 'int', 'float') else 'str'}]",)
    return (type(value).__name__,) if type(value).__name__ in _KIND_WORDS else ()
