// SPDX-License-Identifier: BSD-2-Clause

// go_cgo: a Go program with a C side, so a target whose stacks move and whose heap is in part
// malloc's. On SIGUSR1 goroutines grow their stacks again and again (Descend), while the C side
// loses 100 blocks of 1000 bytes (keep_in_c) and allocates and frees 300 blocks of 64 bytes
// (churn_in_c). Go's own runtime may call malloc besides, for its threads.
package main

/*
#include <stdlib.h>

static void *kept[100];

__attribute__((noinline)) static void keep_in_c(int i)
{
	kept[i] = malloc(1000);
	if (!kept[i])
		abort();
}

__attribute__((noinline)) static void churn_in_c(void)
{
	void *volatile p = malloc(64);

	free(p);
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

const (
	kept       = 100
	churned    = 300
	goroutines = 8
	depth      = 2000
)

// Descend uses more stack than a goroutine begins with; its frames move when it grows.
//
//go:noinline
func Descend(n int) int {
	var pad [64]int

	pad[n%64] = n
	if n == 0 {
		return 0
	}
	return Descend(n-1) + pad[n%64] - n + 1
}

// Work is what a goroutine does.
//
//go:noinline
func Work() int {
	return Descend(depth)
}

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM)
	fmt.Printf("ready %d\n", os.Getpid())
	if <-signals == syscall.SIGTERM {
		return
	}

	var all sync.WaitGroup
	results := make(chan int, goroutines)
	for i := 0; i < goroutines; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			results <- Work()
		}()
	}
	for i := 0; i < churned; i++ {
		if i < kept {
			C.keep_in_c(C.int(i))
		}
		C.churn_in_c()
	}
	all.Wait()
	close(results)
	correct := 0
	for r := range results {
		if r == depth {
			correct++
		}
	}
	fmt.Printf("truth {\"kept_blocks\":%d,\"kept_bytes\":%d,\"churned\":%d,"+
		"\"goroutines\":%d,\"correct\":%d,\"works\":%d,\"descends\":%d}\n",
		kept, kept*1000, churned, goroutines, correct, goroutines, goroutines*(depth+1))
	for <-signals != syscall.SIGTERM {
	}
}
