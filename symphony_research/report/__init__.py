"""The only output: run notebooks, and leave reports that may be read anywhere.

A report is one page that opens without a network, the notebook it was made
from, and a record of where its numbers came from.
"""

from symphony_research.report.index import write_index
from symphony_research.report.notebooks import Notebook, Parameter, list_notebooks, notebook_folder
from symphony_research.report.run import ReportRun, ReportSet, run_reports

__all__ = [
    "Notebook",
    "Parameter",
    "ReportRun",
    "ReportSet",
    "list_notebooks",
    "notebook_folder",
    "run_reports",
    "write_index",
]
