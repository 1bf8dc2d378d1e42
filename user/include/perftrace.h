/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perftrace.h - named spans, checkpoints and events for C11 and C++17 programs.
 *
 *	PERF_START(name)  PERF_END(name[, ctx])  a span; both may stand in different functions of
 *	                                         one thread, and pair by name
 *	PERF_TIMED(name[, ctx], expr)            a span around an expression; its value is expr's
 *	PERF_TIMED_BLOCK(name) { ... }           a span around a block
 *	PERF_GUARD(name[, ctx]);                 a span to the end of the enclosing scope, however
 *	                                         that is left: return, break, goto, exception
 *	PERF_CHECKPOINT(name[, ctx])             a point in time; the tracer adds the memory in use
 *	PERF_EVENT(tag, text)                    one line of the lifecycle log: "CACHE", "GET_HIT k"
 *	PERF_FMT(format, ...)                    a formatted ctx or text, at most 255 characters
 *
 * Names, contexts, tags and texts are NUL-terminated strings; a context may be NULL. The tracer
 * keeps 63 bytes of a name and 255 of a context. Contexts and texts are evaluated only while a
 * tracer is attached, so they must have no side effects that the program needs. PERF_GUARD and
 * PERF_TIMED evaluate theirs when the span starts; unless it is a PERF_FMT, the string must live
 * until the span ends. An expression with a comma outside parentheses, such as f<int, char>(),
 * needs parentheses of its own.
 *
 * Nothing to link and nothing to initialise: every macro leaves a USDT probe, one nop in the code
 * and an ELF note that says where it is and where its strings are. Without a tracer a probe
 * costs that nop, the loads of its arguments and, where there is a context or a text, one
 * predicted branch. With -DPERFTRACE_DISABLE, or on anything but 64-bit x86 ELF, it is all gone:
 * the object code is that of a source without the macros.
 *
 * PERF_TIMED_BLOCK in C is a loop of one round: `break` and `continue` in it leave the block
 * only, and with PERFTRACE_DISABLE they would act on the loop around it. Leave it in another
 * way: `return` and `goto` end the span as well. In C++ they always act on the loop around it.
 * PERF_TIMED in C++ is a lambda: its expression cannot use `co_await`, and with C++17 in Clang
 * before 16 no structured bindings.
 *
 * The probes (provider "perftrace", each argument an 8-byte pointer to a string):
 *	span_start(name)  span_end(name, ctx)  checkpoint(name, ctx)  event(tag, text)
 * Each has a semaphore, perftrace_PROBE_semaphore, which the tracer keeps above zero while
 * attached. Each executable and each shared library has semaphores of its own.
 */
#ifndef PERFTRACE_H
#define PERFTRACE_H

#if defined(__x86_64__) && !defined(__ILP32__) && defined(__ELF__) && defined(__GNUC__) && \
	!defined(PERFTRACE_DISABLE)
#define PERFTRACE_ENABLED 1
#else
#define PERFTRACE_ENABLED 0
#endif

/* PERFTRACE_PICK2(args, two, one, -) chooses by the number of args; PICK3 likewise. */
#define PERFTRACE_PICK2(a, b, chosen, ...)    chosen
#define PERFTRACE_PICK3(a, b, c, chosen, ...) chosen

#define PERF_END(...) PERFTRACE_PICK2(__VA_ARGS__, PERFTRACE_END_CTX, PERFTRACE_END, -)(__VA_ARGS__)
#define PERF_CHECKPOINT(...)                                                            \
	PERFTRACE_PICK2(__VA_ARGS__, PERFTRACE_CHECKPOINT_CTX, PERFTRACE_CHECKPOINT, -) \
	(__VA_ARGS__)
#define PERF_GUARD(...) \
	PERFTRACE_PICK2(__VA_ARGS__, PERFTRACE_GUARD_CTX, PERFTRACE_GUARD, -)(__VA_ARGS__)
#define PERF_TIMED(...)                                                                          \
	PERFTRACE_PICK3(__VA_ARGS__, PERFTRACE_TIMED_CTX, PERFTRACE_TIMED, PERFTRACE_NO_EXPR, -) \
	(__VA_ARGS__)

#if !PERFTRACE_ENABLED

/* sizeof keeps variables "used" for the compiler's warnings and evaluates nothing. */
#define PERFTRACE_UNUSED(value) ((void)sizeof((value)))

#ifdef __cplusplus
extern "C"
#endif
	/* Never defined and never called: it lets PERF_FMT's arguments be checked and "used". */
	const char *
	perftrace_not_formatted(const char *format, ...)
