// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_site: 1000 records of 4321 bytes are lost by one `new`, without frame pointers, below two
 * inlined functions. Truth: its line, and every function from there to main with the line of the
 * call, inlined or not.
 */
#include <string>

extern "C" {
#include "common.h"
}

#define BLOCKS 1000
#define BYTES  4321
/* Where `line` is kept: on the line of what it tells about. */
#define HERE(line) ((line) = __LINE__)

namespace shop
{

static int line_new, line_append, line_record, line_sell, line_main;

struct Record {
	char text[BYTES];
	static long made;
};

long Record::made;

class Journal
{
      public:
	inline __attribute__((always_inline)) void append()
	{
		HERE(line_new), last = static_cast<Record *>(opaque(new Record));
		last->text[0] = 1;
		Record::made++;
	}
	Record *last = nullptr;
};

template <typename Kind> class Till
{
      public:
	inline __attribute__((always_inline)) void record(Kind kind)
	{
		HERE(line_append), journal.append();
		sum += kind;
	}
	Journal journal;
	Kind sum = 0;
};

class Seller
{
      public:
	virtual ~Seller() = default;
	virtual void sell(int what) = 0;
};

class Baker : public Seller
{
      public:
	NOINLINE void sell(int what) override;
	Till<int> till;
};

void Baker::sell(int what)
{
	HERE(line_record), till.record(what);
	__asm__ volatile("" ::: "memory");
}

NOINLINE long open_shop(Seller *seller)
{
	for (int i = 0; i < BLOCKS; i++)
		HERE(line_sell), seller->sell(i);
	return Record::made;
}

} // namespace shop

int main()
{
	shop::Baker baker;
	long made;

	target_start();
	target_ready();
	target_wait_go();
	HERE(shop::line_main), made = shop::open_shop(static_cast<shop::Baker *>(opaque(&baker)));
	target_truth("{\"blocks\":%ld,\"bytes\":%ld,\"path\":["
		     "[\"shop::Journal::append\",%d,true],[\"shop::Till<int>::record\",%d,true],"
		     "[\"shop::Baker::sell\",%d,false],[\"shop::open_shop\",%d,false],"
		     "[\"main\",%d,false]]}",
		     made, made * BYTES, shop::line_new, shop::line_append, shop::line_record,
		     shop::line_sell, shop::line_main);
	target_idle();
}
