// SPDX-License-Identifier: GPL-2.0
/*
 * Thread-local storage: the descriptors of set_thread_area, loaded in FS and GS, and kept for
 * each thread over context switches, fork and clone. Also the LDT, where the kernel has one.
 *
 * Never loads GS while C code may run: the C library's own storage hangs on it. Except where a
 * test says so, descriptors are used through FS.
 */
#include "conform.h"

#include <asm/ldt.h>
#include <pthread.h>
#include <sched.h>

static void set_desc(struct user_desc *d, int entry, const void *base, unsigned int limit)
{
	memset(d, 0, sizeof(*d));
	d->entry_number = (unsigned int)entry;
	d->base_addr = (unsigned int)(uintptr_t)base;
	d->limit = limit;
	d->seg_32bit = 1;
	d->useable = 1;
}

static uint16_t selector(const struct user_desc *d)
{
	return (uint16_t)(d->entry_number << 3 | 3);
}

static void load_fs(uint32_t sel)
{
	__asm__ volatile("movl %0, %%fs" : : "r"(sel));
}

static uint32_t read_fs_sel(void)
{
	uint32_t sel;

	__asm__ volatile("movl %%fs, %0" : "=r"(sel));
	return sel & 0xffff;
}

static uint32_t fs_word(uint32_t off)
{
	uint32_t v;

	__asm__ volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"(off) : "memory");
	return v;
}

static void fs_store(uint32_t off, uint32_t v)
{
	__asm__ volatile("movl %0, %%fs:(%1)" : : "r"(v), "r"(off) : "memory");
}

static void own_descriptor(void)
{
	uint32_t data[8];
	struct user_desc d;

	for (uint32_t i = 0; i < 8; i++)
		data[i] = 0x1000 + i;
	set_desc(&d, -1, data, sizeof(data) - 1);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	CHECK(d.entry_number != ~0u);
	load_fs(selector(&d));
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQ(fs_word(i * 4), 0x1000 + i);
	fs_store(12, 77);
	CHECK_EQ(data[3], 77);
	CHECK_EQ(read_fs_sel(), selector(&d));
	/* The C library has an entry of its own, and it is another. */
	uint32_t gs;

	__asm__("movl %%gs, %0" : "=r"(gs));
	CHECK((gs & 0xffff) != selector(&d));
}

static void get_back(void)
{
	struct user_desc d, g;

	set_desc(&d, -1, (void *)0x12345678, 0xabcde);
	d.limit_in_pages = 1;
	d.contents = 1;
	d.read_exec_only = 1;
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	memset(&g, 0, sizeof(g));
	g.entry_number = d.entry_number;
	CHECK_SYS(syscall(SYS_get_thread_area, &g));
	CHECK_EQ(g.base_addr, 0x12345678);
	CHECK_EQ(g.limit, 0xabcde);
	CHECK_EQ(g.limit_in_pages, 1);
	CHECK_EQ(g.contents, 1);
	CHECK_EQ(g.read_exec_only, 1);
	CHECK_EQ(g.seg_32bit, 1);
	CHECK_EQ(g.seg_not_present, 0);
	CHECK_EQ(g.useable, 1);
}

static void all_slots(void)
{
	static uint32_t value[3] = { 11, 22, 33 };
	struct user_desc d[3];
	int n;

	/* Three in all, some taken by the C library. */
	for (n = 0; n < 3; n++) {
		set_desc(&d[n], -1, &value[n], 3);
		if (syscall(SYS_set_thread_area, &d[n]) < 0) {
			CHECK_EQ(errno, ESRCH);
			break;
		}
		for (int k = 0; k < n; k++)
			CHECK(d[k].entry_number != d[n].entry_number);
	}
	CHECK(n == 1 || n == 2);
	for (int k = 0; k < n; k++) {
		load_fs(selector(&d[k]));
		CHECK_EQ(fs_word(0), value[k]);
	}
	/* An empty descriptor frees the slot. */
	load_fs(0);
	struct user_desc clear = {
		.entry_number = d[0].entry_number, .read_exec_only = 1, .seg_not_present = 1,
	};
	CHECK_SYS(syscall(SYS_set_thread_area, &clear));
	set_desc(&d[0], -1, &value[2], 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d[0]));
	CHECK_EQ(d[0].entry_number, clear.entry_number);
	load_fs(selector(&d[0]));
	CHECK_EQ(fs_word(0), 33);
}

