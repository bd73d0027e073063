// SPDX-License-Identifier: GPL-2.0
/*
 * System V and POSIX IPC, prctl, personality, identity, and restartable sequences.
 *
 * Never leaves a System V object behind: each is removed as soon as its test may, and is made
 * with IPC_PRIVATE, so that no other program's is touched.
 */
#include "conform.h"

#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static int sysv(int id, const char *what)
{
	if (id < 0 && errno == ENOSYS)
		SKIP("no %s", what);
	return CHECK_SYS(id);
}

static void sysv_shm(void)
{
	int id = sysv(shmget(IPC_PRIVATE, 5 * PAGE, IPC_CREAT | 0600), "shmget");
	volatile uint32_t *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);
	const volatile uint32_t *ro = shmat(id, NULL, SHM_RDONLY);
	struct shmid_ds ds;
	int fd[2];

	CHECK_SYS(shmctl(id, IPC_STAT, &ds));
	CHECK_SYS(shmctl(id, IPC_RMID, NULL));
	CHECK((void *)a != (void *)-1 && (void *)b != (void *)-1 && (void *)ro != (void *)-1);
	CHECK_EQ(ds.shm_segsz, 5 * PAGE);
	CHECK_EQ(ds.shm_nattch, 3);
	a[1024] = 5;
	CHECK_EQ(b[1024], 5);
	CHECK_EQ(ro[1024], 5);
	CHECK_SYS(pipe(fd));
	CHECK_EQ(write(fd[1], "xxxx", 4), 4);
	CHECK_ERR(read(fd[0], (void *)ro, 4), EFAULT);
	pid_t pid = xfork();

	if (!pid) {
		b[2048] = 6;
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(a[2048], 6);
	CHECK_SYS(shmdt((void *)b));
	CHECK_ERR(shmdt((void *)b), EINVAL);
	CHECK_EQ(a[2048], 6);
}

static void sysv_sem(void)
{
	int id = sysv(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600), "semget"), n = rounds(200);
	struct sembuf up0 = { 0, 1, 0 }, down0 = { 0, -1, 0 }, up1 = { 1, 1, 0 }, down1 = { 1, -1, 0 };
	struct sembuf undo = { 0, -1, SEM_UNDO }, try = { 0, -1, IPC_NOWAIT };
	pid_t pid = xfork();

	for (int i = 0; i < n; i++) {
		CHECK_SYS(semop(id, pid ? &up0 : &up1, 1));
		CHECK_SYS(semop(id, pid ? &down1 : &down0, 1));
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_ERR(semop(id, &try, 1), EAGAIN);
	/* What a dead process took with SEM_UNDO comes back. */
	CHECK_SYS(semop(id, &up0, 1));
	pid = xfork();
	if (!pid) {
		CHECK_SYS(semop(id, &undo, 1));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	/* Two at once or none. */
	struct sembuf both[2] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };

	CHECK_ERR(semop(id, both, 2), EAGAIN);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	/* A waiter hears of the removal. */
	pid = xfork();
	if (!pid) {
		CHECK(semop(id, &down1, 1) == -1 && (errno == EIDRM || errno == EINVAL));
		_exit(0);
	}
	while (semctl(id, 1, GETNCNT) != 1)
		sched_yield();
	CHECK_SYS(semctl(id, 0, IPC_RMID));
	expect_exit(pid, 0);
}

struct message {
	long type;
	char text[100];
};

static void sysv_msg(void)
{
	int id = sysv(msgget(IPC_PRIVATE, IPC_CREAT | 0600), "msgget");
	struct message m;
	pid_t pid;

	for (int i = 0; i < 9; i++) {
		m.type = i % 3 + 1;
		int n = snprintf(m.text, sizeof(m.text), "message %d", i);

		CHECK_SYS(msgsnd(id, &m, (size_t)n + 1, 0));
	}
	/* By type, in order within it. */
	for (int type = 3; type >= 1; type--) {
		for (int k = 0; k < 3; k++) {
			char want[32];

			CHECK_SYS(msgrcv(id, &m, sizeof(m.text), type, IPC_NOWAIT));
			snprintf(want, sizeof(want), "message %d", k * 3 + type - 1);
			CHECK(!strcmp(m.text, want));
		}
	}
	CHECK_ERR(msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT), ENOMSG);
	pid = xfork();
	if (!pid) {
		CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 7, 0), 4);
		CHECK(!strcmp(m.text, "sev"));
		_exit(0);
	}
	m.type = 7;
	strcpy(m.text, "sev");
	CHECK_SYS(msgsnd(id, &m, 4, 0));
	expect_exit(pid, 0);
	CHECK_SYS(msgctl(id, IPC_RMID, NULL));
}

