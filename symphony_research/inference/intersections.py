"""The exact test of how many people have a whole set of conditions, all people with each condition of every stratum given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference.chains import FURTHER, by_moments, falling, set_by_set
from symphony_research.inference.circle import Window, radius
from symphony_research.inference.intervals import Array
from symphony_research.inference.laplace import LargeSets
from symphony_research.inference.shifts import EDGE, SIZES, Integers
from symphony_research.inference.stratified import log_mid_p, one_nearer, stratified_log_mid_p

__all__ = ["sets_log_mid_p"]

ROWS = 2**16  # strata x sets worked on at once
FAR = 500.0  # logs of probabilities that are further from 0 are found tilted
FEW = 5.0  # people expected up to which probabilities come from moments, exp(2 x 5) of their digits lost
LARGE = 100.0  # variance of a sum from which its wider strata are approximated
WIDE, NARROW, SEVERAL = (
    25.0,
    8.0,
    8,
)  # variance of those; the second where more sets than the third would have to be drawn


def sets_log_mid_p(
    inside: NDArray[np.bool_],
    observed: Array,
    people: Array,
    held: Array,
    *,
    exact: bool,
    lacking: Array | None = None,
    nearer: bool = False,
) -> Array:
    """Return log two-sided mid-p values of the people who have each of F sets, summed over S strata.

    Were conditions independent in each stratum and all people with each given, the people with
    a set are those whom random sets of these sizes have in common, of an exact set with those who lack each other condition.

    Parameters
    ----------
    inside : (F, K) array
        The sets.
    observed : (S, F) array
        People of each stratum who have them.
    people, held : (S,), (S, K) arrays
        People; with each condition.
    exact : bool
        Whether the absence of every other condition belongs to the set.
    lacking : (S, K) array, optional
        People without each condition, where they are not the others: of released counts, either at its own end.
    nearer : bool
        Of the count one person nearer to what is expected.

    Returns
    -------
    (F,) array
        0 where the sizes leave but one count.

    Notes
    -----
    Of two sets it is `stratified_log_mid_p`. Of more, the probabilities of a stratum in which some
    five people are expected, or fewer, are the alternating sums of the factorial moments, which are products; of more,
    sets are drawn one after another. Sums over strata are then exact as there. Of a sum
    whose variance is above 100 the larger strata are approximated (`LargeSets`), with p within 0.5% (docs/proof.md).

    Examples
    --------
    Of six people three have each of three conditions, and the same three all: (1 / 20)**2.

    >>> import numpy as np
    >>> every = np.ones((1, 3), dtype=bool)
    >>> log_p = sets_log_mid_p(every, np.array([[3.0]]), np.array([6.0]), np.array([[3.0, 3, 3]]), exact=False)
    >>> float(np.exp(log_p)[0].round(6))
    0.0025
    """
    found = np.zeros(len(inside))
    without = people[:, None] - held if lacking is None else lacking
    taken = inside.shape[1] if exact else inside.sum(axis=1)
    if exact:
        groups = [(inside.shape[1], np.arange(len(inside)))]
    else:
        groups = [(int(k), np.flatnonzero(taken == k)) for k in np.unique(taken)]
    for k, every in groups:
        if k < 2:
            continue
        step = max(1, ROWS // max(len(people) * max(k // 8, 1), 1))
        for at in range(0, len(every), step):
            part = every[at : at + step]
            sizes = _sizes(inside[part], held, without, k, exact=exact)
            counts = observed[:, part]
            if nearer:
                n = people[:, None]
                with np.errstate(divide="ignore", invalid="ignore"):
                    expected = np.where(n > 0, n * np.prod(sizes / n[..., None], axis=2), 0.0).sum(axis=0)
                least = np.maximum(0, sizes.sum(axis=2) - (k - 1) * n)
                counts = one_nearer(counts, least, sizes.min(axis=2), expected)
            if k == 2:
                found[part] = stratified_log_mid_p(counts, sizes[..., 0], sizes[..., 1], people)
            else:
                found[part] = log_mid_p(_Common(sizes, counts, people, inside[part], (held, without), exact=exact))
    return found


def _sizes(inside: NDArray[np.bool_], held: Array, without: Array, k: int, *, exact: bool) -> Array:
    """Return how many people of each stratum are in each of the sets that are drawn, (S, F, k)."""
    if exact:
        return np.where(inside, held[:, None, :], without[:, None, :])
    return held[:, np.nonzero(inside)[1].reshape(-1, k)]


class _Common:
    """People common to random sets, in each stratum of each sum: `Counts` of `stratified`."""

    def __init__(
        self,
        sizes: Array,
        observed: Array,
        people: Array,
        inside: NDArray[np.bool_],
        held: tuple[Array, Array],
        *,
        exact: bool,
    ) -> None:
        k, self.n_items = sizes.shape[2], sizes.shape[1]
        n = people[:, None]
        most, least = sizes.min(axis=2), np.maximum(0, sizes.sum(axis=2) - (k - 1) * n)
        self.item, self.stratum = np.nonzero((most > least).T)
        s, f = self.stratum, self.item
        self.observed, self.people = observed[s, f], people[s]
        self.low, self.high = least[s, f] - self.observed, most[s, f] - self.observed
        self.sizes = np.sort(sizes[s, f], axis=1)
        self.mean = self.people * np.prod(self.sizes / self.people[:, None], axis=1)
        self.variance = _variance(self.mean, self.sizes, self.people)
        # where each count's probabilities are kept, counted from nobody
        self.begin, self.size, self.place = np.zeros((3, len(s)), dtype=np.int64)
        self.kept = np.zeros(0)
        self.few = self.mean <= FEW
        total = np.bincount(f, weights=self.variance, minlength=self.n_items)
        self.rough = np.flatnonzero(
            ~self.few & (self.variance > (WIDE if k <= SEVERAL else NARROW)) & (total[f] > LARGE)
        )
        self.source = inside, held, exact
        own = (x[self.rough] for x in (self.sizes, self.people, self.observed))
        bounds = (
            x[self.rough] for x in (self.low + self.observed, self.high + self.observed, self.mean, self.variance)
        )
        self.large = LargeSets(*own, *bounds) if len(self.rough) else None

    def start(self, target: Array) -> tuple[Array, Array, Array]:
        """Tilt as if each count were binomial with its largest possible number of trials."""
        low, high = self.low, self.high
        trials = high - low
        share = np.clip((self.mean - (low + self.observed)) / trials, 1e-300, 1 - 1e-12)
        odds = np.log(share) - np.log1p(-share)
        theta = np.zeros(self.n_items)
        # a binomial's variance is too large by this
        slower = np.clip(self.variance / (trials * share * (1 - share)), 1e-3, 1.0)
        bottom, top = np.full((2, self.n_items), [[-60.0], [760.0]])
        for _ in range(80):
            tilted = 1 / (1 + np.exp(-np.clip(odds + theta[self.item] * slower, -700, 700)))
            mean = np.bincount(self.item, weights=low + trials * tilted, minlength=self.n_items)
            bottom, top = np.where(mean < target, theta, bottom), np.where(mean < target, top, theta)
            theta = (bottom + top) / 2
        centre = low + trials * tilted
        return theta, centre, np.maximum(trials * tilted * (1 - tilted) * slower, 1e-12)

    def windows(self, rows: Integers, theta: Array, centre: Array, variance: Array) -> tuple[list[Window], Array]:
        """Return the tilted probabilities, kept from before where they reach far enough."""
        scale = np.zeros(len(self.item))
        windows: list[Window] = []
        if self.large is not None:
            at = np.flatnonzero(np.isin(self.rough, rows))
            own = self.rough[at]
            if len(at):
                made, own_scale = self.large.windows(at, theta[self.rough], centre[self.rough], variance[self.rough])
                windows += [Window(self.rough[w.row], w.first, w.stride, w.log_probability) for w in made]
                scale[own] = own_scale[at]
            rows = np.setdiff1d(rows, own)
        reach = 1.0
        missing = rows[self.size[rows] == 0]
        while True:
            if len(missing):
                self._find(missing, theta, centre, reach * radius(1.5 * variance + 0.05))
            again = []
            for window, largest in self._gathered(rows, theta):
                last = self.size[window.row] - 1
                ends = window.log_probability[:, 0], window.log_probability[np.arange(len(last)), last]
                short = (ends[0] > -EDGE) & (window.first > self.low[window.row])
                short |= (ends[1] > -EDGE) & (window.first + last < self.high[window.row])
                again.append(window.row[short])
                scale[window.row] = largest
                kept = ~short
                windows.append(
                    Window(window.row[kept], window.first[kept], window.stride[kept], window.log_probability[kept])
                )
            missing = rows = np.concatenate(again) if again else rows[:0]
            reach *= 2
            if not len(rows):
                return windows, scale

    def _gathered(self, rows: Integers, theta: Array) -> list[tuple[Window, Array]]:
        """Return what is kept of counts, tilted, counts of about the same number of points together."""
        found = []
        width = SIZES[np.minimum(np.searchsorted(SIZES, self.size[rows]), len(SIZES) - 1)]
        for size in np.unique(width):
            own = rows[width == size]
            most = max(int(size), int(self.size[own].max()))
            at = np.arange(most)
            there = at < self.size[own, None]
            log_probability = np.where(there, self.kept[np.where(there, self.place[own, None] + at, 0)], -np.inf)
            first = self.begin[own] - self.observed[own]
            log_probability = log_probability + theta[own, None] * (first[:, None] + at)
            largest = log_probability.max(axis=1)
            found.append((Window(own, first, np.ones(len(own), np.int64), log_probability - largest[:, None]), largest))
        return found

    def _find(self, rows: Integers, theta: Array, centre: Array, reach: Array) -> None:
        """Find the probabilities of counts about their centres, and of those from there to what is expected."""
        x = centre[rows] + self.observed[rows]
        least, most = self.low[rows] + self.observed[rows], self.high[rows] + self.observed[rows]
        begin = np.maximum(least, np.floor(np.minimum(x, self.mean[rows]) - reach[rows]))
        end = np.minimum(most, np.ceil(np.maximum(x, self.mean[rows]) + reach[rows]))
        few = self.few[rows]
        begin[few] = 0
        self.begin[rows], self.size[rows] = begin, end - begin + 1
        self.place[rows] = len(self.kept) + np.concatenate([[0], np.cumsum(self.size[rows])[:-1]])
        self.kept = np.concatenate([self.kept, np.full(int(self.size[rows].sum()), -np.inf)])
        self._by_moments(rows[few], theta[rows[few]])
        self._set_by_set(rows[~few], x[~few])

    def _keep(self, rows: Integers, values: Array) -> None:
        at = np.arange(values.shape[1])
        there = at < self.size[rows, None]
        self.kept[(self.place[rows, None] + at)[there]] = values[there]

    def _by_moments(self, rows: Integers, theta: Array) -> None:
        inside, (held, lacking), exact = self.source
        stratum, width = self.stratum[rows], SIZES[np.searchsorted(SIZES, self.size[rows])]
        # probabilities too small for a double are found tilted
        tilt = np.where(theta * self.size[rows] > FAR, np.rint(theta), 0.0)
        for s in np.unique(stratum):
            here = np.flatnonzero(stratum == s)
            n, most = self.people[rows[here[0]]], int(width[here].max()) + FURTHER - 1
            within, without = falling(held[s], n, most), falling(lacking[s], n, most)
            for size, lean in {(int(w), float(t)) for w, t in zip(width[here], tilt[here], strict=True)}:
                own = rows[here[(width[here] == size) & (tilt[here] == lean)]]
                has, moments = inside[self.item[own]].astype(float), slice(0, size + FURTHER)
                shares = has @ within[:, moments]
                if exact:
                    shares += (1 - has) @ without[:, moments]
                self._keep(own, by_moments(shares, n, size, lean))

    def _set_by_set(self, rows: Integers, x: Array) -> None:
        order = np.argsort(self.size[rows], kind="stable")
        rows, x = rows[order], x[order]
        for part in np.array_split(np.arange(len(rows)), len(rows) // 64 + 1):
            if len(part):
                own = rows[part]
                begin, end = self.begin[own].astype(float), (self.begin[own] + self.size[own] - 1).astype(float)
                self._keep(
                    own, set_by_set(self.sizes[own], self.people[own], begin, end, np.stack([begin, end], axis=1))
                )


def _variance(mean: Array, sizes: Array, people: Array) -> Array:
    """Return the variance of the people whom random sets have in common, from the second factorial moment."""
    n = people
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.log1p(-1 / n)
        pairs = np.log1p(-1 / sizes).sum(axis=1) - (sizes.shape[1] - 1) * lost
        return np.maximum(np.where(mean > 0, mean + mean**2 * np.expm1(pairs), 0.0), 1e-300)