static void bad_entries(void)
{
	struct user_desc d;

	set_desc(&d, 0, NULL, 0);
	CHECK_ERR(syscall(SYS_set_thread_area, &d), EINVAL);
	set_desc(&d, 31, NULL, 0);
	CHECK_ERR(syscall(SYS_set_thread_area, &d), EINVAL);
	set_desc(&d, -1, NULL, 0);
	d.seg_32bit = 0;
	CHECK_ERR(syscall(SYS_set_thread_area, &d), EINVAL);
	set_desc(&d, -1, NULL, 0);
	d.contents = 2;
	CHECK_ERR(syscall(SYS_set_thread_area, &d), EINVAL);
	set_desc(&d, 1000, NULL, 0);
	CHECK_ERR(syscall(SYS_get_thread_area, &d), EINVAL);
	CHECK_ERR(syscall(SYS_set_thread_area, (void *)8), EFAULT);
}

/* Code for fault_call: EBX into FS, then an access at ESI; FS back to null. */
static const unsigned char fs_read[] = { 0x8e, 0xe3, 0x64, 0x8b, 0x06, 0x31, 0xdb, 0x8e, 0xe3, 0xc3 };
static const unsigned char fs_write[] = { 0x8e, 0xe3, 0x64, 0x89, 0x06, 0x31, 0xdb, 0x8e, 0xe3, 0xc3 };

static void limits(void)
{
	static uint32_t data[8] = { 5, 6, 7, 8 };
	struct pad p;
	unsigned char *rd, *wr;
	struct user_desc d;
	struct fault f;
	struct regs r = { .eflags = FL_BASE };

	pad_new(&p, 4);
	rd = pad_add(&p, fs_read, sizeof(fs_read));
	wr = pad_add(&p, fs_write, sizeof(fs_write));
	pad_seal(&p);

	set_desc(&d, -1, data, 15);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	r.ebx = selector(&d);
	r.esi = 12;
	CHECK(!fault_call(&f, &r, rd));
	CHECK_EQ(r.eax, 8);
	/* One byte over the limit: a general protection fault with no error code. */
	r.ebx = selector(&d);
	r.esi = 13;
	CHECK(fault_call(&f, &r, rd));
	load_fs(0);
	CHECK_EQ(f.sig, SIGSEGV);
	CHECK_EQ(f.code, SI_KERNEL);
	CHECK_EQ(f.trapno, 13);
	CHECK_EQ(f.err, 0);
	CHECK_EQ(f.eip, (uintptr_t)rd + 2);

	/* Read-only data: no writing. */
	d.read_exec_only = 1;
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	r.esi = 0;
	CHECK(!fault_call(&f, &r, rd));
	CHECK_EQ(r.eax, 5);
	r.ebx = selector(&d);
	CHECK(fault_call(&f, &r, wr));
	load_fs(0);
	CHECK_EQ(f.trapno, 13);
	CHECK_EQ(f.err, 0);
	CHECK_EQ(data[0], 5);

	/* Expand-down: the limit is where the valid part begins. */
	set_desc(&d, (int)d.entry_number, (void *)((uintptr_t)data - 4096), 4095);
	d.contents = 1;
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	r.ebx = selector(&d);
	r.esi = 4096 + 4;
	CHECK(!fault_call(&f, &r, rd));
	CHECK_EQ(r.eax, 6);
	r.ebx = selector(&d);
	r.esi = 4092;
	CHECK(fault_call(&f, &r, rd));
	load_fs(0);
	CHECK_EQ(f.trapno, 13);

	/* Page granularity. */
	set_desc(&d, (int)d.entry_number, data, 0);
	d.limit_in_pages = 1;
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	r.ebx = selector(&d);
	r.esi = 4;
	CHECK(!fault_call(&f, &r, rd));
	CHECK_EQ(r.eax, 6);
	r.ebx = selector(&d);
	r.esi = 4096;
	CHECK(fault_call(&f, &r, rd));
	load_fs(0);
	CHECK_EQ(f.trapno, 13);

	/* Not present in memory behind it: a page fault at the linear address. */
	set_desc(&d, (int)d.entry_number, (void *)0x10000, 0xfffff);
	d.limit_in_pages = 1;
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	r.ebx = selector(&d);
	r.esi = 0x123;
	CHECK(fault_call(&f, &r, rd));
	load_fs(0);
	CHECK_EQ(f.trapno, 14);
	CHECK_EQ(f.addr, 0x10123);

	/* An empty slot can't be loaded: the error code is the selector. */
	struct user_desc clear = {
		.entry_number = d.entry_number, .read_exec_only = 1, .seg_not_present = 1,
	};
	CHECK_SYS(syscall(SYS_set_thread_area, &clear));
	r.ebx = selector(&d);
	CHECK(fault_call(&f, &r, rd));
	CHECK_EQ(f.trapno, 13);
	CHECK_EQ(f.err, selector(&d) & ~3u);
	CHECK_EQ(f.eip, (uintptr_t)rd);
	pad_free(&p);
}

