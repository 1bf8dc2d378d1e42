// SPDX-License-Identifier: BSD-2-Clause
/*
 * deep [ROUNDS=1] [now]: call stacks of every kind that C++ makes, without frame pointers.
 *
 * On SIGUSR1 (with "now": by itself, and then it ends) walks ROUNDS times through its paths. Each
 * ends in one allocation of a size that no other has, which is lost; tests/e2e/50 compares what
 * perftrace says with what gdb says of the same allocation. Truth: of each size the functions of
 * this program on its stack, leaf first, as written in `lost` below; *44 is 44 times recursion().
 */
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <ucontext.h>

#include <functional>
#include <memory>
#include <thread>

extern "C" {
#include "common.h"
}

#define INLINE static inline __attribute__((always_inline))
/* Keeps a call from becoming a jump. */
#define AFTERWARDS __asm__ volatile("" ::: "memory")

static struct {
	int bytes;
	const char *path;
} lost[] = {
	{10001, "Square::draw,Frame::draw,virtual_calls,walk,main"},
	{10002, "in_catch,outer_try,walk,main"},
	{10003, "after_rethrow,outer_try,walk,main"},
	{10004, "Cleanup::~Cleanup,thrower,inner_try,outer_try,walk,main"},
	{10005, "on_signal,raiser,signals,walk,main"},
	{10006, "on_alternate_stack,raiser,signals,walk,main"},
	{10007, "on_trap,trap_at_first_instruction,trapped,walk,main"},
	{10008, "tail_end,tail_calls,walk,main"},
	{10009, "inlining,walk,main"},
	{10010, "compare,sorting,walk,main"},
	{10011, "compare,searching,walk,main"},
	{10012, "bound,functional,walk,main"},
	{10013, "in_thread"},
	{10014, "Both::second,casting,walk,main"},
	{10044, "*44,walk,main"},
	{10150, "*150,walk,main"},
	{10017, "with_alloca,growing,walk,main"},
	{10018, "with_aligned,aligning,walk,main"},
	{10019, "with_aligned_alloca,aligning,walk,main"},
	{10020, "in_once,once,walk,main"},
	{10021, "many_arguments,saved_registers,walk,main"},
	{10022, "on_nested_signal,on_outer_signal,nested,walk,main"},
	{10023, "in_plain_thread"},
	{10024, "Exception::Exception,throw_large,large,walk,main"},
};

/* Lost on purpose. Written to, so that the compiler keeps it. */
INLINE void lose(int bytes)
{
	char *block = static_cast<char *>(opaque(malloc(bytes)));

	block[0] = 1;
}

/* ---- virtual calls ---- */

struct Shape {
	virtual ~Shape() = default;
	virtual int draw(int depth) = 0;
};

struct Square : Shape {
	NOINLINE int draw(int depth) override;
};

struct Frame : Shape {
	std::unique_ptr<Shape> inner{new Square};
	NOINLINE int draw(int depth) override;
};

int Square::draw(int depth)
{
	lose(10001);
	return depth + 1;
}

int Frame::draw(int depth)
{
	return inner->draw(depth + 1) + 1;
}

NOINLINE int virtual_calls(Shape *shape)
{
	return static_cast<Shape *>(opaque(shape))->draw(1) + 1;
}

/* ---- exceptions ---- */

struct Cleanup {
	NOINLINE ~Cleanup();
};

Cleanup::~Cleanup()
{
	lose(10004);
	AFTERWARDS;
}

NOINLINE void thrower(int what)
{
	Cleanup cleanup;

	throw what;
}

NOINLINE void in_catch()
{
	lose(10002);
	AFTERWARDS;
}

NOINLINE void after_rethrow()
{
	lose(10003);
	AFTERWARDS;
}

NOINLINE void inner_try(int what)
{
	try {
		thrower(what);
	} catch (int) {
		throw;
	}
}

NOINLINE int outer_try(int what)
{
	int caught = 0;

	try {
		try {
			inner_try(what);
		} catch (int) {
			in_catch();
			throw;
		}
	} catch (int value) {
		after_rethrow();
		caught = value;
	}
	return caught;
}

