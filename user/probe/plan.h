/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to probe in a process, before anything is attached: the functions of its allocator and its
 * span probes, each with the object it lies in, the instruction chosen, and why a site was moved
 * or refused. A plan needs no privileges beyond reading the process' files.
 */
#ifndef PERFTRACE_PROBE_PLAN_H
#define PERFTRACE_PROBE_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/spans.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/vec.h"
#include "elf/image.h"
#include "elf/notes.h"
#include "elf/runtime.h"
#include "probe/alloc_rules.h"
#include "probe/function_rules.h"
#include "probe/pairs.h"
#include "probe/place.h"
#include "target/maps.h"
#include "target/process.h"

enum plan_kind {
	PLAN_ALLOC,    /* a function of an allocator; cookie = its description, bpf/abi/heap.h */
	PLAN_TOLD,     /* where a program tells of a block itself; cookie = index into `sites` */
	PLAN_SPAN,     /* start or end of a span; cookie = index into `sites` */
	PLAN_MARK,     /* checkpoint or event of our own header; cookie likewise */
	PLAN_FUNCTION, /* entry of a function that is a span, or one of its exits; likewise */
	PLAN_LOADER,   /* where a dynamic linker has loaded or dropped a library */
	PLAN_USDT,     /* a probe that belongs to no pair: listed, never attached */
};

/* What of the probed place the program wants to see. */
enum plan_hook {
	HOOK_SITE, /* the instruction at site_offset */
	HOOK_CALL, /* that, and the return of the function to its caller */
};

struct plan_object {
	char *path; /* as the target sees it */
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	int fd; /* owned */
	/*
	 * The service's own executable: its probes may be linked for every process that runs it,
	 * with the filter in BPF, so that a forked child is traced from its first instruction.
	 * Shared libraries never: bystanders would pay.
	 */
	bool is_executable;
	struct elf_runtime runtime; /* filled if functions or --alloc were asked for */
};

struct plan_probe {
	enum plan_kind kind;
	size_t object;		 /* index into plan.objects */
	char *symbol;		 /* "malloc", "postgresql:query__start" */
	uint64_t offset;	 /* in the file: the function's entry or the note's location */
	uint64_t site_offset;	 /* in the file: where the probe goes */
	uint64_t ref_ctr_offset; /* in the file: the semaphore; 0 = none */
	uint64_t cookie;
	enum plan_hook hook;
	bool is_result;	      /* of PLAN_ALLOC: where the result of another probe's call is known */
	bool emulated;	      /* the instruction at the site: cheap; false = single-stepped */
	char instruction[16]; /* mnemonic at the site */
	const char *why;      /* constant phrase: why the site is where it is, or NULL */
	const char *refused;  /* constant phrase: why it will not be probed, or NULL */
};

struct plan_pair {
	char *name; /* of its spans; NULL for our own macros, which bring names */
	bool is_function;
	struct span_pair abi;
};

struct plan_options {
	bool heap, spans;
	const pair_rule_list *rules;	     /* NULL or empty: every pair */
	const alloc_rule_list *alloc_rules;  /* besides the allocators found; NULL = none */
	const function_rule_list *functions; /* NULL or empty: none */
	const char *no_return_hooks; /* constant phrase: why returns must not be hooked, or NULL */
};

/* More functions than this are not traced at once: a glob that wide was not meant. */
#define PLAN_FUNCTIONS_MAX 2000

/* What became of one function rule. */
struct plan_search {
	size_t objects;		/* files it looked into */
	size_t names;		/* of functions there; 0 = they are stripped */
	size_t found;		/* functions it chose */
	struct nearest nearest; /* while none was found */
};

#define PLAN_OWN_PAIR 0 /* index of the pair of our own macros */

/* What serves the memory of programs of one executable. */
struct plan_allocator {
	uint64_t exe_dev, exe_inode;
	bool found;
	bool has_rules;	     /* functions of the user's are among them */
	bool sampled;	     /* some of it is told by the program, in samples */
	const char *why;     /* constant phrase: why nothing was found, or NULL */
	VEC(size_t) objects; /* whose PLAN_ALLOC probes belong to it */
	VEC(size_t) seen;    /* objects among which they were chosen */
	char label[128];     /* "glibc malloc", "glibc malloc + jemalloc (_rjem_)" */
};

/* What became of one of the user's rules. */
struct plan_alloc_rule {
	const struct alloc_rule *rule; /* borrowed from the options */
	bool object_found, found;      /* the library, a function in it */
	bool moves_stacks;	       /* it is of a kind whose calls cannot be followed */
	struct nearest nearest;	       /* a function whose name comes near */
};

/* A mapped file that is not (our kind of) ELF. */
struct plan_file {
	uint32_t dev_major, dev_minor;
	uint64_t inode;
};

