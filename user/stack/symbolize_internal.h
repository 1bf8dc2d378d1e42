/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that implement the symbolizer, for nobody else. */
#ifndef PERFTRACE_STACK_SYMBOLIZE_INTERNAL_H
#define PERFTRACE_STACK_SYMBOLIZE_INTERNAL_H

#include <stdbool.h>

#include "stack/debug_file.h"
#include "stack/module.h"
#include "stack/string_pool.h"

struct symbolizer {
	void *modules; /* tsearch(3) trees */
	void *layouts;
	struct module *vdso;
	bool vdso_tried;
	struct string_pool strings;
	struct debug_file_facts debug_files;
};

#endif
