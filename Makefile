# vecshard - exact vector search inside SQLite query plans.
#
# `make help` lists the targets. Everything built goes under build/, except vecshard.so and dist/.
# Files are found by wildcard: a new source or test needs no line here.
#
# To override: CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR, WERROR= (warnings stay warnings), JOBS (tests
# that run side by side), PARTS and ONLY (which tests; see test/run_all.sh), V=1 (show the commands).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

CC     ?= cc
CLANG  ?= clang
CFLAGS ?= -O2
WERROR ?= -Werror
PREFIX ?= /usr/local
JOBS   ?= $(shell getconf _NPROCESSORS_ONLN)
PARTS  ?=
ONLY   ?=
V      ?=

# $(call say,WHAT) before a command prints a short line in its place, or nothing and the command itself with V=1.
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@';)

VERSION := $(shell sed -n 's/^.define VS_VERSION "\(.*\)"/\1/p' ext/vs_base.h)
SYSTEM  := $(shell uname -s)

# ---------------------------------------------------------------------------------- sources

# Programs of the package checks and of gpu-check, which are no tests by themselves.
gpu_programs := test/gpu/load $(patsubst %.c,%,$(wildcard test/gpu/check_*.c))

# kernels/cuda is the GPU module, a library of its own.
sources := $(filter-out kernels/cuda/%,$(wildcard ext/*.c kernels/*.c kernels/*/*.c))
# The GPU module over a device in host memory: also a library, for tests that open one.
fake    := kernels/cuda/module.c kernels/cuda/queries.c kernels/cuda/query_pass.c \
           test/gpu/fake.c test/gpu/host_run.c test/gpu/host_apart.c
