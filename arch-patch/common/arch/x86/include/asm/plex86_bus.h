/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The HAL bus: what a driver of a plex86 device is written against.
 *
 * The life of a device, in the order a driver sees it: probe() reads the
 * configuration, sets up its rings (asm/plex86_ring.h), and says
 * plex86_device_ready(); then interrupt() and config_changed() come; remove()
 * first stops the device with plex86_device_reset(), after which the host
 * touches none of its memory, and then frees.  A device may also go away by
 * itself: plex86_device_gone() tells, and remove() follows.  Its place is the
 * host's again when the bus has let go of it, after remove().
 */
#ifndef _ASM_X86_PLEX86_BUS_H
#define _ASM_X86_PLEX86_BUS_H

#include <linux/device.h>
#include <asm/plex86_abi.h>

/**
 * struct plex86_device - a device of the HAL
 * @dev: its place in the driver model
 * @index: number of its page, and its name in HAL calls
 * @type: PLEX86_DEV_*
 * @features: what was offered and the driver wants, bits 0..63
 * @page: its page, which the host writes: READ_ONCE(), and believe nothing
 * @generation: of the configuration, as last reported to the driver
 * @ready: interrupt() and config_changed() may be called
 * @gone: it was withdrawn, and stays so whatever its page says later
 */
struct plex86_device {
	struct device dev;
	unsigned int index;
	u32 type;
	u64 features;
	const struct plex86_dev *page;
	u32 generation;
	bool ready;
	bool gone;
};

/**
 * struct plex86_driver - a driver of one type of device
 * @driver: its place in the driver model; name and owner are the driver's to set
 * @type: PLEX86_DEV_*, the type it drives
 * @features: mask of the features it understands
 * @probe: takes a device, just reset, features agreed; may sleep
 * @remove: gives it back; may sleep
 * @shutdown: the machine is about to end; may sleep; may be absent
 * @interrupt: the device notified us; hardirq context
 * @config_changed: its configuration has a new generation; may sleep;
 *	may be absent
 */
struct plex86_driver {
	struct device_driver driver;
	u32 type;
	u64 features;
	int (*probe)(struct plex86_device *pdev);
	void (*remove)(struct plex86_device *pdev);
	void (*shutdown)(struct plex86_device *pdev);
	void (*interrupt)(struct plex86_device *pdev);
	void (*config_changed)(struct plex86_device *pdev);
};

#define to_plex86_device(d)	container_of_const(d, struct plex86_device, dev)
#define to_plex86_driver(d)	container_of(d, struct plex86_driver, driver)

int plex86_driver_register(struct plex86_driver *driver);
void plex86_driver_unregister(struct plex86_driver *driver);

#define module_plex86_driver(driver) \
	module_driver(driver, plex86_driver_register, plex86_driver_unregister)

void plex86_device_ready(struct plex86_device *pdev);
void plex86_device_reset(struct plex86_device *pdev);
int plex86_device_restart(struct plex86_device *pdev);
int plex86_config_read(struct plex86_device *pdev, void *config, u32 bytes);

/**
 * plex86_device_gone() - has the host withdrawn the device?
 * @pdev: the device
 *
 * Such a device completes nothing any more.
 */
static inline bool plex86_device_gone(struct plex86_device *pdev)
{
	if (READ_ONCE(pdev->page->status) & PLEX86_DEV_GONE)
		WRITE_ONCE(pdev->gone, true);
	return READ_ONCE(pdev->gone);
}

/**
 * plex86_has_feature() - was a feature agreed on?
 * @pdev: the device
 * @feature: its mask
 */
static inline bool plex86_has_feature(const struct plex86_device *pdev,
				      u64 feature)
{
	return pdev->features & feature;
}

static inline void plex86_set_drvdata(struct plex86_device *pdev, void *data)
{
	dev_set_drvdata(&pdev->dev, data);
}

static inline void *plex86_get_drvdata(const struct plex86_device *pdev)
{
	return dev_get_drvdata(&pdev->dev);
}

#endif /* _ASM_X86_PLEX86_BUS_H */
