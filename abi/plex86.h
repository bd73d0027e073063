/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The plex86 guest/host contract, as both sides compile it.
 *
 * abi/plex86-abi.md is the same contract in prose; a constant or a layout is
 * changed in both or in neither.  Nothing here depends on the host's word
 * size: all fields have fixed widths, are naturally aligned and little-endian.
 */
#ifndef PLEX86_ABI_H
#define PLEX86_ABI_H

/* A host runs a guest whose major equals its own; minors only add. */
#define PLEX86_ABI_MAJOR	1
#define PLEX86_ABI_MINOR	1

/*
 * Linear addresses.  The top 4 MiB of the guest's linear address space belong
 * to the host; no guest page table describes them.
 */
#define PLEX86_TOP		0xffc00000
#define PLEX86_INFO		0xffc00000	/* struct plex86_info, guest RW */
#define PLEX86_INFO_STI		0xffc01000	/* the same page, for STI only */
#define PLEX86_GATES		0xffc02000	/* struct plex86_gates, all RX */
#define PLEX86_DEVICES		0xffc10000	/* device pages, guest RO */
#define PLEX86_MAX_DEVICES	64
#define PLEX86_TOP_BYTES	0x00400000

/*
 * UD1 with a register operand (0F B9 /6, mod 11) reaches the host from any
 * privilege.  Its r/m field says what for; 4 and 5 are the host's own.
 */
#define PLEX86_UD1_IRET		0xf0	/* stands for IRET */
#define PLEX86_UD1_CALL		0xf1	/* HAL call */
#define PLEX86_UD1_CPUID	0xf2	/* stands for CPUID */
#define PLEX86_UD1_NEXT		0xf3	/* emulate the instruction that follows */

/* Kinds of rewritable sites, and how many bytes each occupies. */
#define PLEX86_SITE_CLI		1
#define PLEX86_SITE_STI		2
#define PLEX86_SITE_PUSHF	3
#define PLEX86_SITE_POPF	4
#define PLEX86_SITE_IRET	5
#define PLEX86_SITE_CALL	6
#define PLEX86_SITE_XRSTOR	7

#define PLEX86_SITE_CLI_LEN	7
#define PLEX86_SITE_STI_LEN	7
#define PLEX86_SITE_PUSHF_LEN	28
#define PLEX86_SITE_POPF_LEN	14
#define PLEX86_SITE_IRET_LEN	7
#define PLEX86_SITE_CALL_LEN	6
#define PLEX86_SITE_XRSTOR_LEN	6

/* The ELF note: owner "plex86", type PLEX86_NOTE, struct plex86_note. */
#define PLEX86_NOTE_NAME	"plex86"
#define PLEX86_NOTE		1

/* Interrupt n of 16 arrives at vector 0x30 + n of the guest's IDT. */
#define PLEX86_IRQ_VECTOR	0x30
#define PLEX86_NR_IRQS		16
#define PLEX86_IRQ_TIMER	0
#define PLEX86_IRQ_BUS		1

/* CPUID leaf 0 of a plex86 CPU. */
#define PLEX86_CPU_VENDOR	"plex86 guest"

/* HAL calls: EAX = number; arguments EBX, ECX, EDX, ESI, EDI. */
#define PLEX86_CALL_NOP		0
#define PLEX86_CALL_WRITE	1	/* gpa, bytes: early console output */
#define PLEX86_CALL_TIMER	2	/* ns low, ns high from now */
#define PLEX86_CALL_CLOCK	3	/* which -> EBX, ECX: ns low, ns high */
#define PLEX86_CALL_END		4	/* how, status */
#define PLEX86_CALL_IRQ		5	/* look at irq_enabled again */
#define PLEX86_CALL_DEV_RESET	6	/* device */
#define PLEX86_CALL_DEV_ACCEPT	7	/* device, features low, high */
#define PLEX86_CALL_QUEUE_SET	8	/* device, queue, gpa low, high, entries */
#define PLEX86_CALL_NOTIFY	9	/* device, queue: the doorbell */
#define PLEX86_CALL_CR3		10	/* value: stands for MOV to CR3 */
#define PLEX86_CALL_FLUSH	11	/* from, to: drop what is in between */
#define PLEX86_CALL_TLS		12	/* TLS descriptors in the GDT changed */
#define PLEX86_CALL_PROTECT	13	/* from, to: drop write permission there */

/*
 * CR3 while CR4.PCIDE is set: bits 0 to 10 name the address space that the
 * tables belong to, below plex86_info.asids.  What the host holds of that space
 * is kept where bit 11 is set, and dropped where it is not.
 */
#define PLEX86_CR3_ASID		0x7ff
#define PLEX86_CR3_KEEP		(1 << 11)

