# The front door: one target per thing a person wants, see `make help`.
#
# This file knows what is made from what. How each thing is made is in tools/.
# Everything made is below build/; nothing else is written to.

# A Debian takes more than the initramfs, and is for logging in from the host.
GOAL := $(or $(filter debian,$(MAKECMDGOALS)),run)
ifeq ($(GOAL),debian)
MEM ?= 512M
NET ?= user,hostfwd=tcp:127.0.0.1:2222-:22
endif

LINE ?= 6.12
MEM ?= 256M
ISOLATION ?= keys
APPEND ?=
NET ?= user
JOBS ?= $(shell nproc)
V ?= 0
T ?=
# As it was typed: a $ in it is the guest's.
override APPEND := $(value APPEND)
export LINE KERNEL_SRC JOBS V BUSYBOX APPEND

ifneq ($(words $(CURDIR)),1)
$(error $(CURDIR): make cannot work in a directory whose name has a space; move the clone to another)
endif
B := build
KNOWN := 6.12 6.1
ifeq ($(filter $(LINE),$(KNOWN)),)
$(error LINE=$(LINE): no such kernel line; say LINE=6.12 (the default) or LINE=6.1)
endif
# A tree of the user's is of one line, so only that line is built from it.
LINES := $(if $(KERNEL_SRC),$(LINE),$(KNOWN))

# Each step uses all processors by itself.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

.PHONY: all
all: $(B)/plex86 $(LINES:%=$(B)/linux-%/vmlinux.certificate) $(B)/initramfs.cpio.gz
	@echo "up to date: $(^:%.certificate=%)"

# --- What people ask for

.PHONY: run
run: $(B)/plex86 run-check $(B)/linux-$(LINE)/vmlinux.certificate $(B)/initramfs.cpio.gz
	@exec $(B)/plex86 run --kernel $(B)/linux-$(LINE)/vmlinux \
		--initrd $(B)/initramfs.cpio.gz --mem '$(MEM)' \
		--net '$(NET)' --isolation '$(ISOLATION)' --append "$$APPEND"

# Known before the long way to a kernel.
.PHONY: run-check
run-check: $(B)/plex86
	@case '$(ISOLATION)' in \
	none) ;; \
	keys) $(B)/plex86 host > /dev/null || { $(B)/plex86 host >&2; \
		echo 'make $(GOAL): this machine has nothing to keep guest programs from the monitor;' \
			'if the jail is enough (docs/security.md), say make $(GOAL) ISOLATION=none' >&2; \
		exit 1; } ;; \
	*) echo 'make $(GOAL): ISOLATION=$(ISOLATION): no such way; say keys or none' >&2; exit 1 ;; \
	esac

# The same guest below the ring-0 host, on an emulated PC (docs/pvi-host.md).
ON ?= bochs
.PHONY: pvi
pvi: deps-pvi $(B)/pvi-host $(B)/linux-$(LINE)/vmlinux.certificate $(B)/initramfs.cpio.gz
	@exec tools/pvi-run --on '$(ON)' --kernel $(B)/linux-$(LINE)/vmlinux -- "$$APPEND"

.PHONY: rootfs
rootfs: $(B)/debian.img
	@echo "up to date: $<; to have it anew: rm $< and make rootfs"

.PHONY: debian
debian: $(B)/plex86 run-check $(B)/linux-$(LINE)/vmlinux.certificate $(B)/debian.img
	@$(if $(findstring :2222-:22,$(NET)),echo "from the host: ssh -F $(B)/debian.ssh/config debian")
	@exec $(B)/plex86 run --kernel $(B)/linux-$(LINE)/vmlinux \
		--disk file=$(B)/debian.img --mem '$(MEM)' --net '$(NET)' \
		--isolation '$(ISOLATION)' --append "root=/dev/hblka rw $$APPEND"

# The group that needs a Debian says so where there is none; the others go on.
DEBIAN_GROUP := $(if $(T),$(strip $(foreach t,$(T),$(findstring $(t),75-debian))),75-debian)

# The group that needs a kernel of its own to find faults in; of one line.
DEBUG_LINES ?= $(firstword $(LINES))
DEBUG_GROUP := $(if $(T),$(strip $(foreach t,$(T),$(findstring $(t),66-hostile))),66-hostile)

