/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The traced process' memory: segments at addresses of one's choice, read only through the
 * helpers below. Faults are injected at addresses, or at the Nth read; a test ends with
 * memory__check(), which fails when an injected fault was never run into: then the test did not
 * test what it says.
 */
#ifndef PERFTRACE_BPFHOST_MEMORY_H
#define PERFTRACE_BPFHOST_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_SEGMENTS_MAX 16
#define MEMORY_FAULTS_MAX   16

#define HOST_UNUSED __attribute__((unused)) static

enum fault_kind {
	FAULT_HARD,   /* nothing is mapped there, or it may not be read */
	FAULT_ABSENT, /* not in memory until the sleepable copy has asked for it */
};

static struct {
	struct {
		__u64 base, size;
		unsigned char *bytes;
	} segments[MEMORY_SEGMENTS_MAX];
	struct {
		__u64 address;
		enum fault_kind kind;
		bool present; /* FAULT_ABSENT: has been brought in */
		unsigned int hits;
	} faults[MEMORY_FAULTS_MAX];
	size_t n_segments, n_faults;
	unsigned int reads; /* since memory__reset() or since the test set it to 0 */
	int failing_read;   /* which of them fails, counted from 0; -1 = none */
	bool read_failed;
} memory;

HOST_UNUSED void memory__reset(void)
{
	for (size_t i = 0; i < memory.n_segments; i++)
		free(memory.segments[i].bytes);
	memset(&memory, 0, sizeof(memory));
	memory.failing_read = -1;
}

HOST_UNUSED void memory__map(__u64 base, __u64 size)
{
	assert_true(memory.n_segments < MEMORY_SEGMENTS_MAX);
	memory.segments[memory.n_segments].base = base;
	memory.segments[memory.n_segments].size = size;
	memory.segments[memory.n_segments].bytes = calloc(1, size);
	assert_non_null(memory.segments[memory.n_segments].bytes);
	memory.n_segments++;
}

/* The host's address of `len` bytes of target memory, NULL if they are not all mapped. */
static void *memory__at(__u64 address, __u64 len)
{
	for (size_t i = 0; i < memory.n_segments; i++) {
		__u64 base = memory.segments[i].base, size = memory.segments[i].size;

		if (address >= base && address - base <= size && len <= size - (address - base))
			return memory.segments[i].bytes + (address - base);
	}
	return NULL;
}

HOST_UNUSED void memory__write(__u64 address, const void *bytes, size_t len)
{
	void *to = memory__at(address, len);

	assert_non_null(to);
	memcpy(to, bytes, len);
}

HOST_UNUSED void memory__put(__u64 address, __u64 value)
{
	memory__write(address, &value, sizeof(value));
}

HOST_UNUSED void memory__put_text(__u64 address, const char *text)
{
	memory__write(address, text, strlen(text) + 1);
}

HOST_UNUSED void memory__fault(__u64 address, enum fault_kind kind)
{
	assert_true(memory.n_faults < MEMORY_FAULTS_MAX);
	memory.faults[memory.n_faults].address = address;
	memory.faults[memory.n_faults].kind = kind;
	memory.n_faults++;
}

/* Every injected fault was run into. */
HOST_UNUSED void memory__check(void)
{
	for (size_t i = 0; i < memory.n_faults; i++)
		if (!memory.faults[i].hits)
			fail_msg("the fault at %#llx was never hit", memory.faults[i].address);
	if (memory.failing_read >= 0 && !memory.read_failed)
		fail_msg("there was no read %d to fail", memory.failing_read);
}

/* Does a read of these bytes fault? A sleepable one brings absent bytes in. */
static bool memory__faults_at(__u64 address, __u64 len, bool sleepable)
{
	bool fails = false;

	for (size_t i = 0; i < memory.n_faults; i++) {
		if (memory.faults[i].address < address || memory.faults[i].address - address >= len)
			continue;
		if (memory.faults[i].kind == FAULT_ABSENT && sleepable)
			memory.faults[i].present = true;
		if (memory.faults[i].present)
			continue;
		memory.faults[i].hits++;
		fails = true;
	}
	return fails;
}

static bool memory__is_failing_read(void)
{
	if ((int)memory.reads++ != memory.failing_read)
		return false;
	memory.read_failed = true;
	return true;
}

/* Like the kernel's: 0, or -EFAULT and the destination zeroed. */
HOST_UNUSED long memory__read(void *to, __u32 size, const void *from, bool sleepable)
{
	__u64 address = (__u64)from;
	const void *bytes = memory__at(address, size);

	if (memory__is_failing_read() || memory__faults_at(address, size, sleepable) || !bytes) {
		memset(to, 0, size);
		return -EFAULT;
	}
	memcpy(to, bytes, size);
	return 0;
}

/* Length with the NUL that always ends it, or -EFAULT. */
HOST_UNUSED long memory__read_text(char *to, __u32 size, const void *from)
{
	__u64 address = (__u64)from;
	bool fails = memory__is_failing_read();

	for (__u32 i = 0; i < size && !fails; i++) {
		const char *byte = memory__at(address + i, 1);

		if (!byte || memory__faults_at(address + i, 1, false))
			break;
		to[i] = i == size - 1 ? '\0' : *byte;
		if (!to[i])
			return i + 1;
	}
	memset(to, 0, size);
	return -EFAULT;
}

#endif