#define PLEX86_WRITE_MAX	4096	/* bytes in one PLEX86_CALL_WRITE */

#define PLEX86_CLOCK_MONOTONIC	0	/* ns since an unnamed start, never back */
#define PLEX86_CLOCK_REALTIME	1	/* ns since 1970-01-01 00:00 UTC */

#define PLEX86_END_POWEROFF	0
#define PLEX86_END_REBOOT	1
#define PLEX86_END_CRASH	2

/* PLEX86_CALL_TIMER with both words all ones: no timer. */
#define PLEX86_TIMER_OFF	0xffffffff

/* Results in EAX: 0 or the negative of one of these. */
#define PLEX86_ENODEV		19	/* no such device or queue */
#define PLEX86_EINVAL		22	/* argument out of range */
#define PLEX86_EFAULT		14	/* range outside guest RAM */
#define PLEX86_EBUSY		16	/* queue already set; device in use */
#define PLEX86_ENOSYS		38	/* no such call */

/* struct plex86_info.host_flags */
#define PLEX86_HOST_PVI		(1 << 0)	/* VIF is the flag; clear: info.vif */
#define PLEX86_HOST_TSC		(1 << 1)	/* TSC constant, at tsc_khz */

/* Device types. */
#define PLEX86_DEV_NONE		0
#define PLEX86_DEV_CONSOLE	1
#define PLEX86_DEV_BLOCK	2
#define PLEX86_DEV_NET		3

#define PLEX86_DEV_MAGIC	0x36387870	/* "px86" */
#define PLEX86_DEV_CONFIG	0x100		/* offset of the configuration */

/* struct plex86_dev.status */
#define PLEX86_DEV_GONE		(1 << 0)	/* removed: completes nothing more */

/* Every type's features; a type's own start at bit 32. */
#define PLEX86_F_INDIRECT	(1 << 0)	/* segment lists outside the packet */

/* Queue geometry. */
#define PLEX86_QUEUE_MIN	2
#define PLEX86_QUEUE_MAX	32768
#define PLEX86_INLINE_SEGS	2
#define PLEX86_SUB_OFFSET	128	/* bytes from the queue to its packets */

/* struct plex86_sub.flags */
#define PLEX86_SUB_INDIRECT	(1 << 0)	/* seg[0] holds the segment list */

/* struct plex86_comp.status: 0, or one of these */
#define PLEX86_S_OK		0
#define PLEX86_S_IOERR		1	/* the device failed */
#define PLEX86_S_UNSUPPORTED	2	/* unknown operation or flag */
#define PLEX86_S_BADREQ		3	/* malformed: segments, sizes, ranges */
#define PLEX86_S_NOSPACE	4	/* the medium is full */

/* halcon: queue 0 receives, queue 1 transmits. */
#define PLEX86_CON_RX		0
#define PLEX86_CON_TX		1
#define PLEX86_CON_OP_RX	1
#define PLEX86_CON_OP_TX	2
#define PLEX86_CON_COMP_BREAK	(1 << 0)	/* a break came before these bytes */

/* halblk: features; any number of queues. */
#define PLEX86_BLK_F_FLUSH	(1ULL << 32)	/* writes are cached; FLUSH, FUA */
#define PLEX86_BLK_F_DISCARD	(1ULL << 33)
#define PLEX86_BLK_F_WRITE_ZEROES (1ULL << 34)

/* arg: the first sector, of 512 bytes */
#define PLEX86_BLK_OP_READ	1	/* the host writes the segments */
#define PLEX86_BLK_OP_WRITE	2	/* the host reads them */
#define PLEX86_BLK_OP_FLUSH	3	/* arg reserved */
#define PLEX86_BLK_OP_DISCARD	4	/* arg2: sectors */
#define PLEX86_BLK_OP_WRITE_ZEROES 5	/* arg2: sectors */

/* struct plex86_sub.flags of halblk */
#define PLEX86_BLK_FUA		(1 << 8)	/* WRITE, WRITE_ZEROES: durable */
#define PLEX86_BLK_UNMAP	(1 << 9)	/* WRITE_ZEROES: may give up room */

/* struct plex86_blk_config.flags */
#define PLEX86_BLK_READ_ONLY	(1 << 0)
#define PLEX86_BLK_ROTATIONAL	(1 << 1)	/* seeks take time */

#define PLEX86_BLK_SECTOR	512
#define PLEX86_BLK_SERIAL	64

/*
 * halnet: queue 2n receives, queue 2n + 1 transmits; the one behind the last
 * pair is for control.
 */
#define PLEX86_NET_RX(pair)	(2 * (pair))
#define PLEX86_NET_TX(pair)	(2 * (pair) + 1)
#define PLEX86_NET_CONTROL(pairs)	(2 * (pairs))
#define PLEX86_NET_OP_RX	1
#define PLEX86_NET_OP_TX	2
#define PLEX86_NET_OP_FILTER	3

