# SPDX-License-Identifier: GPL-2.0
#
# build/hostile/plex86: the launcher with hostile.c in front of its devices, for
# tests/66-hostile. The product's own objects; nothing of this is in build/plex86.
#
#   make -C host-stub -f ../tests/hostile/hostile.mk BUILD=DIR

include Makefile

hostile := $(BUILD)/hostile
wrapped := jail_note_inherited queue_next queue_complete queue_detach \
	devices_start devices_wait devices_work devices_stop

all: $(hostile)/plex86

$(hostile)/plex86: $(launcher_objects) $(hostile)/hostile.o
	$(CC) $(wrapped:%=-Wl,--wrap=%) -o $@ $^ $(launcher_libs)

$(hostile)/%.o: ../tests/hostile/%.c Makefile | $(hostile)
	$(CC) $(host_flags) $(deps) -c -o $@ $<

$(hostile):
	mkdir -p $@

-include $(wildcard $(hostile)/*.d)
