# SPDX-License-Identifier: BSD-2-Clause
"""What cases about call stacks share: names as they are compared, and what the ledger says of
completeness."""
import os

import harness as h

# In functions of these the outermost frame of a thread lies.
OUTERMOST = {"_start", "clone", "__clone", "clone3", "__clone3"}


def bare(name):
    """A C++ function without its return type, arguments and qualifiers: Square::draw."""
    if not name:
        return name
    name = name.replace("(anonymous namespace)", "{anonymous}")
    depth, out = 0, ""
    for at, c in enumerate(name):
        if c == "(" and depth == 0:
            break
        depth += {"<": 1, ">": -1}.get(c, 0)
        out = "" if c == " " and depth == 0 and not name[:at].endswith("operator") else out + c
    return out


def module(frame):
    return os.path.basename(frame["module"] or "")


def names(candidate, of=None, inlined=False):
    """Bare function names, leaf first; `of` a module only."""
    return [bare(f["function"]) for f in candidate["stack"]
            if (inlined or not f["inlined"]) and (of is None or module(f) == of)]


def text(candidate):
    return " <- ".join(f"{bare(f['function'])}[{module(f)}+{f['offset'] or 0:#x}]"
                       + ("i" if f["inlined"] else "") for f in candidate["stack"])


def by_size(document):
    """Candidates by the size of their blocks: targets give each path its own."""
    found = {}
    for c in document["candidates"]:
        found.setdefault(int(c["average_bytes"]), []).append(c)
    return found


def with_blocks_of(document, size):
    """The one candidate with blocks of that size."""
    mine = by_size(document).get(size, [])
    if not h.equal(len(mine), 1, f"call sites of blocks of {size} bytes"):
        for c in mine:
            print("   ", text(c))
    return mine[0] if mine else None


REASONS = ("no_mapping", "no_rule", "read_fault", "depth", "no_tables")


def ledger(document):
    """The books of stacks: captured, complete, and why how many of the others are not. Checks that
    shares and numbers agree."""
    books, incidents = document["ledger"].get("stacks"), document["ledger"]["incidents"]
    if not h.check(books and set(books["cut_shares"]) == set(REASONS), "ledger.stacks", books):
        return dict.fromkeys(("captured", "complete", *REASONS), 0)
    found = {"captured": books["captured"], "complete": books["complete"],
             **{r: incidents.get(f"stacks_{r}", 0) for r in REASONS}}
    shares = {"complete": books["complete_share"], **books["cut_shares"]}
    h.check(all(abs(share * found["captured"] - found[key]) < 0.5 for key, share in shares.items()),
            "ledger.stacks: shares are those of the numbers", (found, shares))
    return found


def completeness(stacks):
    return stacks["complete"] / max(stacks["captured"], 1)


def check_complete(document, what, share=1.0, at_least=1):
    stacks = ledger(document)
    h.check(stacks["captured"] >= at_least, f"{what}: stacks were taken", stacks)
    h.check(completeness(stacks) >= share, f"{what}: {100 * share:g} % of stacks are complete",
            f"{100 * completeness(stacks):.2f} %: {stacks}")


def leaks_of(programs, *options, name=None, args=()):
    """`leaks` of all programs at once, each from its first block to its last: [(truth, Result)]."""
    targets = [h.Target(name or os.path.basename(p), *args, path=p) for p in programs]
    tracers = [h.Tracer("leaks", "-d", "60", "-p", t.pid, *options, attached=False)
               for t in targets]
    for t in tracers:
        t.wait_attached()
    for t in targets:
        t.go()
    truths = [t.truth() for t in targets]
    h.time.sleep(0.2)
    for t in tracers:
        t.interrupt()
    results = [t.finish() for t in tracers]
    for t in targets:
        t.is_healthy()
    return list(zip(truths, results))
