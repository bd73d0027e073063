// SPDX-License-Identifier: GPL-2.0
/*
 * halcon: the console of a plex86 guest, as hvc0, hvc1, ...
 *
 * Output goes into one buffer of bytes, from which ranges are submitted.  What
 * is written while nothing is under way is submitted at once; what is written
 * meanwhile is collected, and goes when that completes, or when it is much, or
 * when a kernel message ends.  A tty writes a line in two or three pieces: a
 * submission for each would cost more than their bytes.
 *
 * Input lies in buffers that the device fills.  A buffer is given back only
 * when hvc has taken its last byte, and hvc takes no more than its reader does:
 * so a paste of any size stops at the host instead of being lost.
 *
 * A console's write must also work where nothing sleeps and no interrupt comes,
 * in panic() at last.  There hvc calls flush() as long as there is no room; the
 * device empties the ring meanwhile.  A device that does not, for a second,
 * costs output, and does not stop the kernel.
 */
#define pr_fmt(fmt) "halcon: " fmt

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysrq.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_compat.h>
#include <asm/plex86_ring.h>

#include "hvc_console.h"

#define TX_BYTES	65536		/* of the buffer; a power of two */
#define TX_MANY		4096		/* not worth waiting for more */
#define TX_MOST		16384		/* in one submission */
#define TX_REQUESTS	16
#define RX_BUFFERS	16
#define RX_BYTES	1024
#define HVC_BYTES	4096		/* of output that hvc collects */

#define STALL_US	1000000		/* a device this slow loses output */
#define STALL_STEP_US	10
#define SHUTDOWN_STEP_US 1000
#define SYSRQ_JIFFIES	(5 * HZ)	/* between a break and its letter */

/* A range of output that was submitted. */
struct halcon_output {
	u32 end;
	bool done;
};

struct halcon_input {
	u8 *data;
	u32 bytes;			/* received */
	u32 taken;			/* of those, by hvc */
	bool brk;			/* a break came before them */
};

struct halcon {
	struct plex86_device *pdev;
	struct hvc_struct *hvc;
	spinlock_t lock;		/* all that follows */

	/* Output.  Positions run freely; modulo TX_BYTES is where. */
	struct plex86_ring tx;
	u8 *tx_data;
	u32 tx_put;			/* written by us */
	u32 tx_sent;			/* submitted, of that */
	u32 tx_done;			/* free again, of that */
	struct halcon_output output[TX_REQUESTS];
	u32 output_prod, output_cons;
	unsigned int stalled_us;	/* how long flush() has seen no progress */

	struct plex86_ring rx;
	u8 *rx_data;
	struct halcon_input input[RX_BUFFERS];
	struct halcon_input *rx_now;	/* what hvc reads from */
	unsigned long sysrq_until;	/* jiffies */
	bool sysrq;			/* a break: the next byte is a command */
};

/* By hvc's terminal number, which is the device's index. */
static struct halcon *halcons[PLEX86_MAX_DEVICES];

static struct halcon *halcon_of(u32 vtermno)
{
	return vtermno < PLEX86_MAX_DEVICES ? halcons[vtermno] : NULL;
}

/*
 * The lock, and no message is printed as long as it is held: what a ring says of
 * its device would come back here, for this console.
 */
static unsigned long halcon_lock(struct halcon *con)
	__acquires(&con->lock)
{
	unsigned long flags;

	spin_lock_irqsave(&con->lock, flags);
	printk_deferred_enter();
	return flags;
}

static void halcon_unlock(struct halcon *con, unsigned long flags)
	__releases(&con->lock)
{
	printk_deferred_exit();
	spin_unlock_irqrestore(&con->lock, flags);
}

static u32 halcon_tx_room(const struct halcon *con)
{
	return TX_BYTES - (con->tx_put - con->tx_done);
}

/* Take back what was written, in order. */
static void halcon_tx_reclaim(struct halcon *con)
{
	struct plex86_result result;
	struct halcon_output *output;

	while (plex86_ring_get(&con->tx, &result)) {
		output = result.token;
		output->done = true;
		con->stalled_us = 0;
	}
	while (con->output_cons != con->output_prod) {
		output = &con->output[con->output_cons % TX_REQUESTS];
		if (!output->done)
			break;
		con->tx_done = output->end;
		con->output_cons++;
	}
}