static void posix_mq(void)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = 64 };
	char name[40], buf[64];
	unsigned int prio;
	mqd_t q;

	snprintf(name, sizeof(name), "/conform-%d", getpid());
	q = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);
	if (q == (mqd_t)-1 && errno == ENOSYS)
		SKIP("no POSIX message queues");
	CHECK_SYS(q);
	CHECK_SYS(mq_unlink(name));
	CHECK_SYS(mq_send(q, "low", 4, 1));
	CHECK_SYS(mq_send(q, "high", 5, 9));
	CHECK_SYS(mq_send(q, "low2", 5, 1));
	CHECK_EQ(mq_receive(q, buf, sizeof(buf), &prio), 5);
	CHECK(prio == 9 && !strcmp(buf, "high"));
	CHECK_EQ(mq_receive(q, buf, sizeof(buf), &prio), 4);
	CHECK_EQ(mq_receive(q, buf, sizeof(buf), &prio), 5);
	CHECK_ERR(mq_receive(q, buf, sizeof(buf), &prio), EAGAIN);
	CHECK_ERR(mq_send(q, buf, 65, 1), EMSGSIZE);
}

static void names(void)
{
	char name[32] = "";

	CHECK_SYS(prctl(PR_SET_NAME, "a-rather-long-name-for-it"));
	CHECK_SYS(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "a-rather-long-n"));
	CHECK_SYS(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	int sig = 0;

	CHECK_SYS(prctl(PR_GET_PDEATHSIG, &sig));
	CHECK_EQ(sig, SIGUSR1);
	CHECK_SYS(prctl(PR_SET_PDEATHSIG, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_ERR(prctl(99999), EINVAL);
	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* The time-stamp counter taken away, and given back. */
static void tsc_off(void)
{
	int mode = 0;
	struct regs r = { .eflags = FL_BASE };
	struct fault f;
	struct pad p;
	unsigned char *at;

	if (prctl(PR_GET_TSC, &mode) < 0)
		SKIP("no PR_GET_TSC");
	CHECK_EQ(mode, PR_TSC_ENABLE);
	pad_new(&p, 1);
	at = pad_add(&p, (unsigned char[]){ 0x0f, 0x31 }, 2);
	pad_seal(&p);
	CHECK(!fault_call(&f, &r, at));
	CHECK_SYS(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	CHECK(fault_call(&f, &r, at));
	CHECK_EQ(f.sig, SIGSEGV);
	CHECK_EQ(f.trapno, 13);
	CHECK_SYS(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CHECK(!fault_call(&f, &r, at));
	pad_free(&p);
}

static void personalities(void)
{
	int before = CHECK_SYS(personality(0xffffffff));

	CHECK_SYS(personality((unsigned long)before | ADDR_NO_RANDOMIZE));
	CHECK_EQ(personality(0xffffffff), before | ADDR_NO_RANDOMIZE);
	pid_t pid = xfork();

	if (!pid) {
		CHECK_EQ(personality(0xffffffff), before | ADDR_NO_RANDOMIZE);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_SYS(personality((unsigned long)before));
}

static void system_names(void)
{
	struct utsname u;
	struct sysinfo si;

	CHECK_SYS(uname(&u));
	CHECK(!strcmp(u.sysname, "Linux"));
	CHECK(u.release[0] >= '5' && u.release[0] <= '9');
	CHECK_SYS(sysinfo(&si));
	CHECK(si.procs > 0 && si.totalram > 0 && si.mem_unit > 0);
	CHECK_EQ(sysconf(_SC_PAGESIZE), PAGE);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

static void identity(void)
{
	uid_t r, e, s;

	CHECK_SYS(getresuid(&r, &e, &s));
	CHECK_EQ(r, getuid());
	CHECK_EQ(e, geteuid());
	CHECK_SYS(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
	if (!e) {
		pid_t pid = xfork();

		if (!pid) {
			CHECK_SYS(setresgid(65534, 65534, 65534));
			CHECK_SYS(setresuid(65534, 65534, 65534));
			CHECK_EQ(geteuid(), 65534);
			CHECK_ERR(setuid(0), EPERM);
			CHECK_ERR(kill(1, 0), EPERM);
			_exit(0);
		}
		expect_exit(pid, 0);
	}
}

static void scheduling(void)
{
	struct sched_param sp;
	struct timespec ts;
	cpu_set_t set;

	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK_SYS(sched_getparam(0, &sp));
	CHECK_EQ(sp.sched_priority, 0);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	sp.sched_priority = 5;
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &sp), EINVAL);
	sp.sched_priority = 0;
	CHECK_SYS(sched_setscheduler(0, SCHED_BATCH, &sp));
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
	CHECK_SYS(sched_rr_get_interval(0, &ts));
	CHECK_SYS(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_COUNT(&set) >= 1);
	CPU_ZERO(&set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
}

/*
 * Restartable sequences: a critical section that never ends by itself is aborted by the first
 * signal or preemption, and goes on at its abort address.
 */
struct rseq_abi {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, pad[3];
} __attribute__((aligned(32)));

struct rseq_cs_abi {
	uint32_t version, flags;
	uint64_t start_ip, post_commit_offset, abort_ip;
} __attribute__((aligned(32)));

/* The section begins right behind the store that announces it: no preemption can come between. */
__asm__(".text; rseq_enter: movl %esi, (%edi); rseq_start: 1: pause; jmp 1b;"
	"rseq_end: .long 0x53053053; rseq_abort: ret");
extern const unsigned char rseq_enter[], rseq_start[], rseq_end[], rseq_abort[];

static void on_alarm(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
}

/* The C library registers the thread itself, where it can: a new process image has none. */
static void rseq(void)
{
	static struct rseq_abi area;
	static struct rseq_cs_abi cs;
	/* Again and again: the first may come too early. */
	struct itimerspec its = { { .tv_nsec = 2 * NSEC_PER_MSEC }, { .tv_nsec = 2 * NSEC_PER_MSEC } };
	struct rseq_abi *r = &area;
	timer_t t;
	long ret = syscall(SYS_rseq, &area, sizeof(area), 0, 0x53053053);

	if (ret < 0 && errno == ENOSYS)
		SKIP("no rseq");
	if (ret < 0) {
		/* Registered already; its place is at an offset from the thread pointer. */
		extern const ptrdiff_t __rseq_offset __attribute__((weak));
		char *tp;

		if (!&__rseq_offset)
			SKIP("rseq is registered by a C library that does not say where");
		__asm__("movl %%gs:0, %0" : "=r"(tp));
		r = (struct rseq_abi *)(tp + __rseq_offset);
	}
	CHECK(r->cpu_id < (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	catch_signal(SIGALRM, on_alarm, 0);
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, NULL, &t));
	for (int i = 0; i < rounds(10); i++) {
		struct regs regs = {
			.ebx = 0x1234, .esi = (uintptr_t)&cs, .edi = (uintptr_t)&r->rseq_cs,
			.eflags = FL_BASE,
		};

		cs.start_ip = (uintptr_t)rseq_start;
		cs.post_commit_offset = (uintptr_t)rseq_end - (uintptr_t)rseq_start;
		cs.abort_ip = (uintptr_t)rseq_abort;
		*(volatile uint64_t *)&r->rseq_cs = 0;
		CHECK_SYS(timer_settime(t, 0, &its, NULL));
		reg_call(&regs, rseq_enter);
		CHECK_EQ(regs.ebx, 0x1234);
		CHECK_EQ(*(volatile uint64_t *)&r->rseq_cs, 0);
	}
}

const struct test ipc_tests[] = {
	{ "ipc-sysv-shm", sysv_shm, 0 },
	{ "ipc-sysv-sem", sysv_sem, 0 },
	{ "ipc-sysv-msg", sysv_msg, 0 },
	{ "ipc-posix-mq", posix_mq, 0 },
	{ "ipc-prctl", names, 0 },
	{ "ipc-tsc-off", tsc_off, 0 },
	{ "ipc-personality", personalities, 0 },
	{ "ipc-system-names", system_names, 0 },
	{ "ipc-identity", identity, 0 },
	{ "ipc-scheduling", scheduling, 0 },
	{ "ipc-rseq", rseq, 0 },
	{ NULL, NULL, 0 },
};
