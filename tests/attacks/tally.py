"""How often each attack succeeds on random studies: `python tests/attacks/tally.py [STUDIES]` prints a table.

What is no leak is counted here too: visible counts narrowed to one number, and
what two rules on one study tell that each alone does not.
"""

from __future__ import annotations

import sys
from collections import Counter

import attacker
import curves
import nested
import study


def tally(studies: int) -> Counter[tuple[str, str]]:
    """Count successes by rule and attack over seeds 0, 1, ..."""
    found: Counter[tuple[str, str]] = Counter()

    def add(policy: str, what: str, n: int) -> None:
        found[policy, what] += n
        found[policy, f"{what} (studies)"] += bool(n)

    for seed in range(studies):
        for name, policy in study.POLICIES.items():
            made = study.study(str(seed), name)
            add(name, "small counts sought", len(attacker.System.of(made.cells, made.world.cells, made.rule).targets))
            for where, findings in (("one row", made.from_one_row()), ("one file", made.from_one_file()), ("all files", made.from_all_files())):  # fmt: skip
                add(name, f"narrowed by {where}", len(findings))
                add(name, f"told to one by {where}", sum(f.exact for f in findings))
                for kind in {f.kind for f in findings} if where != "all files" else ():
                    add(name, f"narrowed by {where}: {kind}", 1)
            add(name, "sets named by their number", len(made.named()))
            hidden, _ = curves.beside_each_other(made.tables, made.world.people, made.world.levels, made.rule)
            add(name, "people followed, by difference", len(hidden))
            for what in ("counts", "figures", "objects", "words"):
                add(name, f"wrong {what}", len(getattr(made, f"wrong_{what}")()))
            add(name, "files of twins that differ", len(made.twins()[0]))
            own = [c for c in made.cells if c.kind in ("prevalence", "exact", "at_least", "condition_count")]
            shown, exact = attacker.visible_found_out(own, made.world.cells, made.rule)
            add(name, "visible counts", shown)
            add(name, "visible counts told to one", exact)
            add(
                name,
                "differences of reports certainly small",
                len(nested.two_reports(made.world, policy, more=3)[0]),
            )
            for other in study.POLICIES.values():
                if other is not policy:
                    add(name, f"narrowed by {other.name} as well", len(nested.two_rules(made.world, policy, other)))
    return found


if __name__ == "__main__":
    for (rule, what), n in sorted(tally(int(sys.argv[1]) if len(sys.argv) > 1 else 20).items()):
        print(f"{rule:12} {what:60} {n:6}")
