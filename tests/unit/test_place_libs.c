// SPDX-License-Identifier: BSD-2-Clause
/*
 * The decoder and the choice of probe sites on every named function of real libraries, held
 * against objdump. Which registers an instruction writes and where branches go is read from
 * objdump's text here, by rules of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "disassembly.h"
#include "elf/fde.h"
#include "elf/fde_index.h"
#include "elf/openfile.h"
#include "elf/symbols.h"
#include "probe/place.h"

#define LIB "/usr/lib/x86_64-linux-gnu/"

/* ---- what objdump's text says ---- */

static const char *const register_names[16][5] = {
	{"rax", "eax", "ax", "al", "ah"},    {"rcx", "ecx", "cx", "cl", "ch"},
	{"rdx", "edx", "dx", "dl", "dh"},    {"rbx", "ebx", "bx", "bl", "bh"},
	{"rsp", "esp", "sp", "spl", ""},     {"rbp", "ebp", "bp", "bpl", ""},
	{"rsi", "esi", "si", "sil", ""},     {"rdi", "edi", "di", "dil", ""},
	{"r8", "r8d", "r8w", "r8b", ""},     {"r9", "r9d", "r9w", "r9b", ""},
	{"r10", "r10d", "r10w", "r10b", ""}, {"r11", "r11d", "r11w", "r11b", ""},
	{"r12", "r12d", "r12w", "r12b", ""}, {"r13", "r13d", "r13w", "r13b", ""},
	{"r14", "r14d", "r14w", "r14b", ""}, {"r15", "r15d", "r15w", "r15b", ""},
};

struct parsed {
	char mnemonic[16];
	char operands[4][64];
	size_t count;
};

static void parse(const char *text, struct parsed *p)
{
	const char *m = disassembly_mnemonic(text);
	int depth = 0;
	size_t len = strcspn(m, " ");

	memset(p, 0, sizeof(*p));
	snprintf(p->mnemonic, sizeof(p->mnemonic), "%.*s", (int)len, m);
	m += len + strspn(m + len, " ");
	if (!*m || *m == '#')
		return;
	p->count = 1;
	for (size_t at = 0; *m && *m != ' ' && *m != '#'; m++) {
		char *operand = p->operands[p->count - 1];

		depth += (*m == '(') - (*m == ')');
		if (*m == ',' && !depth && p->count < 4) {
			p->count++;
			at = 0;
		} else if (at + 1 < sizeof(p->operands[0])) {
			operand[at++] = *m;
		}
	}
}

/* The register's bit if the operand is a general register. */
static uint16_t register_of(const char *operand)
{
	if (operand[0] != '%')
		return 0;
	for (unsigned int reg = 0; reg < 16; reg++) {
		for (int name = 0; name < 5; name++) {
			if (*register_names[reg][name] &&
			    !strcmp(operand + 1, register_names[reg][name]))
				return GPR_BIT(reg);
		}
	}
	return 0;
}

