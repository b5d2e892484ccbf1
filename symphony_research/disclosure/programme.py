"""Linear and integer programmes, by HiGHS: one thread, and limits in iterations and nodes, so that the clock decides nothing.

References
----------
Huangfu, Q. and Hall, J. A. J. (2018). Parallelizing the dual revised simplex
method. Mathematical Programming Computation 10, 119-142.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_NODES", "Programme", "UndecidedError"]

Array = NDArray[np.float64]
MOST_ITERATIONS = 50_000  # of the simplex method, in one programme
MOST_NODES = 200  # of branch and bound, in one integer programme
PER_PROGRAMME = 50_000  # of work that asking takes, however little there is to do


class UndecidedError(Exception):
    """The limit of a programme was reached before it was known whether there is a solution."""


class Programme:
    """Unknowns between bounds, held together by linear relations; asked again and again at other costs and bounds.

    Parameters
    ----------
    matrix : sparse matrix
        Relations by unknowns.
    low, high : arrays
        Between which each relation lies.
    integers : int
        How many of the first unknowns are integers.

    Attributes
    ----------
    work : int
        What all that was asked took: iterations of the simplex method times relations. A second is some thirty million.
    """

    def __init__(self, matrix: Any, low: Array, high: Array, *, integers: int = 0) -> None:
        import highspy
        from scipy.sparse import csr_matrix

        by_row = csr_matrix(matrix)
        self._m, self._n = by_row.shape
        self.work = 0
        self._places = np.arange(self._n, dtype=np.int32)
        self._solver = solver = highspy.Highs()
        # asked again, a programme begins where it ended; in integers it is made smaller first
        presolve = "on" if integers else "off"
        for option, value in (
            ("log_to_console", False), ("output_flag", False), ("presolve", presolve), ("threads", 1),
            ("parallel", "off"), ("random_seed", 0), ("solver", "simplex"), ("simplex_iteration_limit", MOST_ITERATIONS), ("mip_max_nodes", MOST_NODES), ("mip_rel_gap", 0.0),
        ):  # fmt: skip
            solver.setOptionValue(option, value)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._n, by_row.shape[0]
        model.col_cost_ = np.zeros(self._n)
        model.col_lower_, model.col_upper_ = np.zeros(self._n), np.full(self._n, np.inf)
        model.row_lower_, model.row_upper_ = low, high
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = by_row.indptr, by_row.indices
        model.a_matrix_.value_ = by_row.data.astype(float)
        if integers:
            kinds = highspy.HighsVarType
            model.integrality_ = [kinds.kInteger if k < integers else kinds.kContinuous for k in range(self._n)]
        solver.passModel(model)
        states = highspy.HighsModelStatus
        self._done, self._none = states.kOptimal, (states.kInfeasible, states.kUnboundedOrInfeasible)
        self._mixed = bool(integers)

    def solve(self, lower: Array, upper: Array, cost: Array) -> Array | None:
        """Return numbers within bounds at the least cost; None where there are none.

        Raises
        ------
        UndecidedError
            If the programme is not solved within its limit.
        """
        solver = self._solver
        if self._mixed:
            solver.clearSolver()  # an integer programme must not depend on the one before
        solver.changeColsBounds(self._n, self._places, lower, upper)
        solver.changeColsCost(self._n, self._places, cost)
        solver.run()
        info = solver.getInfo()
        self.work += PER_PROGRAMME + max(info.simplex_iteration_count, 0) * self._m
        feasible = info.primal_solution_status == 2 if self._mixed else False
        status = solver.getModelStatus()
        if status != self._done and not feasible:
            if status in self._none:
                return None
            raise UndecidedError
        return np.array(solver.getSolution().col_value)
