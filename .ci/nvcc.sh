#!/bin/sh
# Prints the path of an nvcc that can build the GPU module: the one in PATH, or that of a CUDA toolkit
# in its usual place, or one that is put into build/nvcc, from NVIDIA's packages for Python (about
# 100 MB). Only the checksums below are trusted. Exit status 1, and a sentence, where none can be had.
set -eu
cd "$(dirname "$0")/.."
version=13.0.88
folder=$PWD/build/nvcc

for path in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc "$folder/nvcc"; do
    if [ -n "$path" ] && [ -x "$path" ]; then
        echo "$path"
        exit 0
    fi
done

if [ "$(uname -m)" != x86_64 ]; then
    echo "nvcc.sh: there is no nvcc, and the packages are for x86-64" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
cat > "$folder/requirements.txt" <<END
nvidia-cuda-nvcc==$version --hash=sha256:56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03
nvidia-cuda-crt==$version --hash=sha256:2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4
nvidia-cuda-runtime==$version --hash=sha256:422a38f7c739ecbdd3a4b6ec7ed0a1d74db43d8e9bc26685f3d845638922b178
nvidia-nvvm==$version --hash=sha256:c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0
END
if ! { /usr/bin/python3 -m venv "$folder/venv" &&
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
        --require-hashes -r "$folder/requirements.txt"; } > "$folder/log" 2>&1; then
    echo "nvcc.sh: there is no nvcc, and it cannot be installed: $(tail -n 1 "$folder/log")" >&2
    exit 1
fi
real=$(find "$folder/venv" -name nvcc -type f -path '*/bin/*')
# nvcc finds its parts beside itself. Under this name it is there only when all of it is.
printf '#!/bin/sh\nexec "$(dirname "$0")/%s" "$@"\n' "${real#"$folder/"}" > "$folder/nvcc.new"
chmod +x "$folder/nvcc.new" "$real"
mv "$folder/nvcc.new" "$folder/nvcc"
echo "$folder/nvcc"
