// SPDX-License-Identifier: GPL-2.0
/*
 * The scan: what a kernel file says of itself, its sites, and each of its
 * instructions.
 *
 * Code is decoded from the start of each section, and anew at each symbol, so
 * that what follows data within code is found again.
 */
#include "scanner.h"
#include "scan.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ours have some 8,000 of each kind, others five times as many. */
#define FINDINGS_MAX	(1u << 18)

struct sweep {
	const struct kernel *kernel;
	struct report *report;
	struct plex86_site *site;	/* those that hold their form, sorted */
	u32 sites;
	ZydisDecoder decoder;
	bool no_memory;
	bool stop;		/* there is no sense in going on */
};

__attribute__((format(printf, 2, 3)))
static void problem(struct report *report, const char *format, ...)
{
	va_list args;

	if (report->problems < PROBLEMS_MAX) {
		struct problem *p = &report->problem[report->problems];

		va_start(args, format);
		vsnprintf(p->text, sizeof(p->text), format, args);
		va_end(args);
	}
	report->problems++;
}

/* One more in @array of @count entries of @bytes; NULL: no memory. */
static void *one_more(void **array, u32 *count, size_t bytes)
{
	u8 *more;

	/* At each power of two there is no more room. */
	if (!(*count & (*count - 1))) {
		more = realloc(*array, (*count ? 2ull * *count : 1) * bytes);
		if (!more)
			return NULL;
		*array = more;
	}
	more = (u8 *)*array + *count * bytes;
	++*count;
	return memset(more, 0, bytes);
}