#ifdef __GNUC__
		__attribute__((__format__(__printf__, 1, 2)))
#endif
		;

#define PERF_START(name)		     PERFTRACE_UNUSED(name)
#define PERFTRACE_END(name)		     PERFTRACE_UNUSED(name)
#define PERFTRACE_END_CTX(name, ctx)	     (PERFTRACE_UNUSED(name), PERFTRACE_UNUSED(ctx))
#define PERFTRACE_CHECKPOINT(name)	     PERFTRACE_UNUSED(name)
#define PERFTRACE_CHECKPOINT_CTX(name, ctx)  (PERFTRACE_UNUSED(name), PERFTRACE_UNUSED(ctx))
#define PERFTRACE_GUARD(name)		     PERFTRACE_UNUSED(name)
#define PERFTRACE_GUARD_CTX(name, ctx)	     (PERFTRACE_UNUSED(name), PERFTRACE_UNUSED(ctx))
#define PERFTRACE_TIMED(name, expr)	     (PERFTRACE_UNUSED(name), expr)
#define PERFTRACE_TIMED_CTX(name, ctx, expr) (PERFTRACE_UNUSED(name), PERFTRACE_UNUSED(ctx), expr)
#define PERF_TIMED_BLOCK(name)
#define PERF_EVENT(tag, text) (PERFTRACE_UNUSED(tag), PERFTRACE_UNUSED(text))
#define PERF_FMT(...)	      perftrace_not_formatted(__VA_ARGS__)

#else /* PERFTRACE_ENABLED */

#if defined(__cplusplus) && __cplusplus < 201703L
#error "perftrace.h needs C++17: add -std=c++17, or -DPERFTRACE_DISABLE to leave the probes out"
#endif

#include <errno.h>

#define PERFTRACE_TEXT_BYTES 256 /* what the tracer keeps of a context, with its NUL */

#define PERFTRACE_ATTR(...)    __attribute__((__VA_ARGS__))
#define PERFTRACE_JOIN_(a, b)  a##b
#define PERFTRACE_JOIN(a, b)   PERFTRACE_JOIN_(a, b)
/* __COUNTER__, not __LINE__: nested guards on one line must not shadow each other. */
#define PERFTRACE_UNIQUE(base) PERFTRACE_JOIN(base, __COUNTER__)

/* "The string at p, however long": GCC's own idiom, which Clang's C wants with a size. */
#ifdef __clang__
typedef const char perftrace_bytes[PERFTRACE_TEXT_BYTES];
#else
typedef const char perftrace_bytes[];
#endif

#ifdef __cplusplus
#define PERFTRACE_INLINE      inline PERFTRACE_ATTR(__always_inline__)
#define PERFTRACE_C_LINKAGE   extern "C"
#define PERFTRACE_BYTES_AT(p) (*static_cast<perftrace_bytes *>(static_cast<const void *>(p)))
#else
#define PERFTRACE_INLINE      static inline PERFTRACE_ATTR(__always_inline__)
#define PERFTRACE_C_LINKAGE   extern
#define PERFTRACE_BYTES_AT(p) (*(perftrace_bytes *)(p))
#endif

/*
 * The probe's text is long but one byte of code: `inline` keeps the compiler from taking it for
 * a big function body and inlining less than it would without the probe.
 */
#if (defined(__clang__) && __clang_major__ >= 11) || (!defined(__clang__) && __GNUC__ >= 9)
#define PERFTRACE_ASM __asm__ __volatile__ __inline__
#else
#define PERFTRACE_ASM __asm__ __volatile__
#endif

/*
 * One site: the nop and its note, version 3 of the "stapsdt" form that systemtap introduced and
 * perf, bpftrace and gdb read (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation):
 * addresses of the site, of _.stapsdt.base and of the semaphore, then provider, probe and
 * arguments as strings. Readers compare the base's noted address with the section's real one to
 * learn how far prelinking moved the rest. Section flag "?" puts the note into the group of the
 * function, so that it goes where a duplicate inline function goes.
 *
 * The nop is one byte on purpose. Five-byte nops are patched into calls by newer kernels, and a
 * call overwrites the red zone of a leaf function.
 *
 * The semaphore is defined by the first site of a file, in a group of its own: files without
 * sites carry nothing, and of many files with sites one definition stays.
 */
