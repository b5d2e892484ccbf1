"""Take from executed notebooks what says when and where they ran, and keep the rest.

With names, as the hook before a commit gives them: those of `notebooks/` are made tidy, and any other that holds
outputs is refused, since its outputs may be of confidential data.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def tidy(path: Path) -> bool:
    """Make a notebook tidy; return whether it was already."""
    before = path.read_bytes()
    book = nbformat.reads(before.decode("utf-8"), as_version=4)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in book.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
    after = nbformat.writes(book).encode("utf-8") + b"\n"
    if after != before:
        path.write_bytes(after)
    return after == before


def has_outputs(path: Path) -> bool:
    return any(cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells)


def main(names: list[str]) -> int:
    wrong = 0
    for path in [Path(name).resolve() for name in names] or sorted(FOLDER.glob("[0-9]*.ipynb")):
        if path.parent == FOLDER:
            wrong += bool(not tidy(path) and names)
        elif has_outputs(path):
            print(f"{path.name} holds outputs: clear them before it is committed.")
            wrong += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
