/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of a process over time: samples of /proc/PID/statm and status, thinned so that a run
 * of days costs what a run of minutes does, and the growth they show.
 */
#ifndef PERFTRACE_MODEL_MEMORY_H
#define PERFTRACE_MODEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_field {
	MEMORY_RSS,
	MEMORY_HEAP, /* the brk segment and what the allocator mapped, where known */
	MEMORY_VIRTUAL,
	MEMORY_RESIDENT,
	MEMORY_SHARED,
	MEMORY_TEXT,
	MEMORY_DATA,
	MEMORY_STACK,
	MEMORY_FIELD_COUNT
};

struct memory_sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t bytes[MEMORY_FIELD_COUNT];
	uint32_t known;	      /* bit 1 << enum memory_field */
	uint64_t error_bytes; /* bound of RSS; 0 = exact, as /proc/PID/statm is */
};

#define MEMORY_SAMPLES_MAX 512

/* Zero-initialise; nothing to free. */
struct memory_timeline {
	struct memory_sample samples[MEMORY_SAMPLES_MAX];
	size_t count;
	uint64_t seen;	 /* samples offered with a known RSS */
	uint64_t stride; /* every stride-th of them is kept, 0 = all */
	struct memory_sample last;
	uint64_t peak_bytes;
};

struct memory_growth {
	bool known; /* at least one sample */
	uint64_t start_bytes, end_bytes, peak_bytes;
	int64_t growth_bytes;
	uint64_t error_bytes; /* bound of growth_bytes */
	uint64_t span_ns;     /* from the first to the last sample */
	bool slope_known;     /* at least 3 samples over at least 1 s */
	double slope_bytes_per_hour;
	/* 95 % interval of the slope; equal to it where there are too few samples for one. */
	double slope_low, slope_high;
};

/* "rss" ... "stack", the names of SPEC's memory snapshot. */
const char *memory_field_name(enum memory_field field);
void memory_sample__set(struct memory_sample *sample, enum memory_field field, uint64_t bytes);
bool memory_sample__get(const struct memory_sample *sample, enum memory_field field,
			uint64_t *bytes);

/* Samples in the order of time; one without RSS, or older than the last, is ignored. */
void memory_timeline__add(struct memory_timeline *timeline, const struct memory_sample *sample);

/*
 * Growth of RSS. The slope is the median of the slopes between all pairs of samples (Theil-Sen),
 * which a burst does not move; its interval is Sen's (1968). -ENOMEM: no slope.
 */
int memory_timeline__growth(const struct memory_timeline *timeline, struct memory_growth *growth);

#endif
