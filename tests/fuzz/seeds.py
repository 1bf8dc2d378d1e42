#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""seeds.py DIRECTORY: writes DIRECTORY/eh_frame/seed-* and DIRECTORY/elf/seed-*: small sound
inputs with everything in them that the readers know, and each lie that they must survive."""
import lzma
import os
import struct
import sys
import zlib

VADDR, CODE = 0x400000, 0x10000  # as in fuzz_eh_frame.c


def uleb(n):
    out = b""
    while True:
        byte, n = n & 0x7f, n >> 7
        if not n:
            return out + bytes([byte])
        out += bytes([byte | 0x80])


# ---- call frame information ----

ENTRY_STATE = bytes([0x0c, 7, 8, 0x90, 1])


class Frames:
    def __init__(self, vaddr=VADDR, debug=False, wide=False):
        self.data, self.vaddr, self.debug, self.wide = b"", vaddr, debug, wide
        self.cie_at = 0

    def entry(self, body):
        """`body` begins behind the id field's place: a function of that place."""
        head = 12 if self.wide else 4
        made = body(len(self.data) + head)
        length = struct.pack("<Q", len(made))
        self.data += (b"\xff\xff\xff\xff" + length if self.wide else length[:4]) + made
        return self

    def id(self, n):
        return struct.pack("<Q" if self.debug and self.wide else "<I", n & (2**64 - 1)
                           if self.debug and self.wide else n & 0xffffffff)

    def cie(self, letters=b"zR", augmentation=b"\x1b", version=1, program=ENTRY_STATE):
        self.cie_at = len(self.data)
        body = self.id(-1 if self.debug else 0) + bytes([version]) + letters + b"\0"
        body += b"\x08\0" if version == 4 else b""
        body += bytes([1, 0x78, 16])
        if letters[:1] == b"z":
            body += uleb(len(augmentation)) + augmentation
        return self.entry(lambda at: body + program)

    def fde(self, start, size, program=b"", extra=b"\0", back=None):
        def body(at):
            link = self.cie_at if self.debug else at - self.cie_at if back is None else back
            if self.debug:
                return self.id(link) + struct.pack("<QQ", start, size) + program
            place = self.vaddr + at + 4
            return self.id(link) + struct.pack("<iI", start - place, size & 0xffffffff) + extra + program
        return self.entry(body)


PUSHES = bytes([0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x44, 0x83, 3, 0x0a, 0x02, 0x50, 0x0c, 7, 8,
                0x41, 0x0b])
PLT = bytes([0x0e, 16, 0x46, 0x0e, 24, 0x4a, 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a,
             0x33, 0x24, 0x22])
REALIGNED = bytes([0x45, 0x0c, 10, 0, 0x49, 0x10, 6, 2, 0x76, 0, 0x44, 0x0f, 3, 0x76, 0x78, 6])
SIGNAL = bytes([0x0f, 4, 0x77, 0xa0, 1, 6, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10, 16, 3, 0x77, 0xa8, 1])
REST = bytes([0x05, 6, 3, 0x11, 3, 0x7e, 0x2f, 12, 2, 0x14, 13, 4, 0x15, 14, 0x7c, 0x07, 15, 0x09, 8,
              0, 0x41, 0x08, 6, 0x06, 3, 0x12, 7, 0x70, 0x41, 0x13, 0x70, 0x41, 0x0d, 6, 0x2e, 16,
              0x16, 3, 1, 0x50, 0x03, 4, 0, 0x0e, 64, 0x04, 8, 0, 0, 0, 0x07, 16])


def sound(**kind):
    f = Frames(**kind)
    f.cie()
    f.fde(CODE, 0x40, PLT).fde(CODE + 0x40, 0x200, PUSHES)
    f.fde(CODE + 0x20000, 0x100, REALIGNED).fde(CODE + 0x18000, 0x10000, REST)
    f.cie(b"zPLRS", b"\x9b\1\2\3\4\x1b\x1b")
    return f.fde(CODE + 0x400, 16, SIGNAL, b"\4\0\0\0\0")


