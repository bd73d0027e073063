// SPDX-License-Identifier: GPL-2.0
/*
 * The console: COM1, a 16550 or its forerunner, or port 0xE9, which only prints;
 * and halcon on it, device 0 (abi/plex86-abi.md, "halcon").
 *
 * Output is written before the doorbell returns, as fast as the port takes it, so
 * that a guest which says much waits as it would for any serial line.  Input comes
 * by interrupt; but what comes while something is written is taken then, and its
 * interrupt is gone, so whoever has written gives it to the guest.
 */
#include "machine.h"
#include "pvi.h"

#define COM1		0x3f8
#define COM_DATA	(COM1 + 0)
#define COM_IER		(COM1 + 1)	/* and divisor, high */
#define COM_FCR		(COM1 + 2)	/* read: IIR */
#define COM_LCR		(COM1 + 3)
#define COM_MCR		(COM1 + 4)
#define COM_LSR		(COM1 + 5)
#define COM_SCRATCH	(COM1 + 7)

#define IER_RECEIVE	0x01
#define FCR_ENABLE	0x07		/* and empty both */
#define IIR_FIFO	0xc0
#define LCR_8N1		0x03
#define LCR_DIVISOR	0x80
#define MCR_ON		0x0b		/* DTR, RTS, and its interrupt */
#define LSR_DATA	0x01
#define LSR_EMPTY	0x20		/* the FIFO, or the holding register */
#define LSR_SENT	0x40		/* and all of it is on the line */
#define FIFO_BYTES	16u

#define QUEUE_ENTRIES	256u
#define SEGS		2u

u8 console_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
u8 no_device_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static bool com1_there(void)
{
	outb(COM_SCRATCH, 0x5a);
	if (inb(COM_SCRATCH) != 0x5a)
		return false;
	outb(COM_SCRATCH, 0xa5);
	return inb(COM_SCRATCH) == 0xa5;
}

/* console_start() - find COM1 and set it to 115200 8N1 */
void console_start(void)
{
	host.com1 = com1_there();
	if (!host.com1)
		return;
	outb(COM_IER, 0);
	outb(COM_LCR, LCR_DIVISOR);
	outb(COM_DATA, 1);
	outb(COM_IER, 0);
	outb(COM_LCR, LCR_8N1);
	outb(COM_FCR, FCR_ENABLE);
	outb(COM_MCR, MCR_ON);
	host.com1_fifo_bytes = (inb(COM_FCR) & IIR_FIFO) == IIR_FIFO ?
			       FIFO_BYTES : 1;
	outb(COM_IER, host.options.port_e9 ? 0 : IER_RECEIVE);
}

static bool on_com1(void)
{
	return host.com1 && !host.options.port_e9;
}

/* What has come, as far as there is room for it; the rest waits in the UART. */
static void receive(void)
{
	while (on_com1() && host.in_prod - host.in_cons < INPUT_BYTES &&
	       (inb(COM_LSR) & LSR_DATA))
		host.input[host.in_prod++ % INPUT_BYTES] = inb(COM_DATA);
}

/* console_put() - write to the guest's console; waits for it */
void console_put(const u8 *text, u32 bytes)
{
	u32 i;

	if (!on_com1()) {
		while (bytes--)
			outb(0xe9, *text++);
		return;
	}
	while (bytes) {
		/* What comes meanwhile does not wait for long. */
		while (!(inb(COM_LSR) & LSR_EMPTY))
			receive();
		for (i = 0; i < host.com1_fifo_bytes && bytes; i++, bytes--)
			outb(COM_DATA, *text++);
	}
}

/* console_flush() - until all of it is out, for a machine that ends */
void console_flush(void)
{
	while (host.com1 && !(inb(COM_LSR) & LSR_SENT))
		;
}

static void raise_news(struct queue *q)
{
	struct plex86_info *info = host.vm.info;

	if (!queue_wants_interrupt(q))
		return;
	info->dev_pending[0] |= 1;
	info->irq_pending |= 1u << PLEX86_IRQ_BUS;
}

static void give_input(void)
{
	struct queue *q = &host.rx;
	struct request *req = &host.request;

	if (!queue_attach(q))
		return;
	while (receive(), host.in_prod != host.in_cons && queue_next(q, req)) {
		u32 seg, i, bytes = 0;

		if (req->op != PLEX86_CON_OP_RX || req->flags) {
			queue_complete(q, req->id, PLEX86_S_UNSUPPORTED, 0, 0);
			continue;
		}
		for (seg = 0; seg < req->segs; seg++) {
			u8 *to = req->seg[seg].iov_base;

			for (i = 0; i < req->seg[seg].iov_len &&
			     host.in_cons != host.in_prod; i++, bytes++)
				to[i] = host.input[host.in_cons++ % INPUT_BYTES];
		}
		queue_complete(q, req->id, PLEX86_S_OK, 0, bytes);
	}
	raise_news(q);
}

static void take_output(void)
{
	struct queue *q = &host.tx;
	struct request *req = &host.request;
	u32 seg;

	if (!queue_attach(q))
		return;
	while (queue_next(q, req)) {
		if (req->op != PLEX86_CON_OP_TX || req->flags) {
			queue_complete(q, req->id, PLEX86_S_UNSUPPORTED, 0, 0);
			continue;
		}
		for (seg = 0; seg < req->segs; seg++)
			console_put(req->seg[seg].iov_base,
				    req->seg[seg].iov_len);
		queue_complete(q, req->id, PLEX86_S_OK, 0, req->bytes);
	}
	raise_news(q);
}

/* console_input() - COM1's interrupt */
void console_input(void)
{
	receive();
	give_input();
}

/* console_drain() - what the guest left in the queue when it ended */
void console_drain(void)
{
	do {
		take_output();
	} while (queue_unfinished(&host.tx));
	give_input();
}

/* See vm.h. */
void host_write(struct vm *vm, const u8 *text, u32 bytes)
{
	(void)vm;
	console_put(text, bytes);
	give_input();
}

/* Describes the queues anew. */
static void queues_reset(void)
{
	struct vm *vm = &host.vm;
	struct plex86_dev *dev = vm->devices[0];

	memset(vm->queues, 0, 2 * sizeof(*vm->queues));
	queue_init(&host.rx, &vm->queues[PLEX86_CON_RX], dev, vm->ram,
		   vm->ram_bytes, SEGS);
	queue_init(&host.tx, &vm->queues[PLEX86_CON_TX], dev, vm->ram,
		   vm->ram_bytes, SEGS);
}

/* console_reset() - the device page, for a guest that begins */
void console_reset(void)
{
	struct plex86_dev *dev = (void *)console_page;

	memset(console_page, 0, sizeof(console_page));
	dev->magic = PLEX86_DEV_MAGIC;
	dev->type = PLEX86_DEV_CONSOLE;
	dev->queues = 2;
	dev->queue_entries = QUEUE_ENTRIES;
	dev->segs = SEGS;
	/* Zero: the size of the terminal is not known. */
	dev->config_bytes = sizeof(struct plex86_con_config);
	host.vm.devices[0] = dev;
	host.vm.queues = host.queues;
	queues_reset();
}

/* See vm.h. */
void host_doorbell(struct vm *vm, u32 device, u32 queue)
{
	(void)vm;
	(void)device;
	if (queue == PLEX86_CON_RX) {
		give_input();
		return;
	}
	console_drain();
}

void host_reset_device(struct vm *vm, u32 device)
{
	(void)vm;
	(void)device;
	queues_reset();
}
