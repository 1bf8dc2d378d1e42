// SPDX-License-Identifier: BSD-2-Clause
/* While it runs: the ring, the family, memory, the clock; until it is time to stop. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "session/session_internal.h"
#include "target/everybody.h"

#define LOOK_MS	      50 /* how often the ring is looked at; `tail -f` feels immediate */
#define SAMPLE_NS     (NSEC_PER_SEC / 4)
#define SAMPLE_ALL_NS (2 * NSEC_PER_SEC) /* everybody's memory is a file per process */
#define RING_PAUSE_US 2000

static void read_sample(const struct session *s, struct memory_sample *sample)
{
	const struct process *root = session__root(s);
	struct process_memory m;

	memset(sample, 0, sizeof(*sample));
	sample->time_ns = clock_monotonic_ns();
	if (everybody__is(root) ? everybody__memory(&m)
				: process__memory(root->pid, &m) || !process__is_same(root))
		return;
	memory_sample__set(sample, MEMORY_RSS, m.resident_bytes);
	memory_sample__set(sample, MEMORY_RESIDENT, m.resident_bytes);
	memory_sample__set(sample, MEMORY_VIRTUAL, m.virtual_bytes);
	memory_sample__set(sample, MEMORY_SHARED, m.shared_bytes);
	memory_sample__set(sample, MEMORY_TEXT, m.text_bytes);
	memory_sample__set(sample, MEMORY_DATA, m.data_bytes);
	memory_sample__set(sample, MEMORY_STACK, m.stack_bytes);
}

void session__sample_memory(struct session *s, uint64_t now)
{
	struct memory_sample sample;

	read_sample(s, &sample);
	memory_timeline__add(&s->memory, &sample);
	if (s->options.cpu_hz && !s->options.everybody)
		cpu_time__look(&s->cpu_time, &s->roster);
	s->next_sample_ns = now + (s->options.everybody ? SAMPLE_ALL_NS : SAMPLE_NS);
	if (!s->next_tick_ns)
		s->next_tick_ns = now + s->options.interval_ns;
	if (s->options.interval_ns && now >= s->next_tick_ns) {
		s->next_tick_ns += s->options.interval_ns;
		if (s->next_tick_ns <= now) /* we were stopped for a while */
			s->next_tick_ns = now + s->options.interval_ns;
		if (s->observer.tick)
			s->observer.tick(s->observer.arg, &sample);
	}
}

/* True when records are still waiting. */
static bool look(struct session *s)
{
	bool more = kernel__drain(s->kernel) == -EAGAIN;
	uint64_t now;

	now = clock_monotonic_ns();
	if (now >= s->next_sample_ns || (s->options.interval_ns && now >= s->next_tick_ns))
		session__sample_memory(s, now);
	family__tick(s->family, now);
	if (s->options.find_more && now >= s->next_search_ns) {
		s->next_search_ns = now + NSEC_PER_SEC;
		session__search(s);
	}
	clock_offset_refresh(&s->clock, 10 * NSEC_PER_SEC);
	return more;
}

static int wait_ms(const struct session *s, uint64_t deadline)
{
	uint64_t now = clock_monotonic_ns(), until = now + LOOK_MS * NSEC_PER_MSEC;
	uint64_t look_at = family__next_look(s->family);

	if (deadline && deadline < until)
		until = deadline;
	if (look_at < until)
		until = look_at;
	return until > now ? (until - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC : 0;
}

enum session_end session__run(struct session *s, int stop_fd)
{
	uint64_t deadline = s->options.duration_ns ? s->begin_ns + s->options.duration_ns : 0;
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = kernel__ring_fd(s->kernel), .events = POLLIN},
		{.fd = session__root(s)->pidfd, .events = POLLIN},
	};

	bool more = false;

	for (;;) {
		poll(fds, sizeof(fds) / sizeof(fds[0]), more ? 0 : wait_ms(s, deadline));
		more = look(s);
		/* The ring stays readable while records keep coming: no reason to spin. */
		if (fds[1].revents && !more)
			usleep(RING_PAUSE_US);
		if (s->observer.poll && s->observer.poll(s->observer.arg))
			return SESSION_OBSERVER_ENDED;
		if (fds[0].revents)
			return SESSION_STOPPED;
		if (fds[2].revents) {
			if (!roster__any_root_alive(&s->roster))
				return SESSION_TARGET_GONE;
			fds[2].fd = -1; /* others live on: asked for at every look */
		}
		if (fds[2].fd < 0 && !roster__any_root_alive(&s->roster))
			return SESSION_TARGET_GONE;
		if (deadline && clock_monotonic_ns() >= deadline)
			return SESSION_DURATION_OVER;
	}
}
