// SPDX-License-Identifier: BSD-2-Clause
#include "probe/function_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t code_size(const struct elf_symbol *symbol, const struct fde_index *functions)
{
	uint64_t size = symbol->size, next;

	if (!size && functions && !fde_index__next_start(functions, symbol->vaddr, &next))
		size = next - symbol->vaddr;
	return size && size < FUNCTION_CODE_MAX ? size : FUNCTION_CODE_MAX;
}

int function_code__load(const struct elf_image *image, const struct elf_symbol *symbol,
			const struct fde_index *functions, struct function_code *code)
{
	uint64_t size = code_size(symbol, functions), left;
	int ret;

	memset(code, 0, sizeof(*code));
	code->vaddr = symbol->vaddr;
	if (elf_image__vaddr_to_offset(image, symbol->vaddr, &code->offset) ||
	    code->offset >= elf_image__size(image))
		return -ENOENT;
	left = elf_image__size(image) - code->offset;
	code->len = size < left ? size : left;
	code->bytes = malloc(code->len);
	if (!code->bytes)
		return -ENOMEM;
	ret = elf_image__read(image, code->offset, code->bytes, code->len);
	if (ret)
		function_code__free(code);
	return ret;
}

void function_code__free(struct function_code *code)
{
	free(code->bytes);
	code->bytes = NULL;
	code->len = 0;
}
