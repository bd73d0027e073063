// SPDX-License-Identifier: GPL-2.0
/*
 * The HAL bus: finds devices, binds drivers, and hands on their interrupts.
 *
 * Every device has a page at a fixed address, and shares one interrupt with all
 * others.  The host sets a bit for each device that wants attention; what for
 * is in its rings and in its page.  The interrupt handler takes the bits, calls
 * the drivers, and leaves what must sleep to a work item: devices that came,
 * went, or were configured anew.
 */
#define pr_fmt(fmt) "plex86: " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <asm/barrier.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_call.h>
#include <asm/plex86_compat.h>

#define NR_WORDS	(PLEX86_MAX_DEVICES / 32)
#define CONFIG_TRIES	1000

/* The devices by number.  Work items and probing change it; the interrupt reads. */
static struct plex86_device *plex86_devices[PLEX86_MAX_DEVICES];
static DECLARE_BITMAP(plex86_changed, PLEX86_MAX_DEVICES);

static const struct plex86_dev *plex86_page(unsigned int index)
{
	return (const struct plex86_dev *)(PLEX86_DEVICES + index * PAGE_SIZE);
}

static bool plex86_present(unsigned int index)
{
	const struct plex86_dev *page = plex86_page(index);

	return READ_ONCE(page->magic) == PLEX86_DEV_MAGIC &&
	       READ_ONCE(page->type) != PLEX86_DEV_NONE &&
	       !(READ_ONCE(page->status) & PLEX86_DEV_GONE);
}

static int plex86_call_reset(unsigned int index)
{
	return plex86_call(PLEX86_CALL_DEV_RESET, index, 0, 0, 0, 0);
}

/*
 * What a driver may call.
 */

/**
 * plex86_device_ready() - let the device's events come to its driver
 * @pdev: the device
 *
 * Called by probe() when interrupt() may be called.  Completions from before
 * are not lost: the driver enables its rings' events after this.
 */
void plex86_device_ready(struct plex86_device *pdev)
{
	WRITE_ONCE(pdev->ready, true);
}
EXPORT_SYMBOL_GPL(plex86_device_ready);

/**
 * plex86_device_reset() - stop a device
 * @pdev: the device
 *
 * Afterwards the host knows none of its rings and writes no memory of its
 * requests, and no event comes to the driver.  That is so already of a device
 * that is gone, whose place this call would give to another one.
 */
void plex86_device_reset(struct plex86_device *pdev)
{
	/* One CPU, and no handler of its own runs: it sees this from now on. */
	WRITE_ONCE(pdev->ready, false);
	barrier();
	/* It may go between the two. */
	if (!plex86_device_gone(pdev) &&
	    plex86_call_reset(pdev->index) == -ENODEV)
		WRITE_ONCE(pdev->gone, true);
}
EXPORT_SYMBOL_GPL(plex86_device_reset);

/**
 * plex86_device_restart() - reset a device and agree on its features again
 * @pdev: the device
 *
 * As it was when probe() was called: a driver that does without its rings for a
 * while sets them up anew after this.
 *
 * Return: 0, -ENODEV if the device is gone, or what the host answered.
 */
int plex86_device_restart(struct plex86_device *pdev)
{
	plex86_device_reset(pdev);
	if (READ_ONCE(pdev->gone))
		return -ENODEV;
	return plex86_call(PLEX86_CALL_DEV_ACCEPT, pdev->index,
			   lower_32_bits(pdev->features),
			   upper_32_bits(pdev->features), 0, 0);
}
EXPORT_SYMBOL_GPL(plex86_device_restart);

/**
 * plex86_config_read() - read a device's configuration
 * @pdev: the device
 * @config: where it goes; what the device does not have is zero
 * @bytes: how many to read
 *
 * Return: 0 when all of it is of one generation; -EBUSY if the host does not
 * come to an end with changing it, and then it is all zero.
 */
