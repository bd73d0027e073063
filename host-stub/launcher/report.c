// SPDX-License-Identifier: GPL-2.0
/*
 * What is said when it is over: the registers of a guest that crashed, and the
 * counters of --stats.
 */
#include "launcher.h"
#include "scanner.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define CODE_BYTES	16u

/*
 * The symbol of a kernel file at or below @address; NULL if it has none.  Its
 * content was checked by image_check() as far as loading goes, not here.
 */
static const char *symbol_at(const struct file *kernel, u32 address,
			     u32 *offset)
{
	const u8 *file = kernel->data;
	const Elf32_Ehdr *ehdr = (const void *)file;
	u64 size = kernel->bytes, table = ehdr->e_shoff;
	const char *best = NULL;
	u32 i, best_value = 0;

	if (ehdr->e_shentsize != sizeof(Elf32_Shdr) || table > size ||
	    (u64)ehdr->e_shnum * sizeof(Elf32_Shdr) > size - table)
		return NULL;
	for (i = 0; i < ehdr->e_shnum; i++) {
		Elf32_Shdr sh, strings;
		u64 at;

		memcpy(&sh, file + table + i * sizeof(sh), sizeof(sh));
		if (sh.sh_type != SHT_SYMTAB || sh.sh_link >= ehdr->e_shnum)
			continue;
		memcpy(&strings, file + table + sh.sh_link * sizeof(sh),
		       sizeof(strings));
		if ((u64)sh.sh_offset + sh.sh_size > size ||
		    (u64)strings.sh_offset + strings.sh_size > size ||
		    !strings.sh_size ||
		    file[strings.sh_offset + strings.sh_size - 1])
			continue;
		for (at = 0; at + sizeof(Elf32_Sym) <= sh.sh_size;
		     at += sizeof(Elf32_Sym)) {
			Elf32_Sym sym;

			memcpy(&sym, file + sh.sh_offset + at, sizeof(sym));
			if (ELF32_ST_TYPE(sym.st_info) != STT_FUNC &&
			    ELF32_ST_TYPE(sym.st_info) != STT_NOTYPE)
				continue;
			if (sym.st_value > address || sym.st_value < best_value ||
			    sym.st_name >= strings.sh_size ||
			    sym.st_shndx == SHN_ABS)
				continue;
			best_value = sym.st_value;
			best = (const char *)file + strings.sh_offset +
			       sym.st_name;
		}
	}
	*offset = address - best_value;
	return best;
}

/* The byte at guest-linear @linear, or -1: a walk that changes nothing. */
static int peek(const struct vm_context *ctx, u32 linear)
{
	const struct vcpu *cpu = &ctx->state->vm.cpu;
	const u8 *ram = (const u8 *)RAM_BASE;
	u32 entry, gpa = linear, bytes = (u32)ctx->options.mem_bytes;

	if (cpu->cr0 & CR0_PG) {
		gpa = (cpu->cr3 & PAGE_MASK) + (linear >> 22) * 4;
		if (gpa > bytes - 4)
			return -1;
		memcpy(&entry, ram + gpa, 4);
		if (!(entry & PTE_P))
			return -1;
		if (entry & PTE_PS) {
			gpa = (entry & LARGE_MASK) | (linear & ~LARGE_MASK);
		} else {
			gpa = (entry & PAGE_MASK) + (linear >> 12 & 1023) * 4;
			if (gpa > bytes - 4)
				return -1;
			memcpy(&entry, ram + gpa, 4);
			if (!(entry & PTE_P))
				return -1;
			gpa = (entry & PAGE_MASK) | (linear & ~PAGE_MASK);
		}
	}
	return gpa < bytes ? ram[gpa] : -1;
}