#define PERFTRACE_SITE(probe, arguments)                                             \
	"990:	nop\n"                                                                 \
	"	.pushsection .note.stapsdt, \"?\", \"note\"\n"                             \
	"	.balign 4\n"                                                               \
	"	.4byte 992f - 991f, 994f - 993f, 3\n"                                      \
	"991:	.asciz \"stapsdt\"\n"                                                  \
	"992:	.balign 4\n"                                                           \
	"993:	.8byte 990b, _.stapsdt.base, perftrace_" probe "_semaphore\n"        \
	"	.asciz \"perftrace\"\n"                                                    \
	"	.asciz \"" probe "\"\n"                                              \
	"	.asciz \"" arguments "\"\n"                                          \
	"994:	.balign 4\n"                                                           \
	"	.popsection\n"                                                             \
	"	.ifndef _.stapsdt.base\n"                                                  \
	"	.pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
	"	.weak _.stapsdt.base\n"                                                    \
	"	.hidden _.stapsdt.base\n"                                                  \
	"_.stapsdt.base: .space 1\n"                                                 \
	"	.size _.stapsdt.base, 1\n"                                                 \
	"	.popsection\n"                                                             \
	"	.endif\n"                                                                  \
	"	.ifndef perftrace_" probe "_semaphore\n"                             \
	"	.pushsection .probes, \"awG\", \"progbits\", perftrace_" probe       \
	"_semaphore, comdat\n"                                                       \
	"	.weak perftrace_" probe "_semaphore\n"                               \
	"	.hidden perftrace_" probe "_semaphore\n"                             \
	"	.type perftrace_" probe "_semaphore, \"object\"\n"                   \
	"	.size perftrace_" probe "_semaphore, 2\n"                            \
	"	.balign 2\n"                                                               \
	"perftrace_" probe "_semaphore: .2byte 0\n"                                  \
	"	.popsection\n"                                                             \
	"	.endif\n"

/* A register's name as the note wants it, "%rax", also under -masm=intel. */
#define PERFTRACE_ARG(operand) "8@{%[" operand "]|%%%[" operand "]}"

/*
 * The strings are inputs of the asm as well as their addresses: a text built just before is
 * really in memory when the probe fires, without a barrier for everything else.
 */
#define PERFTRACE_FIRE1(probe, one)                              \
	PERFTRACE_ASM(PERFTRACE_SITE(probe, PERFTRACE_ARG("s1")) \
		      :                                          \
		      : [s1] "r"(one), "m"(PERFTRACE_BYTES_AT(one)))
/*
 * A second argument that is always NULL costs no register: "8@$0", with the $ spelt \044 because
 * Clang loses it in Intel syntax.
 */
#define PERFTRACE_FIRE1_NULL(probe, one)                                     \
	PERFTRACE_ASM(PERFTRACE_SITE(probe, PERFTRACE_ARG("s1") " 8@\\0440") \
		      :                                                      \
		      : [s1] "r"(one), "m"(PERFTRACE_BYTES_AT(one)))
#define PERFTRACE_FIRE2(probe, one, two)                                                 \
	PERFTRACE_ASM(PERFTRACE_SITE(probe, PERFTRACE_ARG("s1") " " PERFTRACE_ARG("s2")) \
		      :                                                                  \
		      : [s1] "r"(one), [s2] "r"(two), "m"(PERFTRACE_BYTES_AT(one)),      \
			"m"(PERFTRACE_BYTES_AT(two)))

/* Volatile: the tracer changes them from outside, in the middle of a loop if need be. */
PERFTRACE_C_LINKAGE volatile unsigned short
	perftrace_span_end_semaphore PERFTRACE_ATTR(__visibility__("hidden"));
PERFTRACE_C_LINKAGE volatile unsigned short
	perftrace_checkpoint_semaphore PERFTRACE_ATTR(__visibility__("hidden"));
PERFTRACE_C_LINKAGE volatile unsigned short
	perftrace_event_semaphore PERFTRACE_ATTR(__visibility__("hidden"));

#define PERFTRACE_ATTACHED(probe) __builtin_expect(perftrace_##probe##_semaphore != 0, 0)

PERFTRACE_INLINE void perftrace_span_start(const char *name)
{
	PERFTRACE_FIRE1("span_start", name);
}

PERFTRACE_INLINE void perftrace_span_end(const char *name)
{
	PERFTRACE_FIRE1_NULL("span_end", name);
}

PERFTRACE_INLINE void perftrace_span_end_with(const char *name, const char *context)
{
	PERFTRACE_FIRE2("span_end", name, context);
}

