// SPDX-License-Identifier: GPL-2.0
/*
 * HAL calls: the guest kernel's requests, as abi/plex86-abi.md lists them.
 *
 * Every argument comes from the guest and is checked here, before a back end
 * hears of it.
 */
#include "vm.h"

static bool in_ram(struct vm *vm, u64 gpa, u64 bytes)
{
	return gpa <= vm->ram_bytes && bytes <= vm->ram_bytes - gpa;
}

static struct plex86_dev *device(struct vm *vm, u32 n)
{
	struct plex86_dev *dev;

	if (n >= PLEX86_MAX_DEVICES)
		return NULL;
	dev = vm->devices[n];
	if (!dev || dev->magic != PLEX86_DEV_MAGIC ||
	    (dev->status & PLEX86_DEV_GONE))
		return NULL;
	return dev;
}

static struct queue_state *queue(struct vm *vm, u32 dev, u32 n)
{
	struct plex86_dev *d = device(vm, dev);

	if (!d || n >= d->queues || n >= QUEUES_MAX)
		return NULL;
	return &vm->queues[dev * QUEUES_MAX + n];
}

static u32 write_text(struct vm *vm, u32 gpa, u32 bytes)
{
	if (bytes > PLEX86_WRITE_MAX)
		return -PLEX86_EINVAL;
	if (!in_ram(vm, gpa, bytes))
		return -PLEX86_EFAULT;
	host_write(vm, vm->ram + gpa, bytes);
	return 0;
}

static u32 set_timer(struct vm *vm, u32 low, u32 high)
{
	host_timer(vm, (u64)high << 32 | low);
	return 0;
}

static u32 read_clock(struct vm *vm, u32 which)
{
	u64 ns;

	if (which > PLEX86_CLOCK_REALTIME)
		return -PLEX86_EINVAL;
	ns = host_clock(vm, which);
	vm->cpu.reg[EBX] = (u32)ns;
	vm->cpu.reg[ECX] = (u32)(ns >> 32);
	return 0;
}

static u32 end(struct vm *vm, u32 how, u32 status)
{
	switch (how) {
	case PLEX86_END_POWEROFF:
		if (status && (status < 64 || status > 127))
			return -PLEX86_EINVAL;
		vm->end.status = status;
		vm->end.how = END_POWEROFF;
		return 0;
	case PLEX86_END_REBOOT:
		vm->end.how = END_REBOOT;
		return 0;
	case PLEX86_END_CRASH:
		core_crash(vm, "the guest kernel panicked");
		return 0;
	}
	return -PLEX86_EINVAL;
}

/*
 * The back end stops even if the page says by now that there is no device, and
 * that is the answer: a back end may have wiped it and gone on.  What the guest
 * takes back after this is to be its own.
 */
static u32 reset_device(struct vm *vm, u32 n)
{
	struct plex86_dev *dev;

	if (n >= PLEX86_MAX_DEVICES || !vm->devices[n])
		return -PLEX86_ENODEV;
	host_reset_device(vm, n);
	dev = device(vm, n);
	if (!dev)
		return -PLEX86_ENODEV;
	dev->accepted[0] = 0;
	dev->accepted[1] = 0;
	return 0;
}

/* Features are settled before a queue works by them. */
static u32 accept_features(struct vm *vm, u32 n, u32 low, u32 high)
{
	struct plex86_dev *dev = device(vm, n);
	u32 i;

	if (!dev)
		return -PLEX86_ENODEV;
	for (i = 0; i < QUEUES_MAX; i++)
		if (vm->queues[n * QUEUES_MAX + i].ready)
			return -PLEX86_EBUSY;
	if ((low & ~dev->features[0]) || (high & ~dev->features[1]))
		return -PLEX86_EINVAL;
	dev->accepted[0] = low;
	dev->accepted[1] = high;
	return 0;
}

static u32 set_queue(struct vm *vm, u32 dev, u32 n, u64 gpa, u32 entries)
{
	struct queue_state *q = queue(vm, dev, n);

	if (!q)
		return -PLEX86_ENODEV;
	if (q->ready)
		return -PLEX86_EBUSY;
	if (entries < PLEX86_QUEUE_MIN || (entries & (entries - 1)) ||
	    entries > vm->devices[dev]->queue_entries || (gpa & (PAGE_SIZE - 1)))
		return -PLEX86_EINVAL;
	if (!in_ram(vm, gpa, plex86_queue_bytes(entries)))
		return -PLEX86_EFAULT;
	q->gpa = gpa;
	q->entries = entries;
	__atomic_store_n(&q->ready, 1, __ATOMIC_RELEASE);
	host_doorbell(vm, dev, n);
	return 0;
}

static u32 notify(struct vm *vm, u32 dev, u32 n)
{
	struct queue_state *q = queue(vm, dev, n);

	if (!q || !q->ready)
		return -PLEX86_ENODEV;
	vm->stats.doorbells++;
	host_doorbell(vm, dev, n);
	return 0;
}

/*
 * core_hal_call() - dispatch the HAL call in the registers
 *
 * EAX: the call; EBX, ECX, EDX, ESI, EDI: its arguments.  The result is in
 * EAX: 0, or the negative of a PLEX86_E* value.
 */
void core_hal_call(struct vm *vm)
{
	u32 *r = vm->cpu.reg, result;

	switch (r[EAX]) {
	case PLEX86_CALL_NOP:
	case PLEX86_CALL_IRQ:	/* every return to the guest looks at it */
		result = 0;
		break;
	case PLEX86_CALL_WRITE:
		result = write_text(vm, r[EBX], r[ECX]);
		break;
	case PLEX86_CALL_TIMER:
		result = set_timer(vm, r[EBX], r[ECX]);
		break;
	case PLEX86_CALL_CLOCK:
		result = read_clock(vm, r[EBX]);
		break;
	case PLEX86_CALL_END:
		result = end(vm, r[EBX], r[ECX]);
		break;
	case PLEX86_CALL_DEV_RESET:
		result = reset_device(vm, r[EBX]);
		break;
	case PLEX86_CALL_DEV_ACCEPT:
		result = accept_features(vm, r[EBX], r[ECX], r[EDX]);
		break;
	case PLEX86_CALL_QUEUE_SET:
		result = set_queue(vm, r[EBX], r[ECX],
				   (u64)r[ESI] << 32 | r[EDX], r[EDI]);
		break;
	case PLEX86_CALL_NOTIFY:
		result = notify(vm, r[EBX], r[ECX]);
		break;
	case PLEX86_CALL_CR3:
		result = core_load_cr3(vm, r[EBX]) ? -PLEX86_EINVAL : 0;
		break;
	case PLEX86_CALL_FLUSH:
		vm->stats.flush_calls++;
		host_drop(vm, r[EBX], r[ECX]);
		result = 0;
		break;
	case PLEX86_CALL_PROTECT:
		vm->stats.protect_calls++;
		host_protect(vm, r[EBX], r[ECX]);
		result = 0;
		break;
	case PLEX86_CALL_TLS:
		host_sync_tls(vm);
		result = 0;
		break;
	default:
		result = -PLEX86_ENOSYS;
	}
	r[EAX] = result;
}
