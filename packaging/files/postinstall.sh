#!/bin/sh
# After installing or upgrading: the user, the folders, and on an upgrade the restart of a running service.
# deb: "configure [OLD VERSION]"; rpm: 1 at first, 2 on an upgrade.
set -e

case "$1" in
configure) [ -n "$2" ] && upgrade=yes || upgrade=no ;;
2) upgrade=yes ;;
*) upgrade=no ;;
esac

if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers edgeward.conf
fi
if ! getent passwd edgeward >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/edgeward --no-create-home --shell /usr/sbin/nologin edgeward
fi
install -d -m 0700 -o edgeward -g edgeward /var/lib/edgeward
install -d -m 0750 -o root -g edgeward /etc/edgeward
if [ -f /etc/edgeward/config.toml ]; then
	chown root:edgeward /etc/edgeward/config.toml
	chmod 0640 /etc/edgeward/config.toml
fi

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if [ "$upgrade" = yes ]; then
		systemctl try-restart edgeward.service
	fi
fi
if [ "$upgrade" = no ]; then
	echo "edgeward: start it with: systemctl enable --now edgeward"
	echo "edgeward: its one-time sign-in link is then in: journalctl -u edgeward"
fi