static bool begins(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_any(const char *s, const char *const *list)
{
	for (; *list; list++) {
		if (!strcmp(s, *list))
			return true;
	}
	return false;
}

/* cmp, cmpb, ...: with or without a size suffix. */
static bool is_sized(const char *s, const char *name)
{
	size_t len = strlen(name);

	return begins(s, name) && (!s[len] || (strchr("bwlq", s[len]) && !s[len + 1]));
}

#define RAX GPR_BIT(GPR_RAX)
#define RBX GPR_BIT(GPR_RBX)
#define RCX GPR_BIT(GPR_RCX)
#define RDX GPR_BIT(GPR_RDX)
#define RSP GPR_BIT(GPR_RSP)
#define RBP GPR_BIT(GPR_RBP)
#define RSI GPR_BIT(GPR_RSI)
#define RDI GPR_BIT(GPR_RDI)

static uint16_t implicit_writes(const char *text, const struct parsed *p)
{
	static const char *const rax_rdx[] = {"rdtsc",	   "xgetbv", "cmpxchg16b",
					      "cmpxchg8b", "rdpkru", NULL};
	const char *m = p->mnemonic;
	uint16_t bits = 0;

	if (strstr(text, "(%rdi)") && strstr(text, "%es:"))
		bits |= RDI;
	if (strstr(text, "%ds:(%rsi)"))
		bits |= RSI;
	if (bits && begins(text, "rep"))
		bits |= RCX;
	if ((is_sized(m, "mul") || is_sized(m, "div") || is_sized(m, "idiv") ||
	     is_sized(m, "imul")) &&
	    p->count == 1)
		bits |= RAX | RDX;
	if (is_any(m, rax_rdx))
		bits |= RAX | RDX;
	if (!strcmp(m, "cqto") || !strcmp(m, "cltd") || !strcmp(m, "cwtd"))
		bits |= RDX;
	if (!strcmp(m, "cltq") || !strcmp(m, "cwtl") || !strcmp(m, "cbtw") ||
	    begins(m, "cmpxchg") || !strcmp(m, "lahf") || !strcmp(m, "xbegin"))
		bits |= RAX;
	if (!strcmp(m, "cpuid"))
		bits |= RAX | RBX | RCX | RDX;
	if (!strcmp(m, "rdtscp"))
		bits |= RAX | RCX | RDX;
	if (!strcmp(m, "syscall"))
		bits |= RAX | RCX | GPR_BIT(GPR_R11);
	if (begins(m, "loop") || begins(m, "pcmpistri") || begins(m, "pcmpestri") ||
	    begins(m, "vpcmpistri") || begins(m, "vpcmpestri"))
		bits |= RCX;
	if (begins(m, "push") || begins(m, "pop") || begins(m, "ret"))
		bits |= strstr(m, "popcnt") ? 0 : RSP;
	if (begins(m, "leave") || begins(m, "enter"))
		bits |= RSP | RBP;
	return bits;
}

static bool only_reads(const char *m)
{
	static const char *const names[] = {"ptest",  "vptest",	  "ucomiss", "ucomisd",
					    "comiss", "comisd",	  "nop",     "endbr64",
					    "wrpkru", "wrfsbase", NULL};

	return (is_sized(m, "cmp")) || is_sized(m, "test") || is_sized(m, "bt") ||
	       begins(m, "push") || begins(m, "scas") || begins(m, "nop") || begins(m, "j") ||
	       is_any(m, names);
}

/* All general registers that the instruction writes. Not for calls. */
static uint16_t writes(const char *text)
{
	struct parsed p;
	uint16_t bits;

	parse(text, &p);
	bits = implicit_writes(text, &p);
	if (!strcmp(disassembly_mnemonic(text), "xchg   %ax,%ax")) /* a nop with 66 */
		return 0;
	if (!p.count || only_reads(p.mnemonic))
		return bits;
	if (begins(p.mnemonic, "xchg") || begins(p.mnemonic, "xadd"))
		bits |= register_of(p.operands[0]);
	if (begins(p.mnemonic, "mulx"))
		bits |= register_of(p.operands[1]);
	if (p.count == 1 && (is_sized(p.mnemonic, "mul") || is_sized(p.mnemonic, "div") ||
			     is_sized(p.mnemonic, "idiv") || is_sized(p.mnemonic, "imul")))
		return bits;
	return bits | register_of(p.operands[p.count - 1]);
}

/* ---- one library ---- */

struct library {
	const char *path;
	struct elf_image *image;
	struct elf_symbols *symbols;
	struct disassembly text;
	unsigned int functions, instructions, placed, moved, faults;
};

static void open_library(struct library *l, const char *path)
{
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0)
		fail_msg("%s is missing", path);
	*l = (struct library){.path = path};
	assert_int_equal(elf_image__open_fd(fd, &l->image, NULL), 0);
	assert_int_equal(elf_symbols__load(l->image, &l->symbols), 0);
	disassembly__load(&l->text, path);
}

static void close_library(struct library *l)
{
	disassembly__free(&l->text);
	elf_symbols__free(l->symbols);
	elf_image__free(l->image);
}

static void fault(struct library *l, const char *function, uint64_t vaddr, const char *what,
		  const char *text)
{
	if (l->faults++ < 20)
		fprintf(stderr, "%s: %s: %#lx: %s: %s\n", l->path, function, (unsigned long)vaddr,
			what, text);
}

static uint8_t *read_code(const struct library *l, uint64_t vaddr, uint64_t size)
{
	uint8_t *code = malloc(size);
	uint64_t offset;

	assert_non_null(code);
	assert_int_equal(elf_image__vaddr_to_offset(l->image, vaddr, &offset), 0);
	assert_int_equal(elf_image__read(l->image, offset, code, size), 0);
	return code;
}

