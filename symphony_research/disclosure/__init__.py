"""Disclosure control: what may be shown, what several outputs tell together, and the record for the output checker.

The modules, in the order in which results pass through them:

* `control`: `suppress`, the one call. Takes results through all that follows, population by population.
* `primary`: primary suppression by the rule, rounding, and strata of few.
* `outputs`: what a result would release: of each count, whom it counts and between which numbers it may lie.
* `divisions`: by what tables, and reports of every part, divide people without remainder.
* `relations`: linear relations between counts, from their definitions and from what families declare.
* `system`: these relations as one system of unknowns; with few features, over the people of every set and stratum.
* `triples`: relations of three pairs of features, only where they say anything.
* `decomposition`: the system split into blocks that have nothing to do with each other.
* `targets`: how many numbers each suppressed count must keep possible, and what it costs to suppress another.
* `secondary`: where secondary suppression of counts is decided: blocks are searched, and cells chosen until every suppressed count keeps its level.
* `search`: which suppressed counts of a block can be inferred too closely.
* `moves`: how far single counts can move from a known solution, all relations kept.
* `nearest`: integers near known solutions.
* `elastic`: the cheapest relaxation of shown bounds, which says what to suppress.
* `programme`: linear and integer programmes, by HiGHS, limited by counts and never by time.
* `adjusted`: to how many significant figures an adjusted figure is shown.
* `magnitudes`: means and sums: rounded, and suppressed, here too, so that none gives back a suppressed one.
* `release_record`: what stands beside a report, and what the output checker gets.
* `beside`: results beside earlier releases, and what is withheld whole where those leave no room.
* `nested_populations`: which counts are to be suppressed so that no difference from an earlier release tells how few.
* `comparison`: two populations, the one perhaps among the other, as one system with their differences as unknowns.
* `differences`: the cheapest counts by which every difference keeps enough possible numbers.
* `differencing`: `check_differencing`, of outputs that are released already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symphony_research.lazily import lazily

if TYPE_CHECKING:  # for editors and type checkers; nothing here runs
    from symphony_research.disclosure.control import suppress
    from symphony_research.disclosure.differencing import Finding, check_differencing

__all__ = ["Finding", "check_differencing", "suppress"]
__getattr__, __dir__ = lazily(__name__, {"control": ("suppress",), "differencing": ("Finding", "check_differencing")})
