// SPDX-License-Identifier: BSD-2-Clause
/*
 * A query in two phases. Phase 1 lists resources, one call per service and region; phase 2 adds
 * what a cache may already know, and holds all of it in memory until it is done.
 */
#include <perftrace.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "demo.h"

#define REGIONS_MAX    4
#define RESULT_BYTES   (1UL << 20)
#define CACHE_USES_MAX 8 /* then an entry is stale */

static const char *const regions_known[REGIONS_MAX] = {"us-east-1", "us-west-2", "eu-west-1",
						       "ap-south-1"};

struct service {
	const char *span, *type;
	long sleep_us, cpu_us;
	int resources;
};

static const struct service services[] = {
	{"ec2.describe_instances", "AWS::EC2::Instance", 6000, 1000, 200},
	{"rds.describe_db_instances", "AWS::RDS::DBInstance", 4000, 500, 114},
};

#define SERVICES (sizeof(services) / sizeof(*services))

static struct {
	pthread_mutex_t lock;
	int uses_left[SERVICES][REGIONS_MAX];
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int describe(const struct service *s, const char *region)
{
	PERF_GUARD(s->span, region);
	work(s->sleep_us, s->cpu_us);
	return s->resources;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

static int phase1(int regions)
{
	int queries = regions * (int)SERVICES, found = 0;

	PERF_EVENT("PHASE1", PERF_FMT("expecting %d queries", queries));
	PERF_GUARD("query_engine.phase1", PERF_FMT("%d queries", queries));
	for (int r = 0; r < regions; r++)
		for (size_t s = 0; s < SERVICES; s++) {
			long start = now_ms();

			PERF_EVENT(">", PERF_FMT("START %s", services[s].type));
			found += describe(&services[s], regions_known[r]);
			PERF_EVENT("<",
				   PERF_FMT("DONE %s (%ldms)", services[s].type, now_ms() - start));
		}
	return found;
}

/* True when the tags are at hand; else they have to be fetched and are at hand for a while. */
static bool cache_get(size_t service, int region)
{
	bool hit;

	pthread_mutex_lock(&cache.lock);
	hit = cache.uses_left[service][region] > 0;
	cache.uses_left[service][region] += hit ? -1 : CACHE_USES_MAX;
	pthread_mutex_unlock(&cache.lock);
	PERF_EVENT("CACHE", PERF_FMT("%s %s:%s", hit ? "GET_HIT" : "GET_MISS",
				     services[service].type, regions_known[region]));
	return hit;
}

/* Not inlined, or the compiler would see that nobody reads the result and drop it. */
__attribute__((noinline)) static void enrich(char *result, int resources)
{
	memset(result, resources, RESULT_BYTES);
	work(2000, 1000);
}

static void phase2(int regions, int resources)
{
	char *result = malloc(RESULT_BYTES);

	PERF_EVENT("PHASE2", PERF_FMT("expecting %d queries", regions * (int)SERVICES));
	PERF_START("query_engine.phase2");
	for (int r = 0; r < regions; r++)
		for (size_t s = 0; s < SERVICES; s++) {
			if (cache_get(s, r))
				continue;
			PERF_EVENT("TAGS", "fetch_start");
			PERF_TIMED("tags.get_resources", regions_known[r], work(3000, 200));
			PERF_EVENT("TAGS", "fetch_done");
		}
	if (result)
		enrich(result, resources);
	PERF_END("query_engine.phase2", PERF_FMT("%d resources", resources));
	PERF_CHECKPOINT("phase2_complete", PERF_FMT("%d resources", resources));
	free(result);
}

int run_query(int regions)
{
	int resources;

	if (regions < 1 || regions > REGIONS_MAX)
		regions = 1;
	resources = phase1(regions);
	PERF_CHECKPOINT("phase1_complete", PERF_FMT("%d resources", resources));
	phase2(regions, resources);
	return resources;
}
