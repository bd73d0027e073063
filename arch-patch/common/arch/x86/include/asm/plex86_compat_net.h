/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernel lines for a network driver; plex86_compat.h has
 * the rest.
 */
#ifndef _ASM_X86_PLEX86_COMPAT_NET_H
#define _ASM_X86_PLEX86_COMPAT_NET_H

#include <linux/version.h>

/* The page pool's header became a directory of them in 6.6. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#endif /* _ASM_X86_PLEX86_COMPAT_NET_H */