/* A change of a descriptor in use is seen by a reload at the latest. */
static void change_base(void)
{
	static uint32_t a = 1, b = 2;
	struct user_desc d;

	set_desc(&d, -1, &a, 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	for (int i = 0; i < rounds(200); i++) {
		d.base_addr = (unsigned int)(uintptr_t)(i & 1 ? &b : &a);
		CHECK_SYS(syscall(SYS_set_thread_area, &d));
		load_fs(selector(&d));
		CHECK_EQ(fs_word(0), i & 1 ? 2 : 1);
	}
}

static void survives_syscalls(void)
{
	uint32_t data[2] = { 0xcafe, 0 };
	struct user_desc d;

	set_desc(&d, -1, data, 7);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	load_fs(selector(&d));
	for (int i = 0; i < rounds(300); i++) {
		char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);

		*p = 1;
		sched_yield();
		munmap(p, PAGE);
		CHECK_EQ(read_fs_sel(), selector(&d));
		CHECK_EQ(fs_word(0), 0xcafe);
	}
}

/* Each thread and process has another base in the same slot. */
static int entry_for_all;

static void *own_base(void *arg)
{
	volatile uint32_t data[4] = { (uint32_t)(uintptr_t)arg, 1, 2, 3 };
	struct user_desc d;

	set_desc(&d, entry_for_all, (const void *)data, sizeof(data) - 1);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	load_fs(selector(&d));
	for (int i = 0; i < rounds(300); i++) {
		CHECK_EQ(fs_word(0), (uint32_t)(uintptr_t)arg + (uint32_t)i);
		data[0]++;
		if (i % 3)
			sched_yield();
		else
			for (volatile int k = 0; k < 300; k++)
				;
		CHECK_EQ(read_fs_sel(), selector(&d));
	}
	return NULL;
}