/* Submit what is there; @now: little of it, too. */
static void halcon_tx_submit(struct halcon *con, bool now)
{
	struct plex86_seg segs[2];
	struct plex86_request request = {
		.op = PLEX86_CON_OP_TX, .segs = segs,
	};
	struct halcon_output *output;
	u32 bytes, at, first;

	while (con->tx_sent != con->tx_put &&
	       con->output_prod - con->output_cons < TX_REQUESTS) {
		bytes = con->tx_put - con->tx_sent;
		if (!now && con->output_prod != con->output_cons &&
		    bytes < TX_MANY)
			break;
		bytes = min_t(u32, bytes, TX_MOST);
		at = con->tx_sent % TX_BYTES;
		first = min_t(u32, bytes, TX_BYTES - at);
		plex86_seg_set(&segs[0], con->tx_data + at, first);
		plex86_seg_set(&segs[1], con->tx_data, bytes - first);
		request.nsegs = first < bytes ? 2 : 1;

		output = &con->output[con->output_prod % TX_REQUESTS];
		output->end = con->tx_sent + bytes;
		output->done = false;
		if (plex86_ring_add(&con->tx, &request, output))
			break;
		con->output_prod++;
		con->tx_sent += bytes;
	}
	plex86_ring_kick(&con->tx);
}

/*
 * All there is to do for output, and ask to be told when there is more: of the
 * next completion if bytes wait for it; of every other one if a writer does.
 */
static void halcon_tx_work(struct halcon *con, bool now)
{
	u32 after;

	for (;;) {
		halcon_tx_reclaim(con);
		halcon_tx_submit(con, now);
		if (con->tx_sent != con->tx_put)
			after = 0;
		else if (halcon_tx_room(con) < TX_BYTES / 2)
			after = con->tx.in_flight / 2;
		else
			return;
		if (plex86_ring_enable(&con->tx, after))
			return;
	}
}

static PLEX86_HVC_RESULT halcon_put_chars(u32 vtermno,
					  const PLEX86_HVC_CHAR *buf,
					  PLEX86_HVC_SIZE count)
{
	struct halcon *con = halcon_of(vtermno);
	PLEX86_HVC_SIZE done;
	unsigned long flags;
	u32 at, first;

	if (!con || plex86_device_gone(con->pdev))
		return -ENODEV;

	flags = halcon_lock(con);
	if (halcon_tx_room(con) < count)
		halcon_tx_work(con, false);
	done = min_t(PLEX86_HVC_SIZE, count, halcon_tx_room(con));
	at = con->tx_put % TX_BYTES;
	first = min_t(u32, done, TX_BYTES - at);
	memcpy(con->tx_data + at, buf, first);
	memcpy(con->tx_data, buf + first, done - first);
	con->tx_put += done;
	halcon_tx_work(con, false);

	/* A stalled device: hvc drops a message on 0 and keeps a tty's output. */
	if (!done && count && con->stalled_us < STALL_US)
		done = -EAGAIN;
	halcon_unlock(con, flags);
	return done;
}

/*
 * A message is complete, or waits for room.  A tty's output does not wait here
 * (@wait): hvc's thread comes back for it when the device made progress.  In a
 * panic nobody comes back, so there the message waits until all of it is
 * submitted.
 */
static int halcon_flush(u32 vtermno, bool wait)
{
	struct halcon *con = halcon_of(vtermno);
	unsigned long flags;
	bool last;

	if (!con || wait)
		return 0;
	flags = halcon_lock(con);
	do {
		halcon_tx_work(con, true);
		last = con->tx_sent != con->tx_put &&
		       atomic_read(&panic_cpu) != PANIC_CPU_INVALID;
		if ((halcon_tx_room(con) && !last) ||
		    con->stalled_us >= STALL_US)
			break;
		/* It was notified; once more is for a device that missed it. */
		if (!(con->stalled_us % (STALL_US / 10)))
			plex86_ring_notify(&con->tx);
		con->stalled_us += STALL_STEP_US;
		udelay(STALL_STEP_US);
	} while (last);
	halcon_unlock(con, flags);
	return 0;
}

