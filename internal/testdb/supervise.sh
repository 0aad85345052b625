# Runs one database server and ends it when nobody uses it any more.
# usage: sh supervise.sh RUN_DIRECTORY IDLE_SECONDS DOWN_SECONDS COMMAND...
#
# Files in the run directory:
#   alive      locked (exclusive) as long as this script runs
#   users      locked (shared) by each process that uses the server
#   down       present: DOWN_SECONDS without a user end the server, not IDLE_SECONDS
#   ready      written by the starter, removed here before the server ends
#   pid        process id of the server
run=$1 idle_limit=$2 down_limit=$3
shift 3
cd "$run" || exit 1
exec 8>>alive 9>>users
# Whoever asks whether this script runs has the lock for a moment, too.
flock -w 5 8 || exit 1

# The kernel kills the server when this script dies, whatever the reason.
setpriv --pdeathsig KILL "$@" 8>&- 9>&- &
server=$!
echo $server >pid.new && mv pid.new pid

# The end of a child interrupts "wait", so the server's end is seen at once.
trap : CHLD
nap() {
	sleep 1 8>&- 9>&- &
	wait $!
}

end() {
	rm -f ready
	kill -TERM $server
	waited=0
	while kill -0 $server 2>/dev/null && [ $waited -lt 30 ]; do
		nap
		waited=$((waited + 1))
	done
	kill -KILL $server 2>/dev/null
	exit 0
}

idle=0
while kill -0 $server 2>/dev/null; do
	limit=$idle_limit
	[ -e down ] && limit=$down_limit
	if flock -n -x 9; then
		# Nobody can become a user while the exclusive lock is held.
		[ $idle -ge "$limit" ] && end
		flock -u 9
		idle=$((idle + 1))
	else
		idle=0
	fi
	nap
done
rm -f ready
