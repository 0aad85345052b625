#!/bin/sh
# Makes Temporal's databases in PostgreSQL, or updates them to the version of
# this image. Safe to run again.
set -eu

for pair in temporal:temporal temporal_visibility:visibility; do
	database=${pair%%:*}
	tool() { temporal-sql-tool --plugin postgres12 --ep postgresql -p 5432 -u temporal --db "$database" "$@"; }
	tool create || echo "database $database stands already"
	tool setup-schema -v 0.0 || echo "schema of $database stands already"
	tool update-schema -d "/etc/temporal/schema/postgresql/v12/${pair##*:}/versioned"
done
