"""Whether two extracts are of the same people, from sketches of their person ids.

A sketch is the least 256 of all ids' digests under a secret key (bottom-k, Cohen and Kaplan 2007): of two sketches the least
256 of both together are a random sample of everybody in either extract, and those in both sketches are in both extracts. An
id is found in a sketch only by whoever has the key. Pseudonyms that were made again are not recognised.

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
SAME_PEOPLE = (
    0.1  # share of everybody in either extract who are in both, from which the extracts are of the same people
)


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
    """Estimate the share of everybody in either extract who are in both; exact up to 256 people in all.

    Examples
    --------
    >>> overlap(smallest("abc", b"key"), smallest("bcd", b"key"))
    0.5
    """
    mine, theirs = _parts(one), _parts(other)
    least = heapq.nsmallest(SIZE, mine | theirs)
    return len(mine.intersection(theirs, least)) / len(least) if least else 0.0


def _parts(sketch: str) -> set[str]:
    return {sketch[at : at + DIGITS] for at in range(0, len(sketch), DIGITS)}
