#!/usr/bin/env bash
# Writes dist/edgeward_VERSION_ARCH.{deb,rpm,tar.gz} from bin/edgeward; the same program gives the same bytes. Called by
# make package, which sets NFPM, VERSION and GOARCH.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${NFPM:?}" "${VERSION:?}" "${GOARCH:?}"
export VERSION GOARCH
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
export SOURCE_DATE_EPOCH

stage=dist/stage
rm -rf "$stage"
mkdir -p "$stage/completions"
bin/edgeward completion bash >"$stage/completions/edgeward.bash"
bin/edgeward completion zsh >"$stage/completions/_edgeward"
bin/edgeward completion fish >"$stage/completions/edgeward.fish"
bin/edgeward licenses >"$stage/licenses.txt"

name=edgeward_${VERSION}_${GOARCH}
for kind in deb rpm; do
	$NFPM package --config packaging/nfpm.yaml --packager "$kind" --target "dist/$name.$kind"
done

# The archive for other systems: the program, the unit and its configuration, to be put where that system wants them.
dir=$stage/edgeward-$VERSION
mkdir -p "$dir"
install -m 0755 bin/edgeward "$dir/edgeward"
install -m 0644 packaging/files/{edgeward.service,sysusers.conf,tmpfiles.conf,config.toml} "$stage/licenses.txt" "$dir"
cp -r "$stage/completions" "$dir/completions"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -cf - "edgeward-$VERSION" | gzip -n >"dist/$name.tar.gz"

(cd dist && sha256sum "$name.deb" "$name.rpm" "$name.tar.gz" | tee SHA256SUMS)
