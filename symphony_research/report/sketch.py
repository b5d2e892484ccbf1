"""Whether two extracts are of the same people, from sketches of their person ids.

A sketch is the least 256 of all ids' digests under a secret key (bottom-k, Cohen and Kaplan 2007). Up to the least of the two
last digests both sketches are whole, so what they hold until there is a random sample of either extract, and what both hold is
in both. An id is found in a sketch only by whoever has the key. Pseudonyms that were made again are not recognised.

References
----------
Cohen, E. and Kaplan, H. (2007). Summarizing data using bottom-k sketches. Proceedings of PODC 2007, 225-234.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from symphony_research.study import Study

__all__ = ["SAME_PEOPLE", "overlap", "sketch_of", "smallest"]

SIZE, DIGITS = 256, 14
# share of the smaller extract's people who are in both, from which the extracts are of the same people
SAME_PEOPLE = 0.1
FEWEST = 3  # digests in both, of extracts whose sketches are not everybody: fewer may be an accident of rare spellings of ids


def sketch_of(study: Study, key: bytes) -> str:
    """Return the sketch of a study's people under a key."""
    ids = study.persons.select("person_id").collect(engine="streaming")["person_id"]
    return smallest(ids, key)


def smallest(ids: Iterable[object], key: bytes) -> str:
    """Return the least digests of ids that differ, one after the other in hexadecimal digits.

    Examples
    --------
    >>> smallest(["b", "a"], b"key") == smallest(["a", "b"], b"key")
    True
    """
    return "".join(heapq.nsmallest(SIZE, (_digest(one, key) for one in ids)))


def _digest(one: object, key: bytes) -> str:
    return hashlib.blake2b(str(one).encode(), digest_size=DIGITS // 2, key=key).hexdigest()


def overlap(one: str, other: str) -> float:
    """Estimate the share of the smaller extract's people who are in both; exact where neither has more than 256 people.

    Of the smaller one, because a part of a study is of the same people as the whole, however large that is.

    Examples
    --------
    >>> overlap(smallest("abcd", b"key"), smallest("cdefg", b"key"))
    0.5
    """
    mine, theirs = _parts(one), _parts(other)
    ends = [max(sketch) for sketch in (mine, theirs) if len(sketch) >= SIZE]
    if ends:
        mine, theirs = ({digest for digest in sketch if digest <= min(ends)} for sketch in (mine, theirs))
    both, fewer = len(mine & theirs), min(len(mine), len(theirs))
    return both / fewer if fewer and (not ends or both >= FEWEST) else 0.0


def _parts(sketch: str) -> set[str]:
    return {sketch[at : at + DIGITS] for at in range(0, len(sketch), DIGITS)}
