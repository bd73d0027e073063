# SPDX-License-Identifier: GPL-2.0
#
# build/plex86-taken: the host with a monitor and a launcher that were taken over,
# for tests/63-jail. The product's own objects, and the linker's --wrap in front
# of a function of each; nothing of this is in build/plex86.
#
#   make -C host-stub -f ../tests/jail/taken.mk BUILD=DIR

include Makefile

jail := ../tests/jail
taken := $(BUILD)/taken

all: $(BUILD)/plex86-taken $(taken)/guest

$(BUILD)/plex86-taken: $(filter-out $(out)/blob.o,$(launcher_objects)) \
		$(taken)/blob.o $(taken)/launcher.o $(taken)/attempts.o
	$(CC) -Wl,--wrap=devices_find,--wrap=io_uring_submit -o $@ $^ $(launcher_libs)

$(taken)/monitor.elf: $(monitor_objects) $(taken)/bare/monitor.o $(taken)/bare/attempts.o
	$(CC) $(monitor_ldflags) -Wl,--wrap=core_hal_call -T monitor/monitor.lds -o $@ $^

$(taken)/monitor.bin: $(taken)/monitor.elf
	objcopy -O binary $< $@

$(taken)/blob.o: launcher/blob.S $(taken)/monitor.bin $(out)/gates.bin
	$(CC) -c -DMONITOR_BIN='"$(taken)/monitor.bin"' \
		-DGATES_BIN='"$(out)/gates.bin"' -o $@ $<

$(taken)/bare/%.o: $(jail)/%.c Makefile | $(taken)/bare
	$(CC) $(bare_flags) -I$(jail) $(deps) -c -o $@ $<

$(taken)/%.o: $(jail)/%.c Makefile | $(taken)
	$(CC) $(host_flags) -I$(jail) $(deps) -c -o $@ $<

$(taken)/guest: $(jail)/guest.S ../tests/fuzz/kernel.lds ../abi/plex86.h | $(taken)
	$(CC) -m32 -nostdlib -static -D__ASSEMBLY__ -I../abi \
		-Wl,--build-id=none,-z,max-page-size=16 -T ../tests/fuzz/kernel.lds -o $@ $<

$(taken) $(taken)/bare:
	mkdir -p $@

-include $(wildcard $(taken)/*.d $(taken)/bare/*.d)
