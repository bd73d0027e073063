// SPDX-License-Identifier: GPL-2.0
/*
 * Threads as the C library gives them: creation, mutexes, conditions, barriers, cancellation,
 * and signals sent to one of many.
 */
#include "conform.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define THREADS 16

static void *return_arg(void *arg)
{
	return (void *)((uintptr_t)arg * 3 + 1);
}

static void create_join(void)
{
	for (int round = 0; round < rounds(20); round++) {
		pthread_t t[THREADS];
		void *ret;

		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_0(pthread_create(&t[i], NULL, return_arg, (void *)i));
		for (uintptr_t i = 0; i < THREADS; i++) {
			CHECK_0(pthread_join(t[i], &ret));
			CHECK_EQ((uintptr_t)ret, i * 3 + 1);
		}
	}
}

static volatile int shared_up, shared_go;

static void *wait_go(void *arg)
{
	__atomic_add_fetch(&shared_up, 1, __ATOMIC_SEQ_CST);
	await_atleast(&shared_go, 1);
	return arg;
}

static void many_at_once(void)
{
	enum { N = 150 };
	pthread_t t[N];
	pthread_attr_t attr;
	void *ret;

	CHECK_0(pthread_attr_init(&attr));
	CHECK_0(pthread_attr_setstacksize(&attr, 64 * 1024));
	for (uintptr_t i = 0; i < N; i++)
		CHECK_0(pthread_create(&t[i], &attr, wait_go, (void *)i));
	/* They yield while they wait: on one CPU that is most of this test's time. */
	await_atleast(&shared_up, N);
	shared_go = 1;
	for (uintptr_t i = 0; i < N; i++) {
		CHECK_0(pthread_join(t[i], &ret));
		CHECK_EQ((uintptr_t)ret, i);
	}
}

struct counter {
	pthread_mutex_t lock;
	volatile long value;
	int times;
};

static void *count_locked(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < c->times; i++) {
		long v;

		CHECK_0(pthread_mutex_lock(&c->lock));
		v = c->value;
		if (i % 64 == 0)
			sched_yield();
		c->value = v + 1;
		CHECK_0(pthread_mutex_unlock(&c->lock));
	}
	return NULL;
}

static void count_with(int type, int protocol)
{
	struct counter c = { .times = rounds(2000) };
	pthread_mutexattr_t attr;
	pthread_t t[8];

	CHECK_0(pthread_mutexattr_init(&attr));
	CHECK_0(pthread_mutexattr_settype(&attr, type));
	CHECK_0(pthread_mutexattr_setprotocol(&attr, protocol));
	CHECK_0(pthread_mutex_init(&c.lock, &attr));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_0(pthread_create(&t[i], NULL, count_locked, &c));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(c.value, 8 * c.times);
	CHECK_0(pthread_mutex_destroy(&c.lock));
}

static void mutex_normal(void)
{
	count_with(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE);
}

static void mutex_recursive(void)
{
	count_with(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE);
}

static void mutex_pi(void)
{
	count_with(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT);
}

static void mutex_errorcheck(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	CHECK_0(pthread_mutexattr_init(&attr));
	CHECK_0(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
	CHECK_0(pthread_mutex_init(&m, &attr));
	CHECK_EQ(pthread_mutex_unlock(&m), EPERM);
	CHECK_0(pthread_mutex_lock(&m));
	CHECK_EQ(pthread_mutex_lock(&m), EDEADLK);
	CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
	CHECK_0(pthread_mutex_unlock(&m));
}

static void mutex_timed(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct timespec ts;
	int64_t end;

	CHECK_0(pthread_mutex_lock(&m));
	end = now_ns(CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
	ts.tv_sec = (time_t)(end / NSEC_PER_SEC);
	ts.tv_nsec = (long)(end % NSEC_PER_SEC);
	CHECK_EQ(pthread_mutex_timedlock(&m, &ts), ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) >= end);
}

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	int item[4], used, total;
	uint64_t sum;
};

