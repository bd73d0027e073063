// SPDX-License-Identifier: GPL-2.0
/*
 * Every way in which this machine ends, and the status it leaves.
 *
 * Power-off, halt, restart and panic each become a PLEX86_CALL_END.  A halted
 * machine has no one to press its button, so halt is power-off.  A panic that
 * is not to reboot (panic_timeout 0) ends the machine as crashed.
 *
 * /sys/firmware/plex86/exit_status is what the host's command exits with after
 * a power-off: 0, or 64..127; the rest is the host's own.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/panic.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <linux/sysfs.h>
#include <asm/plex86_call.h>
#include <asm/reboot.h>

#include "plex86.h"

static unsigned int exit_status;

static void plex86_power_off(void)
{
	plex86_end(PLEX86_END_POWEROFF, exit_status);
}

static void plex86_emergency_restart(void)
{
	plex86_end(PLEX86_END_REBOOT, 0);
}

static void plex86_restart(char *command)
{
	plex86_emergency_restart();
}

/*
 * panic() calls this while it waits: after the last message is out, and, if it
 * waits to reboot, over and over.  A panic notifier would run before the
 * messages are flushed.
 */
static long plex86_panicked(int state)
{
	if (!panic_timeout)
		plex86_end(PLEX86_END_CRASH, 0);
	return 0;
}

void __init plex86_reset_init(void)
{
	machine_ops.restart = plex86_restart;
	machine_ops.emergency_restart = plex86_emergency_restart;
	machine_ops.halt = plex86_power_off;
	machine_ops.power_off = plex86_power_off;
	pm_power_off = plex86_power_off;	/* says that there is a way */
	panic_blink = plex86_panicked;
}

static ssize_t exit_status_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", exit_status);
}

static ssize_t exit_status_store(struct kobject *kobj,
				 struct kobj_attribute *attr,
				 const char *buf, size_t count)
{
	unsigned int status;
	int err;

	err = kstrtouint(buf, 0, &status);
	if (err)
		return err;
	if (status && (status < 64 || status > 127))
		return -EINVAL;
	exit_status = status;
	return count;
}

static struct kobj_attribute exit_status_attr = __ATTR_RW(exit_status);

static int __init plex86_sysfs_init(void)
{
	struct kobject *dir = kobject_create_and_add("plex86", firmware_kobj);

	if (!dir)
		return -ENOMEM;
	return sysfs_create_file(dir, &exit_status_attr.attr);
}
subsys_initcall(plex86_sysfs_init);
