"""The R scripts still give the stored values; needs R with its survival package."""

from __future__ import annotations

import polars as pl
import pytest

TABLES = {
    "real": ("kaplan_meier_real", "cumulative_incidence_real", "logrank_real"),
    "lifelines": ("kaplan_meier_lifelines", "cumulative_incidence_lifelines", "logrank_lifelines"),
    "nonparametric": (
        "nelson_aalen",
        "restricted_mean",
        "logrank_stratified",
        "logrank_family",
        "gray",
        "incidence_etm",
        "recurrent_mets",
    ),
    "measures": ("measures",),
    "regression": ("regression",),
    "standardised": ("standardised",),
    "start_stop": ("start_stop",),
    "by_person": ("by_person",),
    "strata": ("strata", "strata_cells", "strata_triads"),
}


@pytest.mark.r
@pytest.mark.parametrize("origin", list(TABLES))
def test_scripts_give_the_stored_values(origin, tmp_path, expected, prepared, run_r_scripts):
    if origin in ("real", "regression", "nonparametric", "standardised", "start_stop", "by_person"):
        prepared("real", "heart")  # skips where the data are absent
    run_r_scripts(origin, tmp_path)
    for name in TABLES[origin]:
        stored, fresh = expected(name), pl.read_csv(tmp_path / f"{name}.csv", infer_schema=False)
        assert fresh.columns == stored.columns
        assert fresh.height == stored.height
        for column in stored.columns:
            for old, new in zip(stored[column], fresh[column], strict=True):
                if old == new:
                    continue
                # another build of R may round the last digits differently
                old_parts, new_parts = [float(v) for v in old.split("|")], [float(v) for v in new.split("|")]
                assert new_parts == pytest.approx(old_parts, rel=1e-12), (name, column)