/* Features: what the host takes, what the guest takes, and control. */
#define PLEX86_NET_F_CSUM	(1ULL << 32)	/* checksums to be filled in */
#define PLEX86_NET_F_TSO4	(1ULL << 33)	/* TCP over IPv4 to be cut up */
#define PLEX86_NET_F_TSO6	(1ULL << 34)	/* the same over IPv6 */
#define PLEX86_NET_F_TSO_ECN	(1ULL << 35)	/* and with CWR set */
#define PLEX86_NET_F_GUEST_CSUM	(1ULL << 40)
#define PLEX86_NET_F_GUEST_TSO4	(1ULL << 41)
#define PLEX86_NET_F_GUEST_TSO6	(1ULL << 42)
#define PLEX86_NET_F_GUEST_ECN	(1ULL << 43)
#define PLEX86_NET_F_FILTER	(1ULL << 48)	/* PLEX86_NET_OP_FILTER */

/* An IP packet of 65535 bytes behind Ethernet's header and two VLAN tags. */
#define PLEX86_NET_FRAME_MIN	14
#define PLEX86_NET_FRAME_MAX	65557
#define PLEX86_NET_MTU_MAX	65535
#define PLEX86_NET_RX_MIN	1024	/* bytes of a receive buffer, at least */
#define PLEX86_NET_FILTER_MAX	128	/* addresses in a filter */

/* struct plex86_net_hdr.flags and .gso_type */
#define PLEX86_NET_HDR_NEEDS_CSUM	1	/* from csum_start to the end */
#define PLEX86_NET_HDR_DATA_VALID	2	/* checksums were looked at */
#define PLEX86_NET_HDR_GSO_NONE		0
#define PLEX86_NET_HDR_GSO_TCPV4	1
#define PLEX86_NET_HDR_GSO_TCPV6	4
#define PLEX86_NET_HDR_GSO_ECN		0x80	/* with one of the former */

/* struct plex86_net_config.link */
#define PLEX86_NET_LINK_UP	(1 << 0)

/* struct plex86_net_filter.flags */
#define PLEX86_NET_PROMISC	(1 << 0)	/* all frames pass */
#define PLEX86_NET_ALLMULTI	(1 << 1)	/* all to groups do */

#ifndef __ASSEMBLY__

#include <linux/types.h>

/* One rewritable site, in the table that the note points to. */
struct plex86_site {
	__u32 addr;		/* linear */
	__u8 kind;		/* PLEX86_SITE_* */
	__u8 len;		/* PLEX86_SITE_*_LEN */
	__u16 zero;
};

struct plex86_note {
	__u16 abi_major;
	__u16 abi_minor;
	__u32 page_offset;	/* linear address of guest-physical 0 */
	__u32 sites;		/* linear address of struct plex86_site[] */
	__u32 sites_end;
	__u32 ram_max_mib;	/* what the kernel's memory split can use */
};

/*
 * The info page.  The first 64 bytes are live; the rest is constant from
 * entry on.
 */
struct plex86_info {
	__u32 vif;		/* 0x200: on, 0: off; written by sites (not PVI) */
	__u32 vip;		/* nonzero: an enabled interrupt is pending */
	__u32 irq_pending;	/* bit n: IRQ n; set and cleared by the host */
	__u32 irq_enabled;	/* bit n: IRQ n; written by the guest */
	__u32 dev_pending[2];	/* set by the host, taken by XCHG by the guest */
	__u32 cr2;		/* linear address of the last page fault */
	__u32 unused[9];

	__u16 abi_major;	/* of the host */
	__u16 abi_minor;
	__u32 host_flags;	/* PLEX86_HOST_* */
	__u32 tsc_khz;
	__u32 asids;		/* 0: CR4.PCIDE must stay clear */
};

/*
 * What lies at PLEX86_GATES: addresses of host code, constant from entry on.
 */
struct plex86_gates {
	__u32 system_call;	/* user mode: CALL, right before INT 0x80 */
	__u32 call;		/* what the shared-page form of a CALL site calls */
	__u32 xrstor;		/* and of an XRSTOR site */
};

/* A device page; its configuration follows at PLEX86_DEV_CONFIG. */
struct plex86_dev {
	__u32 magic;		/* PLEX86_DEV_MAGIC, or 0: no device here */
	__u32 type;		/* PLEX86_DEV_* */
	__u32 status;		/* PLEX86_DEV_GONE */
	__u32 generation;	/* of the configuration; odd while it changes */
	__u32 features[2];	/* offered: bits 0..31, 32..63 */
	__u32 accepted[2];	/* as the guest last accepted them */
	__u32 queues;		/* how many */
	__u32 queue_entries;	/* at most, each; a power of two */
	__u32 segs;		/* at most, one request */
	__u32 config_bytes;
};

