#!/bin/sh
# Before removing: stop the service. deb: "remove", "upgrade" or "deconfigure"; rpm: 0 when it goes, 1 on an upgrade.
set -e

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now edgeward.service
	fi
	;;
esac
