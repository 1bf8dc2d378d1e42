// SPDX-License-Identifier: BSD-2-Clause
#include "elf/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/note_walk.h"
#include "elf/symbols.h"

#define NOTE_GO_BUILD_ID 4
#define DYNAMIC_MAX	 (1U << 20)

/* What symbols tell, in one pass over both tables. */
struct findings {
	bool symbols; /* there are any */
	bool go, rust, cxx, throws;
	bool split_stack, switches;
	bool is_libc, has_malloc, has_new;
};

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++) {
		if (!strcmp(name, *list))
			return true;
	}
	return false;
}

/* Of C++, Ada, D, Objective-C; not that of C, which cleans up but throws nothing. */
static bool is_personality(const char *name)
{
	return starts_with(name, "__") && strstr(name, "_personality_v") &&
	       !starts_with(name, "__gcc_personality_v0"); /* also its cold part */
}

static void look_at_symbol(struct findings *f, const char *name, bool defined)
{
	/* OpenSSL has contexts for asynchronous jobs, which a program drives with these calls. */
	static const char *const openssl[] = {"ASYNC_start_job", "SSL_waiting_for_async",
					      "SSL_get_all_async_fds", NULL};
	/* A signal handler on a stack of its own is entered like a coroutine. */
	static const char *const switching[] = {
		"sigaltstack", "makecontext",	"swapcontext",	 "setcontext",	   "co_switch",
		"co_swap",     "coro_transfer", "jump_fcontext", "ontop_fcontext", "make_fcontext",
		NULL};
	static const char *const throwing[] = {"__cxa_throw", "__cxa_rethrow", NULL};
	/* Static programs have all of libgcc's, used or not. */
	static const char *const raising[] = {"_Unwind_RaiseException", "_Unwind_ForcedUnwind",
					      "_Unwind_Resume_or_Rethrow", NULL};
	static const char *const go[] = {"runtime.morestack", "runtime.rt0_go", "go.buildid",
					 "go:buildid", NULL};
	static const char *const rust[] = {"rust_eh_personality", "rust_begin_unwind",
					   "__rust_start_panic",  "__rust_alloc",
					   "rust_panic",	  NULL};

	if (is_one_of(name, go))
		f->go |= defined;
	else if (is_one_of(name, rust))
		f->rust = true;
	else if (is_one_of(name, throwing))
		f->throws = true;
	else if (is_one_of(name, raising))
		f->throws |= !defined;
	else if (is_personality(name))
		f->cxx = true;
	else if (is_one_of(name, switching) || is_one_of(name, openssl))
		f->switches = true;
	else if (!strcmp(name, "__morestack"))
		f->split_stack = true;
	else if (!strcmp(name, "gnu_get_libc_version"))
		f->is_libc |= defined;
	else if (!strcmp(name, "malloc"))
		f->has_malloc |= defined;
	else if (!strcmp(name, "_Znwm"))
		f->has_new |= defined;
}

static void look_at_table(struct findings *f, const uint8_t *table, size_t size,
			  const char *strings, size_t strings_size)
{
	for (size_t at = 0; at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym sym;

		memcpy(&sym, table + at, sizeof(sym));
		if (sym.st_name && sym.st_name < strings_size)
			look_at_symbol(f, strings + sym.st_name, sym.st_shndx != SHN_UNDEF);
	}
	f->symbols |= size > sizeof(Elf64_Sym);
}

/* -ENOMEM only. */
static int look_at_symbols(const struct elf_image *img, const struct elf_section *sec,
			   struct findings *f)
{
	struct elf_section string_sec;
	void *table = NULL, *strings = NULL;
	size_t size, strings_size;
	int err;

	if (sec->entsize != sizeof(Elf64_Sym) || sec->size / sizeof(Elf64_Sym) > ELF_SYMBOLS_MAX ||
	    !elf_image__section_at(img, sec->link, &string_sec) || string_sec.type != SHT_STRTAB)
		return 0;
	err = elf_image__load_section(img, sec, &table, &size);
	if (!err)
		err = elf_image__load_section(img, &string_sec, &strings, &strings_size);
	if (!err)
		look_at_table(f, table, size, strings, strings_size);
	free(table);
	free(strings);
	return err == -ENOMEM ? err : 0;
}

static bool is_go_note(const struct elf_image *img, const struct elf_section *sec)
{
	static const char go[4] = "Go\0"; /* its linker counts the padding as well */
	struct note_walk walk = {0};
	struct note note;
	bool found = false;
	void *data;

	if (sec->type != SHT_NOTE || sec->size > DYNAMIC_MAX ||
	    elf_image__load_section(img, sec, &data, &walk.size))
		return false;
	walk.data = data;
	while (!found && note_walk_next(&walk, &note))
		found = note.type == NOTE_GO_BUILD_ID && note.name_size == sizeof(go) &&
			!memcmp(note.name, go, sizeof(go));
	free(data);
	return found;
}

/* Whether .comment, where compilers leave their names, has this one. */
static bool is_comment_of(const struct elf_image *img, const char *compiler)
{
	struct elf_section sec;
	bool found = false;
	void *data;
	size_t size;

	if (elf_image__section(img, ".comment", &sec) || sec.size > DYNAMIC_MAX ||
	    elf_image__load_section(img, &sec, &data, &size))
		return false;
	found = memmem(data, size, compiler, strlen(compiler)) != NULL;
	free(data);
	return found;
}

