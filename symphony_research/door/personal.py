"""Direct identifiers, however they are spelt: by heading, and by value."""

from __future__ import annotations

import re

import polars as pl

from symphony_research.door.values import family

__all__ = ["POSTCODE", "is_nhs_number", "nhs_numbers", "personal_heading", "postcodes"]

# an outward and an inward part, such as the ones on envelopes
POSTCODE = r"^(?i)\s*[A-Z]{1,2}[0-9][A-Z0-9]?[\s\-]*[0-9][A-Z]{2}\s*$"
# of a heading only its letters and digits count
_PERSONAL = re.compile(
    r"^names?$|(sur|fore|first|last|middle|maiden|family|given|full|patients?|person|client)names?"
    r"|nhsn(o|um)|^nhs(id|\d*)$|chinumber|post(al)?code|zipcode|address|^(home|work|mobile|tele|cell)*(phone|mobile)(no|num|number)?\d*$"
    r"|e?mail(address)?$|nationalinsurance|^nino$|^ni(no|number)$"
)
_BIRTH = re.compile(r"^(patient|person|client)?(dob|dateofbirth|birthdate|birthday)|dateofbirth|dob$")
_NOT_PERSONAL = re.compile(r"pseud|hash|encrypt|token|salt|postcode(sector|district|area)|^(mail|email)s$")


def personal_heading(heading: str) -> str:
    """Say what a heading names, "personal" or "birth", or nothing.

    Parameters
    ----------
    heading : str
        As it stands in the file: "NHS Number", "first_name", "Post Code", "DOB".

    Examples
    --------
    >>> personal_heading("NHS Number"), personal_heading("DOB"), personal_heading("person_id")
    ('personal', 'birth', '')
    """
    letters = re.sub(r"[^a-z0-9]", "", heading.lower())
    if _NOT_PERSONAL.search(letters):
        return ""
    if _PERSONAL.search(letters):
        return "personal"
    return "birth" if _BIRTH.search(letters) else ""


def is_nhs_number(text: pl.Expr) -> pl.Expr:
    """Return whether ten digits pass the NHS number's modulus-11 check, whatever stands between them.

    The first nine are weighted 10 down to 2; 11 less the remainder of their sum
    is the tenth, 11 standing for 0 and 10 for no number at all.
    """
    digits = text.str.replace(r"\.0*\s*$", "").str.replace_all(r"[\s\p{Pd}.'\"=_/]", "")
    # a count from 1 upwards is a pseudonym however long; NHS numbers in issue start at 3
    plausible = digits.str.contains(r"^[3-9][0-9]{9}$")
    total = pl.sum_horizontal([digits.str.slice(k, 1).cast(pl.Int64, strict=False) * (10 - k) for k in range(9)])
    check = (11 - total % 11) % 11
    return plausible & (check == digits.str.slice(9, 1).cast(pl.Int64, strict=False))


def nhs_numbers(source: pl.Expr, found: pl.DataType) -> pl.Expr | None:
    """Return the number of NHS numbers in a column, or None where its type can hold none.

    The few values that could be one are taken out first: the check digit of a
    country's rows would take longer than all other checks.
    """
    if isinstance(found, pl.Enum):
        held = found.categories.to_frame("name").select(hit=is_nhs_number(pl.col("name"))).to_series()
        named = found.categories.filter(held.fill_null(False)).to_list()
        return source.cast(pl.String).is_in(named).sum() if named else None
    kind = family(found)
    if kind == "text":
        text = source.cast(pl.String)
        long = text.filter(text.str.len_bytes() >= 10)
        able = long.str.strip_chars_start(" \t\u00a0'\"=").str.slice(0, 1).is_between(pl.lit("3"), pl.lit("9"))
        return is_nhs_number(long.filter(able)).sum()
    if kind in ("whole", "number"):
        able = source.is_between(3_000_000_000, 9_999_999_999)
        if found.is_float():
            able = able & (source == source.floor())
        return is_nhs_number(source.filter(able).cast(pl.Int64, strict=False).cast(pl.String)).sum()
    return None


def postcodes(source: pl.Expr, found: pl.DataType) -> pl.Expr | None:
    """Return the number of full postcodes in a column, or None where its type can hold none."""
    if isinstance(found, pl.Enum):
        named = found.categories.filter(found.categories.str.contains(POSTCODE)).to_list()
        return source.cast(pl.String).is_in(named).sum() if named else None
    if family(found) != "text":
        return None
    text = source.cast(pl.String)
    return text.filter(text.str.len_bytes().is_between(5, 16)).str.contains(POSTCODE).sum()