int plex86_config_read(struct plex86_device *pdev, void *config, u32 bytes)
{
	const struct plex86_dev *page = pdev->page;
	const u8 *from = (const u8 *)page + PLEX86_DEV_CONFIG;
	u32 have = min_t(u32, READ_ONCE(page->config_bytes),
			 PAGE_SIZE - PLEX86_DEV_CONFIG);
	int tries;
	u32 before, i;
	u8 *to = config;

	memset(config, 0, bytes);
	for (tries = 0; tries < CONFIG_TRIES; tries++) {
		/* Pairs with the host's: it writes generation, bytes, generation. */
		before = virt_load_acquire(&page->generation);
		for (i = 0; i < min(have, bytes); i++)
			to[i] = READ_ONCE(from[i]);
		virt_rmb();	/* as above */
		if (!(before & 1) && READ_ONCE(page->generation) == before)
			return 0;
		cpu_relax();
	}
	memset(config, 0, bytes);
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(plex86_config_read);

/*
 * The driver model.
 */

static int plex86_bus_match(struct device *dev,
			    PLEX86_BUS_CONST struct device_driver *driver)
{
	return to_plex86_device(dev)->type == to_plex86_driver(driver)->type;
}

static int plex86_bus_probe(struct device *dev)
{
	struct plex86_driver *driver = to_plex86_driver(dev->driver);
	struct plex86_device *pdev = to_plex86_device(dev);
	u64 offered;
	int err;

	pdev->generation = READ_ONCE(pdev->page->generation);
	offered = (u64)READ_ONCE(pdev->page->features[1]) << 32 |
		  READ_ONCE(pdev->page->features[0]);
	pdev->features = offered & driver->features;
	err = plex86_device_restart(pdev);
	if (err)
		return err;

	err = driver->probe(pdev);
	if (err)
		plex86_device_reset(pdev);
	return err;
}

static void plex86_bus_remove(struct device *dev)
{
	to_plex86_driver(dev->driver)->remove(to_plex86_device(dev));
}

static void plex86_bus_shutdown(struct device *dev)
{
	struct plex86_device *pdev = to_plex86_device(dev);

	/* One without a driver comes here too. */
	if (pdev->ready && to_plex86_driver(dev->driver)->shutdown)
		to_plex86_driver(dev->driver)->shutdown(pdev);
}

static ssize_t type_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%u\n", to_plex86_device(dev)->type);
}
static DEVICE_ATTR_RO(type);

static ssize_t features_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%#llx\n", to_plex86_device(dev)->features);
}
static DEVICE_ATTR_RO(features);

static struct attribute *plex86_dev_attrs[] = {
	&dev_attr_type.attr,
	&dev_attr_features.attr,
	NULL
};
ATTRIBUTE_GROUPS(plex86_dev);

static PLEX86_BUS_CONST struct bus_type plex86_bus = {
	.name		= "plex86",
	.match		= plex86_bus_match,
	.probe		= plex86_bus_probe,
	.remove		= plex86_bus_remove,
	.shutdown	= plex86_bus_shutdown,
	.dev_groups	= plex86_dev_groups,
};

/**
 * plex86_driver_register() - register a driver with the HAL bus
 * @driver: the driver
 *
 * Return: 0 or a negative error number.
 */
int plex86_driver_register(struct plex86_driver *driver)
{
	driver->driver.bus = &plex86_bus;
	return driver_register(&driver->driver);
}
EXPORT_SYMBOL_GPL(plex86_driver_register);

/**
 * plex86_driver_unregister() - take a driver from the HAL bus
 * @driver: the driver
 */
void plex86_driver_unregister(struct plex86_driver *driver)
{
	driver_unregister(&driver->driver);
}
EXPORT_SYMBOL_GPL(plex86_driver_unregister);

/*
 * Devices that come, go and change.
 */

static void plex86_device_release(struct device *dev)
{
	kfree(to_plex86_device(dev));
}

