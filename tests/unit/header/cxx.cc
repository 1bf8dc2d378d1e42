// SPDX-License-Identifier: BSD-2-Clause
/* What only C++ has: exceptions, references, values that cannot be copied, inline functions. */
#include <memory>
#include <perftrace.h>
#include <stdexcept>
#include <stdio.h>
#include <string>

#include "trap.h"

namespace
{

struct fixed {
	int value;
	explicit fixed(int v) : value(v)
	{
	}
	fixed(const fixed &) = delete;
};

int shared_value = 1;

int &by_reference()
{
	return shared_value;
}

int throws(int n)
{
	if (n)
		throw std::runtime_error("thrown");
	return n;
}

void guarded(int n, const std::string &region)
{
	PERF_GUARD("guard", region.c_str());
	PERF_GUARD("formatted", PERF_FMT("n=%d", n));
	PERF_GUARD("null", nullptr);
	throws(n);
}

template <typename F> void expect_throw(F f)
{
	try {
		f();
		puts("no exception");
	} catch (const std::runtime_error &) {
		puts("exception");
	}
}

void block_in_loop()
{
	for (int i = 0; i < 10; i++) {
		if (i >= 0)
			PERF_TIMED_BLOCK("block")
			{
				if (i == 0)
					continue;
				if (i == 1)
					break;
			}
		else
			puts("wrong else");
	}
}

} // namespace

inline int inlined_elsewhere(int n)
{
	PERF_GUARD("inline");
	return n + 1;
}

template <typename T> T templated(T n)
{
	return PERF_TIMED("template", n + 1);
}

int main(int argc, char **)
{
	if (argc > 1)
		trap_attach();
	expect_throw([&] { guarded(argc, "eu-west-1"); });
	expect_throw([&] { PERF_TIMED("timed", "x", throws(argc)); });
	expect_throw([&] {
		PERF_TIMED_BLOCK("thrown block")
		{
			throws(argc);
		}
	});
	block_in_loop();

	int &same = PERF_TIMED("reference", by_reference());
	same = 5;
	std::unique_ptr<int> moved = PERF_TIMED("move", std::make_unique<int>(3));
	fixed built = PERF_TIMED("in place", fixed(4));
	std::string text = PERF_TIMED("string", std::string("a") + "b");
	PERF_TIMED("void", (void)by_reference());
	printf("%d %d %d %s\n", shared_value, *moved, built.value, text.c_str());

	int result = inlined_elsewhere(1) + static_cast<int>(templated(2L));
	PERF_END("temporary", std::to_string(result).c_str());
	trap_print();
	return 0;
}
