// SPDX-License-Identifier: GPL-2.0
/*
 * The futex system call itself, without the C library: waits, wakes, requeues, bit sets,
 * priority inheritance, and the robust list walked at a thread's death.
 */
#include "conform.h"

#include <dirent.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

static long futex(volatile uint32_t *word, int op, uint32_t val, const struct timespec *ts,
		  volatile uint32_t *word2, uint32_t val3)
{
	return syscall(SYS_futex, word, op, val, ts, word2, val3);
}

/* True when every other thread of the process is asleep. */
static bool others_asleep(void)
{
	pid_t self = (pid_t)syscall(SYS_gettid);
	DIR *dir = opendir("/proc/self/task");
	bool asleep = true;

	CHECK(dir);
	for (struct dirent *e; asleep && (e = readdir(dir));) {
		char path[64];

		if (e->d_name[0] == '.' || atoi(e->d_name) == self)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/stat", e->d_name);
		asleep = task_state(path) == 'S';
	}
	closedir(dir);
	return asleep;
}

/*
 * Until the n other threads of the process wait on the word, for good: a waiter may wake without
 * cause, as when a thread that let go of the address space's lock is late to wake whom it had
 * promised it, and then it queues again, at the end, and on this word wherever it was requeued
 * to. Seen asleep twice with nobody running in between, none is left that could be that late.
 * A requeue to the word itself moves nobody and says how many there are.
 */
static void await_waiters(volatile uint32_t *word, uint32_t n)
{
	void *most = (void *)(uintptr_t)INT32_MAX;

	while (!(others_asleep() && others_asleep() &&
		 CHECK_SYS(futex(word, FUTEX_REQUEUE, 0, most, word, 0)) == (long)n))
		sched_yield();
}

static volatile uint32_t word1, word2;
static volatile int woken;

static void *wait_word1(void *arg)
{
	long r;

	do
		r = futex(&word1, FUTEX_WAIT, 0, NULL, NULL, 0);
	while (r < 0 && errno == EINTR);
	CHECK_EQ(r, 0);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void wait_wake(void)
{
	pthread_t t[10];

	for (int i = 0; i < 10; i++)
		CHECK_0(pthread_create(&t[i], NULL, wait_word1, NULL));
	await_waiters(&word1, 10);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	await_atleast(&woken, 1);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 3, NULL, NULL, 0), 3);
	await_atleast(&woken, 4);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 100, NULL, NULL, 0), 6);
	await_atleast(&woken, 10);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 100, NULL, NULL, 0), 0);
	for (int i = 0; i < 10; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void requeue(void)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		CHECK_0(pthread_create(&t[i], NULL, wait_word1, NULL));
	await_waiters(&word1, 8);
	CHECK_ERR(futex(&word1, FUTEX_CMP_REQUEUE, 1, (void *)100, &word2, 5), EAGAIN);
	CHECK_EQ(futex(&word1, FUTEX_CMP_REQUEUE, 2, (void *)4, &word2, 0), 6);
	await_atleast(&woken, 2);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 100, NULL, NULL, 0), 2);
	CHECK_EQ(futex(&word2, FUTEX_WAKE, 100, NULL, NULL, 0), 4);
	for (int i = 0; i < 8; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(woken, 8);
}

