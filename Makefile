# Postrider. `make` builds build/bin/*; `make check`, `make demo`, `make bench`,
# `make crash`, `make install`. Needs GNU make; one object a rule, no recursion.

CC	= gcc
PYTHON	= /usr/bin/python3
PREFIX	= /usr/local
SYSCONFDIR = /etc
DESTDIR	=

PACKAGES = libevent libevent_openssl libcares openssl libconfuse libidn2 libcrypt jansson libseccomp libpcre2-8
CFLAGS	= -O2 -g
WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Werror
HARDEN	= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
LDHARDEN = -pie -Wl,-z,relro,-z,now,-z,noexecstack
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARN) -I. -include common/banned.h \
	-DSYSCONFDIR='"$(SYSCONFDIR)"' -DLIBEXECDIR='"$(PREFIX)/libexec/postrider"' -pthread -MMD -MP
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_LIBS = $(PKG_LIBS) -pthread
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# Folders from left to right: a library may use those left of it.
FOLDERS	= common conf queue smtpd deliver

MAINS	:= $(wildcard $(FOLDERS:%=%/*_main.c))
SOURCES	:= $(sort $(filter-out $(MAINS),$(wildcard $(FOLDERS:%=%/*.c))))
PROGRAMS := $(patsubst %_main,build/bin/%,$(basename $(notdir $(MAINS))))
UNITS	:= $(patsubst tests/unit/%.c,build/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS	:= $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES	:= $(patsubst tests/bench/%_main.c,build/bench/%,$(wildcard tests/bench/*_main.c))
TOOLS	:= $(patsubst tests/tools/%_main.c,build/tests/%,$(wildcard tests/tools/*_main.c))

LIBS	= $(patsubst %,build/lib%.a,deliver smtpd queue conf common)
ASAN_OBJECTS = $(SOURCES:%.c=build/asan/%.o)
FUZZ_OBJECTS = $(SOURCES:%.c=build/fuzzobj/%.o)

.PHONY: all check check-build demo bench crash lint format install uninstall clean deps tools FORCE
.SECONDARY:

all: $(PROGRAMS)

# What is compiled in of the places to install to: `make install` with others than `make` had builds anew.
build/paths: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX) $(SYSCONFDIR)' | cmp -s - $@ || echo '$(PREFIX) $(SYSCONFDIR)' >$@

build/obj/%.o: %.c build/paths
	@mkdir -p $(@D)
	@echo CC $@
	@$(CC) $(ALL_CFLAGS) $(HARDEN) $(CFLAGS) $(PKG_CFLAGS) -c -o $@ $<

define library
build/lib$(1).a: $(patsubst %.c,build/obj/%.o,$(filter $(1)/%,$(SOURCES)))
	@rm -f $$@
	@$$(if $$^,ar rcs $$@ $$^,ar rcs $$@)
endef
$(foreach folder,$(FOLDERS),$(eval $(call library,$(folder))))

define program
build/bin/$(patsubst %_main,%,$(basename $(notdir $(1)))): $(1:%.c=build/obj/%.o) $(LIBS)
	@mkdir -p $$(@D)
	@echo LD $$@
	@$(CC) $(LDHARDEN) $(CFLAGS) -o $$@ $$< $(LIBS) $(ALL_LIBS)
endef
$(foreach main,$(MAINS),$(eval $(call program,$(main))))

# Tests: the same sources under AddressSanitizer and UBSan, and for libFuzzer.
build/asan/%.o: %.c
	@mkdir -p $(@D)
	@echo CC $@
	@$(CC) $(ALL_CFLAGS) $(SANITIZE) -O1 -g $(PKG_CFLAGS) -c -o $@ $<

build/libasan.a: $(ASAN_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

build/unit/%: build/asan/tests/unit/%.o build/libasan.a
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(SANITIZE) -o $@ $< build/libasan.a $(ALL_LIBS) -lcmocka

build/fuzzobj/%.o: %.c
	@mkdir -p $(@D)
	@echo CC $@
	@clang $(ALL_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	    -O1 -g $(PKG_CFLAGS) -c -o $@ $<

build/libfuzz.a: $(FUZZ_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

build/fuzz/%: build/fuzzobj/tests/fuzz/%.o build/libfuzz.a
	@mkdir -p $(@D)
	@echo LD $@
	@clang -fsanitize=fuzzer,address,undefined -o $@ $< build/libfuzz.a $(ALL_LIBS)

build/bench/%: build/obj/tests/bench/%_main.o $(LIBS)
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(LDHARDEN) $(CFLAGS) -o $@ $< $(LIBS) $(ALL_LIBS)

build/tests/%: build/obj/tests/tools/%_main.o $(LIBS)
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(LDHARDEN) $(CFLAGS) -o $@ $< $(LIBS) $(ALL_LIBS) $(if $(filter recfs,$*),$(shell pkg-config --libs fuse3))

# fuse.h declares a member called access, which banned.h would not let through.
build/obj/tests/tools/recfs_main.o: PKG_CFLAGS += -DCOMMON_BANNED_H $(shell pkg-config --cflags fuse3 2>/dev/null)

# libFuzzer wants declared entry points; the rule about prototypes is for the program.
build/fuzzobj/tests/fuzz/%.o: WARN := $(filter-out -Wmissing-prototypes,$(WARN))

# The programs first; what unit tests and fuzzers need is built beside the tests that do without.
check: deps
	@$(MAKE) --no-print-directory -j2 all $(TOOLS) $(BENCHES)
	@$(PYTHON) tests/run --build

check-build: all $(UNITS) $(FUZZERS) $(TOOLS) $(BENCHES)

tools: $(TOOLS) $(BENCHES)

deps:
	@sh tests/deps

demo:
	@sh tests/deps build
	@$(MAKE) --no-print-directory -j2 all
	@sh tests/demo

bench: deps
	@$(MAKE) --no-print-directory -j2 all $(BENCHES)
	@$(PYTHON) tests/bench/bench.py $(BENCH_ARGS)

crash: deps
	@$(MAKE) --no-print-directory -j2 all $(TOOLS)
	@$(PYTHON) tests/run --only crash --long

lint:
	@$(PYTHON) tests/run --only lint

format:
	clang-format -i $(wildcard $(FOLDERS:%=%/*.[ch]) tests/*/*.[ch])

install: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' sh conf/install.sh

uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' sh conf/uninstall.sh

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
