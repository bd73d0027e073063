# shellcheck shell=bash
# What the build scripts share: where things are, how they speak, how they fail.
#
# Sourced, never run. Owns no file. Everything a script writes is below $BUILD.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
LINES_KNOWN="6.12 6.1"
export LC_ALL=C

# What make was told is meant for the top Makefile, not for the kernel's; and a
# kernel built here depends on nothing a user happens to have exported.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS
unset ARCH SUBARCH CROSS_COMPILE KCFLAGS KAFLAGS KCONFIG_CONFIG KBUILD_OUTPUT LOCALVERSION

say()	{ printf '%s\n' "$*"; }
warn()	{ printf '%s\n' "$*" >&2; }

# die WHAT [HINT...]: one line that names the thing and what is wrong, then
# what to do, a line each.
die()
{
	printf 'plex86: %s\n' "$1" >&2
	shift
	local hint
	for hint; do
		printf '        %s\n' "$hint" >&2
	done
	exit 1
}

# A path as a reader at the top of the tree would write it.
rel()
{
	case $1 in
	"$ROOT"/*)	printf '%s' "${1#"$ROOT"/}" ;;
	*)		printf '%s' "$1" ;;
	esac
}

# A span of seconds, short: 7s, 2m05s.
span()
{
	if [ "$1" -lt 60 ]; then
		printf '%ds' "$1"
	else
		printf '%dm%02ds' $(($1 / 60)) $(($1 % 60))
	fi
}

# step HEADING starts a line, done_step [NOTE] ends it with the time it took.
# Where the output is no terminal the line is printed once, complete.
step()
{
	STEP=$1
	STEP_START=$SECONDS
	if [ -t 1 ]; then
		printf '%s ...' "$STEP"
	fi
}

# shellcheck disable=SC2120 # its argument is optional
done_step()
{
	if [ -t 1 ]; then
		printf '\r\033[K'
	fi
	printf '%s%s (%s)\n' "$STEP" "${1:+: $1}" "$(span $((SECONDS - STEP_START)))"
}

# break_step: leaves a half-written heading behind before an error is printed.
break_step()
{
	if [ -t 1 ]; then
		printf '\n'
	fi
}

need_line()
{
	case " $LINES_KNOWN " in
	*" $1 "*)	;;
	*)		die "LINE=$1: no such kernel line" "say LINE=6.12 (the default) or LINE=6.1" ;;
	esac
}

# put FILE: standard input becomes FILE, unless that is what FILE holds
# already; its time of change is then left alone.
put()
{
	local new=$1.new
	mkdir -p "$(dirname "$1")"
	cat > "$new"
	if cmp -s "$new" "$1"; then
		rm "$new"
	else
		mv "$new" "$1"
	fi
}

# sync_files FROM TO: every file below FROM is copied to the same place below
# TO where its content differs; prints the names of those that did.
sync_files()
{
	local from=$1 to=$2 f
	(cd "$from" && find . -type f -printf '%P\n' | sort) |
	while IFS= read -r f; do
		cmp -s "$from/$f" "$to/$f" && continue
		mkdir -p "$(dirname "$to/$f")"
		cp --remove-destination "$from/$f" "$to/$f.plex86-new"
		mv -f "$to/$f.plex86-new" "$to/$f"
		printf '%s\n' "$f"
	done
}