/* ---- the decoder: lengths, branch targets, written registers ---- */

static uint16_t decoder_writes(const struct insn *insn)
{
	return insn->kind == INSN_CALL || insn->kind == INSN_CALL_INDIRECT ? 0 : insn->writes;
}

static void check_instruction(struct library *l, const struct disassembly_line *line,
			      const uint8_t *code, size_t len)
{
	uint64_t target = 0;
	struct insn insn;
	uint16_t missing;
	bool call;

	/* objdump counts fwait to the instruction behind it; AMD's XOP is not decoded. */
	if (line->next - line->vaddr > INSN_LENGTH_MAX || code[0] == 0x9b ||
	    (code[0] == 0x8f && (code[1] & 0x38)))
		return;
	l->instructions++;
	if (insn_decode(code, len, &insn)) {
		fault(l, "decoder", line->vaddr, "not understood", line->text);
		return;
	}
	if (insn.length != line->next - line->vaddr)
		fault(l, "decoder", line->vaddr, "another length", line->text);
	if (insn.relative && insn.kind != INSN_XBEGIN &&
	    (!disassembly_target(line->text, &target) ||
	     target != line->vaddr + (uint64_t)insn.target))
		fault(l, "decoder", line->vaddr, "another target", line->text);
	call = begins(disassembly_mnemonic(line->text), "call");
	missing = call ? 0 : writes(line->text) & ~decoder_writes(&insn);
	if (missing)
		fault(l, "decoder", line->vaddr, "a written register is missed", line->text);
}

static void check_line(struct library *l, const struct disassembly_line *line)
{
	uint8_t code[INSN_LENGTH_MAX + 1];
	uint64_t offset;

	if (!line->doubtful && line->next &&
	    !elf_image__vaddr_to_offset(l->image, line->vaddr, &offset) &&
	    !elf_image__read(l->image, offset, code, sizeof(code)))
		check_instruction(l, line, code, sizeof(code));
}

static void decoder_agrees(struct library *l)
{
	const struct disassembly_line *line;

	vec_for_each (&l->text.lines, line)
		check_line(l, line);
}

/* The same for a library that keeps constants between its functions. */
static void decoder_agrees_in_functions(struct library *l)
{
	struct fde_index *fdes;
	uint64_t at = 0, entry;

	assert_int_equal(fde_index__load(l->image, &fdes), 0);
	while (!fde_index__next_start(fdes, at, &at)) {
		struct fde fde;

		assert_int_equal(fde_index__entry(fdes, at, &entry), 0);
		assert_int_equal(fde__read(l->image, entry, &fde), 0);
		for (size_t i = disassembly__find(&l->text, fde.start);
		     i < l->text.lines.len && l->text.lines.data[i].vaddr < fde.end; i++)
			check_line(l, &l->text.lines.data[i]);
	}
	fde_index__free(fdes);
}

/* ---- placement ---- */

static uint64_t allocated(const char *text)
{
	long bytes;
	int end = 0;

	return sscanf(text, "sub $%li,%%rsp%n", &bytes, &end) == 1 && end ? (uint64_t)bytes : 0;
}

/* What lies between the entry and the site. */
static void check_passed(struct library *l, const struct elf_symbol *s, uint32_t args,
			 enum place_need need, const struct placement *at)
{
	uint64_t site = s->vaddr + at->site_offset, moved = 0;
	bool null_check = false;

	for (size_t i = disassembly__find(&l->text, s->vaddr); i < l->text.lines.len; i++) {
		const struct disassembly_line *line = &l->text.lines.data[i];
		uint16_t written;
		struct parsed p;

		if (line->vaddr >= site)
			break;
		parse(line->text, &p);
		written = writes(line->text);
		if (written & args)
			fault(l, s->name, line->vaddr, "an argument is lost", line->text);
		if ((p.mnemonic[0] == 'j' &&
		     !(at->null_filtered && !strcmp(p.mnemonic, "je") && !null_check)) ||
		    begins(p.mnemonic, "call") || begins(p.mnemonic, "ret"))
			fault(l, s->name, line->vaddr, "not on every way", line->text);
		null_check |= p.mnemonic[0] == 'j';
		moved += allocated(line->text);
		if ((written & RSP) && (need == PLACE_RETURN || !allocated(line->text)))
			fault(l, s->name, line->vaddr, "rsp has moved", line->text);
	}
	if (moved != at->stack_moved)
		fault(l, s->name, site, "stack_moved is wrong", at->instruction);
}

