/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that reads DWARF: forked for one object, with the object's descriptor, that of the
 * common file of dwz if there is one, a pipe for answers and nothing else (no capabilities, no
 * other files, few system calls, bounded memory and time). What it says is checked like everything
 * that comes from a target.
 */
#ifndef PERFTRACE_STACK_LINES_WORKER_H
#define PERFTRACE_STACK_LINES_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/source_lines.h"

#define LINES_WORKER_SECONDS 2
#define LINES_WORKER_MEMORY  (4ULL << 30) /* address space beyond what it starts with */
#define LINES_TEXT_MAX	     4096	  /* bytes of a name or path; longer ones are left out */

/* One answer on the pipe; then `frames` times a lines_frame, each followed by its texts. */
struct lines_answer {
	uint32_t index; /* of the address */
	uint32_t frames;
};

struct lines_frame {
	uint32_t line;
	uint16_t function_len, file_len; /* 0 = unknown */
	uint32_t inlined;
};

/* Descriptors that the caller keeps; the worker has copies. */
struct lines_files {
	int dwarf;  /* an ELF file with .debug_info */
	int common; /* what dwz moved away from it (debug_file.h); -1: none */
};

/* Strings are valid during the call. `index`: into vaddrs. */
typedef void (*lines_fn)(void *arg, size_t index, const struct source_frame *frames,
			 uint32_t count);

/*
 * Asks for all of vaddrs[n] (exact addresses of instructions) in the DWARF of `files` and calls
 * back for those that are known, names as they are in the file. 0; -ETIMEDOUT: stopped after
 * LINES_WORKER_SECONDS; -EIO: it died or could not read the file; -ENOTSUP: this build has no
 * reader; -ENOMEM or another errno. Answers that came before the failure were delivered.
 */
int lines_worker__ask(const struct lines_files *files, const uint64_t *vaddrs, size_t n,
		      lines_fn fn, void *arg);

#endif
