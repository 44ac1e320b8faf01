#!/usr/bin/env bash
# Builds HEAD in two folders with separate build caches and compares the bytes. Wheels are taken from .cache where they
# are, everything else is made anew.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
rev=$(git rev-parse HEAD)
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT

for dir in "$tmp/a" "$tmp/some/other/place"; do
	git clone -q --no-hardlinks "$root" "$dir"
	git -C "$dir" checkout -q --detach "$rev"
	mkdir -p "$dir/.cache"
	cp -r "$root/.cache/wheels" "$dir/.cache/wheels"
	GOCACHE="$tmp/cache-$(basename "$dir")" make -C "$dir" build
done
a=$(sha256sum <"$tmp/a/bin/edgeward")
b=$(sha256sum <"$tmp/some/other/place/bin/edgeward")
if [[ $a != "$b" ]]; then
	echo "not reproducible: $a and $b" >&2
	exit 1
fi
echo "reproducible: ${a%% *}"