struct plex86_con_config {
	__u16 rows;		/* of the terminal; 0: unknown */
	__u16 cols;
};

struct plex86_blk_config {
	__u64 sectors;		/* of PLEX86_BLK_SECTOR; all else is constant */
	__u32 flags;		/* PLEX86_BLK_READ_ONLY, _ROTATIONAL */
	__u32 block_bytes;	/* logical block */
	__u32 physical_bytes;	/* physical block */
	__u32 optimal_bytes;	/* the best size of a request; 0: unknown */
	__u32 request_bytes;	/* at most, of data */
	__u32 discard_sectors;	/* at most, one DISCARD */
	__u32 discard_bytes;	/* granularity of what a DISCARD gives up */
	__u32 zeroes_sectors;	/* at most, one WRITE_ZEROES */
	__u8 serial[PLEX86_BLK_SERIAL];	/* filled up with NUL; may be all of it */
};

struct plex86_net_config {
	__u8 mac[6];		/* the station's; all zero: the guest's choice */
	__u16 pairs;		/* of queues, at least 1 */
	__u32 mtu;		/* to begin with */
	__u32 mtu_max;
	__u32 link;		/* PLEX86_NET_LINK_* */
	__u32 speed_mbps;	/* of the link; 0: unknown */
};

/*
 * What precedes each frame: struct virtio_net_hdr_mrg_rxbuf of virtio, in
 * little-endian order.
 */
struct plex86_net_hdr {
	__u8 flags;		/* PLEX86_NET_HDR_* */
	__u8 gso_type;		/* PLEX86_NET_HDR_GSO_* */
	__u16 hdr_len;		/* a hint: bytes in front of the payload */
	__u16 gso_size;		/* payload of each piece */
	__u16 csum_start;	/* offset in the frame */
	__u16 csum_offset;	/* from there: where the sum goes */
	__u16 buffers;		/* received: that this frame lies in */
};

/* Which frames the guest wants; PLEX86_NET_OP_FILTER. */
struct plex86_net_filter {
	__u32 flags;		/* PLEX86_NET_PROMISC, PLEX86_NET_ALLMULTI */
	__u16 count;		/* addresses that follow */
	__u16 zero;
	__u8 mac[PLEX86_NET_FILTER_MAX][6];
};

/* A range of guest-physical memory. */
struct plex86_seg {
	__u64 gpa;
	__u32 bytes;
	__u32 zero;
};

/* A submission: what the guest wants done. */
struct plex86_sub {
	__u16 op;
	__u16 flags;		/* PLEX86_SUB_*; a type's own from bit 8 */
	__u32 id;		/* the guest's; comes back in the completion */
	__u64 arg;		/* by op */
	__u32 segs;		/* how many segments */
	__u32 arg2;		/* by op */
	__u64 zero;
	struct plex86_seg seg[PLEX86_INLINE_SEGS];
};

/* A completion: what became of it. */
struct plex86_comp {
	__u32 id;
	__u16 status;		/* PLEX86_S_* */
	__u16 flags;		/* by op */
	__u32 bytes;		/* written into the guest's segments, or consumed */
	__u32 zero;
};

/*
 * A queue: this header, then entries * struct plex86_sub at PLEX86_SUB_OFFSET,
 * then entries * struct plex86_comp.  Indices run freely; entry = index modulo
 * entries.  A side that advances an index from old to new notifies the other
 * iff plex86_need_event(event, new, old).
 */
struct plex86_queue {
	__u32 sub_prod;		/* guest writes: submissions made */
	__u32 comp_cons;	/* guest writes: completions taken */
	__u32 comp_event;	/* guest writes: interrupt me past this */
	__u32 guest_unused[13];
	__u32 sub_cons;		/* host writes: submissions taken */
	__u32 comp_prod;	/* host writes: completions made */
	__u32 sub_event;	/* host writes: ring the doorbell past this */
	__u32 host_unused[13];
};

/*
 * Does advancing an index from @old to @new pass the entry number @event, the
 * one whose arrival the other side asked to be told of?
 */
static inline int plex86_need_event(__u32 event, __u32 new, __u32 old)
{
	return (__u32)(new - event - 1) < (__u32)(new - old);
}

/* Bytes a queue of @entries takes. */
static inline __u32 plex86_queue_bytes(__u32 entries)
{
	return PLEX86_SUB_OFFSET +
	       entries * (__u32)(sizeof(struct plex86_sub) +
				 sizeof(struct plex86_comp));
}

#endif /* __ASSEMBLY__ */
#endif /* PLEX86_ABI_H */
