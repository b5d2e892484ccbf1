"""People's masks to all pairs and frequent sets, and records with long ids to patterns: us beside the peers.

    python tests/bench/masks.py docs/bench-masks.md

Every contender starts from the same masks in memory and is charged for bringing
them into its own form. Each run is a process of its own, stopped after 90
seconds or 12 GB; the size told is the largest that ended. People are those of
`country.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from country import CONDITIONS, LARGEST, SUPPORT, masks_of

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
SECONDS, GIGABYTES = 90, 12
K = len(CONDITIONS)


def matrix_of(masks: np.ndarray) -> np.ndarray:
    return np.unpackbits(masks.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")[:, :K]


def transactions_of(masks: np.ndarray) -> list[list[int]]:
    rows, columns = np.nonzero(matrix_of(masks))
    ends = np.cumsum(np.bincount(rows, minlength=len(masks)))[:-1]
    return [held.tolist() for held in np.split(columns, ends)]


def least(masks: np.ndarray) -> int:
    return int(np.ceil(SUPPORT * len(masks)))


def ours(masks: np.ndarray) -> int:
    import symphony_research as sr
    from symphony_research.collapse.bits import frequent_sets, pair_sums

    patterns = sr.Patterns.from_masks(pl.DataFrame({"mask": masks}), conditions=CONDITIONS)
    people = patterns.frame["n_persons"].to_numpy()
    pair_sums(patterns.words, people, K)
    found = frequent_sets(
        patterns.words, people[:, None], K, min_persons=least(masks), min_size=1, max_size=LARGEST
    )  # fmt: skip
    return len(found.words)


def ours_with_estimates(masks: np.ndarray) -> int:
    import symphony_research as sr

    patterns = sr.Patterns.from_masks(pl.DataFrame({"mask": masks}), conditions=CONDITIONS)
    assert sr.networks.cooccurrence(patterns).estimates.height
    found = sr.multimorbidity.combinations(
        patterns, kind="at_least", min_size=1, max_size=LARGEST, min_persons=least(masks)
    )
    return found.estimates.height


def mlxtend(masks: np.ndarray, name: str) -> int:
    import pandas as pd
    from mlxtend import frequent_patterns

    frame = pd.DataFrame(matrix_of(masks).astype(bool), columns=CONDITIONS)
    return len(getattr(frequent_patterns, name)(frame, min_support=SUPPORT, max_len=LARGEST))


def mlxtend_apriori(masks: np.ndarray) -> int:
    return mlxtend(masks, "apriori")


def mlxtend_fpgrowth(masks: np.ndarray) -> int:
    return mlxtend(masks, "fpgrowth")


def pyfim(masks: np.ndarray) -> int:
    import fim

    return len(fim.fpgrowth(transactions_of(masks), target="s", supp=-least(masks), zmin=1, zmax=LARGEST))


def efficient_apriori(masks: np.ndarray) -> int:
    from efficient_apriori import itemsets_from_transactions

    held = [tuple(own) for own in transactions_of(masks)]
    found, _ = itemsets_from_transactions(held, min_support=SUPPORT, max_length=LARGEST)
    return sum(len(sets) for sets in found.values())


def scipy_pairs(masks: np.ndarray) -> int:
    from scipy.sparse import csr_array

    x = csr_array(matrix_of(masks).astype(np.int32))
    return int(np.count_nonzero(np.triu((x.T @ x).toarray(), 1)))


def hypergraphs(masks: np.ndarray) -> int:
    import multimorbidity_hypergraphs as hypergraph
    import pandas as pd

    graph = hypergraph.Hypergraph(verbose=False)
    # it weighs every set that anybody has, of any size, so it is given the commonest ten conditions
    matrix = matrix_of(masks)[:, :10].astype(np.uint8)
    graph.compute_hypergraph(pd.DataFrame(matrix, columns=CONDITIONS[:10]))
    return len(graph.edge_weights)


# name, what it finds, distribution (whose version is told), task
CONTENDERS = (
    ("symphony_research", "pairs and sets", "symphony_research", ours),
    ("symphony_research, with expected counts, intervals and tests", "pairs and sets", "symphony_research", ours_with_estimates),
    ("scipy sparse X'X", "pairs", "scipy", scipy_pairs),
    ("PyFIM fpgrowth", "sets", "pyfim", pyfim),
    ("mlxtend fpgrowth", "sets", "mlxtend", mlxtend_fpgrowth),
    ("mlxtend apriori", "sets", "mlxtend", mlxtend_apriori),
    ("efficient-apriori", "sets", "efficient-apriori", efficient_apriori),
    ("multimorbidity-hypergraphs", "weights of sets of ten conditions", "multimorbidity-hypergraphs", hypergraphs),
)  # fmt: skip


def group_and_count(folder: Path) -> int:
    rows = pl.scan_parquet(folder / "records.parquet").group_by("person_id").agg(pl.len())
    return rows.collect(engine="streaming").height


def from_long(folder: Path) -> int:
    import symphony_research as sr

    return sr.Patterns.from_long(pl.scan_parquet(folder / "records.parquet")).n_persons


def from_long_with_persons(folder: Path) -> int:
    import symphony_research as sr

    records, persons = (pl.scan_parquet(folder / f"{name}.parquet") for name in ("records", "persons"))
    return sr.Patterns.from_long(records, persons, by="sex", values="cost").n_persons


LONG = (
    ("group_by(person_id).agg(len), streaming", group_and_count),
    ("Patterns.from_long", from_long),
    ("Patterns.from_long with persons, by sex, with cost", from_long_with_persons),
)


def write_long(folder: Path, people: int) -> int:
    """Write records and persons with ids of 16 letters; return the number of records."""
    rng = np.random.default_rng(57)
    ids = pl.Series("person_id", rng.permutation(people)).cast(pl.String).str.pad_start(16, "0")
    who, what = np.nonzero(matrix_of(masks_of(people, rng)))
    names = pl.Series("condition", CONDITIONS)
    records = pl.DataFrame({"person_id": ids.gather(who), "condition": names.gather(what)})
    records.sample(fraction=1, shuffle=True, seed=1).write_parquet(folder / "records.parquet")
    sex, cost = rng.choice(["F", "M"], people), rng.integers(0, 10**6, people) / 100
    pl.DataFrame({"person_id": ids, "sex": sex, "cost": cost}).write_parquet(folder / "persons.parquet")
    return len(who)


def run(task: str, name: str, place: str) -> None:
    """Do one task in this process and print what it took."""
    if task == "long":
        work, given = dict(LONG)[name], Path(place)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            answer = work(given)
            times.append(time.perf_counter() - start)
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTES * 2**30,) * 2)
        masks = masks_of(int(place), np.random.default_rng(57))
        contender = next(one for one in CONTENDERS if one[0] == name)[3]
        contender(masks[:1_000])  # imports, and what compiles itself
        start = time.perf_counter()
        answer = contender(masks)
        times = [time.perf_counter() - start]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": min(times), "answer": answer, "gigabytes": peak}))


def apart(task: str, name: str, place: str) -> dict[str, float] | str:
    """Run a task in a process of its own; return what it took, or why it did not end."""
    command = [sys.executable, "-W", "ignore", __file__, "--task", task, name, place]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 30)
    except subprocess.TimeoutExpired:
        return f"over {SECONDS} s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
        return f"over {GIGABYTES} GB" if "Memory" in last or done.returncode < 0 else last[:90]
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found if found["seconds"] <= SECONDS else f"over {SECONDS} s"


def race() -> list[str]:
    lines = []
    for name, what, distribution, _ in CONTENDERS:
        best, stopped, size = None, "", 0
        for people in SIZES:
            found = apart("masks", name, str(people))
            if isinstance(found, str):
                stopped = f"{people:,} people: {found}"
                break
            best, size = found, people
            if people >= 1_000_000:
                lines.append(row(name, what, people, found))
            if found["seconds"] * 8 > SECONDS and people < SIZES[-1]:
                stopped = f"{people * 10:,} people would take too long"
                break
        if best is None:
            lines.append(f"| {name} | {what} | none | – | – | – |")
        elif size < 1_000_000:
            lines.append(row(name, what, size, best))
        told = f"{version(distribution)}" if best else "not installed"
        lines[-1] = lines[-1] + f" {told}{'; ' + stopped if stopped else ''} |"
    return [line if line.count("|") > 7 else line + " |" for line in lines]


def row(name: str, what: str, people: int, found: dict[str, float]) -> str:
    return (
        f"| {name} | {what} | {people:,} | {found['seconds']:.2f} | {found['gigabytes']:.1f} | {found['answer']:,.0f} |"
    )


def long_table(people: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        rows = write_long(Path(folder), people)
        lines, first = [], 0.0
        for name, _ in LONG:
            found = apart("long", name, folder)
            if isinstance(found, str):
                lines.append(f"| {name} | {rows:,} | {found} | – | – |")
                continue
            first = first or found["seconds"]
            lines.append(
                f"| {name} | {rows:,} | {found['seconds']:.2f} | {found['seconds'] / first:.1f} | {found['gigabytes']:.1f} |"
            )
    return lines


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, nargs="?", help="file to write")
    reader.add_argument("--task", nargs="+", help="one contender, in a process of its own")
    given = reader.parse_args()
    if given.task:
        run(*given.task)
        return
    lines = [
        "# From masks and from records with long ids, beside the peers",
        "",
        f"`make bench`, one run. {K} conditions that cluster through one shared frailty; sets of up to {LARGEST} conditions "
        f"that {SUPPORT:.1%} of people have. Conversion from the masks is charged to each. A contender is given ten times "
        f"the people until it takes over {SECONDS} s or {GIGABYTES} GB; below a million only its largest size is given. "
        f"{os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| contender | finds | people | seconds | peak GB | found | version; where it stopped |",
        "|---|---|---:|---:|---:|---:|---|",
        *race(),
        "",
        "Records in Parquet with ids of 16 letters, best of three, against the one step that nobody can leave out:",
        "",
        "| task | records | seconds | times the first | peak GB |",
        "|---|---:|---:|---:|---:|",
        *long_table(2_000_000),
        *long_table(10_000_000),
    ]
    given.target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
