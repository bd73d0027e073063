// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupt controller: two words in the info page.
 *
 * The host sets bit n of irq_pending when IRQ n is wanted, and when bit n of
 * irq_enabled is set and interrupts are on it clears the pending bit and
 * delivers vector 0x30 + n.  So an interrupt is acknowledged by being delivered.
 *
 * handle_simple_irq() is the flow that fits: delivery is the acknowledgment,
 * and the handler runs with interrupts off on the only CPU, so that the next
 * one of the same number waits in irq_pending with nobody masking anything.
 * handle_level_irq(), which a PC's legacy interrupts get, would store to
 * irq_enabled twice an interrupt for nothing.
 */
#include <linux/bits.h>
#include <linux/irq.h>
#include <asm/barrier.h>
#include <asm/desc.h>
#include <asm/i8259.h>
#include <asm/plex86_call.h>
#include <asm/x86_init.h>

#include "plex86.h"

/*
 * The core calls these with interrupts off, and there is one CPU: plain
 * read-modify-write does, as the host only reads irq_enabled.
 */
static void plex86_irq_mask(struct irq_data *data)
{
	WRITE_ONCE(plex86_info->irq_enabled,
		   plex86_info->irq_enabled & ~BIT(data->irq));
}

static void plex86_irq_unmask(struct irq_data *data)
{
	u32 bit = BIT(data->irq);

	WRITE_ONCE(plex86_info->irq_enabled, plex86_info->irq_enabled | bit);

	/*
	 * The host sets pending, then reads enabled; here it is the other way
	 * round.  With a full barrier on both sides one of us sees both.
	 */
	virt_mb();
	if (READ_ONCE(plex86_info->irq_pending) & bit)
		plex86_call(PLEX86_CALL_IRQ, 0, 0, 0, 0, 0);
}

static struct irq_chip plex86_irq_chip = {
	.name		= "plex86",
	.irq_mask	= plex86_irq_mask,
	.irq_unmask	= plex86_irq_unmask,
};

static void plex86_pic_line(unsigned int irq)
{
}

static void plex86_pic_all(void)
{
}

static void plex86_pic_init(int auto_eoi)
{
}

static int plex86_pic_probe(void)
{
	return PLEX86_NR_IRQS;
}

static int plex86_pic_pending(unsigned int irq)
{
	return !!(READ_ONCE(plex86_info->irq_pending) & BIT(irq));
}

/*
 * That there are 16 interrupts with a fixed vector each is what the rest of x86
 * asks its legacy PIC for.  The vectors it gives them are the contract's.
 */
static struct legacy_pic plex86_pic = {
	.nr_legacy_irqs	= PLEX86_NR_IRQS,
	.chip		= &plex86_irq_chip,
	.mask		= plex86_pic_line,
	.unmask		= plex86_pic_line,
	.mask_all	= plex86_pic_all,
	.restore_mask	= plex86_pic_all,
	.init		= plex86_pic_init,
	.probe		= plex86_pic_probe,
	.irq_pending	= plex86_pic_pending,
	.make_irq	= plex86_pic_line,
};

static void __init plex86_intr_init(void)
{
	unsigned int irq;

	BUILD_BUG_ON(ISA_IRQ_VECTOR(0) != PLEX86_IRQ_VECTOR);

	for (irq = 0; irq < PLEX86_NR_IRQS; irq++)
		irq_set_chip_and_handler(irq, &plex86_irq_chip,
					 handle_simple_irq);
	idt_setup_apic_and_irq_gates();
}

void __init plex86_irq_init(void)
{
	legacy_pic = &plex86_pic;
	x86_init.irqs.pre_vector_init = x86_init_noop;
	x86_init.irqs.intr_init = plex86_intr_init;
}