/* Programs in which no return of a function may be hooked. */
struct plan_program {
	uint64_t exe_dev, exe_inode;
	const char *return_hook; /* why not; NULL: it may */
};

struct plan {
	VEC(struct plan_object) objects;
	VEC(struct plan_probe) probes;
	VEC(struct plan_pair) pairs;
	VEC(struct span_site) sites;
	VEC(struct plan_allocator) allocators;	 /* one per executable, if the heap was asked for */
	VEC(struct plan_alloc_rule) alloc_rules; /* of all processes together */
	VEC(struct plan_file) useless;
	VEC(struct plan_program) programs; /* if functions were asked for */
	VEC(struct plan_search) searches;  /* one per function rule */
	size_t functions;		   /* chosen by the rules, planned or not */
	unsigned int bad_objects;	   /* mapped files that could not be read as ELF */
	size_t notes_left_out;		   /* USDT sites beyond what one object may bring */
};

/*
 * Adds what `process` offers to *plan (zero-initialised before the first, freed with plan__free()
 * whatever is returned). Processes that share objects share probes; one whose executable is known
 * with all its libraries adds nothing. Asked again when a process has loaded more.
 */
int plan__add_process(struct plan *plan, const struct process *process, const struct maps *maps,
		      const struct plan_options *options, struct error *err);
void plan__free(struct plan *plan);

/* The allocator of a process' executable; NULL if the heap was not planned for it. */
const struct plan_allocator *plan__allocator(const struct plan *plan,
					     const struct process *process);
/* Why returns must not be hooked in a process; NULL: they may. */
const char *plan__no_return_hooks(const struct plan *plan, const struct process *process);
/* Are the heap probes of this object, an index into plan.objects, those of the allocator? */
bool plan_allocator__serves(const struct plan_allocator *allocator, size_t object);
/* Was the object mapped when the allocator was chosen? */
bool plan_allocator__has_seen(const struct plan_allocator *allocator, size_t object);
/* Every --alloc and --free rule found a function; else an error that says which did not. */
int plan__check_alloc_rules(const struct plan *plan, pid_t pid, struct error *err);
/* Is `m` a mapping of this object's file? */
bool plan_object__is_behind(const struct plan_object *object, const struct mapping *m);
/* The object behind a mapping; NULL if it is not part of the plan. */
const struct plan_object *plan__object_of(const struct plan *plan, const struct mapping *m);

/* Refuses the probes from index `first` on, for a constant reason. */
void plan__refuse_from(struct plan *plan, size_t first, const char *reason);
/* How many probes of a kind will be attached (not refused). */
size_t plan__count(const struct plan *plan, enum plan_kind kind);
/* Functions that will be traced as spans (not refused). */
size_t plan__function_spans(const struct plan *plan);
/* USDT pairs in the plan. */
size_t plan__span_pairs(const struct plan *plan);
bool plan__has_own_macros(const struct plan *plan);

/* ---- for the planners of one kind (plan_heap.c, plan_spans.c) ---- */

/* An object opened while planning. */
struct plan_image {
	size_t object;
	bool is_new; /* not planned before */
	struct elf_image *image;
};

/* A new probe in the plan, its symbol copied; NULL when out of memory. */
struct plan_probe *plan__add_probe(struct plan *plan, enum plan_kind kind, size_t object,
				   const char *symbol);
/* Puts the probe, whose `offset` is the function's entry, where `at` says. */
void plan_probe__set_site(struct plan_probe *probe, const struct placement *at);
int plan_spans__add(struct plan *plan, const struct plan_image *image, const pair_rule_list *rules);
/* Why a USDT site must not be probed; a constant phrase, NULL: it may. */
const char *plan_usdt__refuse(const struct elf_image *image, const struct usdt_note *note);
/* Probes of an object that tells of its heap (plan_told.c). */
int plan_told__add(struct plan *plan, const struct plan_image *image);
/* Their provider. */
#define TOLD_PROVIDER "otel_memory"
/* What in a process forbids ways of seeing functions end; constant phrases. */
struct plan_hazards {
	const char *return_hook; /* why returns must not be hooked, or NULL */
};

/*
 * What the images that a process maps, and the process itself, forbid; remembers it for the
 * program. -ENOMEM.
 */
int plan_hazards__find(struct plan *plan, const struct process *process, const struct maps *maps,
		       const struct plan_options *options, struct plan_hazards *out);
int plan_heap__add(struct plan *plan, const struct process *process, const struct maps *maps,
		   const struct plan_image *images, size_t n, const struct plan_options *options,
		   const struct plan_hazards *hazards);
int plan_functions__add(struct plan *plan, const struct plan_image *image,
			const function_rule_list *rules, const struct plan_hazards *hazards);
int plan_loader__add(struct plan *plan, const struct plan_image *image);

#endif