static int halcon_rx_post(struct halcon *con, struct halcon_input *input)
{
	struct plex86_seg seg;
	struct plex86_request request = {
		.op = PLEX86_CON_OP_RX, .nsegs = 1, .segs = &seg,
	};

	plex86_seg_set(&seg, input->data, RX_BYTES);
	return plex86_ring_add(&con->rx, &request, input);
}

/* The buffer to read from; NULL, and notification asked for, if there is none. */
static struct halcon_input *halcon_rx_input(struct halcon *con)
{
	struct plex86_result result;
	struct halcon_input *input;

	if (con->rx_now)
		return con->rx_now;
	while (!plex86_ring_get(&con->rx, &result))
		if (plex86_ring_enable(&con->rx, 0))
			return NULL;
	input = result.token;
	input->bytes = result.status == PLEX86_S_OK ? result.bytes : 0;
	input->brk = result.flags & PLEX86_CON_COMP_BREAK;
	input->taken = 0;
	con->rx_now = input;
	return input;
}

/*
 * Copy what there is.  Stops short at a sysrq command, which it leaves in
 * *command: whatever that prints takes the lock.
 */
static PLEX86_HVC_SIZE halcon_rx_copy(struct halcon *con, PLEX86_HVC_CHAR *buf,
				      PLEX86_HVC_SIZE count, int *command)
{
	struct halcon_input *input;
	PLEX86_HVC_SIZE done = 0, n;

	while (done < count && *command < 0) {
		input = halcon_rx_input(con);
		if (!input)
			break;
		if (input->brk) {
			input->brk = false;
			con->sysrq = true;
			con->sysrq_until = jiffies + SYSRQ_JIFFIES;
		}
		if (con->sysrq && input->taken < input->bytes) {
			con->sysrq = false;
			if (time_before(jiffies, con->sysrq_until))
				*command = input->data[input->taken++];
		} else {
			n = min_t(PLEX86_HVC_SIZE, count - done,
				  input->bytes - input->taken);
			memcpy(buf + done, input->data + input->taken, n);
			input->taken += n;
			done += n;
		}
		if (input->taken == input->bytes) {
			con->rx_now = NULL;
			halcon_rx_post(con, input);
		}
	}
	plex86_ring_kick(&con->rx);
	return done;
}

static PLEX86_HVC_RESULT halcon_get_chars(u32 vtermno, PLEX86_HVC_CHAR *buf,
					  PLEX86_HVC_SIZE count)
{
	struct halcon *con = halcon_of(vtermno);
	PLEX86_HVC_SIZE done;
	unsigned long flags;
	int command;

	if (!con || plex86_device_gone(con->pdev))
		return -EPIPE;
	do {
		command = -1;
		flags = halcon_lock(con);
		done = halcon_rx_copy(con, buf, count, &command);
		halcon_unlock(con, flags);
		if (command >= 0)
			handle_sysrq(command);
	} while (!done && command >= 0);
	return done;
}

/* Nothing to poll for: interrupts tell of input, and of room for output. */
static int halcon_notifier_add(struct hvc_struct *hvc, int data)
{
	hvc->irq_requested = 1;

	/* hvc keeps the size it was last told, but gives it to an open tty only. */
	if (hvc->ws.ws_row)
		hvc_resize(hvc, hvc->ws);
	return 0;
}

static void halcon_notifier_del(struct hvc_struct *hvc, int data)
{
	hvc->irq_requested = 0;
}

static const struct hv_ops halcon_ops = {
	.get_chars		= halcon_get_chars,
	.put_chars		= halcon_put_chars,
	.flush			= halcon_flush,
	.notifier_add		= halcon_notifier_add,
	.notifier_del		= halcon_notifier_del,
	.notifier_hangup	= halcon_notifier_del,
};

static void halcon_interrupt(struct plex86_device *pdev)
{
	struct halcon *con = plex86_get_drvdata(pdev);
	unsigned long flags;

	flags = halcon_lock(con);
	halcon_tx_work(con, false);
	halcon_unlock(con, flags);

	/* Input, and output that hvc had no room for. */
	if (hvc_poll(con->hvc))
		hvc_kick();
}

static void halcon_config_changed(struct plex86_device *pdev)
{
	struct halcon *con = plex86_get_drvdata(pdev);
	struct plex86_con_config config;
	struct winsize size = {};

	if (plex86_config_read(pdev, &config, sizeof(config)) || !config.rows ||
	    !config.cols)
		return;
	size.ws_row = config.rows;
	size.ws_col = config.cols;
	hvc_resize(con->hvc, size);
}