def frame_seeds():
    """(name, first byte, section)"""
    def wrong(program):
        """between two good ones"""
        return (Frames().cie().fde(CODE, 0x40, PUSHES).fde(CODE + 0x40, 0x100, program)
                .fde(CODE + 0x200, 0x40, PUSHES).data)

    good = sound().data
    yield "sound", 0, good
    yield "end-mark", 2, good + bytes(4) + good
    yield "end-marks", 0, good + bytes(4) + good
    yield "wide", 0, sound(wide=True).data
    for version in (1, 3, 4):
        for wide in (False, True):
            f = Frames(vaddr=0, debug=True, wide=wide).cie(b"", version=version)
            yield f"debug-{version}{'-wide' if wide else ''}", 1, f.fde(CODE, 0x200, PUSHES).fde(
                CODE + 0x300, 0x50000, REST).data
    yield "old-eh", 0, Frames().cie(b"eh", program=bytes(8)).fde(CODE, 16).data
    yield "empty", 0, b""
    yield "no-rows", 0, Frames().cie().fde(CODE, 16, b"\x3f").data
    yield "leb-bomb", 0, wrong(b"\x0e" + b"\xff" * 2000)
    yield "leb-30", 0, wrong(b"\x0e" + b"\x90" + b"\x80" * 29 + b"\0")
    yield "leb-in-cie", 0, Frames().entry(lambda at: bytes(4) + b"\1\0" + b"\xff" * 600).fde(CODE, 9).data
    yield "augmentation-without-nul", 0, Frames().entry(lambda at: bytes(4) + b"\1zRRRR").fde(
        CODE, 9).data
    yield "augmentation-too-long", 0, Frames().cie(b"zR", b"\x1b").fde(
        CODE, 16, b"", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\1").data
    yield "augmentation-unknown", 0, Frames().cie(b"zQ", b"\x1b").fde(CODE, 16).data
    for encoding in (0x00, 0x01, 0x09, 0x50, 0x9b, 0x3b, 0xff):
        yield f"encoding-{encoding:02x}", 0, Frames().cie(b"zR", bytes([encoding])).fde(
            CODE, 16, bytes(16)).data
    for length in (0x7fffffff, 0xfffffff0, 0xffffffff):
        yield f"length-{length:08x}", 0, good + struct.pack("<IQQ", length, 2**64 - 1, 2**64 - 1)
    yield "cie-is-itself", 0, Frames().fde(CODE, 16, b"", back=0).data
    yield "cie-loop", 0, Frames().cie().fde(CODE, 16, b"", back=4).fde(CODE, 16, b"", back=8).fde(
        CODE, 16, b"", back=28).data
    yield "cie-before", 0, Frames().cie().fde(CODE, 16, b"", back=0x1000).data
    yield "cie-behind", 0, Frames().cie().fde(CODE, 16, b"", back=-64).data
    yield "cie-inside", 0, Frames().cie().fde(CODE, 16, b"", back=30).data
    overlapping = Frames().cie()
    for i in range(60):
        overlapping.fde(CODE + i * 37 % 64, 0x40000 - i, bytes([0x0e, 8 + i, 0x41, 0x0e, 9 + i]))
    yield "overlapping", 0, overlapping.data
    backwards = Frames().cie()
    for i in range(80):
        backwards.fde(CODE + (80 - i) * 0x1800, 0x1800, bytes([0x0e, 8 + i % 7]) + PUSHES)
    yield "backwards", 0, backwards.data
    yield "many-rows", 0, Frames().cie().fde(CODE, 0x100000, b"".join(
        bytes([0x41, 0x0e, 8 + i % 90]) for i in range(1500))).data
    yield "everywhere", 0, Frames().cie(b"", b"").entry(
        lambda at: struct.pack("<IQQ", at, 0, 2**64 - 1)).data
    yield "around", 0, Frames().cie().fde(CODE, -4).data
    yield "remember", 0, wrong(b"\x0a" * 300)
    yield "restore", 0, wrong(b"\x41\x0b")
    yield "unknown-opcode", 0, wrong(b"\x41\x3f")
    yield "back", 0, wrong(b"\x41\x01\x00\x80\xc0\xff")
    yield "far", 0, wrong(b"\x1d" + b"\xff" * 8)
    yield "expression-too-long", 0, wrong(b"\x0f\xff\xff\xff\xff\x0f\x77\x08")
    yield "expression-then-offset", 0, wrong(b"\x0f\x02\x77\x08\x41\x0e\x08")
    yield "expressions", 0, wrong(b"".join(bytes([0x0f, len(e)]) + e + b"\x41" for e in (
        b"", b"\x77", b"\x77\x80\x80\x04\x06", b"\x77\x10\x06\x23\xff\xff\xff\x7f", b"\x76\x78\x06",
        b"\x77\x10\x06\x38\x22", b"\x77\x10\x06\x08\x08\x22", b"\x90\x11", b"\x9c\x23\x08",
        b"\x77\x08\x79\x00\x38\x1e\x22\x06\x23\x08")))
    for cut in (1, 5, 17, len(good) // 2, len(good) - 1):
        yield f"cut-{cut}", 0, good[:cut]


# ---- ELF files ----

class Elf:
    """One segment for all of the file, sections as they come."""

    def __init__(self):
        self.body = b""
        self.head = 64 + 4 * 56
        self.sections = [("", 0, 0, 0, b"", 0, 0)]

    def place(self):
        return self.head + len(self.body)

    def add(self, name, kind, data, flags=2, link=0, entsize=0):
        self.body += bytes(-len(self.body) % 8)
        self.sections.append((name, kind, flags, self.place(), data, link, entsize))
        self.body += data
        return len(self.sections) - 1

    def find(self, name):
        return next(s for s in self.sections if s[0] == name)

    def bytes(self):
        names = b"\0"
        offsets = []
        for name, *_ in self.sections:
            offsets.append(len(names) if name else 0)
            names += name.encode() + b"\0" if name else b""
        offsets.append(len(names))
        names += b".shstrtab\0"
        strings = self.add(".shstrtab", 3, names, 0)
        self.body += bytes(-len(self.body) % 8)
        shoff = self.place()
        table = b""
        for at, (name, kind, flags, offset, data, link, entsize) in enumerate(self.sections):
            table += struct.pack("<IIQQQQIIQQ", offsets[at], kind, flags, offset if flags & 2 else 0,
                                 offset if kind else 0, len(data), link, 0, 4 if kind else 0, entsize)
        size = shoff + len(table)

        def segment(kind, flags, section=None):
            if section is None:
                return struct.pack("<IIQQQQQQ", kind, flags, 0, 0, 0, size, size, 4096)
            _, _, _, offset, data, _, _ = self.find(section)
            return struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, len(data), len(data), 4)
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1" + bytes(9), 3, 62, 1, 0x1000, 64, shoff,
                           0, 64, 56, 4, 64, len(self.sections), strings)
        return head + segment(1, 5) + segment(2, 6, ".dynamic") + segment(4, 4, ".notes") + segment(
            0x6474e550, 4, ".eh_frame_hdr") + self.body + table


