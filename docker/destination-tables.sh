#!/bin/sh
# Makes the sample shop's tables in the DDM simulator, which takes no comments as
# DDM takes none. Safe to run again.
set -eu

export MYSQL_PWD="$DDM_PASSWORD"
ddm() { mysql --skip-comments --protocol=tcp -h ddmsim -P 5066 -u ddm --default-auth=mysql_native_password shop "$@"; }

attempt=0
until ddm -e 'SELECT 1' >/dev/null 2>&1; do
	attempt=$((attempt + 1))
	[ "$attempt" -lt 60 ] || { echo "the simulator does not answer at ddmsim:5066" >&2; exit 1; }
	sleep 1
done
if ddm -e 'SHOW TABLES' | grep -q '^orders$'; then
	echo "the tables stand already"
	exit 0
fi
ddm </setup/destination.sql