PERFTRACE_INLINE void perftrace_checkpoint(const char *name)
{
	PERFTRACE_FIRE1_NULL("checkpoint", name);
}

PERFTRACE_INLINE void perftrace_checkpoint_with(const char *name, const char *context)
{
	PERFTRACE_FIRE2("checkpoint", name, context);
}

PERFTRACE_INLINE void perftrace_event(const char *tag, const char *text)
{
	PERFTRACE_FIRE2("event", tag, text);
}

#define PERF_START(name)	   perftrace_span_start(name)
#define PERFTRACE_END(name)	   perftrace_span_end(name)
#define PERFTRACE_CHECKPOINT(name) perftrace_checkpoint(name)

#define PERFTRACE_END_CTX(name, ctx)                                             \
	do {                                                                     \
		perftrace_span_end_with(name, PERFTRACE_CONTEXT(span_end, ctx)); \
	} while (0)
#define PERFTRACE_CHECKPOINT_CTX(name, ctx)                                          \
	do {                                                                         \
		perftrace_checkpoint_with(name, PERFTRACE_CONTEXT(checkpoint, ctx)); \
	} while (0)
/* Without its text an event says nothing: when nobody listens there is only the branch. */
#define PERF_EVENT(tag, text)                                         \
	do {                                                          \
		if (PERFTRACE_ATTACHED(event))                        \
			perftrace_event(tag, PERFTRACE_STRING(text)); \
	} while (0)

#ifndef __cplusplus

/* Out of line and cold: it runs only while a tracer listens. Leaves errno as it was. */
PERFTRACE_ATTR(__cold__, __noinline__, __unused__, __format__(__printf__, 2, 3))
static const char *perftrace_format(char *text, const char *format, ...)
{
	__builtin_va_list args;
	int saved = errno;

	__builtin_va_start(args, format);
	if (__builtin_vsnprintf(text, PERFTRACE_TEXT_BYTES, format, args) < 0)
		text[0] = '\0';
	__builtin_va_end(args);
	errno = saved;
	return text;
}

/* A compound literal, not a statement expression: its memory lives as long as the block. */
#define PERF_FMT(...) perftrace_format((char[PERFTRACE_TEXT_BYTES]){0}, __VA_ARGS__)

#define PERFTRACE_STRING(text)	      (text)
#define PERFTRACE_CONTEXT(probe, ctx) (PERFTRACE_ATTACHED(probe) ? (ctx) : (const char *)0)

struct perftrace_guard {
	const char *name;
	const char *context;
};

struct perftrace_block {
	const char *name;
	int once;
};

PERFTRACE_INLINE const char *perftrace_enter(const char *name)
{
	perftrace_span_start(name);
	return name;
}

PERFTRACE_INLINE void perftrace_leave(const char *const *name)
{
	perftrace_span_end(*name);
}

PERFTRACE_INLINE struct perftrace_guard perftrace_enter_with(const char *name, const char *context)
{
	struct perftrace_guard guard = {name, context};

	perftrace_span_start(name);
	return guard;
}

PERFTRACE_INLINE void perftrace_leave_with(const struct perftrace_guard *guard)
{
	perftrace_span_end_with(guard->name, guard->context);
}

PERFTRACE_INLINE struct perftrace_block perftrace_enter_block(const char *name)
{
	struct perftrace_block block = {name, 1};

	perftrace_span_start(name);
	return block;
}

PERFTRACE_INLINE void perftrace_leave_block(const struct perftrace_block *block)
{
	perftrace_span_end(block->name);
}

#define PERFTRACE_ON_EXIT(function) PERFTRACE_ATTR(__cleanup__(function), __unused__)

#define PERFTRACE_GUARD(name)              \
	PERFTRACE_ON_EXIT(perftrace_leave) \
	const char *const PERFTRACE_UNIQUE(perftrace_guard_) = perftrace_enter(name)
#define PERFTRACE_GUARD_CTX(name, ctx)                                    \
	PERFTRACE_ON_EXIT(perftrace_leave_with)                           \
	const struct perftrace_guard PERFTRACE_UNIQUE(perftrace_guard_) = \
		perftrace_enter_with(name, PERFTRACE_CONTEXT(span_end, ctx))

#define PERFTRACE_TIMED(name, expr)    \
	__extension__({                \
		PERFTRACE_GUARD(name); \
		expr;                  \
	})
#define PERFTRACE_TIMED_CTX(name, ctx, expr)    \
	__extension__({                         \
		PERFTRACE_GUARD_CTX(name, ctx); \
		expr;                           \
	})