static void *producer(void *arg)
{
	struct queue *q = arg;

	for (int i = 1; i <= q->total; i++) {
		pthread_mutex_lock(&q->lock);
		while (q->used == 4)
			CHECK_0(pthread_cond_wait(&q->less, &q->lock));
		q->item[q->used++] = i;
		pthread_cond_signal(&q->more);
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

static void *consumer(void *arg)
{
	struct queue *q = arg;

	for (int i = 1; i <= q->total; i++) {
		pthread_mutex_lock(&q->lock);
		while (!q->used)
			CHECK_0(pthread_cond_wait(&q->more, &q->lock));
		q->sum += (uint64_t)q->item[--q->used];
		pthread_cond_signal(&q->less);
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

static void cond_queue(void)
{
	struct queue q = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER,
		.less = PTHREAD_COND_INITIALIZER, .total = rounds(2000),
	};
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_create(&t[i], NULL, i & 1 ? producer : consumer, &q));
	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(q.sum, 3ull * (unsigned int)q.total * (unsigned int)(q.total + 1) / 2);
}

static void cond_timed(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attr;
	pthread_cond_t c;
	struct timespec ts;
	int64_t end;
	int err;

	CHECK_0(pthread_condattr_init(&attr));
	CHECK_0(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	CHECK_0(pthread_cond_init(&c, &attr));
	pthread_mutex_lock(&m);
	end = now_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;
	ts.tv_sec = (time_t)(end / NSEC_PER_SEC);
	ts.tv_nsec = (long)(end % NSEC_PER_SEC);
	do
		err = pthread_cond_timedwait(&c, &m, &ts);
	while (!err);
	CHECK_EQ(err, ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= end);
}

struct broadcast {
	pthread_mutex_t lock;
	pthread_cond_t cond, back;
	int waiting, generation;
};

static void *wait_broadcast(void *arg)
{
	struct broadcast *b = arg;

	pthread_mutex_lock(&b->lock);
	for (int g = 0; g < 50; g++) {
		b->waiting++;
		pthread_cond_signal(&b->back);
		while (b->generation == g)
			CHECK_0(pthread_cond_wait(&b->cond, &b->lock));
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void cond_broadcast(void)
{
	struct broadcast b = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER,
		.back = PTHREAD_COND_INITIALIZER,
	};
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK_0(pthread_create(&t[i], NULL, wait_broadcast, &b));
	pthread_mutex_lock(&b.lock);
	for (int g = 0; g < 50; g++) {
		while (b.waiting < THREADS)
			pthread_cond_wait(&b.back, &b.lock);
		b.waiting = 0;
		b.generation++;
		pthread_cond_broadcast(&b.cond);
	}
	pthread_mutex_unlock(&b.lock);
	for (int i = 0; i < THREADS; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static pthread_barrier_t barrier;
static volatile int barrier_phase[8], barrier_serial;

static void *through_barrier(void *arg)
{
	int me = (int)(uintptr_t)arg;

	for (int phase = 1; phase <= rounds(100); phase++) {
		int r;

		barrier_phase[me] = phase;
		r = pthread_barrier_wait(&barrier);
		if (r == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_add_fetch(&barrier_serial, 1, __ATOMIC_SEQ_CST);
		else
			CHECK_EQ(r, 0);
		for (int i = 0; i < 8; i++)
			CHECK(barrier_phase[i] >= phase);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void barriers(void)
{
	pthread_t t[8];

	CHECK_0(pthread_barrier_init(&barrier, NULL, 8));
	for (uintptr_t i = 0; i < 8; i++)
		CHECK_0(pthread_create(&t[i], NULL, through_barrier, (void *)i));
	for (int i = 0; i < 8; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(barrier_serial, rounds(100));
}

struct rw {
	pthread_rwlock_t lock;
	volatile int a, b;
};

static void *rw_thread(void *arg)
{
	struct rw *rw = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed | 1;

	for (int i = 0; i < rounds(1000); i++) {
		if (prng(&seed) % 8) {
			CHECK_0(pthread_rwlock_rdlock(&rw->lock));
			CHECK_EQ(rw->a, rw->b);
		} else {
			CHECK_0(pthread_rwlock_wrlock(&rw->lock));
			rw->a++;
			if (i % 16 == 0)
				sched_yield();
			rw->b++;
		}
		CHECK_0(pthread_rwlock_unlock(&rw->lock));
	}
	return NULL;
}

static void rwlock(void)
{
	struct rw rw = { .lock = PTHREAD_RWLOCK_INITIALIZER };
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_create(&t[i], NULL, rw_thread, &rw));
	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(rw.a, rw.b);
}

static sem_t ping, pong;

static void *answer(void *arg)
{
	for (int i = 0; i < (int)(uintptr_t)arg; i++) {
		while (sem_wait(&ping))
			CHECK_EQ(errno, EINTR);
		CHECK_SYS(sem_post(&pong));
	}
	return NULL;
}

static void semaphores(void)
{
	int n = rounds(1000);
	pthread_t t;

	CHECK_SYS(sem_init(&ping, 0, 0));
	CHECK_SYS(sem_init(&pong, 0, 0));
	CHECK_0(pthread_create(&t, NULL, answer, (void *)(uintptr_t)n));
	for (int i = 0; i < n; i++) {
		CHECK_SYS(sem_post(&ping));
		while (sem_wait(&pong))
			CHECK_EQ(errno, EINTR);
	}
	CHECK_0(pthread_join(t, NULL));
	CHECK_ERR(sem_trywait(&pong), EAGAIN);
}

static void sem_processes(void)
{
	struct { sem_t there, back; } *s = shared_alloc(PAGE);
	int n = rounds(500);
	pid_t pid;

	CHECK_SYS(sem_init(&s->there, 1, 0));
	CHECK_SYS(sem_init(&s->back, 1, 0));
	pid = xfork();
	for (int i = 0; i < n; i++) {
		CHECK_SYS(sem_post(pid ? &s->there : &s->back));
		CHECK_SYS(sem_wait(pid ? &s->back : &s->there));
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static volatile int once_count;

static void once_body(void)
{
	once_count++;
	sched_yield();
}

static void *once_thread(void *arg)
{
	CHECK_0(pthread_once(&once, once_body));
	CHECK_EQ(once_count, 1);
	return arg;
}

static void run_once(void)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK_0(pthread_create(&t[i], NULL, once_thread, NULL));
	for (int i = 0; i < THREADS; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static pthread_key_t key;
static volatile int key_destroyed;

static void destroy_key(void *p)
{
	CHECK_EQ((uintptr_t)p & 0xff00, 0x4200);
	__atomic_add_fetch(&key_destroyed, 1, __ATOMIC_SEQ_CST);
}

static void *key_thread(void *arg)
{
	void *mine = (void *)((uintptr_t)arg | 0x4200);

	CHECK(!pthread_getspecific(key));
	CHECK_0(pthread_setspecific(key, mine));
	for (int i = 0; i < 50; i++) {
		sched_yield();
		CHECK(pthread_getspecific(key) == mine);
	}
	return NULL;
}

static void keys(void)
{
	pthread_t t[THREADS];

	CHECK_0(pthread_key_create(&key, destroy_key));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_0(pthread_create(&t[i], NULL, key_thread, (void *)i));
	for (int i = 0; i < THREADS; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(key_destroyed, THREADS);
}

static volatile int cleaned;

static void cleanup(void *arg)
{
	cleaned += (int)(uintptr_t)arg;
}

static void *sleeper(void *arg)
{
	int fd = *(int *)arg;
	char c;

	pthread_cleanup_push(cleanup, (void *)5);
	pthread_cleanup_push(cleanup, (void *)7);
	shared_up = 1;
	if (read(fd, &c, 1) >= 0)
		FAIL("read returned in a thread to be cancelled");
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *spinner(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	shared_up = 2;
	for (;;)
		;
	return arg;
}

static void cancel(void)
{
	int fd[2];
	pthread_t t;
	void *ret;

	CHECK_SYS(pipe(fd));
	CHECK_0(pthread_create(&t, NULL, sleeper, &fd[0]));
	await_atleast(&shared_up, 1);
	CHECK_0(pthread_cancel(t));
	CHECK_0(pthread_join(t, &ret));
	CHECK(ret == PTHREAD_CANCELED);
	CHECK_EQ(cleaned, 12);

	CHECK_0(pthread_create(&t, NULL, spinner, NULL));
	await_atleast(&shared_up, 2);
	CHECK_0(pthread_cancel(t));
	CHECK_0(pthread_join(t, &ret));
	CHECK(ret == PTHREAD_CANCELED);
}

static __thread volatile int got_usr1;
static volatile int total_usr1;

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	CHECK_EQ(sig, SIGUSR1);
	CHECK_EQ(si->si_code, SI_TKILL);
	got_usr1++;
	__atomic_add_fetch(&total_usr1, 1, __ATOMIC_SEQ_CST);
}

static volatile int kill_turn;

static void *killed_thread(void *arg)
{
	int me = (int)(uintptr_t)arg;

	__atomic_add_fetch(&shared_up, 1, __ATOMIC_SEQ_CST);
	while (got_usr1 < 3)
		sched_yield();
	kill_turn = me + 1;
	await_atleast(&shared_go, 1);
	CHECK_EQ(got_usr1, 3);
	return NULL;
}

static void directed_signal(void)
{
	pthread_t t[8];

	catch_signal(SIGUSR1, on_usr1, 0);
	for (uintptr_t i = 0; i < 8; i++)
		CHECK_0(pthread_create(&t[i], NULL, killed_thread, (void *)i));
	await_atleast(&shared_up, 8);
	for (int i = 0; i < 8; i++) {
		for (int n = 1; n <= 3; n++) {
			CHECK_0(pthread_kill(t[i], SIGUSR1));
			await_atleast(&total_usr1, i * 3 + n);
		}
		await_atleast(&kill_turn, i + 1);
	}
	shared_go = 1;
	for (int i = 0; i < 8; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void *block_all(void *arg)
{
	sigset_t set;

	sigfillset(&set);
	CHECK_0(pthread_sigmask(SIG_BLOCK, &set, NULL));
	__atomic_add_fetch(&shared_up, 1, __ATOMIC_SEQ_CST);
	await_atleast(&shared_go, 1);
	CHECK_EQ(got_usr1, 0);
	return arg;
}

static void on_usr1_process(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	CHECK_EQ(si->si_code, SI_USER);
	got_usr1++;
}

/* A signal for the process goes to the one thread that does not block it. */
static void process_signal(void)
{
	pthread_t t[4];

	catch_signal(SIGUSR1, on_usr1_process, 0);
	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_create(&t[i], NULL, block_all, NULL));
	await_atleast(&shared_up, 4);
	for (int i = 1; i <= 20; i++) {
		CHECK_SYS(kill(getpid(), SIGUSR1));
		while (got_usr1 < i)
			sched_yield();
	}
	shared_go = 1;
	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void *exit_process(void *arg)
{
	(void)arg;
	_exit(44);
}

static void exit_group_all(void)
{
	pid_t pid = xfork();

	if (!pid) {
		pthread_t t;

		for (int i = 0; i < 8; i++)
			CHECK_0(pthread_create(&t, NULL, wait_go, NULL));
		await_atleast(&shared_up, 8);
		CHECK_0(pthread_create(&t, NULL, exit_process, NULL));
		for (;;)
			pause();
	}
	expect_exit(pid, 44);
}

static void *outlive(void *arg)
{
	(void)arg;
	sleep_ms(5);
	exit(45);
}

static void leader_exits_first(void)
{
	pid_t pid = xfork();

	if (!pid) {
		pthread_t t;

		CHECK_0(pthread_create(&t, NULL, outlive, NULL));
		pthread_exit(NULL);
	}
	expect_exit(pid, 45);
}

static void *crash(void *arg)
{
	await_atleast(&shared_up, 4);
	*(volatile int *)arg = 1;
	return NULL;
}

static void crash_kills_all(void)
{
	pid_t pid = xfork();

	if (!pid) {
		pthread_t t;

		for (int i = 0; i < 4; i++)
			CHECK_0(pthread_create(&t, NULL, wait_go, NULL));
		CHECK_0(pthread_create(&t, NULL, crash, (void *)8));
		for (;;)
			pause();
	}
	expect_signal(pid, SIGSEGV);
}

static void *fork_in_thread(void *arg)
{
	for (int i = 0; i < rounds(20); i++) {
		pid_t pid = xfork();

		if (!pid) {
			/* Only the forking thread is there. */
			CHECK_EQ(syscall(SYS_gettid), syscall(SYS_getpid));
			_exit((int)(uintptr_t)arg);
		}
		expect_exit(pid, (int)(uintptr_t)arg);
	}
	return NULL;
}

static void fork_from_threads(void)
{
	pthread_t t[6];

	for (uintptr_t i = 0; i < 6; i++)
		CHECK_0(pthread_create(&t[i], NULL, fork_in_thread, (void *)i));
	for (int i = 0; i < 6; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void *touch_stack(void *arg)
{
	volatile char big[200 * 1024];

	for (size_t i = 0; i < sizeof(big); i += PAGE)
		big[i] = (char)(i >> 12);
	sched_yield();
	for (size_t i = 0; i < sizeof(big); i += PAGE)
		CHECK_EQ((unsigned char)big[i], (i >> 12) & 0xff);
	return arg;
}

static void stacks(void)
{
	pthread_t t[THREADS];

	for (int round = 0; round < rounds(5); round++) {
		for (int i = 0; i < THREADS; i++)
			CHECK_0(pthread_create(&t[i], NULL, touch_stack, NULL));
		for (int i = 0; i < THREADS; i++)
			CHECK_0(pthread_join(t[i], NULL));
	}
}

/* malloc from many threads: each has an arena, made with mmap, mprotect and brk. */
static void *malloc_thread(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg * 77 + 1;
	unsigned char *block[32] = { NULL };
	size_t len[32] = { 0 };

	for (int i = 0; i < rounds(1500); i++) {
		unsigned int k = prng(&seed) % 32;

		if (block[k]) {
			CHECK_EQ(block[k][0], k ^ (uintptr_t)arg);
			CHECK_EQ(block[k][len[k] - 1], k ^ (uintptr_t)arg);
			free(block[k]);
			block[k] = NULL;
			continue;
		}
		len[k] = prng(&seed) % (i % 50 ? 2000 : 300000) + 1;
		block[k] = malloc(len[k]);
		CHECK(block[k]);
		memset(block[k], (int)(k ^ (uintptr_t)arg), len[k]);
	}
	for (unsigned int k = 0; k < 32; k++)
		free(block[k]);
	return NULL;
}

static void malloc_storm(void)
{
	pthread_t t[8];

	for (uintptr_t i = 0; i < 8; i++)
		CHECK_0(pthread_create(&t[i], NULL, malloc_thread, (void *)i));
	for (int i = 0; i < 8; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

/* Locked read-modify-write of every size, with preemption wherever it falls. */
static volatile uint64_t atomic64;
static volatile uint32_t atomic32;
static volatile uint16_t atomic16;
static volatile uint8_t atomic8;

static void *atomics_thread(void *arg)
{
	int n = (int)(uintptr_t)arg;

	for (int i = 0; i < n; i++) {
		__atomic_add_fetch(&atomic64, 0x100000001ull, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&atomic32, 3, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&atomic16, 5, __ATOMIC_SEQ_CST);
		__atomic_xor_fetch(&atomic8, 0x5a, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void atomics(void)
{
	uint32_t n = (uint32_t)rounds(50000);
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_create(&t[i], NULL, atomics_thread, (void *)(uintptr_t)n));
	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK_EQ(atomic64, 4 * n * 0x100000001ull);
	CHECK_EQ(atomic32, 12 * n);
	CHECK_EQ(atomic16, (uint16_t)(20 * n));
	CHECK_EQ(atomic8, 0);
}

const struct test thread_tests[] = {
	{ "thread-create-join", create_join, 0 },
	{ "thread-150", many_at_once, 0 },
	{ "thread-mutex-normal", mutex_normal, 0 },
	{ "thread-mutex-recursive", mutex_recursive, 0 },
	{ "thread-mutex-pi", mutex_pi, 0 },
	{ "thread-mutex-errorcheck", mutex_errorcheck, 0 },
	{ "thread-mutex-timed", mutex_timed, 0 },
	{ "thread-cond-queue", cond_queue, 0 },
	{ "thread-cond-timed", cond_timed, 0 },
	{ "thread-cond-broadcast", cond_broadcast, 0 },
	{ "thread-barrier", barriers, 0 },
	{ "thread-rwlock", rwlock, 0 },
	{ "thread-semaphore", semaphores, 0 },
	{ "thread-sem-processes", sem_processes, 0 },
	{ "thread-once", run_once, 0 },
	{ "thread-keys", keys, 0 },
	{ "thread-cancel", cancel, 0 },
	{ "thread-directed-signal", directed_signal, 0 },
	{ "thread-process-signal", process_signal, 0 },
	{ "thread-exit-group", exit_group_all, 0 },
	{ "thread-leader-exits-first", leader_exits_first, 0 },
	{ "thread-crash-kills-all", crash_kills_all, 0 },
	{ "thread-fork", fork_from_threads, 0 },
	{ "thread-stacks", stacks, 0 },
	{ "thread-malloc", malloc_storm, 0 },
	{ "thread-atomics", atomics, 0 },
	{ NULL, NULL, 0 },
};