support := $(wildcard test/*.c test/differential/model_*.c) kernels/cuda/module.c \
           kernels/cuda/queries.c kernels/cuda/query_pass.c \
           $(filter-out test/gpu/test_% $(gpu_programs:%=%.c),$(wildcard test/gpu/*.c))
unit         := $(wildcard test/unit/test_*.c)
kernel_tests := $(wildcard test/kernels/test_*.c)
fault        := $(wildcard test/fault/test_*.c)
differential := $(wildcard test/differential/test_*.c)
gpu          := $(wildcard test/gpu/test_*.c)
gpu_checks   := $(wildcard test/gpu/check_*.c)
cmocka_tests := $(unit) $(kernel_tests) $(fault) $(differential) $(gpu) $(gpu_checks)
fuzzers      := $(wildcard test/fuzz/fuzz_*.c)

# ------------------------------------------------------------------------------------ flags

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings $(WERROR)

# No contraction: canonical distances must have the same bits on every compiler and level.
# The prefix map keeps the name of the build directory out of the output.
language := -std=c11 -fPIC -ffp-contract=off -fvisibility=hidden -ffile-prefix-map=$(CURDIR)=. \
            $(warnings)
depends   = -MMD -MP

test_includes := -I. -Iext -Ikernels -Itest
test_libs     := -lcmocka -lsqlite3 -lzstd -lm -lpthread

ifeq ($(SYSTEM),Darwin)
library      := vecshard.dylib
exports      := build/exports.list
export_flags := -Wl,-exported_symbols_list,$(exports)
zstd_static  := $(shell pkg-config --variable=libdir libzstd)/libzstd.a
else
library      := vecshard.so
exports      := build/exports.map
# nodelete: unloading under a live thread, or after a half-failed load, would crash the host.
export_flags := -Wl,--version-script=$(exports) -Wl,--exclude-libs,ALL -Wl,-z,defs \
                -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete
# zstd's weak references to its tracing hooks would bind to whatever the host has loaded.
export_flags += -Wl,-z,nodynamic-undefined-weak
zstd_static  := -l:libzstd.a
# zstd's trainer names stderr, for messages that it is told not to write; where its static library is
# not compiled for use in a shared one, only a symbol of our own can be bound to that name.
export_flags += -Wl,--defsym=stderr=vs_dict_train_stream
endif

# Variants of the objects: one folder each under build/, made from the same sources.
#   release  the loadable extension: asserts off, SQLite through the host's routine table
#   static   for tests: asserts on, SQLite called directly
#   asan     as static, with clang's address and undefined-behaviour sanitizers
#   fuzz     as asan, with libFuzzer's coverage
asan_flags := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
              -fno-sanitize-recover=all
compile_release = $(CC) $(CPPFLAGS) -DNDEBUG $(CFLAGS) $(language) $(depends)
compile_static  = $(CC) $(CPPFLAGS) -DVS_STATIC -g $(CFLAGS) $(language) $(depends)
compile_asan    = $(CLANG) $(CPPFLAGS) -DVS_STATIC $(asan_flags) $(language) $(depends)
compile_fuzz    = $(CLANG) $(CPPFLAGS) -DVS_STATIC $(asan_flags) -fsanitize=fuzzer-no-link \
                  $(language) $(depends)

release_objects := $(sources:%.c=build/release/%.o)
static_objects  := $(sources:%.c=build/static/%.o)
support_objects := $(support:%.c=build/static/%.o)
test_programs   := $(cmocka_tests:%.c=build/%)
replay_programs := $(fuzzers:%.c=build/%)
runner          := build/test/sql/run

asan_objects := $(sources:%.c=build/asan/%.o) $(support:%.c=build/asan/%.o)
asan_tests   := $(cmocka_tests:%.c=build/asan/%)
asan_replay  := $(fuzzers:%.c=build/asan/%)
asan_runner  := build/asan/test/sql/run

fake_library      := build/test/gpu/vecshard_cuda_fake.so
asan_fake_library := build/asan/test/gpu/vecshard_cuda_fake.so

fuzz_objects  := $(sources:%.c=build/fuzz/%.o) $(support:%.c=build/fuzz/%.o)
fuzz_programs := $(fuzzers:%.c=build/fuzz/%)

# ------------------------------------------------------------------------------ the library

## all            (default) builds the extension, vecshard.so
.PHONY: all
all: $(library)

$(library): $(release_objects) $(exports) build/flags.release
	$(call say,LD)$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@ $(release_objects) $(export_flags) $(zstd_static) -lm

build/exports.map: vecshard.def
	@mkdir -p $(@D)
	$(call say,GEN)awk 'BEGIN {print "{global:"} on {print $$1 ";"} $$1 == "EXPORTS" {on = 1} \
	     END {print "local: *;};"}' vecshard.def > $@

build/exports.list: vecshard.def
	@mkdir -p $(@D)
	awk 'on {print "_" $$1} $$1 == "EXPORTS" {on = 1}' vecshard.def > $@

# A variant is compiled again when its command changes, for example by `make CC=clang`.
define variant
build/$(1)/%.o: %.c build/flags.$(1)
	@mkdir -p $$(@D)
	$$(call say,CC)$$(compile_$(1)) $$(if $$(filter test/%,$$<),$(test_includes)) -c -o $$@ $$<

build/flags.$(1): FORCE
	@mkdir -p $$(@D)
	@echo '$$(compile_$(1)) $$(LDFLAGS) $(export_flags)' > $$@.new
	@cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@
endef
$(foreach v,release static asan fuzz,$(eval $(call variant,$(v))))

.PHONY: FORCE
FORCE:

# --------------------------------------------------------------------------- the GPU module

# A library of its own, opened at run time where there is a GPU. nvcc makes device.cu alone; the rest
# is plain C, and gcc links it, against the static runtime of nvcc's own toolkit.
NVCC         ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
NVCCFLAGS    ?= -O3
cuda_library := vecshard_cuda.so
cuda_sources := kernels/cuda/module.c kernels/cuda/queries.c kernels/cuda/query_pass.c \
                kernels/cuda/nvml.c
cuda_objects := $(cuda_sources:%.c=build/release/%.o) build/cuda/device.o
cuda_headers := $(wildcard kernels/cuda/*.h) kernels/half.h

# Machine code for the cards there are, and PTX for those to come.
cuda_archs   := 75 80 86 89 90 100 120
cuda_targets := $(foreach a,$(cuda_archs),-gencode arch=compute_$(a),code=sm_$(a)) \
                -gencode arch=compute_90,code=compute_90
cuda_host    := -fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics,-Wall
cuda_compile  = $(NVCC) -std=c++17 $(NVCCFLAGS) -I. -DNDEBUG $(cuda_targets) -t $(JOBS) \
                -Xfatbin -compress-all -compress-mode=size -Xptxas -v \
                -diag-suppress 177 -Xcompiler $(cuda_host),-ffile-prefix-map=$(CURDIR)=.
cuda_top      = $(shell $(NVCC) --dryrun -c -x cu /dev/null -o /dev/null 2>&1 | sed -n 's/^\#\$$ TOP=//p')
cuda_runtime  = $(firstword $(wildcard $(foreach d,lib64 lib targets/x86_64-linux/lib,\
                $(cuda_top)/$(d)/libcudart_static.a)))

## cuda           builds the GPU module, vecshard_cuda.so; needs NVIDIA's compiler, nvcc
.PHONY: cuda
cuda:
	@[ -n '$(NVCC)' ] || { echo 'make cuda: nvcc is neither in PATH nor in /usr/local/cuda/bin;' \
	    'install the CUDA toolkit, 13.0 or newer, or say NVCC=/path/to/nvcc' >&2; exit 1; }
	$(MAKE) $(cuda_library)

$(cuda_library): $(cuda_objects) build/cuda/exports.map
	$(call say,LD)gcc -shared $(LDFLAGS) -s -o $@ $(cuda_objects) $(cuda_runtime) \
	    -Wl,--version-script=build/cuda/exports.map -Wl,--exclude-libs,ALL -Wl,-z,defs \
	    -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete -Wl,--as-needed -ldl -lrt -lpthread -lm

# What ptxas says of registers and spills is kept for the checks.
build/cuda/device.o: kernels/cuda/device.cu $(cuda_headers) build/flags.cuda
	@mkdir -p $(@D)
	$(call say,NVCC)$(cuda_compile) -c -o $@ $< > build/cuda/report.txt 2>&1 || \
	    { cat build/cuda/report.txt >&2; exit 1; }

build/cuda/exports.map:
	@mkdir -p $(@D)
	@echo '{global: vecshard_cuda_v1; local: *;};' > $@

build/flags.cuda: FORCE
	@mkdir -p $(@D)
	@echo '$(cuda_compile)' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# ------------------------------------------------------------------------------------ tests

## demo           installs what is missing, builds, and searches 5,000 definitions by meaning
.PHONY: demo
demo:
	sh .ci/packages.sh demo
	$(MAKE) all
	sh sql/demo.sh

## test           installs what is missing, builds and runs every test; PARTS="unit sql" or ONLY=name for some
.PHONY: test
test:
	sh .ci/packages.sh test
	$(MAKE) -j$(JOBS) all test-programs
	JOBS='$(JOBS)' ONLY='$(ONLY)' sh test/run_all.sh $(PARTS)

## test-programs  builds the tests without running them
.PHONY: test-programs
test-programs: $(test_programs) $(replay_programs) $(runner) $(fake_library)

$(test_programs): build/%: build/static/%.o $(static_objects) $(support_objects)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $< $(static_objects) $(support_objects) $(test_libs)

$(replay_programs): build/%: build/static/%.o build/static/test/fuzz/replay.o $(static_objects) \
                            $(support_objects)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(test_libs)

$(fake_library): $(fake:%.c=build/static/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -shared $(LDFLAGS) -Wl,-z,defs -o $@ $^ -lm -lpthread

# The runner loads the extension as any host does, so it is linked to SQLite alone.
$(runner): test/sql/run.c build/flags.release
	@mkdir -p $(@D)
	$(call say,LD)$(compile_release) -MF build/release/run.d -o $@ $< $(LDFLAGS) -lsqlite3

## golden-update  rewrites the expected outputs of the SQL tests; look at the difference before keeping it
.PHONY: golden-update
golden-update: all $(runner)
	sh .ci/sqlite_versions.sh
	ONLY='$(ONLY)' sh test/sql/golden.sh update

## check-asan     unit, kernel, fault and SQL tests and the fuzz corpora under clang's address and undefined sanitizers
.PHONY: check-asan
check-asan:
	sh .ci/packages.sh test
	$(MAKE) -j$(JOBS) asan-programs
	JOBS='$(JOBS)' ONLY='$(ONLY)' sh test/run_all.sh asan

.PHONY: asan-programs
asan-programs: $(asan_tests) $(asan_replay) $(asan_runner) $(asan_fake_library)

$(asan_tests): build/asan/%: build/asan/%.o $(asan_objects)
	$(call say,LD)$(CLANG) $(asan_flags) $(LDFLAGS) -o $@ $^ $(test_libs)

# Sanitizers are in the program that loads it.
$(asan_fake_library): $(fake:%.c=build/asan/%.o)
	$(call say,LD)$(CLANG) -shared $(asan_flags) $(LDFLAGS) -o $@ $^ -lm -lpthread

$(asan_replay): build/asan/%: build/asan/%.o build/asan/test/fuzz/replay.o $(asan_objects)
	$(call say,LD)$(CLANG) $(asan_flags) $(LDFLAGS) -o $@ $^ $(test_libs)

$(asan_runner): build/asan/test/sql/run.o $(asan_objects)
	$(call say,LD)$(CLANG) $(asan_flags) $(LDFLAGS) -o $@ $^ $(test_libs)

## fuzz-smoke     runs each fuzzer for FUZZ_SECONDS (30) from its corpus
FUZZ_SECONDS ?= 30
.PHONY: fuzz-smoke
fuzz-smoke:
	sh .ci/packages.sh test
	$(MAKE) -j$(JOBS) fuzz-programs
	FUZZ_SECONDS='$(FUZZ_SECONDS)' sh test/fuzz/smoke.sh $(fuzz_programs)

.PHONY: fuzz-programs
fuzz-programs: $(fuzz_programs)

$(fuzz_programs): build/fuzz/%: build/fuzz/%.o $(fuzz_objects)
	$(call say,LD)$(CLANG) $(asan_flags) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(test_libs)

## gpu-check      tests and measures the GPU module on a machine with a GPU, in less than 8 minutes
.PHONY: gpu-check
gpu-check:
	sh test/gpu/check.sh

# What it runs, but for the module itself.
.PHONY: gpu-programs
gpu-programs: $(fake_library) $(gpu_checks:%.c=build/%) \
              $(patsubst %.c,build/%,$(wildcard test/gpu/test_gpu_sql_*.c))

## gpu-kit        copies the libraries that gpu-check needs into build/gpu-kit, for a bare machine
.PHONY: gpu-kit
gpu-kit:
	sh .ci/packages.sh gpu
	sh test/gpu/kit.sh

## bench          measures speed, one JSON line per measurement
.PHONY: bench
bench: all
	sh bench/run.sh

## bench-check    compares the kernels' instruction counts with the stored baseline
.PHONY: bench-check
bench-check: all
	sh bench/check.sh

# -------------------------------------------------------------------------------- packaging

libdir     := $(DESTDIR)$(PREFIX)/lib
includedir := $(DESTDIR)$(PREFIX)/include
docdir     := $(DESTDIR)$(PREFIX)/share/doc/vecshard
documents  := LICENSE $(wildcard README.md docs/*.md)

## install        copies extension, header, vecshard.pc and documents under $(DESTDIR)$(PREFIX)
.PHONY: install
install: all
	install -d $(libdir)/pkgconfig $(includedir) $(docdir)
	install -m 755 $(library) $(libdir)/$(library)
	[ ! -e $(cuda_library) ] || install -m 755 $(cuda_library) $(libdir)/$(cuda_library)
	install -m 644 ext/vecshard.h $(includedir)/vecshard.h
	install -m 644 $(documents) $(docdir)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' vecshard.pc.in \
	    > $(libdir)/pkgconfig/vecshard.pc

## uninstall      removes what install copied
.PHONY: uninstall
uninstall:
	rm -f $(libdir)/$(library) $(libdir)/$(cuda_library) $(includedir)/vecshard.h $(libdir)/pkgconfig/vecshard.pc
	rm -rf $(docdir)

## dist           writes dist/vecshard.c and dist/vecshard.h: everything in one file, for static use
.PHONY: dist
dist: dist/vecshard.c dist/vecshard.h

dist/vecshard.c: .ci/amalgamate.py $(sources) $(wildcard ext/*.h kernels/*.h kernels/*/*.h) LICENSE
	@mkdir -p $(@D)
	python3 .ci/amalgamate.py $(VERSION) $(sources) > $@

dist/vecshard.h: ext/vecshard.h
	@mkdir -p $(@D)
	cp ext/vecshard.h $@

## clean          removes everything built
.PHONY: clean
clean:
	rm -rf build dist vecshard.so vecshard.dylib vecshard_cuda.so

## format         rewrites the C sources with clang-format
.PHONY: format
format:
	clang-format -i $(wildcard kernels/cuda/*.cu ext/*.[ch] kernels/*.[ch] kernels/*/*.[ch] test/*.[ch] test/*/*.[ch] bench/*.[ch])

## help           this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

-include $(shell find build/release build/static build/asan build/fuzz -name '*.d' 2>/dev/null)