#define PERFTRACE_BLOCK_AS(block, name)                                              \
	for (PERFTRACE_ON_EXIT(perftrace_leave_block) struct perftrace_block block = \
		     perftrace_enter_block(name);                                    \
	     block.once; block.once = 0)
#define PERF_TIMED_BLOCK(name) PERFTRACE_BLOCK_AS(PERFTRACE_UNIQUE(perftrace_block_), name)

#else /* C++ */

namespace perftrace_detail
{

/* What PERF_FMT makes: a text with its memory; or, made from nullptr, no text. */
class formatted
{
      public:
	PERFTRACE_ATTR(__always_inline__) formatted(decltype(nullptr)) : set_(false)
	{
	}
	/* Out of line and cold: it runs only while a tracer listens. Leaves errno as it was. */
	PERFTRACE_ATTR(__cold__, __noinline__, __format__(__printf__, 2, 3))
	explicit formatted(const char *format, ...) : set_(true)
	{
		__builtin_va_list args;
		int saved = errno;

		__builtin_va_start(args, format);
		if (__builtin_vsnprintf(bytes_, sizeof(bytes_), format, args) < 0)
			bytes_[0] = '\0';
		__builtin_va_end(args);
		errno = saved;
	}
	formatted(const formatted &) = delete;
	formatted &operator=(const formatted &) = delete;
	PERFTRACE_ATTR(__always_inline__) const char *get() const
	{
		return set_ ? bytes_ : nullptr;
	}

      private:
	bool set_;
	char bytes_[PERFTRACE_TEXT_BYTES];
};

PERFTRACE_INLINE const char *string(const char *text)
{
	return text;
}

PERFTRACE_INLINE const char *string(const formatted &text)
{
	return text.get();
}

PERFTRACE_INLINE const char *enter(const char *name)
{
	perftrace_span_start(name);
	return name;
}

struct guard {
	const char *name;

	PERFTRACE_ATTR(__always_inline__) ~guard()
	{
		perftrace_span_end(name);
	}
};

/* An aggregate, so that a formatted context is built in its place: it is never copied. */
template <typename Context> struct guard_with {
	const char *name;
	Context context;

	PERFTRACE_ATTR(__always_inline__) ~guard_with()
	{
		perftrace_span_end_with(name, string(context));
	}
};

template <typename Context> guard_with(const char *, Context) -> guard_with<Context>;
guard_with(const char *, decltype(nullptr))->guard_with<const char *>;

} // namespace perftrace_detail

#define PERF_FMT(...) ::perftrace_detail::formatted(__VA_ARGS__)

#define PERFTRACE_STRING(text)	      ::perftrace_detail::string(text)
#define PERFTRACE_MAYBE(probe, ctx)   (PERFTRACE_ATTACHED(probe) ? (ctx) : nullptr)
#define PERFTRACE_CONTEXT(probe, ctx) PERFTRACE_STRING(PERFTRACE_MAYBE(probe, ctx))

#define PERFTRACE_GUARD(name)                                              \
	const ::perftrace_detail::guard PERFTRACE_UNIQUE(perftrace_guard_) \
	{                                                                  \
		::perftrace_detail::enter(name)                            \
	}
#define PERFTRACE_GUARD_CTX(name, ctx)                                          \
	const ::perftrace_detail::guard_with PERFTRACE_UNIQUE(perftrace_guard_) \
	{                                                                       \
		::perftrace_detail::enter(name), PERFTRACE_MAYBE(span_end, ctx) \
	}

/* decltype(auto) keeps references references and builds values in place. */
#define PERFTRACE_TIMED(name, expr)                                  \
	([&]() PERFTRACE_ATTR(__always_inline__) -> decltype(auto) { \
		PERFTRACE_GUARD(name);                               \
		return expr;                                         \
	}())
#define PERFTRACE_TIMED_CTX(name, ctx, expr)                         \
	([&]() PERFTRACE_ATTR(__always_inline__) -> decltype(auto) { \
		PERFTRACE_GUARD_CTX(name, ctx);                      \
		return expr;                                         \
	}())

/* The block is the `else` branch, so that an `else` after it belongs to an `if` before it. */
#define PERF_TIMED_BLOCK(name)                                                  \
	if (const ::perftrace_detail::guard PERFTRACE_UNIQUE(perftrace_guard_){ \
		    ::perftrace_detail::enter(name)};                           \
	    false) {                                                            \
	} else

#endif /* C++ */

#endif /* PERFTRACE_ENABLED */

#endif
