// SPDX-License-Identifier: GPL-2.0
/*
 * The PVI forms of the recorded sites: what the file must hold there;
 * abi/plex86-abi.md, "Sites". Their shared-page forms are in image.c.
 */
#include "image.h"

static const u8 form_cli[PLEX86_SITE_CLI_LEN] = {
	0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xfa,
};

static const u8 form_sti[PLEX86_SITE_STI_LEN] = {
	0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xfb,
};

static const u8 form_pushf[PLEX86_SITE_PUSHF_LEN] = {
	0x9c, 0x9c, 0x50,
	0x8b, 0x44, 0x24, 0x08, 0x25, 0xff, 0xfd, 0xe7, 0xff,
	0xf6, 0x44, 0x24, 0x0a, 0x08, 0x74, 0x03, 0x80, 0xcc, 0x02,
	0x89, 0x44, 0x24, 0x08, 0x58, 0x9d,
};

static const u8 form_popf[PLEX86_SITE_POPF_LEN] = {
	0x66, 0x90, 0xf6, 0x44, 0x24, 0x01, 0x02, 0x74, 0x03,
	0xfb, 0xeb, 0x01, 0xfa, 0x9d,
};

static const u8 form_iret[PLEX86_SITE_IRET_LEN] = {
	0x0f, 0xb9, PLEX86_UD1_IRET, 0x0f, 0x1f, 0x40, 0x00,
};

static const u8 form_call[PLEX86_SITE_CALL_LEN] = {
	0x0f, 0xb9, PLEX86_UD1_CALL, 0x0f, 0x1f, 0x00,
};

static const u8 form_xrstor[PLEX86_SITE_XRSTOR_LEN] = {
	0x0f, 0xae, 0x2f, 0x0f, 0x1f, 0x00,
};

static const struct {
	const char *name;
	const u8 *form;
	u32 bytes;
} kinds[SITE_KINDS] = {
	[PLEX86_SITE_CLI] = { "CLI", form_cli, sizeof(form_cli) },
	[PLEX86_SITE_STI] = { "STI", form_sti, sizeof(form_sti) },
	[PLEX86_SITE_PUSHF] = { "PUSHF", form_pushf, sizeof(form_pushf) },
	[PLEX86_SITE_POPF] = { "POPF", form_popf, sizeof(form_popf) },
	[PLEX86_SITE_IRET] = { "IRET", form_iret, sizeof(form_iret) },
	[PLEX86_SITE_CALL] = { "CALL", form_call, sizeof(form_call) },
	[PLEX86_SITE_XRSTOR] = { "XRSTOR", form_xrstor, sizeof(form_xrstor) },
};

/* site_form() - what a site of @kind holds, and how many *@bytes; or NULL */
const u8 *site_form(u32 kind, u32 *bytes)
{
	if (kind >= SITE_KINDS)
		return NULL;
	*bytes = kinds[kind].bytes;
	return kinds[kind].form;
}

/* site_name() - what a site of @kind is in place of, or NULL */
const char *site_name(u32 kind)
{
	return kind < SITE_KINDS ? kinds[kind].name : NULL;
}
