"""Take from executed notebooks what says when and where they ran, and keep the rest."""

from __future__ import annotations

from pathlib import Path

import nbformat

for path in sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.ipynb")):
    book = nbformat.read(path, as_version=4)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in book.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
    nbformat.write(book, path)
