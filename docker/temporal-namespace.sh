#!/bin/sh
# Makes the namespace if it is missing. Finished tasks are listed for its
# retention.
set -eu

if temporal operator namespace describe -n shardlift >/dev/null 2>&1; then
	echo "namespace shardlift stands already"
	exit 0
fi
temporal operator namespace create -n shardlift --retention 365d --description "Shardlift's tasks"