static void find_entry(void)
{
	static uint32_t word;
	struct user_desc d;

	set_desc(&d, -1, &word, 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	entry_for_all = (int)d.entry_number;
}

static void threads_switch(void)
{
	pthread_t t[12];

	find_entry();
	for (uintptr_t i = 0; i < 12; i++)
		CHECK_0(pthread_create(&t[i], NULL, own_base, (void *)(i * 100000)));
	for (int i = 0; i < 12; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

static void processes_switch(void)
{
	pid_t pid[6];

	find_entry();
	for (uintptr_t i = 0; i < 6; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			pthread_t t[2];

			for (uintptr_t k = 0; k < 2; k++)
				CHECK_0(pthread_create(&t[k], NULL, own_base,
						       (void *)(i * 1000000 + k * 100000)));
			own_base((void *)(i * 1000000 + 700000));
			for (int k = 0; k < 2; k++)
				CHECK_0(pthread_join(t[k], NULL));
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		expect_exit(pid[i], 0);
}

/* Preempted in user mode, with no system call of its own. */
static void preempted(void)
{
	uint32_t data[1] = { 0 };
	struct user_desc d;
	volatile int *stop = shared_alloc(PAGE);
	pid_t pid;

	find_entry();
	pid = xfork();
	set_desc(&d, entry_for_all, data, 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	data[0] = pid ? 0x1111 : 0x2222;
	load_fs(selector(&d));
	for (int k = 0; pid ? k < rounds(3000) : !*stop; k++)
		for (int i = 0; i < 1000; i++)
			if (fs_word(0) != data[0])
				FAIL("FS reads another process's storage");
	if (!pid)
		_exit(0);
	*stop = 1;
	expect_exit(pid, 0);
}

static void over_fork(void)
{
	static uint32_t data[2] = { 0xaaaa, 0 };
	struct user_desc d, g;
	pid_t pid;

	set_desc(&d, -1, data, 7);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	load_fs(selector(&d));
	pid = xfork();
	if (!pid) {
		CHECK_EQ(read_fs_sel(), selector(&d));
		CHECK_EQ(fs_word(0), 0xaaaa);
		memset(&g, 0, sizeof(g));
		g.entry_number = d.entry_number;
		CHECK_SYS(syscall(SYS_get_thread_area, &g));
		CHECK_EQ(g.base_addr, (uintptr_t)data);
		/* The child's change is its own. */
		fs_store(0, 0xbbbb);
		d.base_addr += 4;
		d.limit = 3;
		CHECK_SYS(syscall(SYS_set_thread_area, &d));
		load_fs(selector(&d));
		fs_store(0, 0xcccc);
		CHECK_EQ(data[1], 0xcccc);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read_fs_sel(), selector(&d));
	CHECK_EQ(fs_word(0), 0xaaaa);
	CHECK_EQ(fs_word(4), 0);
}

static struct user_desc settls_desc;
static uint32_t settls_data[2] = { 0x5e77, 0x7e55 };

static int settls_child(void *arg)
{
	uint32_t sel = selector(&settls_desc);

	(void)arg;
	/* GS, the C library's, would be replaced by its entry: here the slot is one FS uses. */
	__asm__ volatile("movl %0, %%fs" : : "r"(sel));
	return fs_word(4) == 0x7e55 ? 41 : 42;
}

static void clone_settls(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static uint32_t mine = 0x3333;
	struct user_desc d;
	pid_t pid;

	set_desc(&d, -1, &mine, 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	load_fs(selector(&d));
	for (int i = 0; i < rounds(50); i++) {
		set_desc(&settls_desc, (int)d.entry_number, settls_data, 7);
		pid = CHECK_SYS(clone(settls_child, stack + sizeof(stack), CLONE_SETTLS | SIGCHLD,
				      NULL, NULL, &settls_desc));
		CHECK_EQ(fs_word(0), 0x3333);
		expect_exit(pid, 41);
	}
	settls_desc.entry_number = 0;
	CHECK_ERR(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, &settls_desc, 0), EINVAL);
}

/* GS in the hands of the program: raw code, no C between load and restore. */
static void own_gs(void)
{
	static uint32_t data[2] = { 0x6500, 0x6501 };
	/* mov %gs,%ecx; mov %ebx,%gs; [int 0x80;] mov %gs:4,%edx; mov %gs,%esi; mov %ecx,%gs; ret */
	static const unsigned char code[] = {
		0x8c, 0xe9, 0x8e, 0xeb, 0xcd, 0x80, 0x65, 0x8b, 0x15, 4, 0, 0, 0,
		0x8c, 0xee, 0x8e, 0xe9, 0xc3,
	};
	struct user_desc d;
	struct pad p;
	unsigned char *at;

	set_desc(&d, -1, data, 7);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	pad_new(&p, 1);
	at = pad_add(&p, code, sizeof(code));
	pad_seal(&p);
	for (int i = 0; i < rounds(300); i++) {
		struct regs r = {
			.eax = i & 1 ? SYS_getppid : SYS_sched_yield, .ebx = selector(&d),
			.eflags = FL_BASE,
		};

		reg_call(&r, at);
		CHECK_EQ(r.edx, 0x6501);
		CHECK_EQ(r.esi & 0xffff, selector(&d));
	}
	pad_free(&p);
}

/* A signal handler keeps FS and GS, and they come back as they were. */
static volatile uint32_t handler_fs;

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	handler_fs = read_fs_sel();
	load_fs(0);
}

static void over_signal(void)
{
	static uint32_t data = 0x516;
	struct user_desc d;

	catch_signal(SIGUSR1, on_usr1, 0);
	set_desc(&d, -1, &data, 3);
	CHECK_SYS(syscall(SYS_set_thread_area, &d));
	load_fs(selector(&d));
	for (int i = 0; i < rounds(100); i++) {
		raise(SIGUSR1);
		CHECK_EQ(handler_fs, selector(&d));
		CHECK_EQ(read_fs_sel(), selector(&d));
		CHECK_EQ(fs_word(0), 0x516);
	}
}

/* Null and plain selectors in the data segment registers stay over switches. */
static void null_selectors(void)
{
	/* xor ebx,ebx; mov ebx,ds; mov ebx,es; mov ebx,fs; int80; mov ds,ecx; mov es,edx; mov fs,esi;
	 * reg_call puts DS and ES back.
	 */
	static const unsigned char code[] = {
		0x8e, 0xdb, 0x8e, 0xc3, 0x8e, 0xe3, 0xcd, 0x80, 0x8c, 0xd9, 0x8c, 0xc2, 0x8c, 0xe6,
		0xc3,
	};
	struct pad p;
	unsigned char *at;

	pad_new(&p, 1);
	at = pad_add(&p, code, sizeof(code));
	pad_seal(&p);
	for (uint32_t sel = 0; sel < 4; sel++) {
		for (int i = 0; i < rounds(40); i++) {
			struct regs r = {
				.eax = SYS_sched_yield, .ebx = sel, .ecx = ~0u, .edx = ~0u,
				.esi = ~0u, .eflags = FL_BASE,
			};

			reg_call(&r, at);
			CHECK_EQ(r.eax, 0);
			CHECK((r.ecx & 0xfffc) == 0);
			CHECK((r.edx & 0xfffc) == 0);
			CHECK((r.esi & 0xfffc) == 0);
		}
	}
	pad_free(&p);
}

/* Static thread-local data, as several objects of it: initial values, alignment, privacy. */
static __thread uint32_t tls_a = 0x11111111;
static __thread uint64_t tls_b[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static __thread char tls_c[5000];
static __thread struct { char c; uint32_t v; } __attribute__((aligned(64))) tls_d = { 'x', 99 };
static __thread void *tls_self;
static uint32_t *volatile seen_address[16];

static void *tls_thread(void *arg)
{
	uintptr_t me = (uintptr_t)arg;

	CHECK_EQ(tls_a, 0x11111111);
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQ(tls_b[i], i + 1);
	for (size_t i = 0; i < sizeof(tls_c); i++)
		CHECK_EQ(tls_c[i], 0);
	CHECK_EQ(tls_d.v, 99);
	CHECK_EQ((uintptr_t)&tls_d % 64, 0);
	CHECK(!tls_self);
	seen_address[me] = &tls_a;
	tls_self = &tls_self;
	tls_a = (uint32_t)me;
	memset(tls_c, (int)me + 1, sizeof(tls_c));
	for (int i = 0; i < rounds(100); i++) {
		errno = (int)me + 1000;
		sched_yield();
		CHECK_EQ(errno, (int)me + 1000);
		CHECK_EQ(tls_a, me);
		CHECK_EQ(tls_c[4999], (char)(me + 1));
		CHECK(tls_self == &tls_self);
	}
	return NULL;
}

static void static_tls(void)
{
	pthread_t t[16];

	for (uintptr_t i = 0; i < 16; i++)
		CHECK_0(pthread_create(&t[i], NULL, tls_thread, (void *)i));
	for (int i = 0; i < 16; i++)
		CHECK_0(pthread_join(t[i], NULL));
	for (int i = 0; i < 16; i++)
		CHECK(seen_address[i] != &tls_a);
	CHECK_EQ(tls_a, 0x11111111);
}

static void ldt(void)
{
	static uint32_t data[4] = { 0x1d7, 2, 3, 4 };
	struct user_desc d;
	unsigned char raw[64];
	pid_t pid;

	set_desc(&d, 2, data, 15);
	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) < 0) {
		if (errno == ENOSYS)
			SKIP("no modify_ldt");
		FAIL("modify_ldt: %s", strerror(errno));
	}
	load_fs(2 << 3 | 7);
	for (int i = 0; i < rounds(100); i++) {
		CHECK_EQ(fs_word(0), 0x1d7);
		sched_yield();
	}
	CHECK_EQ(syscall(SYS_modify_ldt, 0, raw, sizeof(raw)) >= 24, 1);
	pid = xfork();
	if (!pid) {
		CHECK_EQ(fs_word(0), 0x1d7);
		_exit(0);
	}
	expect_exit(pid, 0);
	load_fs(0);
	memset(&d, 0, sizeof(d));
	d.entry_number = 2;
	d.read_exec_only = 1;
	d.seg_not_present = 1;
	CHECK_SYS(syscall(SYS_modify_ldt, 1, &d, sizeof(d)));
	d.entry_number = 8192;
	CHECK_ERR(syscall(SYS_modify_ldt, 1, &d, sizeof(d)), EINVAL);
}

const struct test tls_tests[] = {
	{ "tls-own-descriptor", own_descriptor, 0 },
	{ "tls-get-back", get_back, 0 },
	{ "tls-all-slots", all_slots, 0 },
	{ "tls-bad-entries", bad_entries, 0 },
	{ "tls-limits", limits, 0 },
	{ "tls-change-base", change_base, 0 },
	{ "tls-over-syscalls", survives_syscalls, 0 },
	{ "tls-threads-switch", threads_switch, 0 },
	{ "tls-processes-switch", processes_switch, 0 },
	{ "tls-preempted", preempted, 0 },
	{ "tls-over-fork", over_fork, 0 },
	{ "tls-clone-settls", clone_settls, 0 },
	{ "tls-own-gs", own_gs, 0 },
	{ "tls-over-signal", over_signal, 0 },
	{ "tls-null-selectors", null_selectors, 0 },
	{ "tls-static", static_tls, 0 },
	{ "tls-ldt", ldt, 0 },
	{ NULL, NULL, 0 },
};
