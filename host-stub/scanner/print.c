// SPDX-License-Identifier: GPL-2.0
/*
 * What the scanner has found, for people and for machines.
 */
#include "scanner.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[VERDICTS] = {
	[VERDICT_SITE] = "site",
	[VERDICT_EMULATED] = "emulated",
	[VERDICT_NATIVE] = "native",
	[VERDICT_UNREACHABLE] = "unreachable",
	[VERDICT_FAULT] = "fault",
};

static const char *const pkru_names[] = {
	[PKRU_SITE] = "site",
	[PKRU_INSTRUCTION] = "instruction",
	[PKRU_ACCIDENT] = "accident",
};

/* Instructions of one name that fare alike, and how many. */
struct group {
	const struct finding *first;
	u32 count;
};

/* In the order in which they are printed: by verdict, name, reason. */
static int by_kind(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;
	int order;

	if (x->verdict != y->verdict)
		return x->verdict < y->verdict ? -1 : 1;
	order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->why, y->why);
}

static const struct finding **sorted(const struct report *r)
{
	const struct finding **list = calloc(r->findings + 1ull, sizeof(*list));
	u32 i;

	for (i = 0; list && i < r->findings; i++)
		list[i] = &r->finding[i];
	if (list)
		qsort(list, r->findings, sizeof(*list), by_kind);
	return list;
}

static void reason(const struct finding *f)
{
	printf("%s", f->why);
	if (f->option)
		printf(" (CONFIG_%s)", f->option);
	if (f->feature)
		printf(" (%s)", f->feature);
}

static void print_groups(const struct report *r)
{
	const struct finding **list = sorted(r);
	u32 i, count;

	if (!list)
		return;
	for (i = 0; i < r->findings; i += count) {
		for (count = 1; i + count < r->findings &&
		     !by_kind(&list[i], &list[i + count]); count++)
			;
		printf("  %-12s %6u  %-14s ", verdict_names[list[i]->verdict],
		       count, list[i]->name);
		reason(list[i]);
		putchar('\n');
	}
	free(list);
}

static void print_place(const struct print *p, u32 address, const char *section,
			const char *function, u32 offset)
{
	const char *file;
	int line;

	if (function)
		printf("%08x  %s+%#x", address, function, offset);
	else
		printf("%08x  %s", address, section);
	if (lines_find(p->lines, address, &file, &line))
		printf("  %s:%d", file, line);
}

static void print_findings(const struct print *p)
{
	const struct report *r = p->report;
	u32 i;

	for (i = 0; i < r->findings; i++) {
		const struct finding *f = &r->finding[i];

		if (!p->all && f->verdict != VERDICT_FAULT)
			continue;
		printf("  ");
		print_place(p, f->address, f->section, f->function, f->offset);
		printf("\n            %s: %s: ", f->name,
		       verdict_names[f->verdict]);
		reason(f);
		putchar('\n');
	}
}

static void print_pkru(const struct print *p)
{
	const struct report *r = p->report;
	u32 i;

	for (i = 0; i < r->pkrus; i++) {
		const struct pkru *k = &r->pkru[i];

		if (!p->all && k->is == PKRU_SITE)
			continue;
		printf("  ");
		print_place(p, k->address, k->section, k->function, k->offset);
		printf("\n            %s: %s: %s\n",
		       k->wrpkru ? "WRPKRU" : "XRSTOR", pkru_names[k->is],
		       k->host);
	}
}

static void print_head(const struct print *p)
{
	const struct report *r = p->report;
	u32 i, len, sites = 0;
	const char *release = kernel_release(p->kernel, &len);

	printf("%s: %s", p->name, p->kernel->format);
	if (release)
		printf(", Linux %.*s", (int)len, release);
	putchar('\n');
	if (!r->has_note)
		return;
	printf("  guest ABI %u.%u, up to %u MiB of memory\n",
	       r->image.note.abi_major, r->image.note.abi_minor,
	       r->image.note.ram_max_mib);
	for (i = 0; i < SITE_KINDS; i++)
		sites += r->sites[i];
	printf("  %u sites:", sites);
	for (i = 1; i < SITE_KINDS; i++)
		printf(" %s %u", site_name(i), r->sites[i]);
	putchar('\n');
}

/* print_text() - say on standard output what was found */
void print_text(const struct print *p)
{
	const struct report *r = p->report;
	u32 i, shown = r->problems < PROBLEMS_MAX ? r->problems : PROBLEMS_MAX;
	u32 sites = 0;

	print_head(p);
	if (r->findings) {
		printf("\nOf %u instructions, privileged or silent at CPL 3:\n",
		       r->instructions);
		print_groups(r);
	}
	if (p->all || r->verdicts[VERDICT_FAULT]) {
		printf("\n%s:\n", p->all ? "Each of them" : "The faults");
		print_findings(p);
	}
	if (r->pkrus) {
		for (i = 0; i < r->pkrus; i++)
			sites += r->pkru[i].is == PKRU_SITE;
		printf("\nBytes that load PKRU, at any alignment: %u, of these %u sites\n",
		       r->pkrus, sites);
		print_pkru(p);
	}
	if (shown) {
		printf("\nThe kernel as a whole:\n");
		for (i = 0; i < shown; i++)
			printf("  %s\n", r->problem[i].text);
		if (shown < r->problems)
			printf("  and %u more\n", r->problems - shown);
	}
	printf("\n%s: %s", p->name,
	       report_certified(r) ? "certified" : "not virtualizable");
	if (!report_certified(r))
		printf(": %u faults among its instructions, %u in the kernel as a whole",
		       r->verdicts[VERDICT_FAULT], r->problems);
	putchar('\n');
}