/* Its constructor runs when its memory is there, that of an exception. */
struct Exception {
	char text[300];
	NOINLINE Exception();
};

Exception::Exception()
{
	lose(10024);
	text[0] = 0;
}

NOINLINE void throw_large()
{
	throw Exception();
}

NOINLINE int large()
{
	try {
		throw_large();
	} catch (Exception &e) {
		return e.text[0];
	}
	return 1;
}

/* ---- signals ---- */

NOINLINE void on_signal(int, siginfo_t *, void *)
{
	lose(10005);
	AFTERWARDS;
}

NOINLINE void on_alternate_stack(int, siginfo_t *, void *)
{
	lose(10006);
	AFTERWARDS;
}

/* Steps over the ud2. */
NOINLINE void on_trap(int, siginfo_t *, void *context)
{
	lose(10007);
	static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP] += 2;
}

NOINLINE void on_nested_signal(int)
{
	lose(10022);
	AFTERWARDS;
}

NOINLINE void on_outer_signal(int)
{
	raise(SIGURG);
	AFTERWARDS;
}

/* What was interrupted is the function's first instruction: the byte before it is another's. */
extern "C" void trap_at_first_instruction();
__asm__(".text\n.p2align 4\n.type before_trap, @function\nbefore_trap:\n.cfi_startproc\n"
	"push %rbx\n.cfi_def_cfa_offset 16\nud2\nud2\n.cfi_endproc\n.size before_trap, . - "
	"before_trap\n"
	".globl trap_at_first_instruction\n.type trap_at_first_instruction, @function\n"
	"trap_at_first_instruction:\n.cfi_startproc\nud2\nret\n.cfi_endproc\n"
	".size trap_at_first_instruction, . - trap_at_first_instruction\n");

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {};

	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | flags;
	sigaction(number, &action, nullptr);
}

NOINLINE void raiser(int number)
{
	raise(number);
	AFTERWARDS;
}

NOINLINE void signals()
{
	static char stack[1 << 16];
	stack_t alternate = {};

	handle(SIGUSR2, on_signal, 0);
	raiser(SIGUSR2);
	alternate.ss_sp = stack;
	alternate.ss_size = sizeof(stack);
	sigaltstack(&alternate, nullptr);
	handle(SIGUSR2, on_alternate_stack, SA_ONSTACK);
	raiser(SIGUSR2);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, nullptr);
	AFTERWARDS;
}

NOINLINE void trapped()
{
	handle(SIGILL, on_trap, 0);
	trap_at_first_instruction();
	AFTERWARDS;
}

NOINLINE void nested()
{
	signal(SIGUSR2, on_outer_signal);
	signal(SIGURG, on_nested_signal);
	raise(SIGUSR2);
	AFTERWARDS;
}

/* ---- calls that are none, and that are not there ---- */

NOINLINE void tail_end(int bytes)
{
	lose(bytes);
	AFTERWARDS;
}

NOINLINE void tail_middle(int bytes)
{
	tail_end(bytes + 1);
}

NOINLINE void tail_calls()
{
	tail_middle(10007);
	AFTERWARDS;
}

INLINE char *fill(int bytes)
{
	char *block = new char[bytes];

	memset(opaque(block), 1, bytes);
	return block;
}

INLINE char *prepare(int bytes)
{
	return fill(bytes + 9);
}

NOINLINE int inlining()
{
	return prepare(10000)[1];
}

/* ---- through libraries and back ---- */

static int compare_bytes;

