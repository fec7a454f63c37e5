#!/bin/sh
# Builds the software CUDA device: build.sh OUT_DIR [--sanitize]
#
# OUT_DIR gets libcuda.so.1, libnvrtc.so.12, libcudnn.so.9, libcublas.so.12 and device/, the headers that kernels are
# compiled with. Only what is older than its sources is built again. With --sanitize everything, the kernels too, has
# AddressSanitizer and UBSan; OUT_DIR/libasan.so and libstdc++.so are then to be preloaded.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUT_DIR [--sanitize]}
mkdir -p "$out/objects"
out=$(cd "$out" && pwd)

# Where it cannot be built that is no failure: a file says why, and the tests that need it are skipped with those words.
rm -f "$out/unavailable"
if [ "$(uname -s) $(uname -m)" != 'Linux x86_64' ]; then
  echo "the software CUDA device runs on Linux x86_64; this is $(uname -s) $(uname -m)" >"$out/unavailable"
elif ! command -v g++ >/dev/null; then
  echo 'no C++ compiler: install g++ for the software CUDA device' >"$out/unavailable"
fi
if [ -e "$out/unavailable" ]; then
  echo "build.sh: $(cat "$out/unavailable")" >&2
  exit 0
fi

flags='-std=c++17 -g -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Wextra'
case ${2:-} in
  '') flags="$flags -O2" ;;
  --sanitize)
    case $(g++ -print-file-name=libasan.so) in
      /*) ;;
      *) echo 'build.sh: no libasan.so, the runtime of AddressSanitizer; it comes with g++ (Debian: apt install g++)' >&2; exit 1 ;;
    esac
    flags="$flags -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
    ;;
  *) echo "build.sh: unknown argument $2; known: --sanitize" >&2; exit 2 ;;
esac

# True if $1 is missing or older than one of the others.
stale() {
  target=$1
  shift
  [ -e "$target" ] || return 0
  for newer in "$@"; do
    [ "$newer" -nt "$target" ] && return 0
  done
  return 1
}

object() { echo "$out/objects/$(basename "$1" .cpp).o"; }

# Compiles what is stale of the given sources, two at a time.
compile() {
  for source in "$@"; do
    if stale "$(object "$source")" "$source" "$here"/*.h "$here"/device/abi.h "$here/build.sh"; then
      echo "$source $(object "$source")"
    fi
  done | xargs -r -P 2 -n 2 sh -c "exec g++ $flags -I '$here' -c \"\$0\" -o \"\$1\""
}

# library NAME VERSION_NODE LIBRARIES SOURCE...: links a library; an empty version node means plain symbols.
library() {
  name=$1 node=$2 libraries=$3
  shift 3
  compile "$@"
  objects=''
  for source in "$@"; do objects="$objects $(object "$source")"; done
  # shellcheck disable=SC2086 # lists of words
  if stale "$out/$name" $objects; then
    script=''
    if [ -n "$node" ]; then
      prefix=${name#lib}
      echo "$node { global: ${prefix%%.so*}*; local: *; };" >"$out/objects/$name.map"
      script="-Wl,--version-script=$out/objects/$name.map"
    fi
    # shellcheck disable=SC2086
    g++ $flags -shared -Wl,-soname,"$name" $script -o "$out/$name.new" $objects $libraries
    mv "$out/$name.new" "$out/$name"
  fi
}

cd "$here"
library libcuda.so.1 '' '-ldl -lpthread' status.cpp control.cpp report.cpp memory.cpp work.cpp executor.cpp fiber.cpp \
  block.cpp fault.cpp stream.cpp capture.cpp image.cpp module.cpp call.cpp driver_context.cpp driver_memory.cpp \
  driver_stream.cpp driver_module.cpp
library libnvrtc.so.12 libnvrtc.so.12 "$out/libcuda.so.1 -ldl" nvrtc.cpp nvrtc_source.cpp compiler.cpp image.cpp
library libcudnn.so.9 libcudnn.so.9 "$out/libcuda.so.1" cudnn_*.cpp conv_math.cpp norm_math.cpp operand.cpp
library libcublas.so.12 libcublas.so.12 "$out/libcuda.so.1" cublas.cpp gemm_math.cpp operand.cpp

if [ -n "${2:-}" ]; then
  for name in libasan.so libstdc++.so; do ln -sf "$(readlink -f "$(g++ -print-file-name=$name)")" "$out/$name"; done
fi

# Kernels compiled with other headers are of no use; the backend under test keeps its own there too.
for header in device/*.h nvrtc_source.cpp compiler.cpp; do
  copy="$out/device/$(basename "$header")"
  if ! cmp -s "$header" "$copy"; then
    rm -rf "$out/cache"
    mkdir -p "$out/device"
    cp "$header" "$copy"
  fi
done
