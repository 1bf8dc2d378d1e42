/* SPDX-License-Identifier: BSD-2-Clause */
/* Call stacks and names in text. All functions append to `out`; target text is escaped. */
#ifndef PERFTRACE_OUTPUT_STACK_TEXT_H
#define PERFTRACE_OUTPUT_STACK_TEXT_H

#include "base/strbuf.h"
#include "model/heap.h"

/*
 * "Session::copy()", or the place when the function is not known, with the beginning of the
 * module's build-id: "libc.so.6+0x1234 [c0ffee12]".
 */
void stack_text__function(struct strbuf *out, const struct heap_frame *frame);
/* "session.cc:88", else "libc.so.6+0x1234", else "0x7f0012345678". */
void stack_text__place(struct strbuf *out, const struct heap_frame *frame);
/*
 * How many frames of a site text shows: a whole stack ends with main or the function a thread was
 * started with, without the C library's frames below.
 */
uint32_t stack_text__depth(const struct call_site *site);
/*
 * One line of at most `columns` characters, innermost first, without the allocator's own frames:
 * "Session::copy (session.cc:88) <- handle_login <- worker_main". "(no stack)" when empty.
 */
void stack_text__line(struct strbuf *out, const struct call_site *site, size_t columns);

/* Appends `text`, at most `columns` characters: a longer one loses its middle to an ellipsis. */
void text_cut_middle(struct strbuf *out, const char *text, size_t columns);
/* Appends `text` filled up with spaces to `columns` characters. */
void text_pad(struct strbuf *out, const char *text, size_t columns);

/* Why a stack could not be followed further (enum unwind_stop), in a few words. */
const char *stack_text__stop(unsigned int stop);

#endif
