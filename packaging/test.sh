#!/usr/bin/env bash
# Installs the packages of dist/ on this machine, which should be a throw-away one, as root: install, start by the unit's
# own command line as its user, upgrade, remove, purge. systemd need not run. It makes a second .deb with a higher
# version itself. Prints one "ok" line per check and exits 1 at the first that fails.
#
#	make package && packaging/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=$(sed -n 's/^var release = "\(.*\)"$/\1/p' cmd/edgeward/version.go)
GOARCH=$(go env GOARCH)
NFPM=${NFPM:-$(sed -n 's/^NFPM := //p' Makefile)}
deb=dist/edgeward_${VERSION}_$GOARCH.deb
rpm=dist/edgeward_${VERSION}_$GOARCH.rpm
tgz=dist/edgeward_${VERSION}_$GOARCH.tar.gz
data=/var/lib/edgeward
unit=/usr/lib/systemd/system/edgeward.service
tmp=$(mktemp -d)
pid=

fail() {
	echo "FAIL: $*" >&2
	exit 1
}
ok() { echo "ok: $*"; }
cleanup() {
	[[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
	if dpkg -s edgeward >/dev/null 2>&1; then EDGEWARD_PURGE=yes dpkg --purge edgeward >/dev/null 2>&1 || true; fi
	rm -rf "$tmp"
}

[[ $(id -u) == 0 ]] || fail "run as root, on a machine you can throw away"
if dpkg -s edgeward >/dev/null 2>&1 || [[ -e $data ]]; then fail "edgeward is installed here already, or $data exists"; fi
trap cleanup EXIT

# setting NAME prints the values of a setting of the installed unit.
setting() { sed -n "s/^$1=//p" "$unit"; }

healthy() {
	python3 - <<'PY'
import sys, time, urllib.request
end = time.time() + 60
while True:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/api/v1/health", timeout=5) as r:
            sys.exit(r.status != 200)
    except Exception as e:
        if time.time() > end:
            sys.exit("no answer in 60 s: %s" % e)
        time.sleep(0.2)
PY
}

# start runs the unit's own command line, as its user, in its environment.
start() {
	local command user envs
	command=$(setting ExecStart)
	user=$(setting User)
	mapfile -t envs < <(setting Environment)
	# shellcheck disable=SC2086 # a unit's command line is split into words
	runuser -u "$user" -- env -i PATH=/usr/bin:/bin "${envs[@]}" $command >"$tmp/log" 2>&1 &
	pid=$!
	healthy || { cat "$tmp/log" >&2; fail "$command as $user does not get healthy"; }
}
stop() {
	pkill -TERM -P "$pid" || kill -TERM "$pid"
	wait "$pid" || { cat "$tmp/log" >&2; fail "the service did not end cleanly"; }
	pid=
}

if command -v systemd-analyze >/dev/null; then
	systemd-analyze security --offline=true --threshold=20 --no-pager packaging/files/edgeward.service >"$tmp/security" || { cat "$tmp/security"; fail "the unit's exposure is above 2.0"; }
	ok "$(tail -1 "$tmp/security" | sed 's/^[^A-Za-z]*//')"
elif [[ ${EDGEWARD_REQUIRE_ALL:-} == 1 ]]; then
	fail "systemd-analyze is missing"
fi

dpkg -i "$deb"
[[ $(edgeward version | head -1) == "edgeward $VERSION" ]] || fail "edgeward version"
edgeward licenses --list | grep '^openvino ' >/dev/null || fail "no native libraries inside"
[[ $(stat -c '%U:%G %a' $data) == "edgeward:edgeward 700" ]] || fail "$data: $(stat -c '%U:%G %a' $data)"
[[ $(stat -c '%U:%G %a' /etc/edgeward/config.toml) == "root:edgeward 640" ]] || fail "config.toml: $(stat -c '%U:%G %a' /etc/edgeward/config.toml)"
runuser -u edgeward -- cat /etc/edgeward/config.toml >/dev/null || fail "the service cannot read its configuration"
ok "install"

serves=no
if edgeward serve --help >/dev/null 2>&1; then serves=yes; fi
if [[ $serves == yes ]]; then
	start
	ok "starts as its user by the unit's command line"
	stop
	ok "ends cleanly"
elif [[ ${EDGEWARD_REQUIRE_ALL:-} == 1 ]]; then
	fail "this build has no serve command"
else
	echo "skipped: this build has no serve command, so its start is not tried"
fi

echo kept >$data/sentinel
echo "# changed by the administrator" >>/etc/edgeward/config.toml
VERSION=$VERSION.99 GOARCH=$GOARCH $NFPM package --config packaging/nfpm.yaml --packager deb --target "$tmp/newer.deb" >/dev/null
dpkg -i "$tmp/newer.deb"
[[ $(dpkg-query -W -f '${Version}' edgeward) == "$VERSION.99" ]] || fail "not upgraded"
[[ $(cat $data/sentinel) == kept ]] || fail "the upgrade touched the data"
grep -q "changed by the administrator" /etc/edgeward/config.toml || fail "the upgrade replaced the configuration"
if [[ $serves == yes ]]; then
	start
	stop
fi
ok "upgrade keeps data and configuration"

dpkg -r edgeward
if [[ -e /usr/bin/edgeward ]]; then fail "the program is still there"; fi
[[ $(cat $data/sentinel) == kept ]] || fail "removing took the data"
ok "remove keeps data"

DEBIAN_FRONTEND=noninteractive dpkg --purge edgeward
[[ $(cat $data/sentinel) == kept ]] || fail "an unconfirmed purge took the data"
if [[ -e /etc/edgeward/config.toml ]]; then fail "purge left the configuration"; fi
dpkg -i "$deb" >/dev/null
EDGEWARD_PURGE=yes dpkg --purge edgeward
if [[ -e $data ]]; then fail "a confirmed purge left the data"; fi
if getent passwd edgeward >/dev/null; then fail "a confirmed purge left the user"; fi
ok "purge deletes data only when confirmed"

if command -v rpm >/dev/null; then
	rpm -qp --nosignature --list "$rpm" >"$tmp/rpm"
	for f in /usr/bin/edgeward $unit /etc/edgeward/config.toml /usr/lib/sysusers.d/edgeward.conf; do
		grep -qx "$f" "$tmp/rpm" || fail "the rpm lacks $f"
	done
	rpm -qp --nosignature --configfiles "$rpm" | grep -x /etc/edgeward/config.toml >/dev/null || fail "the rpm's configuration is no %config"
	for when in postinstall preuninstall postuninstall; do
		rpm -qp --nosignature --scripts "$rpm" | grep "^$when scriptlet" >/dev/null || fail "the rpm lacks its $when script"
	done
	ok "rpm holds the same files and scripts"
elif [[ ${EDGEWARD_REQUIRE_ALL:-} == 1 ]]; then
	fail "rpm is missing"
fi

tar -C "$tmp" -xzf "$tgz"
[[ $("$tmp/edgeward-$VERSION/edgeward" version | head -1) == "edgeward $VERSION" ]] || fail "the archive's program does not run"
ok "archive"