/* Branches of the function that lead behind the entry and not behind the site. */
static void check_inbound(struct library *l, const struct elf_symbol *s, const struct placement *at)
{
	uint64_t site = s->vaddr + at->site_offset, target;

	for (size_t i = disassembly__find(&l->text, s->vaddr); i < l->text.lines.len; i++) {
		const struct disassembly_line *line = &l->text.lines.data[i];

		if (line->vaddr >= s->vaddr + s->size)
			break;
		if (disassembly_target(line->text, &target) && target > s->vaddr && target <= site)
			fault(l, s->name, line->vaddr, "leads before the site", line->text);
	}
}

static void check_placement(struct library *l, const struct elf_symbol *s, const uint8_t *code,
			    enum place_need need, uint32_t args)
{
	struct placement at;
	int err = place_probe(code, s->size, s->vaddr, need, args, &at);

	if (err == -ENOTSUP)
		return;
	l->placed++;
	if (err || !disassembly__at(&l->text, s->vaddr + at.site_offset)) {
		fault(l, s->name, s->vaddr + at.site_offset, "no instruction", at.why);
		return;
	}
	if (!at.site_offset)
		return;
	l->moved++;
	if (!at.emulated)
		fault(l, s->name, s->vaddr + at.site_offset, "moved for nothing", at.instruction);
	check_passed(l, s, args, need, &at);
	check_inbound(l, s, &at);
}

static void placement_holds(struct library *l)
{
	static const uint32_t args[] = {PLACE_ARG1, PLACE_ARG1 | PLACE_ARG2,
					PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3, PLACE_ALL_ARGS};

	for (size_t i = 0; i < elf_symbols__count(l->symbols); i++) {
		const struct elf_symbol *s = elf_symbols__at(l->symbols, i);
		uint8_t *code;

		if (!s->size || s->indirect ||
		    (i && elf_symbols__at(l->symbols, i - 1)->vaddr == s->vaddr))
			continue;
		code = read_code(l, s->vaddr, s->size);
		l->functions++;
		for (size_t a = 0; a < sizeof(args) / sizeof(args[0]); a++) {
			check_placement(l, s, code, PLACE_ENTRY, args[a]);
			check_placement(l, s, code, PLACE_ENTRY_SKIPS_NULL, args[a]);
			check_placement(l, s, code, PLACE_RETURN, args[a]);
		}
		free(code);
	}
}

static void check_library(const char *path, unsigned int functions, unsigned int instructions,
			  void (*decoder)(struct library *l))
{
	struct library l;

	open_library(&l, path);
	decoder(&l);
	placement_holds(&l);
	fprintf(stderr, "%s: %u instructions; %u functions, %u of %u probes moved\n", path,
		l.instructions, l.functions, l.moved, l.placed);
	assert_int_equal(l.faults, 0);
	assert_true(l.functions >= functions);
	assert_true(l.instructions >= instructions);
	assert_true(l.moved > l.placed / 50);
	close_library(&l);
}

static void libc(void **state)
{
	check_library(LIB "libc.so.6", 2000, 250000, decoder_agrees);
}

static void libstdcxx(void **state)
{
	check_library(LIB "libstdc++.so.6", 3500, 200000, decoder_agrees);
}

static void jemalloc(void **state)
{
	check_library(LIB "libjemalloc.so.2", 30, 100000, decoder_agrees);
}

static void tcmalloc(void **state)
{
	check_library(LIB "libtcmalloc_minimal.so.4", 200, 15000, decoder_agrees);
}

static void mimalloc(void **state)
{
	check_library(LIB "libmimalloc.so.2.0", 100, 12000, decoder_agrees);
}

/* AVX-512, BMI and hand-written assembly. */
static void libcrypto(void **state)
{
	check_library(LIB "libcrypto.so.3", 4000, 600000, decoder_agrees_in_functions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libc),	    cmocka_unit_test(libstdcxx),
		cmocka_unit_test(jemalloc), cmocka_unit_test(tcmalloc),
		cmocka_unit_test(mimalloc), cmocka_unit_test(libcrypto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