static void wake_op(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		CHECK_0(pthread_create(&t[i], NULL, wait_word1, NULL));
	await_waiters(&word1, 3);
	word2 = 10;
	/* word2 += 5, and since it was 10: wake on both. */
	CHECK_EQ(futex(&word1, FUTEX_WAKE_OP, 1, (void *)1, &word2,
		       FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10)), 1);
	CHECK_EQ(word2, 15);
	CHECK_EQ(futex(&word1, FUTEX_WAKE_OP, 1, (void *)9, &word1,
		       FUTEX_OP(FUTEX_OP_OR, 0x80, FUTEX_OP_CMP_GT, 3)), 1);
	CHECK_EQ(word1, 0x80);
	CHECK_EQ(futex(&word1, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	for (int i = 0; i < 3; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void *wait_bit(void *arg)
{
	long r;

	do
		r = futex(&word1, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1u << (uintptr_t)arg);
	while (r < 0 && errno == EINTR);
	CHECK_EQ(r, 0);
	__atomic_add_fetch(&woken, 1 << (uintptr_t)arg, __ATOMIC_SEQ_CST);
	return NULL;
}

static void bitset(void)
{
	pthread_t t[4];

	for (uintptr_t i = 0; i < 4; i++)
		CHECK_0(pthread_create(&t[i], NULL, wait_bit, (void *)i));
	await_waiters(&word1, 4);
	CHECK_EQ(futex(&word1, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0xa), 2);
	await_atleast(&woken, 0xa);
	CHECK_EQ(woken, 0xa);
	CHECK_EQ(futex(&word1, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0xf0), 0);
	CHECK_EQ(futex(&word1, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0xff), 2);
	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(woken, 0xf);
	CHECK_ERR(futex(&word1, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0), EINVAL);
}

static void timeouts(void)
{
	struct timespec ts = { .tv_nsec = 15 * NSEC_PER_MSEC };
	int64_t start = now_ns(CLOCK_MONOTONIC), end;

	CHECK_ERR(futex(&word1, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&word1, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 15 * NSEC_PER_MSEC);

	end = now_ns(CLOCK_MONOTONIC) + 15 * NSEC_PER_MSEC;
	ts.tv_sec = (time_t)(end / NSEC_PER_SEC);
	ts.tv_nsec = (long)(end % NSEC_PER_SEC);
	CHECK_ERR(futex(&word1, FUTEX_WAIT_BITSET, 0, &ts, NULL, ~0u), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= end);

	end = now_ns(CLOCK_REALTIME) + 15 * NSEC_PER_MSEC;
	ts.tv_sec = (time_t)(end / NSEC_PER_SEC);
	ts.tv_nsec = (long)(end % NSEC_PER_SEC);
	CHECK_ERR(futex(&word1, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, ~0u),
		  ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) >= end);
}

static void errors(void)
{
	struct timespec bad = { .tv_nsec = NSEC_PER_SEC };

	CHECK_ERR(futex((void *)((uintptr_t)&word1 + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(&word1, FUTEX_WAIT, 0, (void *)8, NULL, 0), EFAULT);
	CHECK_ERR(futex(&word1, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word1, 0x7f & ~FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), ENOSYS);
}

/* The key of a shared futex is the page, wherever it is mapped. */
static void shared_two_mappings(void)
{
	int fd = temp_file(PAGE), status;
	volatile uint32_t *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	volatile uint32_t *b = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t pid;
	long n;

	CHECK((void *)a != MAP_FAILED && (void *)b != MAP_FAILED && a != b);
	pid = xfork();
	if (!pid) {
		CHECK_EQ(futex(a, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
		_exit(1);
	}
	/* Wakes on the private key of the same address find nobody. */
	do {
		CHECK_EQ(futex(b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
		n = CHECK_SYS(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0));
		sched_yield();
	} while (!n);
	status = wait_status(pid);
	CHECK_EQ(WEXITSTATUS(status), 1);
}

static void ping_pong_processes(void)
{
	volatile uint32_t *turn = shared_alloc(PAGE);
	int n = rounds(1000);
	pid_t pid = xfork();
	uint32_t me = !pid;

	for (int i = 0; i < n; i++) {
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != me)
			futex(turn, FUTEX_WAIT, !me, NULL, NULL, 0);
		__atomic_store_n(turn, !me, __ATOMIC_SEQ_CST);
		CHECK_SYS(futex(turn, FUTEX_WAKE, 1, NULL, NULL, 0));
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

static volatile uint32_t pi_word;
static volatile int pi_inside, pi_count;

static void *pi_thread(void *arg)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	for (int i = 0; i < rounds(100); i++) {
		uint32_t none = 0, mine = tid;

		if (!__atomic_compare_exchange_n(&pi_word, &none, tid, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			CHECK_SYS(futex(&pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
		CHECK_EQ(__atomic_add_fetch(&pi_inside, 1, __ATOMIC_SEQ_CST), 1);
		CHECK_EQ(pi_word & FUTEX_TID_MASK, tid);
		pi_count++;
		sched_yield();
		__atomic_sub_fetch(&pi_inside, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_compare_exchange_n(&pi_word, &mine, 0, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			CHECK_SYS(futex(&pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	}
	return arg;
}

static void pi(void)
{
	pthread_t t[6];

	CHECK_ERR(futex(&pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_create(&t[i], NULL, pi_thread, NULL));
	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(pi_count, 6 * rounds(100));
	CHECK_EQ(pi_word, 0);

	/* Locking what one holds is a deadlock; an owner that does not exist is ESRCH. */
	pi_word = (uint32_t)syscall(SYS_gettid);
	CHECK_ERR(futex(&pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	pi_word = 0x3ffffff0;
	CHECK_ERR(futex(&pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
}

struct robust_item {
	struct robust_list list;
	volatile uint32_t word;
};

static struct robust_list_head *robust_head;
static struct robust_item *robust_items;

static void *die_holding(void *arg)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	/* The C library has its own list for this thread; this one replaces it. */
	robust_head->futex_offset = offsetof(struct robust_item, word);
	robust_head->list_op_pending = NULL;
	robust_head->list.next = &robust_items[0].list;
	for (int i = 0; i < 4; i++) {
		robust_items[i].list.next = i == 3 ? &robust_head->list : &robust_items[i + 1].list;
		robust_items[i].word = i == 2 ? 1 : tid;
	}
	robust_items[4].word = tid;
	robust_head->list_op_pending = &robust_items[4].list;
	CHECK_SYS(syscall(SYS_set_robust_list, robust_head, sizeof(*robust_head)));
	syscall(SYS_exit, 0);
	return arg;
}

static void robust_raw(void)
{
	pid_t pid;

	robust_head = shared_alloc(PAGE);
	robust_items = shared_alloc(PAGE);
	pid = xfork();
	if (!pid)
		die_holding(NULL);
	expect_exit(pid, 0);
	for (int i = 0; i < 5; i++) {
		if (i == 2) {
			/* Another owner's: not touched. */
			CHECK_EQ(robust_items[i].word, 1);
			continue;
		}
		CHECK_EQ(robust_items[i].word, FUTEX_OWNER_DIED);
	}
	CHECK_ERR(syscall(SYS_set_robust_list, robust_head, 1), EINVAL);
}

struct robust_pair {
	pthread_mutex_t m;
	volatile int held;
};

static void robust_mutex(void)
{
	struct robust_pair *p = shared_alloc(PAGE);
	pthread_mutexattr_t attr;

	CHECK_0(pthread_mutexattr_init(&attr));
	CHECK_0(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK_0(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
	CHECK_0(pthread_mutex_init(&p->m, &attr));
	for (int i = 0; i < rounds(20); i++) {
		pid_t pid = xfork();

		if (!pid) {
			CHECK_0(pthread_mutex_lock(&p->m));
			__atomic_store_n(&p->held, i + 1, __ATOMIC_SEQ_CST);
			if (i & 1)
				_exit(0);
			for (;;)
				pause();
		}
		await_atleast(&p->held, i + 1);
		if (i & 1) {
			expect_exit(pid, 0);
		} else {
			kill(pid, SIGKILL);
			expect_signal(pid, SIGKILL);
		}
		CHECK_EQ(pthread_mutex_lock(&p->m), EOWNERDEAD);
		CHECK_0(pthread_mutex_consistent(&p->m));
		CHECK_0(pthread_mutex_unlock(&p->m));
	}
	/* Unlocked without repair: unusable for good. */
	pid_t pid = xfork();

	if (!pid) {
		CHECK_0(pthread_mutex_lock(&p->m));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(pthread_mutex_lock(&p->m), EOWNERDEAD);
	CHECK_0(pthread_mutex_unlock(&p->m));
	CHECK_EQ(pthread_mutex_lock(&p->m), ENOTRECOVERABLE);
}

static void get_robust_list(void)
{
	struct robust_list_head head = { .list = { &head.list } }, *got;
	size_t len;

	CHECK_SYS(syscall(SYS_set_robust_list, &head, sizeof(head)));
	CHECK_SYS(syscall(SYS_get_robust_list, 0, &got, &len));
	CHECK(got == &head);
	CHECK_EQ(len, sizeof(head));
}

static volatile int interrupted;

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	interrupted++;
}

static void wait_interrupted(void)
{
	volatile int *done = shared_alloc(PAGE);
	pid_t pid, parent = getpid();

	catch_signal(SIGUSR1, on_usr1, 0);
	pid = xfork();
	if (!pid) {
		while (!*done) {
			kill(parent, SIGUSR1);
			sleep_ms(1);
		}
		_exit(0);
	}
	/* A plain wait has no restart across a handler without SA_RESTART. */
	CHECK_ERR(futex(&word1, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	CHECK(interrupted > 0);
	*done = 1;
	expect_exit(pid, 0);
}

const struct test futex_tests[] = {
	{ "futex-wait-wake", wait_wake, 0 },
	{ "futex-requeue", requeue, 0 },
	{ "futex-wake-op", wake_op, 0 },
	{ "futex-bitset", bitset, 0 },
	{ "futex-timeouts", timeouts, 0 },
	{ "futex-errors", errors, 0 },
	{ "futex-shared-mappings", shared_two_mappings, 0 },
	{ "futex-ping-pong", ping_pong_processes, 0 },
	{ "futex-pi", pi, 0 },
	{ "futex-robust-raw", robust_raw, 0 },
	{ "futex-robust-mutex", robust_mutex, 0 },
	{ "futex-get-robust-list", get_robust_list, 0 },
	{ "futex-interrupted", wait_interrupted, 0 },
	{ NULL, NULL, 0 },
};
