// SPDX-License-Identifier: BSD-2-Clause
#include "probe/usdt_arg.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/user.h>

#define NAME_CAP 128

/* A register's names from 64 to 8 bits, and where the kernel's pt_regs keeps it. */
static const struct {
	const char *names[5];
	uint16_t offset;
} registers[] = {
#define REG(member) offsetof(struct user_regs_struct, member)
	{{"rax", "eax", "ax", "al", "ah"}, REG(rax)}, {{"rbx", "ebx", "bx", "bl", "bh"}, REG(rbx)},
	{{"rcx", "ecx", "cx", "cl", "ch"}, REG(rcx)}, {{"rdx", "edx", "dx", "dl", "dh"}, REG(rdx)},
	{{"rsi", "esi", "si", "sil"}, REG(rsi)},      {{"rdi", "edi", "di", "dil"}, REG(rdi)},
	{{"rbp", "ebp", "bp", "bpl"}, REG(rbp)},      {{"rsp", "esp", "sp", "spl"}, REG(rsp)},
	{{"r8", "r8d", "r8w", "r8b"}, REG(r8)},	      {{"r9", "r9d", "r9w", "r9b"}, REG(r9)},
	{{"r10", "r10d", "r10w", "r10b"}, REG(r10)},  {{"r11", "r11d", "r11w", "r11b"}, REG(r11)},
	{{"r12", "r12d", "r12w", "r12b"}, REG(r12)},  {{"r13", "r13d", "r13w", "r13b"}, REG(r13)},
	{{"r14", "r14d", "r14w", "r14b"}, REG(r14)},  {{"r15", "r15d", "r15w", "r15b"}, REG(r15)},
#undef REG
};

/* user_regs_struct begins with the very registers of the kernel's pt_regs, in its order. */
_Static_assert(offsetof(struct user_regs_struct, rsp) == 152, "x86-64 register layout");

/* "%rax": moves *p behind it. The high byte registers (%ah) would need a shift: refused. */
static bool parse_register(const char **p, uint16_t *offset)
{
	const char *s = *p;
	size_t len = 0;

	if (*s++ != '%')
		return false;
	while (isalnum((unsigned char)s[len]))
		len++;
	for (size_t r = 0; r < sizeof(registers) / sizeof(registers[0]); r++) {
		for (size_t i = 0; i < 4 && registers[r].names[i]; i++) {
			if (strlen(registers[r].names[i]) == len &&
			    !strncmp(registers[r].names[i], s, len)) {
				*offset = registers[r].offset;
				*p = s + len;
				return true;
			}
		}
	}
	return false;
}

static bool parse_number(const char **p, __s64 *value)
{
	char *end;

	errno = 0;
	*value = strtoll(*p, &end, 0);
	if (end == *p || errno)
		return false;
	*p = end;
	return true;
}

/* "DISP(%base)", "DISP(%base,%index,SCALE)", "(%base)". */
static bool parse_memory(const char *s, struct arg_spec *arg)
{
	__s64 scale = 1;

	arg->value = 0;
	if (*s != '(' && !parse_number(&s, &arg->value))
		return false;
	if (*s++ != '(' || !parse_register(&s, &arg->reg_offset))
		return false;
	if (*s == ',') {
		s++;
		if (!parse_register(&s, &arg->index_offset))
			return false;
		if (*s == ',') {
			s++;
			if (!parse_number(&s, &scale))
				return false;
		}
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			return false;
		arg->scale = scale;
	}
	if (s[0] != ')' || s[1] != '\0')
		return false;
	arg->kind = ARG_DEREF;
	return true;
}

/*
 * "NAME(%rip)", "NAME+8(%rip)", "8+NAME(%rip)": the variable's distance from the probed
 * instruction, at which the instruction pointer stands when the probe is hit.
 */
static bool parse_relative(const char *s, const struct usdt_place *place, struct arg_spec *arg)
{
	const char *name = s, *end, *open = strchr(s, '(');
	char copy[NAME_CAP];
	__s64 before = 0, behind = 0;
	uint64_t vaddr;

	if (!place || !open || strcmp(open, "(%rip)"))
		return false;
	if (parse_number(&name, &before) && *name++ != '+')
		return false;
	end = name + strcspn(name, "+-(");
	if (end == name || end - name >= NAME_CAP)
		return false;
	memcpy(copy, name, end - name);
	copy[end - name] = '\0';
	if (end != open && (!parse_number(&end, &behind) || end != open))
		return false;
	if (place->variable(place->arg, copy, &vaddr))
		return false;
	arg->kind = ARG_DEREF;
	arg->reg_offset = offsetof(struct user_regs_struct, rip);
	arg->value = (__s64)(vaddr - place->location) + before + behind;
	return true;
}

static void parse_one(const char *s, const struct usdt_place *place, struct arg_spec *arg)
{
	__s64 size;
	struct arg_spec parsed = {.kind = ARG_NONE};

	*arg = parsed;
	if (!parse_number(&s, &size) || *s++ != '@')
		return;
	if (size < -8 || size > 8)
		return;
	parsed.is_signed = size < 0;
	size = size < 0 ? -size : size;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return;
	parsed.size = size;
	if (*s == '$') {
		s++;
		if (parse_number(&s, &parsed.value) && !*s)
			parsed.kind = ARG_CONST;
	} else if (*s == '%') {
		if (parse_register(&s, &parsed.reg_offset) && !*s)
			parsed.kind = ARG_REG;
	} else if (!parse_memory(s, &parsed) && !parse_relative(s, place, &parsed)) {
		parsed.kind = ARG_NONE;
	}
	if (parsed.kind != ARG_NONE)
		*arg = parsed;
}

size_t usdt_arg__parse(const char *text, const struct usdt_place *place, struct arg_spec *args,
		       size_t max)
{
	size_t n = 0;

	while (n < max) {
		char operand[128];
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (!len)
			break;
		if (len < sizeof(operand)) {
			memcpy(operand, text, len);
			operand[len] = '\0';
			parse_one(operand, place, &args[n]);
		} else {
			args[n] = (struct arg_spec){.kind = ARG_NONE};
		}
		n++;
		text += len;
	}
	return n;
}