static void plex86_device_add(unsigned int index)
{
	struct plex86_device *pdev;
	int err;

	pdev = kzalloc(sizeof(*pdev), GFP_KERNEL);
	if (!pdev)
		return;
	pdev->index = index;
	pdev->page = plex86_page(index);
	pdev->type = READ_ONCE(pdev->page->type);
	pdev->generation = READ_ONCE(pdev->page->generation);
	pdev->dev.bus = &plex86_bus;
	pdev->dev.release = plex86_device_release;
	dev_set_name(&pdev->dev, "plex86-%u", index);

	WRITE_ONCE(plex86_devices[index], pdev);
	err = device_register(&pdev->dev);
	if (err) {
		pr_err("device %u: %d\n", index, err);
		WRITE_ONCE(plex86_devices[index], NULL);
		put_device(&pdev->dev);
	}
}

static void plex86_device_remove(unsigned int index)
{
	struct plex86_device *pdev = plex86_devices[index];

	/*
	 * Its driver waits for nothing; not even a host that has wiped the page
	 * and gone on with the device is still at work after the reset.
	 */
	plex86_device_reset(pdev);
	WRITE_ONCE(pdev->gone, true);
	WRITE_ONCE(plex86_devices[index], NULL);
	device_unregister(&pdev->dev);
	/* Now another device may come to this place. */
	plex86_call_reset(index);
}

static void plex86_device_reconfigured(struct plex86_device *pdev)
{
	struct plex86_driver *driver;

	device_lock(&pdev->dev);
	pdev->generation = READ_ONCE(pdev->page->generation);
	if (pdev->ready) {
		driver = to_plex86_driver(pdev->dev.driver);
		if (driver->config_changed)
			driver->config_changed(pdev);
	}
	device_unlock(&pdev->dev);
}

static bool plex86_device_differs(const struct plex86_device *pdev,
				  unsigned int index)
{
	if (!pdev)
		return plex86_present(index);
	return READ_ONCE(pdev->gone) || !plex86_present(index) ||
	       READ_ONCE(pdev->page->generation) != pdev->generation;
}

/* The only one to add or remove devices: a work item never runs twice at once. */
static void plex86_bus_update(struct work_struct *work)
{
	struct plex86_device *pdev;
	unsigned int index;

	for_each_set_bit(index, plex86_changed, PLEX86_MAX_DEVICES) {
		clear_bit(index, plex86_changed);
		pdev = plex86_devices[index];
		if (pdev && (plex86_device_gone(pdev) || !plex86_present(index))) {
			plex86_device_remove(index);
			pdev = NULL;
		}
		if (pdev)
			plex86_device_reconfigured(pdev);
		else if (plex86_present(index))
			plex86_device_add(index);
	}
}

static DECLARE_WORK(plex86_bus_work, plex86_bus_update);

static irqreturn_t plex86_bus_interrupt(int irq, void *dev_id)
{
	unsigned long pending, bit;
	struct plex86_device *pdev;
	unsigned int word, index;

	for (word = 0; word < NR_WORDS; word++) {
		pending = xchg(&plex86_info->dev_pending[word], 0);
		for_each_set_bit(bit, &pending, 32) {
			index = word * 32 + bit;
			pdev = plex86_devices[index];
			if (plex86_device_differs(pdev, index)) {
				set_bit(index, plex86_changed);
				schedule_work(&plex86_bus_work);
			}
			if (pdev && READ_ONCE(pdev->ready))
				to_plex86_driver(pdev->dev.driver)->interrupt(pdev);
		}
	}
	return IRQ_HANDLED;
}

static int __init plex86_bus_init(void)
{
	int err;

	err = bus_register(&plex86_bus);
	if (err)
		return err;
	err = request_irq(PLEX86_IRQ_BUS, plex86_bus_interrupt, 0, "plex86-bus",
			  NULL);
	if (err) {
		bus_unregister(&plex86_bus);
		return err;
	}

	/* Every slot counts as changed once. */
	bitmap_fill(plex86_changed, PLEX86_MAX_DEVICES);
	schedule_work(&plex86_bus_work);
	flush_work(&plex86_bus_work);
	return 0;
}
subsys_initcall(plex86_bus_init);
