#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An unrelated process that maps the same libraries has no breakpoint in its code, ever; the target
has some while it is traced, and none afterwards. A child that is not followed gets none either."""
import codepatch
import harness as h


def libc_of(pid):
    return next(path for *_, path in codepatch.mappings(pid) if "/libc.so" in path)


target, bystander = h.Target("leaky", env=codepatch.private_libc()), h.Target("leaky", env=codepatch.private_libc())
codepatch.check_clean(target.pid)
tracer = h.Tracer("-p", target.pid, "--no-log")
inside = codepatch.patched(target.pid)
libc = libc_of(target.pid)
h.check(sum(path == libc for path, _ in inside) >= 8, "the target's libc has breakpoints", inside)
h.equal({codepatch.bytes_at(target.pid, *place) for place in inside}, {b"\xcc"},
        "they are breakpoints")
codepatch.check_clean(bystander.pid)
late = h.Target("leaky", env=codepatch.private_libc())
codepatch.check_clean(late.pid)
bystander.go()
bystander.truth()
codepatch.check_clean(bystander.pid)
tracer.stop()
codepatch.check_clean(target.pid)
for process in (target, bystander, late):
    process.is_healthy()

# The executable's own probes, too: another process of the same program is a bystander.
target, bystander = h.Target("spans", 1, 1, env=codepatch.private_libc()), h.Target("spans", 1, 1, env=codepatch.private_libc())
tracer = h.Tracer("spans", "-p", target.pid, "--follow")
h.check(codepatch.patched(target.pid), "the target's spans have breakpoints")
codepatch.check_clean(bystander.pid)
tracer.stop()
codepatch.check_clean(target.pid)
for process in (target, bystander):
    process.is_healthy()