def note(name, kind, desc):
    return struct.pack("<III", len(name), len(desc), kind) + name + bytes(-len(name) % 4) + desc + bytes(
        -len(desc) % 4)


def symbol(name, value, size, info=0x12, section=1):
    return struct.pack("<IBBHQQ", name, info, 0, section, value, size)


def elf(names=b"\0malloc\0main\0_ZN3foo3barEv\0libx.so\0environ\0", symbols=None, extra=None):
    e = Elf()
    e.add(".text", 1, bytes([0x55, 0x48, 0x89, 0xe5, 0xc3, 0x90] * 40), 6)
    text = e.find(".text")[3]
    if symbols is None:
        symbols = [(0, 0, 0), (1, text, 16), (8, text + 16, 32), (13, text + 48, 64), (27, text, 8, 0x11)]
    packed = b"".join(symbol(*s) for s in symbols)
    strtab = e.add(".dynstr", 3, names)
    e.add(".dynsym", 11, packed, 2, strtab, 24)
    hashes = struct.pack("<II", 1, len(symbols)) + bytes(4 + 4 * len(symbols))
    e.add(".hash", 5, hashes, 2, strtab + 1, 4)
    e.add(".rela.plt", 4, struct.pack("<QQq", text, 1 << 32 | 7, 0), 2, strtab + 1, 24)
    dynamic = [(5, e.find(".dynstr")[3]), (6, e.find(".dynsym")[3]), (10, len(names)), (11, 24), (14, 28),
               (4, e.find(".hash")[3]), (23, e.find(".rela.plt")[3]), (2, 24), (20, 7), (30, 2), (0, 0)]
    e.add(".dynamic", 6, b"".join(struct.pack("<QQ", *d) for d in dynamic), 3, strtab, 16)
    e.add(".notes", 7, note(b"GNU\0", 3, bytes(range(20))) + note(
        b"stapsdt\0", 3, struct.pack("<QQQ", text + 4, 0, 0) + b"app\0probe\0-4@%edi 8@8(%rsp)\0"))
    e.body += bytes(-len(e.body) % 8)
    f = Frames(vaddr=e.place()).cie()
    f.fde(text, 48, PUSHES).cie(b"zPLR", b"\x9b\1\2\3\4\x1b\x1b").fde(text + 48, 100, REST, b"\4\x40\0\0\0")
    at = e.find(e.sections[e.add(".eh_frame", 1, f.data + bytes(4))][0])[3]
    e.body += bytes(-len(e.body) % 8)
    here = e.place()
    e.add(".eh_frame_hdr", 1, struct.pack("<BBBBii", 1, 0x1b, 3, 0x3b, at - here - 4, 2) + struct.pack(
        "<iiii", text - here, at + 24 - here, text + 48 - here, at + 80 - here))
    debug = Frames(vaddr=0, debug=True).cie(b"", version=4).fde(text + 16, 24, PUSHES).fde(
        text + 176, 64, PUSHES).data
    e.add(".debug_frame", 1, struct.pack("<IIQQ", 1, 0, len(debug), 8) + zlib.compress(debug), 0x800)
    for section in extra or []:
        e.add(*section)
    return e.bytes()


