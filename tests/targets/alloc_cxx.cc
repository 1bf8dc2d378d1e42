// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_cxx [MAY_THROW=1]
 *
 * On SIGUSR1 uses every operator new and delete: plain, array, nothrow, aligned, sized, and those
 * that fail by an exception. keep_here() keeps KEPT blocks. `thrown` says how many exceptions were
 * caught, each of which is a block of its own for as long as it lives (the runtime's, of unknown
 * size); `refused`, how many nothrow calls failed: some runtimes throw inside for those.
 * With MAY_THROW 0 nothing fails: mimalloc built as C aborts. UNALIGNED leaves out what
 * parts/own_operators.cc has not.
 */
#include <initializer_list>
#include <new>

extern "C" {
#include "common.h"
}

namespace
{

constexpr int rounds = 200, kept = 100;
struct tally books;
long thrown, refused;
volatile std::size_t absurd = SIZE_MAX / 2 - 4096;
const std::align_val_t aligned{128};

void *got(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&books, bytes);
	return opaque(block);
}

void *gone(void *block, long bytes)
{
	tally_free(&books, bytes);
	return opaque(block);
}

/* Through its own nested frames: the exception passes some of them. */
template <typename Call> NOINLINE void must_throw(Call call)
{
	try {
		opaque(call());
		abort();
	} catch (const std::bad_alloc &) {
		thrown++;
		books.failed++;
		/* Allocator calls while an exception is handled are calls like any other. */
		::operator delete(gone(got(::operator new(33), 33), 33));
	}
}

void must_refuse(void *block)
{
	if (opaque(block))
		abort();
	refused++;
	books.failed++;
}

} // namespace

NOINLINE void keep_here(void);
NOINLINE void keep_here(void)
{
	memset(got(::operator new(321), 321), 1, 321);
}

NOINLINE void plain(std::size_t n);
NOINLINE void plain(std::size_t n)
{
	::operator delete(gone(got(::operator new(n), n), n));
	::operator delete[](gone(got(::operator new[](n), n), n));
	::operator delete(gone(got(::operator new(n), n), n), n);
	::operator delete[](gone(got(::operator new[](n), n), n), n);
	::operator delete(gone(got(::operator new(n, std::nothrow), n), n), std::nothrow);
	::operator delete[](gone(got(::operator new[](n, std::nothrow), n), n), std::nothrow);
	::operator delete(opaque(nullptr));
}

#ifndef UNALIGNED
NOINLINE void with_alignment(std::size_t n);
NOINLINE void with_alignment(std::size_t n)
{
	::operator delete(gone(got(::operator new(n, aligned), n), n), aligned);
	::operator delete[](gone(got(::operator new[](n, aligned), n), n), aligned);
	::operator delete(gone(got(::operator new(n, aligned), n), n), n, aligned);
	::operator delete[](gone(got(::operator new[](n, aligned), n), n), n, aligned);
	::operator delete(gone(got(::operator new(n, aligned, std::nothrow), n), n), aligned,
			  std::nothrow);
	::operator delete[](gone(got(::operator new[](n, aligned, std::nothrow), n), n), aligned,
			    std::nothrow);
}
#endif

NOINLINE void failures(void);
NOINLINE void failures(void)
{
	for (int i = 0; i < 3; i++) {
		must_throw([] { return ::operator new(absurd); });
		must_throw([] { return ::operator new[](absurd); });
		must_refuse(::operator new(absurd, std::nothrow));
		must_refuse(::operator new[](absurd, std::nothrow));
#ifndef UNALIGNED
		must_throw([] { return ::operator new(absurd, aligned); });
		must_refuse(::operator new(absurd, aligned, std::nothrow));
#endif
	}
}

int main(int argc, char **argv)
{
	bool may_throw = number_arg(argc, argv, 1, 1);

	target_start();
	void *old = opaque(::operator new(64));
	target_ready();
	target_wait_go();
	for (int i = 0; i < kept; i++)
		keep_here();
	for (int i = 0; i < rounds; i++) {
		for (std::size_t n : {8, 100, 1000, 10000, 300000}) {
			plain(n);
#ifndef UNALIGNED
			with_alignment(n + (-n & 127));
#endif
		}
		if (may_throw && i % 100 == 0)
			failures();
	}
	::operator delete(old);
	books.unknown_frees++;
	target_truth("{\"function\":\"keep_here\",\"kept\":%d,\"thrown\":%ld,\"refused\":%"
		     "ld," TALLY_FORMAT "}",
		     kept, thrown, refused, TALLY_VALUES(&books));
	target_idle();
}