NOINLINE int compare(const void *a, const void *b)
{
	if (compare_bytes)
		lose(compare_bytes);
	compare_bytes = 0;
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

NOINLINE void sorting()
{
	int numbers[4] = {4, 2, 3, 1};

	compare_bytes = 10010;
	qsort(numbers, 4, sizeof(int), compare);
	AFTERWARDS;
}

NOINLINE void searching()
{
	int numbers[4] = {1, 2, 3, 4}, key = 3;

	compare_bytes = 10011;
	opaque(bsearch(&key, numbers, 4, sizeof(int), compare));
	AFTERWARDS;
}

NOINLINE void bound(int bytes)
{
	lose(bytes);
	AFTERWARDS;
}

NOINLINE void functional()
{
	std::function<void(int)> call = bound;

	(*static_cast<std::function<void(int)> *>(opaque(&call)))(10012);
	AFTERWARDS;
}

NOINLINE void in_thread()
{
	lose(10013);
	AFTERWARDS;
}

NOINLINE void *in_plain_thread(void *arg)
{
	lose(10023);
	AFTERWARDS;
	return arg;
}

NOINLINE void threads()
{
	pthread_t plain;

	std::thread(in_thread).join();
	if (!pthread_create(&plain, nullptr, in_plain_thread, nullptr))
		pthread_join(plain, nullptr);
}

static pthread_once_t control;

NOINLINE void in_once()
{
	lose(10020);
	AFTERWARDS;
}

NOINLINE void once()
{
	control = PTHREAD_ONCE_INIT;
	pthread_once(&control, in_once);
	AFTERWARDS;
}

struct First {
	virtual ~First() = default;
	virtual int first()
	{
		return 1;
	}
};

struct Second {
	virtual ~Second() = default;
	virtual int second() = 0;
};

struct Both : First, Second {
	NOINLINE int second() override;
};

int Both::second()
{
	lose(10014);
	return 1;
}

NOINLINE int casting(First *first)
{
	Second *second = dynamic_cast<Second *>(static_cast<First *>(opaque(first)));

	return second ? second->second() + 1 : 0;
}

/* ---- shapes of frames ---- */

NOINLINE int recursion(int depth, int bytes)
{
	volatile char room[40];

	room[depth % 40] = 1;
	if (depth <= 1) {
		lose(bytes);
		return room[0];
	}
	return recursion(depth - 1, bytes) + room[depth % 40];
}

NOINLINE int with_alloca(int room, int bytes)
{
	char *variable = static_cast<char *>(opaque(alloca(room)));

	lose(bytes);
	return variable[room - 1];
}

NOINLINE int growing()
{
	return with_alloca(333, 10017) + with_alloca(1, 0);
}

NOINLINE int with_aligned(int bytes)
{
	alignas(64) char room[64];

	opaque(room);
	lose(bytes);
	return room[1];
}

/* Variable and aligned: gcc keeps the caller's stack pointer in a register and on the stack. */
NOINLINE int with_aligned_alloca(int bytes, int room)
{
	alignas(64) char aligned[64];
	char *variable = static_cast<char *>(opaque(alloca(room)));

	opaque(aligned);
	lose(bytes);
	return aligned[1] + variable[0];
}

NOINLINE int aligning()
{
	return with_aligned(10018) + with_aligned_alloca(10019, 77);
}

NOINLINE long many_arguments(long a, long b, long c, long d, long e, long f, long g, long h)
{
	lose(10021);
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}

/* All registers that a callee keeps are in use, rbp among them, as a number like any other. */
NOINLINE long saved_registers(long a, long b, long c, long d, long e, long f)
{
	long sum = many_arguments(a, b, c, d, e, f, a + b, c + d);

	return sum + a * b * c * d * e * f;
}

NOINLINE void walk()
{
	Frame frame;
	Both both;

	virtual_calls(&frame);
	outer_try(7);
	large();
	signals();
	trapped();
	nested();
	tail_calls();
	inlining();
	sorting();
	searching();
	functional();
	threads();
	once();
	casting(&both);
	recursion(44, 10044);
	recursion(150, 10150);
	growing();
	aligning();
	saved_registers(1, 2, 3, 4, 5, 6);
	AFTERWARDS;
}

int main(int argc, char **argv)
{
	long rounds = number_arg(argc, argv, 1, 1);
	bool now = argc > 2;
	const char *comma = "";

	target_start();
	target_ready();
	if (!now)
		target_wait_go();
	for (long i = 0; i < rounds; i++)
		walk();
	printf("truth {\"rounds\":%ld,\"lost\":{", rounds);
	for (const auto &l : lost) {
		printf("%s\"%d\":\"%s\"", comma, l.bytes, l.path);
		comma = ",";
	}
	printf("}}\n");
	fflush(stdout);
	if (!now)
		target_idle();
	return 0;
}
