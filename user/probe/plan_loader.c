// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where a dynamic linker tells debuggers that it has loaded or dropped libraries: it calls an empty
 * function, whose name is an agreement between linkers and debuggers since System V (struct r_debug
 * in link.h; glibc and musl export it by this name).
 */
#include <errno.h>
#include <string.h>

#include "elf/symbols.h"
#include "probe/function_code.h"
#include "probe/place.h"
#include "probe/plan.h"

#define NOTIFIER "_dl_debug_state"

/* ld-linux-x86-64.so.2, ld-musl-x86_64.so.1, ld-2.31.so; musl's linker is its libc.so. */
static bool may_be_linker(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return !strncmp(base, "ld", 2) || !strcmp(base, "libc.so");
}

int plan_loader__add(struct plan *plan, const struct plan_image *image)
{
	struct function_code code = {0};
	const struct elf_symbol *symbol;
	struct elf_symbols *symbols;
	struct plan_probe *probe;
	struct placement at;
	int ret;

	if (!may_be_linker(plan->objects.data[image->object].path))
		return 0;
	ret = elf_symbols__load(image->image, &symbols);
	if (ret)
		return ret == -ENOMEM ? ret : 0;
	symbol = elf_symbols__lookup(symbols, NOTIFIER, NULL);
	if (!symbol || function_code__load(image->image, symbol, NULL, &code) ||
	    place_probe(code.bytes, code.len, symbol->vaddr, PLACE_ENTRY, 0, &at))
		goto out;
	probe = plan__add_probe(plan, PLAN_LOADER, image->object, NOTIFIER);
	ret = probe ? 0 : -ENOMEM;
	if (!ret) {
		probe->offset = code.offset;
		plan_probe__set_site(probe, &at);
	}
out:
	function_code__free(&code);
	elf_symbols__free(symbols);
	return ret;
}
