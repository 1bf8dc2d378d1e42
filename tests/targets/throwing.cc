// SPDX-License-Identifier: BSD-2-Clause
/*
 * throwing [TIMES=100]
 *
 * Exceptions through plain functions, of namespace job. On SIGUSR1, TIMES times (i from 0):
 *
 *	top(int)                       ok: catches
 *	  middle(int)                  owns a guard
 *	    rethrower(int)             catches, and throws on
 *	      depth(int, int)          5 deep; the innermost throws unless i % 5 == 4
 *	    guard::~guard()            ok, also while the stack is unwound
 *	  handle(int)                  ok, of the exception
 *	after(int)                     ok
 *
 * middle, rethrower and depth are left by the exception, or return where none was thrown.
 */
#include <stdexcept>

#include "common.h"

#define NOCLONE __attribute__((noinline, noclone))
#define DEPTH	5

namespace job
{

/* Keeps calls from becoming jumps. */
static inline int finished(int n)
{
	__asm__ volatile("" : "+r"(n) : : "memory");
	return n;
}

struct guard {
	int n;
	NOCLONE ~guard();
};

NOCLONE guard::~guard()
{
	finished(n);
}

NOCLONE int depth(int i, int level)
{
	if (level == 1) {
		if (i % 5 != 4)
			throw std::runtime_error("from below");
		return i;
	}
	return finished(depth(i, level - 1));
}

NOCLONE int rethrower(int i)
{
	try {
		return finished(depth(i, DEPTH));
	} catch (const std::exception &) {
		throw;
	}
}

NOCLONE int middle(int i)
{
	guard g = {i};

	return finished(rethrower(i));
}

NOCLONE int handle(int i)
{
	return finished(i);
}

NOCLONE bool top(int i)
{
	try {
		middle(i);
	} catch (const std::runtime_error &) {
		handle(i);
		return true;
	}
	return false;
}

NOCLONE int after(int i)
{
	return finished(i);
}

} // namespace job

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 1, 100), caught = 0, passed;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < times; i++) {
		caught += job::top(i);
		job::after(i);
	}
	passed = times - caught;
	/* name: [returned, unwound, depth of the outermost] */
	target_truth("{\"times\":%ld,\"caught\":%ld,\"calls\":{"
		     "\"job::top(int)\":[%ld,0,0],\"job::middle(int)\":[%ld,%ld,1],"
		     "\"job::rethrower(int)\":[%ld,%ld,2],\"job::depth(int, int)\":[%ld,%ld,3],"
		     "\"job::guard::~guard()\":[%ld,0,2],\"job::handle(int)\":[%ld,0,1],"
		     "\"job::after(int)\":[%ld,0,0]}}",
		     times, caught, times, passed, caught, passed, caught, DEPTH * passed,
		     DEPTH * caught, times, caught, times);
	target_idle();
}
