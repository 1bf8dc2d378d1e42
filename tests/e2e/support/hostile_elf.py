# SPDX-License-Identifier: BSD-2-Clause
"""ELF files that lie: each is written in full here, so that what is wrong with it is known."""
import random
import struct

EHDR, PHDR, SHDR = 64, 56, 64
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_DYNSYM = 1, 2, 3, 7, 11
CODE_AT = 0x1000  # of every file: NOPs, ended by a RET, and a five-byte NOP
CODE = b"\x90" * 64 + b"\x0f\x1f\x44\x00\x00" + b"\xc3" * 59
NOP, NOP5, RET = CODE_AT, CODE_AT + 64, CODE_AT + 69


class Section:
    """`claims` replaces (offset, size) in the header by other numbers."""

    def __init__(self, name, kind, data=b"", flags=0, link=0, entsize=0, addr=0, claims=None):
        self.name, self.kind, self.data, self.flags = name, kind, data, flags
        self.link, self.entsize, self.addr, self.claims = link, entsize, addr, claims


def build(sections, header=None):
    """A shared object with one executable segment over the whole file, and these sections.
    `header` changes fields: shoff, phoff, shnum, phnum, shstrndx, shentsize."""
    names, offsets = b"\0", []
    sections = [*sections, Section(".shstrtab", SHT_STRTAB)]
    for s in sections:
        offsets.append(len(names))
        names += s.name + b"\0" if isinstance(s.name, bytes) else s.name.encode() + b"\0"
    sections[-1].data = names
    body, table = b"", b"\0" * SHDR
    at = CODE_AT + len(CODE)
    for s, name in zip(sections, offsets):
        offset, size = s.claims or (at + len(body), len(s.data))
        table += struct.pack("<IIQQQQIIQQ", name, s.kind, s.flags, s.addr or offset, offset, size,
                             s.link, 0, 1, s.entsize)
        body += s.data
    shoff = at + len(body)
    total = shoff + len(table)
    phdr = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, total, total, 0x1000)
    f = {"phoff": EHDR, "shoff": shoff, "phnum": 1, "shnum": len(sections) + 1,
         "shstrndx": len(sections), "shentsize": SHDR, **(header or {})}
    ehdr = b"\x7fELF\2\1\1" + b"\0" * 9 + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, CODE_AT, f["phoff"], f["shoff"], 0, EHDR, PHDR, f["phnum"],
        f["shentsize"], f["shnum"], f["shstrndx"])
    return (ehdr + phdr).ljust(CODE_AT, b"\0") + CODE + body + table


def symbol(name, value, size, kind=2, section=1):
    return struct.pack("<IBBHQQ", name, 1 << 4 | kind, 0, section, value, size)


def note(location, provider, name, args=b"", semaphore=0, base=0):
    description = (struct.pack("<QQQ", location, base, semaphore) + provider + b"\0" + name + b"\0"
                   + args + b"\0")
    padded = description + b"\0" * (-len(description) % 4)
    return struct.pack("<III", 8, len(description), 3) + b"stapsdt\0" + padded


def notes(content, claims=None):
    return build([Section(".note.stapsdt", SHT_NOTE, content, claims=claims)])


def symbols(entries, strings, **more):
    return build([Section(".symtab", SHT_SYMTAB, symbol(0, 0, 0) + b"".join(entries), link=2,
                          entsize=24, **more),
                  Section(".strtab", SHT_STRTAB, strings)])


def many_symbols(n):
    """That overlap each other as badly as they can: all end at the same place."""
    strings = b"\0" + b"".join(b"f%07d\0" % i for i in range(n))
    return symbols([symbol(1 + 9 * i, CODE_AT + i % 100, 1000 - i % 100) for i in range(n)],
                   strings)


def files(sound):
    """{name: content}; `sound` is the content of a good ELF file to be cut and bent."""
    dice = random.Random(7)
    bent = bytearray(sound)
    for _ in range(200):
        bent[dice.randrange(16, 4096)] = dice.randrange(256)
    four = 1 << 32
    long_name = b"A" * 70000
    result = {
        "empty_header": b"\x7fELF".ljust(4096, b"\0"),
        "noise": bytes(dice.randrange(256) for _ in range(8192)),
        "bent": bytes(bent),
        "many_sections": build([], {"shnum": 0xfeff}),
        "extended_count": build([], {"shnum": 0}),
        "sections_elsewhere": build([], {"shoff": (1 << 64) - 64}),
        "segments_elsewhere": build([], {"phoff": 1 << 62}),
        "many_segments": build([], {"phnum": 0xfffe}),
        "odd_entries": build([], {"shentsize": 1}),
        "names_elsewhere": build([], {"shstrndx": 0xff00}),
        "four_gib_notes": notes(b"", (CODE_AT, four)),
        "four_gib_symbols": symbols([], b"\0", claims=(CODE_AT, four)),
        "wrapping_symbols": symbols([], b"\0", claims=(CODE_AT, (1 << 64) - CODE_AT)),
        "four_gib_strings": build([
            Section(".dynsym", SHT_DYNSYM, symbol(1, CODE_AT, 8), link=2, entsize=24),
            Section(".dynstr", SHT_STRTAB, claims=(0, four))]),
        "compressed": build([Section(".symtab", SHT_SYMTAB, struct.pack("<IIQQ", 1, 0, 8 << 30, 8)
                                     + b"x\x9c" + b"\0" * 64, flags=0x800, link=1, entsize=24)]),
        "self_linked": build([Section(".symtab", SHT_SYMTAB, symbol(1, CODE_AT, 8) * 10, link=1,
                                      entsize=24)]),
        "strange_frames": build([Section(".eh_frame", SHT_PROGBITS, b"\xff\xff\xff\xff" * 64),
                                 Section(".eh_frame_hdr", SHT_PROGBITS, b"\1\x1b\3\x3b" * 64)]),
        "fifty_thousand_symbols": many_symbols(50000),
        "long_symbol": symbols([symbol(1, CODE_AT, 8)], b"\0" + long_name + b"\0"),
        "nameless_symbols": symbols([symbol(0xffffff00 + i, CODE_AT, 8) for i in range(100)],
                                    b"\0"),
        "forged_notes": notes(b"".join([
            note(RET, b"forged", b"ret__start"), note(RET + 1, b"forged", b"ret__done"),
            note(NOP5, b"forged", b"five__start"), note(NOP5, b"forged", b"five__done"),
            note(1 << 40, b"forged", b"far__start"), note((1 << 64) - 1, b"forged", b"far__done"),
            note(0, b"forged", b"header__start"), note(4, b"forged", b"header__done"),
            note(NOP, b"perftrace", b"span_start", b"8@%rdi -4@99999999999999999999(%rip) x@y"),
            note(NOP + 1, b"forged", b"semaphore__start", semaphore=1 << 50),
            note(NOP + 2, b"forged", b"semaphore__done", semaphore=3),
            note(NOP + 3, long_name, b"x__start"), note(NOP + 4, b"", b"")])),
        "hundred_thousand_notes": notes(b"".join(
            note(NOP + i % 60, b"p%d" % (i % 300), b"n%d__start" % i) for i in range(100000))),
        "unending_note": notes(struct.pack("<III", 8, 0xfffffff0, 3) + b"stapsdt\0" + b"x" * 64),
    }
    for cut in (1, 63, 64, 100, 1000, len(sound) // 2, len(sound) - 1):
        result[f"cut_{cut}"] = sound[:cut]
    return result
