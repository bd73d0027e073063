# shellcheck shell=bash
# What the test groups that are shell scripts share. Sourced, never run.
#
# A group keeps what it makes in $work, below build/tests, and changes nothing
# else of the tree.

# shellcheck source=../tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.sh"

# The lines that were built: one if the user named a tree, else all.
# shellcheck disable=SC2034 # used by the groups
lines=${BUILT_LINES:-$LINES_KNOWN}
work=$BUILD/tests/$(basename "$0").d
rm -rf "$work"
mkdir -p "$work"
cd "$ROOT" || exit

ok()	{ say "ok $*"; }
skip()	{ say "skip $1: $2"; }
not_ok()	{ say "not ok $1: $2"; }

# What the host has of --isolation.
isolation()
{
	if "$BUILD/plex86" host | grep -q '^protection keys *yes'; then
		say keys
	else
		say none
	fi
}

# check NAME COMMAND...: NAME passes if COMMAND succeeds; what COMMAND says is
# in the log, and its last line is the reason given.
check()
{
	local name=$1 out status
	shift
	set +e		# and on again inside, which it is not in a condition
	out=$(set -e; "$@" 2>&1)
	status=$?
	set -e
	[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/	/'
	if [ $status = 0 ]; then
		ok "$name"
	else
		not_ok "$name" "$(printf '%s\n' "${out:-$1: status $status}" | tail -n 1)"
	fi
}
