"""The data dictionary of the study folder, made from the schema."""

from __future__ import annotations

from symphony_research.schema import STUDY_TABLES, Column

__all__ = ["data_dictionary"]


def _values(column: Column) -> str:
    if column.allowed:
        return ", ".join(f"`{value}`" for value in column.allowed)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"at least {column.minimum:g}"
    return ""


def data_dictionary() -> str:
    """Return the tables and columns of a study folder as Markdown.

    Returns
    -------
    str
        One heading and one table of columns for each table of the schema.

    Examples
    --------
    >>> from symphony_research.synthetic import data_dictionary
    >>> print(data_dictionary().splitlines()[0])
    ### persons
    """
    lines: list[str] = []
    for table in STUDY_TABLES.values():
        key = f" Key: {', '.join(f'`{name}`' for name in table.key)}." if table.key else ""
        required = " The table is required." if table.required else ""
        lines += [f"### {table.name}", "", f"One row is {table.row_is}.{key}{required}", ""]
        lines += ["| column | type | meaning | values | may be empty |", "|---|---|---|---|---|"]
        for column in table.columns:
            name = f"**{column.name}**" if column.required else column.name
            empty = "yes" if column.nullable else "no"
            lines.append(f"| {name} | {column.type} | {column.meaning} | {_values(column)} | {empty} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
