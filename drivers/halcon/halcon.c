// SPDX-License-Identifier: GPL-2.0
/*
 * halcon: the console of a plex86 guest, as hvc0, hvc1, ...
 *
 * Output is copied into buffers of our own, one submission each; a buffer is
 * free again when it completes.  While buffers are left nobody asks to be told
 * of completions: they are taken when the next output looks for a buffer.  When
 * none is left hvc keeps what it has, and is kicked once half of them are back.
 *
 * Input lies in buffers that the device fills.  A buffer is given back only
 * when hvc has taken its last byte, and hvc takes no more than its reader does:
 * so a paste of any size stops at the host instead of being lost.
 *
 * A console's write must also work where nothing sleeps and no interrupt comes,
 * in panic() at last.  There hvc calls flush() as long as no buffer is free; the
 * device empties the ring meanwhile.  A device that does not, for a second,
 * costs output, and does not stop the kernel.
 */
#define pr_fmt(fmt) "halcon: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysrq.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_compat.h>
#include <asm/plex86_ring.h>

#include "hvc_console.h"

#define TX_BUFFERS	64
#define RX_BUFFERS	16
#define BUFFER_BYTES	1024
#define HVC_BYTES	4096		/* of output that hvc collects */

#define STALL_US	1000000		/* a device this slow loses output */
#define STALL_STEP_US	10
#define SYSRQ_JIFFIES	(5 * HZ)	/* between a break and its letter */

/* One buffer of either direction. */
struct halcon_buffer {
	u8 *data;
	u32 bytes;			/* received */
	u32 taken;			/* of those, by hvc */
	bool brk;			/* a break came before them */
};

struct halcon {
	struct plex86_device *pdev;
	struct hvc_struct *hvc;
	spinlock_t lock;		/* all that follows */

	struct plex86_ring tx;
	struct halcon_buffer tx_buffer[TX_BUFFERS];
	struct halcon_buffer *tx_free[TX_BUFFERS];
	unsigned int tx_frees;
	unsigned int stalled_us;	/* how long flush() has seen no progress */

	struct plex86_ring rx;
	struct halcon_buffer rx_buffer[RX_BUFFERS];
	struct halcon_buffer *rx_now;	/* what hvc reads from */
	unsigned long sysrq_until;	/* jiffies */
	bool sysrq;			/* a break: the next byte is a command */

	u8 *memory;
};

/* By hvc's terminal number, which is the device's index. */
static struct halcon *halcons[PLEX86_MAX_DEVICES];

static struct halcon *halcon_of(u32 vtermno)
{
	return vtermno < PLEX86_MAX_DEVICES ? halcons[vtermno] : NULL;
}

/* Take back what was written.  Returns how many buffers that freed. */
static unsigned int halcon_tx_reclaim(struct halcon *con)
{
	struct plex86_result result;
	unsigned int n = 0;

	while (plex86_ring_get(&con->tx, &result)) {
		con->tx_free[con->tx_frees++] = result.token;
		n++;
	}
	if (n)
		con->stalled_us = 0;
	return n;
}

/* Ask to be told of progress, unless there is some already. */
static void halcon_tx_wait(struct halcon *con)
{
	while (!con->tx_frees &&
	       !plex86_ring_enable(&con->tx, con->tx.in_flight / 2))
		halcon_tx_reclaim(con);
}

static PLEX86_HVC_RESULT halcon_put_chars(u32 vtermno,
					  const PLEX86_HVC_CHAR *buf,
					  PLEX86_HVC_SIZE count)
{
	struct halcon *con = halcon_of(vtermno);
	struct plex86_seg seg;
	struct plex86_request request = {
		.op = PLEX86_CON_OP_TX, .nsegs = 1, .segs = &seg,
	};
	PLEX86_HVC_SIZE done = 0, n;
	struct halcon_buffer *buffer;
	unsigned long flags;

	if (!con || plex86_device_gone(con->pdev))
		return -ENODEV;

	spin_lock_irqsave(&con->lock, flags);
	halcon_tx_reclaim(con);
	while (done < count && con->tx_frees) {
		n = min_t(PLEX86_HVC_SIZE, count - done, BUFFER_BYTES);
		buffer = con->tx_free[con->tx_frees - 1];
		memcpy(buffer->data, buf + done, n);
		plex86_seg_set(&seg, buffer->data, n);
		if (plex86_ring_add(&con->tx, &request, buffer))
			break;
		con->tx_frees--;
		done += n;
	}
	plex86_ring_kick(&con->tx);
	if (done < count)
		halcon_tx_wait(con);

	/* A stalled device: hvc drops a message on 0 and keeps a tty's output. */
	if (!done && count && con->stalled_us < STALL_US)
		done = -EAGAIN;
	spin_unlock_irqrestore(&con->lock, flags);
	return done;
}

/*
 * A message waits for a buffer.  A tty's output does not wait here (@wait):
 * hvc's thread comes back for it when the device made progress.
 */
static int halcon_flush(u32 vtermno, bool wait)
{
	struct halcon *con = halcon_of(vtermno);
	unsigned long flags;

	if (!con || wait)
		return 0;
	spin_lock_irqsave(&con->lock, flags);
	halcon_tx_reclaim(con);
	if (!con->tx_frees && con->stalled_us < STALL_US) {
		/* It was notified; once more is for a device that missed it. */
		if (!(con->stalled_us % (STALL_US / 10)))
			plex86_ring_notify(&con->tx);
		con->stalled_us += STALL_STEP_US;
		udelay(STALL_STEP_US);
	}
	spin_unlock_irqrestore(&con->lock, flags);
	return 0;
}

