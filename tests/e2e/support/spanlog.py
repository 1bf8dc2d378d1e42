# SPDX-License-Identifier: BSD-2-Clause
"""Reads the text log of spans back, strictly: a line of no known form is an error."""
import re

HEAD = (r"\[(?P<time>\d\d:\d\d:\d\d\.\d{3})\] "
        r"\[ThreadId\((?P<tid>\d+)\)(?:/(?P<comm>(?:[^\]:\\]|\\.)+))?\] ")
DURATION = r"\d+\.\d\d(?:us|ms|s)"
SPAN = re.compile(HEAD + r"(?P<indent>(?:  )*)(?P<name>\S(?:.*?\S)?):"
                  rf"(?: (?P<duration>{DURATION}))?(?: \((?P<status>unwound|unfinished|open)\))?"
                  r"(?: \((?P<context>.*)\))?$")
CHECKPOINT = re.compile(HEAD + r"(?:\[mem: (?P<mb>\d+\.\d)MB\] )?CHECKPOINT: (?P<name>.*?)"
                        r"(?: - (?P<context>.*?))?"
                        r"(?: \((?P<growth>[+-]\d+\.\dMB) since (?P<since>.*)\))?$")
EVENT = re.compile(HEAD + r"\[(?P<tag>[^\]]+)\](?: (?P<text>.*))?$")
HEADER = re.compile(r"# perftrace \S+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d"
                    r"  host \S+  target (?P<pid>\d+) (?P<exe>.+)$")
UNITS = {"us": 1e3, "ms": 1e6, "s": 1e9}


class Line:
    def __init__(self, kind, number, fields):
        self.kind, self.number = kind, number
        self.__dict__.update(fields)
        self.tid = int(self.tid)
        if kind == "span":
            self.depth = len(self.indent) // 2
            self.ns = nanoseconds(self.duration) if self.duration else None


def nanoseconds(text):
    value, unit = re.match(r"([\d.]+)(us|ms|s)$", text).groups()
    return float(value) * UNITS[unit]


class Log:
    """`text` is a log; with a summary after it, the rest is in .summary."""

    def __init__(self, text):
        self.lines, self.errors, self.header = [], [], None
        lines = text.split("\n")
        end = next((i for i, l in enumerate(lines)
                    if re.match(r"SPANS\b|MEMORY  ", l)), len(lines))
        self.summary = "\n".join(lines[end:])
        for number, line in enumerate(lines[:end], 1):
            self._add(number, line)

    def _add(self, number, line):
        if not line:
            return
        if HEADER.match(line):
            self.header = HEADER.match(line)
            if self.lines:
                self.errors.append(f"line {number}: a header in the middle")
            return
        for kind, form in (("checkpoint", CHECKPOINT), ("event", EVENT), ("span", SPAN)):
            found = form.match(line)
            if found:
                self.lines.append(Line(kind, number, found.groupdict()))
                return
        self.errors.append(f"line {number}: no known form: {line!r}")

    def of(self, kind, name=None):
        return [l for l in self.lines if l.kind == kind and (name is None or l.name == name)]

    def tree_errors(self):
        """A span's line stands below that of its parent: the last one of its thread, one level
        up, and no level is skipped."""
        errors, open_depth, starts = [], {}, {}
        for l in self.of("span"):
            path = open_depth.setdefault(l.tid, [])
            if l.depth > len(path):
                errors.append(f"line {l.number}: depth {l.depth} without a parent line before it")
            del path[l.depth:]
            path.append(l)
            if l.depth and l.depth <= len(path) - 1:
                parent = path[l.depth - 1]
                if l.time < parent.time:
                    errors.append(f"line {l.number}: starts before its parent")
                if parent.ns and l.ns and l.ns > parent.ns * 1.001 + 1e4:
                    errors.append(f"line {l.number}: lasts longer than its parent")
            key = (l.tid, l.depth)
            starts[key] = l.time
        return errors