/* Prints where the guest was, from the kernel file if it is still the same. */
static void report_place(const struct vm_context *ctx)
{
	const struct vcpu *cpu = &ctx->state->vm.cpu;
	struct file kernel = { 0 };
	const char *error = file_read(&kernel, ctx->options.kernel,
				      KERNEL_MAX_BYTES);
	const char *symbol = NULL;
	u32 offset = 0;

	if (!error && !file_same(&kernel, &ctx->kernel))
		error = "changed since it was loaded";
	if (!error)
		symbol = symbol_at(&kernel, cpu->eip, &offset);
	fprintf(stderr, "  at %08x", cpu->eip);
	if (symbol)
		fprintf(stderr, " (%s+0x%x)", symbol, offset);
	fprintf(stderr, ", in %s mode", cpu->cpl ? "user" : "kernel");
	if (error)
		fprintf(stderr, "; no symbols: %s: %s", ctx->options.kernel,
			error);
	fputc('\n', stderr);
	file_drop(&kernel);
}

/* report_crash() - registers, code and symbol, on standard error */
void report_crash(struct vm_context *ctx)
{
	const struct vcpu *cpu = &ctx->state->vm.cpu;
	u32 i;

	terminal_restore();
	complain("the guest crashed: %.*s", (int)sizeof(ctx->end.reason),
		 ctx->end.reason);
	report_place(ctx);
	fprintf(stderr, "  eax %08x  ebx %08x  ecx %08x  edx %08x\n",
		cpu->reg[EAX], cpu->reg[EBX], cpu->reg[ECX], cpu->reg[EDX]);
	fprintf(stderr, "  esi %08x  edi %08x  ebp %08x  esp %08x\n",
		cpu->reg[ESI], cpu->reg[EDI], cpu->reg[EBP], cpu->reg[ESP]);
	fprintf(stderr, "  eflags %08x  cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\n",
		cpu->eflags, cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4);
	fputs("  code", stderr);
	for (i = 0; i < CODE_BYTES; i++) {
		int byte = peek(ctx, cpu->eip + i);

		if (byte < 0)
			break;
		fprintf(stderr, " %02x", byte);
	}
	fputc('\n', stderr);
}

/*
 * report_check() - open what --stats named, before there is anything to lose
 *
 * Returns 0, or -1 after saying why not.
 */
int report_check(struct vm_context *ctx)
{
	struct flock nobodys = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	const char *name = ctx->options.stats, *why = "it cannot be written to";

	if (!name)
		return 0;
	ctx->stats_fd = file_create(name, &why);
	/* It is written when there is something to say, and then waited for. */
	if (ctx->stats_fd >= 0 && !fcntl(ctx->stats_fd, F_SETFL, 0)) {
		fcntl(ctx->stats_fd, F_OFD_SETLK, &nobodys);
		return 0;
	}
	complain("--stats: %s: %s", name, why);
	return -1;
}

/* 0, or -1 with errno. */
static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);
	ssize_t n;

	while (left) {
		n = write(fd, text, left);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/*
 * report_stats() - write --stats
 *
 * Returns 0, or -1 after saying why the file could not be written.
 */
int report_stats(struct vm_context *ctx)
{
	static const char *const ends[] = {
		[END_NOT] = "stopped", [END_POWEROFF] = "poweroff",
		[END_REBOOT] = "reboot", [END_CRASH] = "crash",
		[END_HOST] = "host",
	};
	const struct vm *vm = &ctx->state->vm;
	json_t *root = json_object(), *exits = json_object();
	char *text;
	int ret;

	json_object_set_new(root, "version", json_string(PLEX86_VERSION));
	json_object_set_new(root, "end", json_string(ends[ctx->end.how]));
	json_object_set_new(root, "status", json_integer(ctx->end.status));
	json_object_set_new(root, "mem_bytes", json_integer((json_int_t)ctx->options.mem_bytes));
	json_object_set_new(root, "run_ns",
			    json_integer((json_int_t)(now_ns() - ctx->start_ns)));
#define X(name) json_object_set_new(exits, #name, \
				    json_integer((json_int_t)vm->stats.name));
	STATS(X)
#undef X
	json_object_set_new(root, "counters", exits);
	/* Only a file has a length, and a place to begin at. */
	if (!ftruncate(ctx->stats_fd, 0))
		lseek(ctx->stats_fd, 0, SEEK_SET);
	text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(root);
	ret = text ? write_all(ctx->stats_fd, text) : -1;
	free(text);
	if (ret)
		complain("--stats: %s: %s", ctx->options.stats, strerror(errno));
	return ret;
}