static int halcon_rx_post(struct halcon *con, struct halcon_buffer *buffer)
{
	struct plex86_seg seg;
	struct plex86_request request = {
		.op = PLEX86_CON_OP_RX, .nsegs = 1, .segs = &seg,
	};

	plex86_seg_set(&seg, buffer->data, BUFFER_BYTES);
	return plex86_ring_add(&con->rx, &request, buffer);
}

/* The buffer to read from; NULL, and notification asked for, if there is none. */
static struct halcon_buffer *halcon_rx_buffer(struct halcon *con)
{
	struct plex86_result result;
	struct halcon_buffer *buffer;

	if (con->rx_now)
		return con->rx_now;
	while (!plex86_ring_get(&con->rx, &result))
		if (plex86_ring_enable(&con->rx, 0))
			return NULL;
	buffer = result.token;
	buffer->bytes = result.status == PLEX86_S_OK ? result.bytes : 0;
	buffer->brk = result.flags & PLEX86_CON_COMP_BREAK;
	buffer->taken = 0;
	con->rx_now = buffer;
	return buffer;
}

/*
 * Copy what there is.  Stops short at a sysrq command, which it leaves in
 * *command: whatever that prints takes the lock.
 */
static PLEX86_HVC_SIZE halcon_rx_copy(struct halcon *con, PLEX86_HVC_CHAR *buf,
				      PLEX86_HVC_SIZE count, int *command)
{
	struct halcon_buffer *buffer;
	PLEX86_HVC_SIZE done = 0, n;

	while (done < count && *command < 0) {
		buffer = halcon_rx_buffer(con);
		if (!buffer)
			break;
		if (buffer->brk) {
			buffer->brk = false;
			con->sysrq = true;
			con->sysrq_until = jiffies + SYSRQ_JIFFIES;
		}
		if (con->sysrq && buffer->taken < buffer->bytes) {
			con->sysrq = false;
			if (time_before(jiffies, con->sysrq_until))
				*command = buffer->data[buffer->taken++];
		} else {
			n = min_t(PLEX86_HVC_SIZE, count - done,
				  buffer->bytes - buffer->taken);
			memcpy(buf + done, buffer->data + buffer->taken, n);
			buffer->taken += n;
			done += n;
		}
		if (buffer->taken == buffer->bytes) {
			con->rx_now = NULL;
			halcon_rx_post(con, buffer);
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
		spin_lock_irqsave(&con->lock, flags);
		done = halcon_rx_copy(con, buf, count, &command);
		spin_unlock_irqrestore(&con->lock, flags);
		if (command >= 0)
			handle_sysrq(command);
	} while (!done && command >= 0);
	return done;
}

/* Nothing to poll for: interrupts tell of input, and of room for output. */
static int halcon_notifier_add(struct hvc_struct *hvc, int data)
{
	hvc->irq_requested = 1;
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
	if (con->memory)
		free_pages_exact(con->memory,
				 (TX_BUFFERS + RX_BUFFERS) * BUFFER_BYTES);
	kfree(con);
}

static int halcon_init_buffers(struct halcon *con)
{
	u8 *data;
	int i;

	con->memory = alloc_pages_exact((TX_BUFFERS + RX_BUFFERS) *
					BUFFER_BYTES, GFP_KERNEL | __GFP_ZERO);
	if (!con->memory)
		return -ENOMEM;
	data = con->memory;
	for (i = 0; i < TX_BUFFERS; i++, data += BUFFER_BYTES)
		con->tx_buffer[i].data = data;
	for (i = 0; i < RX_BUFFERS; i++, data += BUFFER_BYTES)
		con->rx_buffer[i].data = data;
	return 0;
}

static int halcon_probe(struct plex86_device *pdev)
{
	struct halcon *con;
	unsigned int i;
	int err;

	con = kzalloc(sizeof(*con), GFP_KERNEL);
	if (!con)
		return -ENOMEM;
	con->pdev = pdev;
	spin_lock_init(&con->lock);
	err = halcon_init_buffers(con);
	if (!err)
		err = plex86_ring_init(&con->rx, pdev, PLEX86_CON_RX,
				       RX_BUFFERS);
	if (!err)
		err = plex86_ring_init(&con->tx, pdev, PLEX86_CON_TX,
				       TX_BUFFERS);
	if (err)
		goto fail;

	/* The device may take fewer than we have; the rest stays idle. */
	con->tx_frees = min_t(unsigned int, con->tx.entries, TX_BUFFERS);
	for (i = 0; i < con->tx_frees; i++)
		con->tx_free[i] = &con->tx_buffer[i];
	for (i = 0; i < RX_BUFFERS && !plex86_ring_full(&con->rx); i++) {
		err = halcon_rx_post(con, &con->rx_buffer[i]);
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

	/* Hangs up its tty, and nobody calls halcon_ops for it after that. */
	hvc_remove(con->hvc);
	halcons[pdev->index] = NULL;
	plex86_device_reset(pdev);
	halcon_free(con);
}

static struct plex86_driver halcon_driver = {
	.driver.name	= "halcon",
	.type		= PLEX86_DEV_CONSOLE,
	.probe		= halcon_probe,
	.remove		= halcon_remove,
	.interrupt	= halcon_interrupt,
	.config_changed	= halcon_config_changed,
};

static int __init halcon_init(void)
{
	return plex86_driver_register(&halcon_driver);
}
device_initcall(halcon_init);