static void halcon_free(struct halcon *con)
{
	while (plex86_ring_take_back(&con->tx))
		;
	while (plex86_ring_take_back(&con->rx))
		;
	plex86_ring_free(&con->tx);
	plex86_ring_free(&con->rx);
	if (con->tx_data)
		free_pages_exact(con->tx_data, TX_BYTES);
	if (con->rx_data)
		free_pages_exact(con->rx_data, RX_BUFFERS * RX_BYTES);
	kfree(con);
}

static int halcon_probe(struct plex86_device *pdev)
{
	struct halcon *con;
	int err, i;

	con = kzalloc(sizeof(*con), GFP_KERNEL);
	if (!con)
		return -ENOMEM;
	con->pdev = pdev;
	spin_lock_init(&con->lock);
	con->tx_data = alloc_pages_exact(TX_BYTES, GFP_KERNEL);
	con->rx_data = alloc_pages_exact(RX_BUFFERS * RX_BYTES, GFP_KERNEL);
	err = con->tx_data && con->rx_data ? 0 : -ENOMEM;
	if (!err)
		err = plex86_ring_init(&con->rx, pdev, PLEX86_CON_RX,
				       RX_BUFFERS);
	if (!err)
		err = plex86_ring_init(&con->tx, pdev, PLEX86_CON_TX,
				       TX_REQUESTS);
	if (err)
		goto fail;

	/* The device may take fewer than we have; the rest stays idle. */
	for (i = 0; i < RX_BUFFERS && !plex86_ring_full(&con->rx); i++) {
		con->input[i].data = con->rx_data + i * RX_BYTES;
		err = halcon_rx_post(con, &con->input[i]);
		if (err)
			goto fail;
	}

	plex86_set_drvdata(pdev, con);
	halcons[pdev->index] = con;
	con->hvc = hvc_alloc(pdev->index, 0, &halcon_ops, HVC_BYTES);
	if (IS_ERR(con->hvc)) {
		err = PTR_ERR(con->hvc);
		halcons[pdev->index] = NULL;
		goto fail;
	}
	halcon_config_changed(pdev);

	/* Events from here on; the kick asks for the first ones. */
	plex86_device_ready(pdev);
	plex86_ring_kick(&con->rx);
	plex86_ring_enable(&con->rx, 0);
	hvc_kick();
	return 0;

fail:
	plex86_device_reset(pdev);
	halcon_free(con);
	return err;
}

static void halcon_remove(struct plex86_device *pdev)
{
	struct halcon *con = plex86_get_drvdata(pdev);

	/* No interrupt uses con->hvc from here on. */
	plex86_device_reset(pdev);
	/* Hangs up its tty, and nobody calls halcon_ops for it after that. */
	hvc_remove(con->hvc);
	halcons[pdev->index] = NULL;
	halcon_free(con);
}

/*
 * What was collected must not stay behind when the machine ends.  hvc has some,
 * too, where the device is slower than a tty's writer.
 */
static void halcon_shutdown(struct plex86_device *pdev)
{
	struct halcon *con = plex86_get_drvdata(pdev);
	unsigned int waited_us = 0;
	int left, before = 0;

	while (waited_us < STALL_US) {
		hvc_poll(con->hvc);
		left = READ_ONCE(con->hvc->n_outbuf);
		if (!left)
			break;
		if (left != before)
			waited_us = 0;
		before = left;
		usleep_range(SHUTDOWN_STEP_US, 2 * SHUTDOWN_STEP_US);
		waited_us += SHUTDOWN_STEP_US;
	}
	halcon_flush(pdev->index, false);
}

static struct plex86_driver halcon_driver = {
	.driver.name	= "halcon",
	.type		= PLEX86_DEV_CONSOLE,
	.probe		= halcon_probe,
	.remove		= halcon_remove,
	.shutdown	= halcon_shutdown,
	.interrupt	= halcon_interrupt,
	.config_changed	= halcon_config_changed,
};

static int __init halcon_init(void)
{
	return plex86_driver_register(&halcon_driver);
}
device_initcall(halcon_init);