static int by_address(const void *a, const void *b)
{
	const struct plex86_site *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Is one site what the table says?  Otherwise its code is judged as it stands. */
static bool check_site(struct sweep *s, const struct plex86_site *site)
{
	const char *name = site_name(site->kind);
	u32 bytes = 0, at;
	const u8 *form = site_form(site->kind, &bytes);
	const struct code *code;

	if (!form) {
		problem(s->report, "site at %08x: its kind, %u, is not known",
			site->addr, site->kind);
		return false;
	}
	if (site->len != bytes) {
		problem(s->report, "%s site at %08x: damaged: it is %u bytes long, not %u",
			name, site->addr, site->len, bytes);
		return false;
	}
	code = kernel_code_at(s->kernel, site->addr);
	if (!code) {
		problem(s->report, "%s site at %08x: it is not in an executable section",
			name, site->addr);
		return false;
	}
	at = site->addr - code->address;
	if (bytes > code->bytes - at || memcmp(code->data + at, form, bytes)) {
		problem(s->report, "%s site at %08x: it does not hold what belongs there",
			name, site->addr);
		return false;
	}
	return true;
}

static void take_sites(struct sweep *s)
{
	const struct plex86_note *note = &s->report->image.note;
	u32 bytes = note->sites_end - note->sites, i, n;
	const u8 *table;

	if (!s->report->has_note || !bytes)
		return;
	table = kernel_at(s->kernel, note->sites, bytes);
	if (!table || bytes % sizeof(*s->site)) {
		problem(s->report, "damaged: the site table lies outside the kernel");
		return;
	}
	s->site = malloc(bytes);
	if (!s->site) {
		s->no_memory = true;
		return;
	}
	n = bytes / (u32)sizeof(*s->site);
	for (i = 0; i < n; i++) {
		struct plex86_site site;

		memcpy(&site, table + i * sizeof(site), sizeof(site));
		s->report->sites[site_name(site.kind) ? site.kind : 0]++;
		if (check_site(s, &site))
			s->site[s->sites++] = site;
	}
	qsort(s->site, s->sites, sizeof(*s->site), by_address);
	for (i = 1; i < s->sites; i++)
		if (s->site[i].addr < s->site[i - 1].addr + s->site[i - 1].len)
			problem(s->report, "%s site at %08x: it overlaps another",
				site_name(s->site[i].kind), s->site[i].addr);
}

/* The site that [@address, @address + @bytes) lies in, or NULL. */
static const struct plex86_site *site_at(const struct sweep *s, u32 address,
					 u32 bytes)
{
	u32 low = 0, high = s->sites;
	const struct plex86_site *site;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (s->site[middle].addr <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	site = &s->site[low - 1];
	return address - site->addr + bytes <= site->len ? site : NULL;
}

static void check_options(struct sweep *s)
{
	const char *config = s->kernel->config;
	u32 i;

	if (!config) {
		problem(s->report, "no configuration is embedded, so nothing says how it was built; set CONFIG_IKCONFIG=y");
		return;
	}
	for (i = 0; i < config_wants_count; i++) {
		const struct option_want *want = &config_wants[i];

		if (config_value(config, want->name) == want->want)
			continue;
		s->report->options_wrong++;
		problem(s->report, "CONFIG_%s%s: %s", want->name,
			want->want == 'y' ? " must be y" : " must not be set",
			want->why);
	}
}

/* What is scanned by section is what is loaded by segment, at the same place. */
static void check_loaded(struct sweep *s, const struct code *code)
{
	const struct kernel *k = s->kernel;
	const Elf32_Ehdr *ehdr = (const void *)k->elf;
	u32 i;

	for (i = 0; i < ehdr->e_phnum; i++) {
		Elf32_Phdr phdr;
		u32 offset;

		memcpy(&phdr, k->elf + ehdr->e_phoff +
		       (u64)i * ehdr->e_phentsize, sizeof(phdr));
		offset = code->address - phdr.p_vaddr;
		if (phdr.p_type == PT_LOAD && offset < phdr.p_filesz &&
		    code->bytes <= phdr.p_filesz - offset &&
		    code->data == k->elf + phdr.p_offset + offset &&
		    phdr.p_vaddr - phdr.p_paddr ==
			    s->report->image.note.page_offset)
			return;
	}
	problem(s->report, "section %s is not loaded as it is linked",
		code->name);
}

static void place(struct sweep *s, u32 address, const char **function,
		  u32 *offset)
{
	const struct symbol *symbol = kernel_symbol(s->kernel, address);

	*function = symbol ? symbol->name : NULL;
	*offset = symbol ? address - symbol->address : 0;
}

/* What has more than any kernel is not looked through to its end. */
static bool room_for(struct sweep *s, u32 count)
{
	if (count < FINDINGS_MAX)
		return true;
	if (!s->stop)
		problem(s->report, "damaged: it has more of this than any kernel; what is behind is not looked at");
	s->stop = true;
	return false;
}

static void found(struct sweep *s, const struct code *code, u32 at, u32 len,
		  const struct judged *judged)
{
	struct report *r = s->report;
	struct finding *f;

	if (!room_for(s, r->findings))
		return;
	f = one_more((void **)&r->finding, &r->findings, sizeof(*f));
	if (!f) {
		s->no_memory = true;
		s->stop = true;
		return;
	}
	f->address = code->address + at;
	f->len = (u8)len;
	f->verdict = (u8)judged->verdict;
	f->name = judged->name;
	f->why = judged->why;
	f->option = judged->option;
	f->feature = judged->feature;
	f->section = code->name;
	place(s, f->address, &f->function, &f->offset);
	r->verdicts[judged->verdict]++;
}

/* Bytes in which code goes on that is none: a run of them is one finding. */
static void undecoded(struct sweep *s, const struct code *code, u32 at)
{
	static const struct judged judged = {
		.name = "(no instruction)", .verdict = VERDICT_FAULT,
		.why = "what is behind cannot be told",
	};
	struct report *r = s->report;
	struct finding *last = r->findings ? &r->finding[r->findings - 1] : NULL;

	if (last && last->why == judged.why && last->len < 255 &&
	    last->address + last->len == code->address + at) {
		last->len++;
		return;
	}
	r->undecoded++;
	found(s, code, at, 1, &judged);
}

/* What loads PKRU at @at, whatever the code around it is. */
static void loads_pkru(struct sweep *s, const struct code *code, u32 at,
		       bool wrpkru, bool instruction)
{
	struct report *r = s->report;
	const struct plex86_site *site = site_at(s, code->address + at, 3);
	struct pkru *p;

	if (!room_for(s, r->pkrus))
		return;
	p = one_more((void **)&r->pkru, &r->pkrus, sizeof(*p));
	if (!p) {
		s->no_memory = true;
		s->stop = true;
		return;
	}
	p->address = code->address + at;
	p->wrpkru = wrpkru;
	p->section = code->name;
	place(s, p->address, &p->function, &p->offset);
	if (site && site->kind == PLEX86_SITE_XRSTOR &&
	    site->addr == p->address) {
		p->is = PKRU_SITE;
		p->host = "rewritten when it is loaded: a call of the host's";
	} else if (!instruction) {
		p->is = PKRU_ACCIDENT;
		p->host = "with protection keys its page is gone through step by step";
	} else {
		p->is = PKRU_INSTRUCTION;
		p->host = p->wrpkru ?
			"with protection keys #UD" :
			"with protection keys its page is gone through step by step, and this done by the host";
	}
}

/* Three bytes that lie in more than one section; false if there are none. */
static bool read_across(const struct kernel *kernel, u32 address, u8 *bytes)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		const u8 *at = kernel_at(kernel, address + i, 1);

		if (!at)
			return false;
		bytes[i] = *at;
	}
	return true;
}

/* Those that begin in the @len bytes at @at, which are one instruction or none. */
static void look_for_pkru(struct sweep *s, const struct code *code, u32 at,
			  u32 len, const ZydisDecodedInstruction *insn)
{
	u32 end = at + len, opcode = ~0u;

	if (insn && (insn->mnemonic == ZYDIS_MNEMONIC_WRPKRU ||
		     insn->mnemonic == ZYDIS_MNEMONIC_XRSTOR))
		opcode = at + insn->raw.prefix_count;
	for (; at < end; at++) {
		const u8 *bytes = code->data + at;
		u8 across[3];

		if (*bytes != 0x0f)
			continue;
		if (at + 3 > code->bytes) {
			if (!read_across(s->kernel, code->address + at, across))
				continue;
			bytes = across;
		}
		if (core_scan_hit(bytes))
			loads_pkru(s, code, at, bytes[1] == 0x01, at == opcode);
	}
}