.PHONY: test
test: deps-test deps-fuzz deps-check deps-pvi deps-dist all $(LINES:%=$(B)/linux-%-selftest/vmlinux.certificate) $(B)/conform $(B)/attack $(B)/disktest \
		$(B)/pvi-host $(B)/pvi-roots
	@$(if $(DEBIAN_GROUP),$(MAKE) $(B)/debian-test.img || true)
	@$(if $(DEBUG_GROUP),$(MAKE) $(DEBUG_LINES:%=$(B)/linux-%-debug/vmlinux))
	@BUILT_LINES='$(LINES)' DEBUG_LINES='$(DEBUG_LINES)' tests/run $(T)

# The group of the PVI host on every line, which make test does on one.
.PHONY: test-pvi
test-pvi: deps-pvi all $(B)/pvi-host $(B)/pvi-roots $(B)/conform
	@BUILT_LINES='$(LINES)' PVI_LINES='$(LINES)' tests/run 72-pvi-host

.PHONY: bench
bench: deps-bench $(B)/plex86 $(B)/linux-$(LINE)/vmlinux.certificate $(B)/initramfs.cpio.gz \
		$(B)/linux-$(LINE)-selftest/vmlinux.certificate $(B)/disktest $(B)/debian-test.img
	@tools/bench
	@tools/bench-disk
	@tools/bench-net --line $(LINE)
	@tools/bench-http --line $(LINE)

# The group that make test has a short form of.
ENDURANCE_BOOTS ?= 200
ENDURANCE_VMS ?= 8
ENDURANCE_LOAD_S ?= 1200
ENDURANCE_STOP_S ?= 60
.PHONY: endurance
endurance: deps-test deps-pku all
	@BUILT_LINES='$(LINES)' ENDURANCE_BOOTS='$(ENDURANCE_BOOTS)' ENDURANCE_VMS='$(ENDURANCE_VMS)' \
		ENDURANCE_LOAD_S='$(ENDURANCE_LOAD_S)' ENDURANCE_STOP_S='$(ENDURANCE_STOP_S)' \
		tests/run endurance

# All targets, or one, for so many seconds each.
TARGET ?= $(shell $(MAKE) -s -C tests/fuzz list)
TIME ?= 600
.PHONY: fuzz
fuzz: deps-host deps-fuzz
	@$(MAKE) -s -C tests/fuzz BUILD=$(abspath $(B))
	@printf '%s\n' $(TARGET) | xargs -P $(JOBS) -I '{}' tests/fuzz/run '{}' '$(TIME)'

.PHONY: check
check: deps-check $(KNOWN:%=$(B)/linux-%/.config)
	@tools/check

.PHONY: patch
patch: deps-patch $(LINES:%=$(B)/src-%.patched)
	@for line in $(LINES); do \
		tools/onepatch $$line $(B)/plex86-guest-$$line.patch || exit 1; \
	done

# The kernels as they are, and the trees that they were made of for the source.
.PHONY: dist
dist: deps-dist $(B)/plex86 $(LINES:%=$(B)/linux-%/vmlinux.certificate)
	@tools/dist make $(LINES)

.PHONY: menuconfig
menuconfig: deps-menuconfig $(B)/linux-$(LINE)/.config
	@tools/kernel menuconfig $(LINE)

