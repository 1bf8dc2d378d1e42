// SPDX-License-Identifier: BSD-2-Clause
#include "stack/lines_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "stack/lines_cell.h"
#include "stack/lines_dwarf.h"

#define FRAME_MAX  (sizeof(struct lines_frame) + 2 * LINES_TEXT_MAX)
#define ANSWER_MAX (sizeof(struct lines_answer) + SOURCE_FRAMES_MAX * FRAME_MAX)

enum worker_exit {
	WORKER_DONE,
	WORKER_NO_DWARF,
	WORKER_NO_CELL,
};

/* ---- the worker ---- */

static uint16_t text_len(const char *text)
{
	size_t len = text ? strnlen(text, LINES_TEXT_MAX + 1) : 0;

	return len <= LINES_TEXT_MAX ? (uint16_t)len : 0;
}

static void add_frame(struct strbuf *out, const struct source_frame *f)
{
	struct lines_frame head = {
		.line = f->line,
		.inlined = f->inlined,
		.function_len = text_len(f->function),
		.file_len = text_len(f->file),
	};

	strbuf_add(out, (const char *)&head, sizeof(head));
	if (head.function_len)
		strbuf_add(out, f->function, head.function_len);
	if (head.file_len)
		strbuf_add(out, f->file, head.file_len);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(WORKER_DONE); /* nobody listens */
		data += n;
		len -= (size_t)n;
	}
}

static _Noreturn void work(const struct lines_files *files, int answers, const uint64_t *vaddrs,
			   size_t n)
{
	int fds[LINES_CELL_FDS_MAX] = {answers, files->dwarf, files->common};
	struct source_frame frames[SOURCE_FRAMES_MAX];
	struct strbuf out = {0};
	struct lines_dwarf *dwarf;

	signal(SIGPIPE, SIG_IGN);
	if (lines_cell__enter(fds, files->common < 0 ? 2 : 3))
		_exit(WORKER_NO_CELL);
	dwarf = lines_dwarf__open(fds[1], fds[2]);
	if (!dwarf)
		_exit(WORKER_NO_DWARF);
	for (size_t i = 0; i < n; i++) {
		struct lines_answer head = {.index = (uint32_t)i};

		head.frames = lines_dwarf__find(dwarf, vaddrs[i], frames);
		if (!head.frames)
			continue;
		strbuf_reset(&out);
		strbuf_add(&out, (const char *)&head, sizeof(head));
		for (uint32_t k = 0; k < head.frames; k++)
			add_frame(&out, &frames[k]);
		if (!strbuf_error(&out))
			write_all(fds[0], out.data, out.len);
	}
	_exit(WORKER_DONE);
}

/* ---- the asker ---- */

/* Answers as they come in; the worker may send anything. */
struct intake {
	struct strbuf pending;
	size_t next, n; /* indices that may still come */
	lines_fn fn;
	void *arg;
	struct strbuf texts; /* of one answer, NUL-terminated */
};

static void deliver(struct intake *in, size_t index, struct source_frame *frames,
		    const struct lines_frame *heads, uint32_t count)
{
	const char *text = in->texts.data;

	if (strbuf_error(&in->texts))
		return;
	for (uint32_t i = 0; i < count; i++) {
		frames[i] = (struct source_frame){
			.line = heads[i].line,
			.inlined = heads[i].inlined && i + 1 < count,
		};
		frames[i].function = heads[i].function_len ? text : NULL;
		text += heads[i].function_len + 1;
		frames[i].file = heads[i].file_len ? text : NULL;
		text += heads[i].file_len + 1;
	}
	in->fn(in->arg, index, frames, count);
}

/* How many bytes the first answer in data[0, len) takes: 0 = it goes on; negative: nonsense. */
static ssize_t take_answer(struct intake *in, const char *data, size_t len)
{
	struct lines_frame heads[SOURCE_FRAMES_MAX];
	struct source_frame frames[SOURCE_FRAMES_MAX];
	struct lines_answer answer;
	size_t at = sizeof(answer);

	if (len < at)
		return 0;
	memcpy(&answer, data, sizeof(answer));
	if (answer.index < in->next || answer.index >= in->n || !answer.frames ||
	    answer.frames > SOURCE_FRAMES_MAX)
		return -EIO;
	strbuf_reset(&in->texts);
	for (uint32_t i = 0; i < answer.frames; i++) {
		struct lines_frame *h = &heads[i];

		if (len - at < sizeof(*h))
			return 0;
		memcpy(h, data + at, sizeof(*h));
		at += sizeof(*h);
		if (h->function_len > LINES_TEXT_MAX || h->file_len > LINES_TEXT_MAX)
			return -EIO;
		if (len - at < (size_t)h->function_len + h->file_len)
			return 0;
		strbuf_add(&in->texts, data + at, h->function_len);
		strbuf_putc(&in->texts, '\0');
		at += h->function_len;
		strbuf_add(&in->texts, data + at, h->file_len);
		strbuf_putc(&in->texts, '\0');
		at += h->file_len;
	}
	in->next = answer.index + 1;
	deliver(in, answer.index, frames, heads, answer.frames);
	return (ssize_t)at;
}

static int take_bytes(struct intake *in, const char *data, size_t len)
{
	size_t at = 0;
	ssize_t n = 0;

	strbuf_add(&in->pending, data, len);
	if (strbuf_error(&in->pending))
		return -ENOMEM;
	while (at < in->pending.len) {
		n = take_answer(in, in->pending.data + at, in->pending.len - at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	memmove(in->pending.data, in->pending.data + at, in->pending.len - at);
	in->pending.len -= at;
	if (n < 0 || in->pending.len > ANSWER_MAX)
		return -EIO;
	return 0;
}

static int listen_to(int fd, struct intake *in)
{
	uint64_t deadline = clock_monotonic_ns() + LINES_WORKER_SECONDS * NSEC_PER_SEC;
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char chunk[32 << 10];
	int ret = 0;

	while (!ret) {
		uint64_t now = clock_monotonic_ns();
		ssize_t n;

		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&wait, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (!n)
			break;
		if (n < 0)
			ret = errno == EINTR ? 0 : -errno;
		else
			ret = take_bytes(in, chunk, (size_t)n);
	}
	return ret;
}

int lines_worker__ask(const struct lines_files *files, const uint64_t *vaddrs, size_t n,
		      lines_fn fn, void *arg)
{
	struct intake in = {.n = n, .fn = fn, .arg = arg};
	int ends[2], ret, status = 0;
	pid_t pid;

	if (!source_lines_supported)
		return -ENOTSUP;
	if (n > UINT32_MAX)
		return -EINVAL;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		work(files, ends[1], vaddrs, n);
	ret = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (!ret) {
		ret = listen_to(ends[0], &in);
		/* It has ended, or has to. */
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!ret && !(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_DONE))
		ret = -EIO;
	close(ends[0]);
	strbuf_free(&in.pending);
	strbuf_free(&in.texts);
	return ret;
}
