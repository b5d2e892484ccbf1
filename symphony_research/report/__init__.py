"""The only output: run notebooks, and leave reports that may be read anywhere.

A report is one page that opens without a network, the notebook it was made
from, and a record of where its numbers came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symphony_research.lazily import lazily

if TYPE_CHECKING:  # for editors and type checkers; nothing here runs
    from symphony_research.report.index import write_index
    from symphony_research.report.notebooks import Notebook, Parameter, list_notebooks, notebook_folder
    from symphony_research.report.run import ReportRun, ReportSet, run_reports

_HOMES = {
    "index": ("write_index",),
    "notebooks": ("Notebook", "Parameter", "list_notebooks", "notebook_folder"),
    "run": ("ReportRun", "ReportSet", "run_reports"),
}
__getattr__, __dir__ = lazily(__name__, _HOMES)

__all__ = __dir__()
