#!/bin/sh
# After removing: data stay. Only a purge, and only one that a person confirms, deletes them: with a y at a terminal, or
# with EDGEWARD_PURGE=yes. rpm knows no purge: there data always stay.
set -e

data=/var/lib/edgeward

if [ "$1" = remove ] || [ "$1" = 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
	fi
	if [ -d "$data" ]; then
		echo "edgeward: models, data and records stay in $data"
	fi
fi

if [ "$1" = purge ] && [ -d "$data" ]; then
	answer=${EDGEWARD_PURGE:-}
	if [ -z "$answer" ] && [ "${DEBIAN_FRONTEND:-}" != noninteractive ] && [ -t 0 ]; then
		printf 'edgeward: delete all models, data and records in %s for ever? [y/N] ' "$data"
		read -r answer || answer=
	fi
	case "$answer" in
	y | Y | yes)
		rm -rf "$data"
		if getent passwd edgeward >/dev/null; then
			userdel edgeward
		fi
		;;
	*)
		echo "edgeward: kept $data; to delete it: rm -r $data (or purge with EDGEWARD_PURGE=yes)"
		;;
	esac
fi
