/* SPDX-License-Identifier: GPL-2.0 */
/* The version of plex86, which certificates name. */
#ifndef VERSION_H
#define VERSION_H

#define PLEX86_VERSION	"0.1"

#endif
