// SPDX-License-Identifier: BSD-2-Clause
/*
 * operands [LIBRARY ...]
 *
 * USDT probes of one name whose text is somewhere else at every site, as compilers leave them. On
 * SIGUSR1, 10 times: op__start and op__done of provider "operands" at each of the sites below, and
 * guarded__start/done if their semaphore is up; then guarded_work() of every LIBRARY (copies of
 * lib/guarded.c with semaphores of their own). The truth names the texts in order.
 */
#include <dlfcn.h>

#include "common.h"
#include "usdt.h"

#define TIMES 10
#define START(arguments, ...) \
	__asm__ volatile(USDT_NOTE("operands", "op__start", "0", arguments) : : __VA_ARGS__)
#define DONE() USDT0("operands", "op__done", "0")
#define SITE   NOINLINE static void

USDT_SEMAPHORE(operands_guarded_semaphore);

struct record {
	long number;
	const char *text;
};

/* Not const: the compiler may not know what they hold. */
const char *global_text = "global";
static const char *local_text = "local";
static const char *table[] = {"first", "second", "third"};
static struct record records[] = {{1, "record one"}, {2, "record two"}};

SITE in_register(void)
{
	START("8@%[text]", [text] "r"((const char *)opaque("register")));
	DONE();
}

SITE on_stack(void)
{
	const char *volatile text = opaque("stack");

	START("8@%[text]", [text] "m"(text));
	DONE();
}

SITE relative_to_rip(void)
{
	START("8@%[text]", [text] "m"(global_text));
	DONE();
}

SITE relative_to_rip_local(void)
{
	START("-4@$-1 8@%[text]", [text] "m"(local_text));
	DONE();
}

SITE relative_to_rip_with_offset(void)
{
	START("8@%[text]", [text] "m"(table[2]));
	DONE();
}

SITE in_a_record(void)
{
	START("-8@%[number] 8@%[text]", [number] "m"(records[1].number),
	      [text] "m"(records[1].text));
	DONE();
}

SITE indexed(long i)
{
	START("8@(%[base],%[i],8)", [base] "r"(opaque(table)), [i] "r"(i));
	DONE();
}

SITE indexed_with_offset(long i)
{
	START("8@-8(%[base],%[i],8) -4@%k[i]", [base] "r"(opaque(table)), [i] "r"(i));
	DONE();
}

SITE indexed_backwards(long i)
{
	START("8@8(%[base],%[i],8)", [base] "r"(&table[2]), [i] "r"(i));
	DONE();
}

SITE of_unknown_form(void)
{
	START("8@%%gs:16 8@%[text]", [text] "r"((const char *)opaque("behind the unknown")));
	DONE();
}

SITE guarded(void)
{
	if (!__builtin_expect(operands_guarded_semaphore, 0))
		return;
	USDT1("operands", "guarded__start", "operands_guarded_semaphore",
	      (const char *)"executable");
	USDT0("operands", "guarded__done", "operands_guarded_semaphore");
}

int main(int argc, char **argv)
{
	void (*work[16])(const char *);
	int libraries = 0;

	target_start();
	for (int i = 1; i < argc && i <= 16; i++) {
		void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);

		if (!library)
			return 1;
		work[libraries++] = (void (*)(const char *))dlsym(library, "guarded_work");
	}
	target_ready();
	target_wait_go();
	for (int i = 0; i < TIMES; i++) {
		in_register();
		on_stack();
		relative_to_rip();
		relative_to_rip_local();
		relative_to_rip_with_offset();
		in_a_record();
		indexed(1);
		indexed_with_offset(1);
		indexed_backwards(-2);
		of_unknown_form();
		guarded();
		for (int l = 0; l < libraries; l++)
			work[l](argv[1 + l]);
	}
	target_truth("{\"times\":%d,\"texts\":[\"register\",\"stack\",\"global\",\"local\","
		     "\"third\",\"record two\",\"second\",\"first\",\"second\","
		     "\"behind the unknown\"],\"by_symbol\":[2,3,4,5],"
		     "\"semaphore\":%d}",
		     TIMES, operands_guarded_semaphore);
	target_idle();
}