/* A place as members of a JSON object. */
static json_t *json_place(const struct print *p, u32 address,
			  const char *section, const char *function, u32 offset)
{
	json_t *o = json_pack("{s:I, s:s, s:s?, s:I}", "address",
			      (json_int_t)address, "section", section,
			      "function", function, "offset",
			      (json_int_t)offset);
	const char *file;
	int line;

	if (lines_find(p->lines, address, &file, &line))
		json_object_update_new(o, json_pack("{s:s, s:i}", "file", file,
						    "line", line));
	return o;
}

static json_t *json_findings(const struct print *p)
{
	const struct report *r = p->report;
	json_t *list = json_array();
	u32 i;

	for (i = 0; i < r->findings; i++) {
		const struct finding *f = &r->finding[i];
		json_t *o = json_place(p, f->address, f->section, f->function,
				       f->offset);

		json_object_update_new(o, json_pack("{s:i, s:s, s:s, s:s}",
			"bytes", (int)f->len, "name", f->name, "verdict",
			verdict_names[f->verdict], "why", f->why));
		if (f->option)
			json_object_set_new(o, "option",
					    json_sprintf("CONFIG_%s", f->option));
		if (f->feature)
			json_object_set_new(o, "feature",
					    json_string(f->feature));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *json_pkru(const struct print *p)
{
	const struct report *r = p->report;
	json_t *list = json_array();
	u32 i;

	for (i = 0; i < r->pkrus; i++) {
		const struct pkru *k = &r->pkru[i];
		json_t *o = json_place(p, k->address, k->section, k->function,
				       k->offset);

		json_object_update_new(o, json_pack("{s:s, s:s, s:s}",
			"name", k->wrpkru ? "WRPKRU" : "XRSTOR",
			"is", pkru_names[k->is], "host", k->host));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *json_options(const struct kernel *kernel)
{
	json_t *list = json_array();
	u32 i;

	for (i = 0; kernel->config && i < config_wants_count; i++) {
		const struct option_want *w = &config_wants[i];
		const char is[] = { config_value(kernel->config, w->name), 0 };
		const char want[] = { w->want, 0 };

		json_array_append_new(list, json_pack("{s:o, s:s%, s:s, s:s}",
			"name", json_sprintf("CONFIG_%s", w->name),
			"is", is, (size_t)1, "want", want, "why", w->why));
	}
	return list;
}

/* print_summary() - what a certificate says, as a JSON object */
json_t *print_summary(const struct print *p)
{
	const struct report *r = p->report;
	json_t *sites = json_object(), *verdicts = json_object();
	json_t *problems = json_array(), *o;
	u32 i, len;
	const char *release = kernel_release(p->kernel, &len);

	for (i = 1; i < SITE_KINDS; i++)
		json_object_set_new(sites, site_name(i),
				    json_integer(r->sites[i]));
	for (i = 0; i < VERDICTS; i++)
		json_object_set_new(verdicts, verdict_names[i],
				    json_integer(r->verdicts[i]));
	for (i = 0; i < r->problems && i < PROBLEMS_MAX; i++)
		json_array_append_new(problems,
				      json_string(r->problem[i].text));
	o = json_pack("{s:{s:i, s:i}, s:s, s:b, s:i, s:o, s:o, s:o}",
		      "abi", "major", (int)r->image.note.abi_major,
		      "minor", (int)r->image.note.abi_minor,
		      "format", p->kernel->format,
		      "certified", report_certified(r),
		      "decoded", (int)r->instructions,
		      "sites", sites, "verdicts", verdicts,
		      "problems", problems);
	if (release)
		json_object_set_new(o, "release",
				    json_stringn(release, len));
	json_object_set_new(o, "options", json_options(p->kernel));
	return o;
}

/* A file's name, which need not be UTF-8: then with '?' for what is not ASCII. */
static json_t *json_name(const char *name)
{
	json_t *o = json_string(name);
	char *ascii = o ? NULL : strdup(name), *c;

	for (c = ascii; c && *c; c++)
		if (*c < 0)
			*c = '?';
	if (ascii)
		o = json_string(ascii);
	free(ascii);
	return o;
}

/* print_json() - the same as print_text(), with each instruction; 0 or -1 */
int print_json(const struct print *p)
{
	json_t *o = print_summary(p);
	int ret;

	json_object_set_new(o, "file", json_name(p->name));
	json_object_set_new(o, "instructions", json_findings(p));
	json_object_set_new(o, "pkru", json_pkru(p));
	ret = json_dumpf(o, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	json_decref(o);
	putchar('\n');
	return ret;
}
