// SPDX-License-Identifier: BSD-2-Clause
#include "session/named_stack.h"

#include "abi/unwind.h"

uint32_t named_stack(struct symbolizer *sym, struct names *names, uint64_t layout,
		     const uint64_t *addresses, uint32_t depth, unsigned int stop,
		     struct heap_frame *frames)
{
	uint32_t n = 0;

	for (; n < depth; n++) {
		struct frame frame;

		symbolizer__resolve(sym, layout, addresses[n], true, &frame);
		if (n && !frame.executable_mapping && stop != UNWIND_STOP_END)
			break;
		frames[n] = (struct heap_frame){
			.function = frame.function,
			.unnamed_start = frame.unnamed_start,
			.module = frame.path ? frame.path : frame.module,
			.build_id = frame.build_id[0] ? names__intern(names, frame.build_id) : NULL,
			.offset = frame.executable_mapping ? frame.file_vaddr_offset : addresses[n],
		};
	}
	return n;
}