def patched(data, at, form, value):
    size = struct.calcsize(form)
    return data[:at] + struct.pack(form, value & ((1 << 8 * size) - 1)) + data[at + size:]


HEADER = (("e_type", 16, "<H"), ("e_machine", 18, "<H"), ("e_phoff", 32, "<Q"), ("e_shoff", 40, "<Q"),
          ("e_phentsize", 54, "<H"), ("e_phnum", 56, "<H"), ("e_shentsize", 58, "<H"),
          ("e_shnum", 60, "<H"), ("e_shstrndx", 62, "<H"))


def elf_seeds():
    good = elf()
    shoff = struct.unpack_from("<Q", good, 40)[0]
    count = struct.unpack_from("<H", good, 60)[0]
    yield "sound", good
    yield "empty", b""
    for cut in (3, 40, 63, 64, 100, 200, len(good) // 2, shoff + 8, len(good) - 1):
        yield f"cut-{cut}", good[:cut]
    for name, at, form in HEADER:
        for label, value in (("0", 0), ("max", -1), ("odd", 0x4141)):
            if name in ("e_type", "e_machine") and label != "max":
                continue
            yield f"{name}-{label}", patched(good, at, form, value)
    for field, at in (("offset", 8), ("vaddr", 16), ("filesz", 32), ("memsz", 40)):
        yield f"load-{field}-max", patched(good, 64 + at, "<Q", -1)
        yield f"dynamic-{field}-far", patched(good, 64 + 56 + at, "<Q", 1 << 40)
    yield "code-everywhere", patched(patched(good, 64 + 32, "<Q", 1 << 62), 64 + 40, "<Q", 1 << 62)
    for i in range(1, count):
        yield f"section-{i}-far", patched(good, shoff + 64 * i + 24, "<Q", 1 << 62)
        yield f"section-{i}-huge", patched(good, shoff + 64 * i + 32, "<Q", 1 << 34)
    same = good
    for i in range(1, count):
        same = patched(patched(same, shoff + 64 * i + 24, "<Q", shoff), shoff + 64 * i + 32, "<Q", 64 * count)
    yield "sections-overlap", same
    yield "section-0-counts", patched(patched(patched(good, 60, "<H", 0), shoff + 32, "<Q", 1 << 60),
                                      62, "<H", 0xffff)
    yield "symbol-names-far", elf(symbols=[(0xfffffff0, 1 << 63, 1 << 63), (5, 64, 1 << 60)])
    yield "symbol-name-long", elf(names=b"\0" + b"a" * 6000 + b"\0")
    yield "symbol-name-escapes", elf(names=b"\0\x1b]52;c;aGk=\x07\r\xff\xfe\0" + b"x" * 40 + b"\0")
    yield "symbols-overlap", elf(symbols=[(1, 300 + i % 7, 64 + i) for i in range(60)])
    bomb = struct.pack("<IIQQ", 1, 0, 8 << 30, 8) + zlib.compress(bytes(4096))
    yield "section-of-8-gigabytes", elf(extra=[(".zbomb", 1, bomb, 0x800)])
    short = struct.pack("<IIQQ", 1, 0, 4096, 8) + zlib.compress(bytes(4096))[:9]
    yield "section-cut-in-compression", elf(extra=[(".zcut", 1, short, 0x800)])
    packed = lzma.compress(good)
    for name, data in (("", packed), ("-cut", packed[:-40]), ("-bomb", lzma.compress(bytes(64 << 20))),
                       ("-no-elf", lzma.compress(b"no")), ("-no-xz", b"no")):
        yield f"mini-debug{name}", elf(extra=[(".gnu_debugdata", 1, data, 0)])
    for name, link in (("", b"app.debug\0\0\0" + bytes(4)), ("-up", b"../../etc/shadow\0\0\0\0" + bytes(4)),
                       ("-absolute", b"/etc/shadow\0" + bytes(4)), ("-without-nul", b"a" * 300),
                       ("-dots", b"..\0\0" + bytes(4)), ("-short", b"a\0")):
        yield f"debug-link{name}", elf(extra=[(".gnu_debuglink", 1, link, 0)])
    for name, link in (("", b"../../.dwz/app.debug\0" + bytes(20)), ("-without-nul", b"a" * 300),
                       ("-long", b"a" * 5000 + bytes(21)), ("-short", b"a\0" + bytes(19)),
                       ("-empty", bytes(21))):
        yield f"debug-altlink{name}", elf(extra=[(".gnu_debugaltlink", 1, link, 0)])
    yield "notes-huge", good.replace(struct.pack("<III", 4, 20, 3), struct.pack("<III", 4, 0xfffffff0, 3))
    yield "note-without-strings", good.replace(b"app\0probe\0-4@", b"appaprobea-4@")
    nameless = patched(good, 60, "<H", 0)
    yield "no-sections", patched(nameless, 40, "<Q", 0)
    hdr = good.index(struct.pack("<BBBB", 1, 0x1b, 3, 0x3b))
    for encoding in (0xff, 0x3b, 0x9b, 0x00):
        lone = patched(patched(good, 60, "<H", 0), 40, "<Q", 0)
        yield f"no-sections-header-{encoding:02x}", patched(lone, hdr + 1, "<B", encoding)
    yield "header-count-max", patched(good, hdr + 8, "<I", -1)


def main():
    for kind, seeds in (("eh_frame", [(n, bytes([first]) + data) for n, first, data in frame_seeds()]),
                        ("elf", list(elf_seeds()))):
        directory = os.path.join(sys.argv[1], kind)
        os.makedirs(directory, exist_ok=True)
        for name, data in seeds:
            with open(os.path.join(directory, f"seed-{name}"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