/* The UD1 NEXT that was found last has nothing behind it that the host would do. */
static void nothing_next(struct report *r)
{
	struct finding *f = &r->finding[r->findings - 1];

	r->verdicts[f->verdict]--;
	f->verdict = VERDICT_FAULT;
	f->why = "what follows is nothing that the host does";
	r->verdicts[f->verdict]++;
}

static void judge(struct sweep *s, const struct code *code, u32 at,
		  const ZydisDecodedInstruction *insn, bool behind_next)
{
	struct judged judged = rules_judge(insn, code->data + at, behind_next);
	const struct symbol *symbol;

	if (behind_next && !judged.by_next)
		nothing_next(s->report);
	if (!judged.name)
		return;
	if (site_at(s, code->address + at, insn->length)) {
		judged.verdict = VERDICT_SITE;
		judged.why = "recorded: the host rewrites it";
		judged.option = NULL;
		judged.feature = NULL;
	} else if (judged.reach) {
		symbol = kernel_symbol(s->kernel, code->address + at);
		rules_reach(&judged, &(struct where){
			.section = code->name,
			.function = symbol ? symbol->name : NULL,
			.caught = kernel_catches(s->kernel, code->address + at),
		}, s->kernel->named, s->kernel->config);
	}
	found(s, code, at, insn->length, &judged);
}

/* Decodes the section that is number @n. */
static void sweep_code(struct sweep *s, u32 n)
{
	const struct kernel *k = s->kernel;
	const struct code *code = &k->code[n];
	ZydisDecodedInstruction insn;
	u32 at = 0, symbol = 0, end;
	bool next = false;

	while (at < code->bytes && !s->stop) {
		while (symbol < k->symbols &&
		       (k->symbol[symbol].code != n ||
			k->symbol[symbol].address - code->address <= at))
			symbol++;
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&s->decoder, NULL,
				code->data + at, code->bytes - at, &insn))) {
			if (next)
				nothing_next(s->report);
			next = false;
			undecoded(s, code, at);
			look_for_pkru(s, code, at, 1, NULL);
			at++;
			continue;
		}
		s->report->instructions++;
		judge(s, code, at, &insn, next);
		end = at + insn.length;
		if (symbol < k->symbols &&
		    k->symbol[symbol].address - code->address < end)
			end = k->symbol[symbol].address - code->address;
		look_for_pkru(s, code, at, end - at, &insn);
		next = insn.mnemonic == ZYDIS_MNEMONIC_UD1 &&
		       code->data[at] == 0x0f &&
		       code->data[at + 2] == PLEX86_UD1_NEXT &&
		       end == at + insn.length;
		at = end;
	}
	if (next && !s->stop)
		nothing_next(s->report);
}

/*
 * scan() - look through a kernel
 * @report: filled in; to be freed, whatever is returned
 *
 * Returns 0, or -1 if memory ran out.
 */
int scan(const struct kernel *kernel, struct report *report)
{
	struct sweep s = { .kernel = kernel, .report = report };
	const char *error;
	u32 i;

	memset(report, 0, sizeof(*report));
	if (kernel->foreign) {
		problem(report, "%s", kernel->foreign);
		return 0;
	}
	error = image_check(kernel->elf, kernel->elf_bytes, &report->image);
	if (error)
		problem(report, "%s", error);
	report->has_note = report->image.note.abi_major == PLEX86_ABI_MAJOR;
	if (!kernel->codes)
		problem(report, "it has no executable section; give a vmlinux with its section headers");
	if (kernel->stray)
		problem(report, "function %s is in no executable section, so its code was not looked at",
			kernel->stray);
	check_options(&s);
	take_sites(&s);
	rules_decoder(&s.decoder);
	if (report->has_note &&
	    !kernel_code_at(kernel, report->image.entry +
				    report->image.note.page_offset))
		problem(report, "damaged: its entry point is not in an executable section");
	for (i = 0; i < kernel->codes && !s.stop; i++) {
		if (report->has_note)
			check_loaded(&s, &kernel->code[i]);
		sweep_code(&s, i);
	}
	free(s.site);
	return s.no_memory ? -1 : 0;
}

/* report_certified() - is it fit for any plex86 host? */
bool report_certified(const struct report *report)
{
	return !report->problems && !report->verdicts[VERDICT_FAULT];
}

/* report_free() - let go of what scan() has found */
void report_free(struct report *report)
{
	free(report->finding);
	free(report->pkru);
	memset(report, 0, sizeof(*report));
}