.PHONY: clean
clean:
	@rm -rf $(filter-out $(B)/cache $(wildcard $(B)/*.user.config),$(wildcard $(B)/*))
	@echo "build/ is empty but for downloads (build/cache) and your kernel configuration;"
	@echo "make distclean removes these too"

.PHONY: distclean
distclean:
	@rm -rf $(B)
	@echo "build/ is gone"

.PHONY: help
help:
	@cat tools/help.txt

# --- Packages: named and installed when missing, else not a word

DEPS := $(addprefix deps-,host rootfs test pku fuzz pvi bench check patch dist menuconfig)
.PHONY: $(DEPS)
$(DEPS): deps-%:
	@tools/deps $*

# --- The host

.PHONY: FORCE
FORCE:

$(B)/plex86: FORCE | deps-host
	@$(MAKE) -s -C host-stub BUILD=$(abspath $(B))

$(B)/pvi-host: FORCE | deps-pvi
	@$(MAKE) -s -C host-stub BUILD=$(abspath $(B)) pvi

# --- The guest's kernel, a line at a time
#
# build/src-LINE.from names the tree asked for and its state, linux-LINE.asked
# holds the user's changes to the configuration; their content, and so their
# time, changes with these. What goes into the tree is the series, the files that
# arch-patch/files lists, and the fragments of configs/.

COPIED := $(shell sed 's/\#.*//; s/[[:space:]].*//' arch-patch/files 2> /dev/null)

define line_rules
# A refused KERNEL_SRC leaves both as they were.
.PRECIOUS: $(B)/src-$(1).from $(B)/linux-$(1).asked
$(B)/src-$(1).from $(B)/linux-$(1).asked &: FORCE | deps-host
	@tools/deps kernel $(if $(KERNEL_SRC),,source-$(1))
	@tools/kernel from $(1)

$(B)/src-$(1)/.plex86/from: $(B)/src-$(1).from
	@tools/kernel unpack $(1)

$(B)/src-$(1).patched: $(B)/src-$(1)/.plex86/from arch-patch/files $(COPIED) \
		$(wildcard arch-patch/$(1)) $(wildcard arch-patch/$(1)/*.patch) \
		$(wildcard configs/plex86.config configs/$(1).config) tools/overlay
	@tools/kernel patch $(1)
	@touch $$@

$(B)/linux-$(1)/.config: $(B)/src-$(1).patched $(B)/linux-$(1).asked
	@tools/kernel config $(1)

$(B)/linux-$(1)/vmlinux: $(B)/linux-$(1)/.config
	@tools/kernel build $(1)

$(B)/linux-$(1)-selftest/vmlinux: $(B)/linux-$(1)/vmlinux
	@tools/kernel selftest $(1)

$(B)/linux-$(1)-debug/vmlinux: $(B)/linux-$(1)/.config configs/debug.config
	@tools/kernel debug $(1)
endef
$(foreach line,$(KNOWN),$(eval $(call line_rules,$(line))))

# Without a certificate `plex86 run` scans a kernel at each boot. A kernel with
# faults has none, and what is wrong with it is in check.txt beside it.
%/vmlinux.certificate: %/vmlinux $(B)/plex86
	@rm -f $@
	@$(B)/plex86 check --certificate $@ $< > $*/check.txt || \
		{ tail -n 1 $*/check.txt; echo "details: $*/check.txt"; exit 1; }

# --- The guest's user space

$(B)/busybox/bin/busybox: tools/busybox tools/apt $(B)/busybox.from $(BUSYBOX) | deps-host
	@tools/busybox $(B)/busybox

# Which one was asked for.
$(B)/busybox.from: FORCE
	@mkdir -p $(B)
	@echo '$(BUSYBOX)' | cmp -s - $@ || echo '$(BUSYBOX)' > $@

$(B)/initramfs.cpio.gz: $(B)/busybox/bin/busybox tools/mkinitramfs \
		$(shell find tools/initramfs) | deps-host
	@tools/deps initramfs
	@tools/mkinitramfs -o $@ -r tools/initramfs -r $(B)/busybox
	@echo "initramfs: $@"

# --- A Debian to boot
#
# debian.img is the user's once it is there: no change of what it was made from
# has it made again. The tests' one has the programs that they run besides.

$(B)/debian.img: | deps-rootfs
	@tools/rootfs debian

$(B)/debian-test.img: tools/rootfs $(shell find tools/debian -type f) | deps-rootfs
	@tools/rootfs debian-test nginx-light sqlite3 gcc libc6-dev make bzip2 fio stress-ng

# --- Programs that test the guest from inside; they share the runner of one

GUEST_PROGRAM := gcc -m32 -static -O2 -std=gnu11 -Wall -Wextra -Werror -pthread

$(B)/conform: $(wildcard tests/guest/*.c tests/guest/*.h) abi/plex86.h
	@echo "tests: $@"
	@$(GUEST_PROGRAM) -o $@ $(filter %.c,$^)

$(B)/attack: $(wildcard tests/attack/*.c tests/attack/*.h tests/attack/*.S) \
		$(patsubst %,tests/guest/%,main.c util.c machine.c conform.h) \
		host-stub/monitor/layout.h abi/plex86.h
	@echo "tests: $@"
	@$(GUEST_PROGRAM) -Iabi -Ihost-stub/monitor -o $@ $(filter %.c %.S,$^)

$(B)/pvi-roots $(B)/pvi-costs: $(B)/pvi-%: tests/pvi/%.c
	@echo "tests: $@"
	@$(GUEST_PROGRAM) -o $@ $<

$(B)/disktest: tests/block/disktest.c
	@echo "tests: $@"
	@$(GUEST_PROGRAM) -D_GNU_SOURCE -o $@ $<