static int look_at_sections(const struct elf_image *img, struct findings *f)
{
	struct elf_section sec;
	int err = 0;

	for (size_t i = 0; !err && elf_image__section_at(img, i, &sec); i++) {
		if (sec.type == SHT_SYMTAB || sec.type == SHT_DYNSYM)
			err = look_at_symbols(img, &sec, f);
		else if (!strcmp(sec.name, ".go.buildinfo") || strstr(sec.name, ".gopclntab") ||
			 is_go_note(img, &sec))
			f->go = true;
		else if (!strcmp(sec.name, ".note.GNU-split-stack"))
			f->split_stack = true;
	}
	if (!err)
		f->rust |= is_comment_of(img, "rustc version");
	return err;
}

/* Whether the dynamic table asks for a C++ library. */
static bool needs_cxx_in(const struct elf_image *img, const uint8_t *table, size_t size)
{
	uint64_t strings = 0, offset;
	char name[32];

	for (size_t at = 0; at + sizeof(Elf64_Dyn) <= size; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;

		memcpy(&d, table + at, sizeof(d));
		if (d.d_tag == DT_STRTAB)
			strings = d.d_un.d_ptr;
	}
	for (size_t at = 0; at + sizeof(Elf64_Dyn) <= size; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;

		memcpy(&d, table + at, sizeof(d));
		if (d.d_tag != DT_NEEDED ||
		    elf_image__vaddr_to_offset(img, strings + d.d_un.d_val, &offset) ||
		    elf_image__read(img, offset, name, sizeof(name)))
			continue;
		name[sizeof(name) - 1] = '\0';
		if (starts_with(name, "libstdc++.so") || starts_with(name, "libc++.so") ||
		    starts_with(name, "libc++abi.so"))
			return true;
	}
	return false;
}

static bool needs_cxx(const struct elf_image *img)
{
	const Elf64_Phdr *p;
	bool found = false;

	for (size_t i = 0; !found && (p = elf_image__segment_at(img, i)); i++) {
		uint8_t *table;

		if (p->p_type != PT_DYNAMIC || p->p_filesz > DYNAMIC_MAX)
			continue;
		table = malloc(p->p_filesz + 1);
		if (table && !elf_image__read(img, p->p_offset, table, p->p_filesz))
			found = needs_cxx_in(img, table, p->p_filesz);
		free(table);
	}
	return found;
}

static bool has_exception_table(const struct elf_image *img)
{
	struct elf_section sec;

	return !elf_image__section(img, ".gcc_except_table", &sec) && sec.size;
}

static const char *why_it_unwinds(const struct elf_image *img, const struct findings *f)
{
	if (f->rust)
		return "Rust panics";
	if (f->cxx || needs_cxx(img))
		return "C++ exceptions";
	if (f->throws)
		return "exceptions";
	/* Static and stripped, or without section headers: nothing tells what it is. */
	if (!f->symbols && (has_exception_table(img) || elf_image__section_count(img) < 2))
		return "exceptions perhaps, it has no symbols to tell";
	return NULL;
}

/* `names`: beginnings of sonames. */
static bool is_called(const struct elf_image *img, const char *const *names)
{
	char name[64];

	if (elf_image__soname(img, name, sizeof(name)))
		return false;
	for (; *names; names++) {
		if (starts_with(name, *names))
			return true;
	}
	return false;
}

int elf_runtime__detect(const struct elf_image *img, struct elf_runtime *out)
{
	static const char *const runtimes[] = {"libstdc++.so", "libc++.so",    "libc++abi.so",
					       "libgcc_s.so",  "libunwind.so", NULL};
	static const char *const openssl[] = {"libcrypto.so", "libssl.so", NULL};
	bool is_runtime = is_called(img, runtimes);
	struct findings f = {0};
	int err = look_at_sections(img, &f);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	out->why = f.is_libc && !f.cxx && !f.rust ? NULL : why_it_unwinds(img, &f);
	out->can_unwind = out->why != NULL;
	out->serves_others =
		is_runtime || (elf_image__type(img) == ET_DYN && !elf_image__has_interp(img) &&
			       f.has_malloc && f.has_new);
	/* libc has these functions, which does not say that anybody calls them. */
	out->switches_stacks = f.switches && !f.is_libc && !is_called(img, openssl);
	out->moves_stacks = f.go || (f.split_stack && !is_runtime);
	if (f.go)
		out->kind = RUNTIME_GO;
	else if (f.rust)
		out->kind = RUNTIME_RUST;
	else if (out->can_unwind)
		out->kind = RUNTIME_CXX;
	return 0;
}

const char *runtime_kind__name(enum runtime_kind kind)
{
	static const char *const names[] = {"C", "C++", "Rust", "Go"};

	return names[kind];
}

void process_runtime__add(struct process_runtime *all, const struct elf_runtime *image)
{
	if (image->can_unwind && !image->serves_others && !all->can_unwind) {
		all->can_unwind = true;
		all->why = image->why;
	}
	all->has_go |= image->kind == RUNTIME_GO;
	all->switches_stacks |= image->switches_stacks;
}
