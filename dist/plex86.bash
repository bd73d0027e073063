# shellcheck shell=bash
# Completion of plex86's commands, options and their values, for bash.
#
# What there is the program says itself (plex86 help): a new option needs nothing
# here. Only values that its tables have no form for are listed: see
# _plex86_values. tests/90-dist holds these against the program's messages.

# What may stand for the argument ARGUMENT of --OPTION, as words; FILE among them
# is any file.
_plex86_values()
{
	case $1 in
	--mask-host)	echo ia32 sud cpuid sysenter keys uring seccomp landlock ;;
	--net)		echo user tap socket none ;;
	--disk)		echo file= nbd= ;;
	*)
		case $2 in
		SOCKET)		echo FILE ;;
		FILE | *\|*)	echo "${2//|/ }" ;;
		esac
		;;
	esac
}

# The options of a help text, with their arguments.
_plex86_options()
{
	"$@" 2> /dev/null | sed -n 's/^  \(--[^ ]*\( [^ ]*\)\{0,1\}\).*/\1/p'
}

# Offers those of the words that begin with what is typed.
_plex86_offer()
{
	local typed=$1 word
	shift
	for word; do
		if [ "$word" = FILE ]; then
			compopt -o filenames 2> /dev/null
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$typed")
		elif [[ $word == "$typed"* ]]; then
			[[ $word != *= ]] || compopt -o nospace 2> /dev/null
			COMPREPLY+=("$word")
		fi
	done
}

_plex86()
{
	local program=$1 typed=$2 verb=${COMP_WORDS[1]-} at=$COMP_CWORD option word argument
	local -a help
	COMPREPLY=()

	if [ "$at" = 1 ]; then
		# shellcheck disable=SC2046 # words
		_plex86_offer "$typed" $("$program" help 2> /dev/null | sed -n 's/^  plex86 \([a-z]*\).*/\1/p')
		return
	fi
	case $verb in
	run)	help=("$program" help) ;;
	check)	help=("$program" check --help) ;;
	control)
		case $at in
		2)	_plex86_offer "$typed" FILE ;;
		3)	_plex86_offer "$typed" remove resize ;;
		esac
		return
		;;
	*)	return ;;
	esac

	# Readline makes three words of --name=VALUE, and of file=PATH.
	if [ "$typed" = = ]; then
		typed=
	elif [ "${COMP_WORDS[at - 1]}" = = ]; then
		at=$((at - 1))
	fi
	option=${COMP_WORDS[at - 1]}
	if [ "$option" = file ]; then
		_plex86_offer "$typed" FILE
		return
	fi
	while read -r word argument; do
		if [ "$word" = "$option" ] && [ -n "$argument" ]; then
			# shellcheck disable=SC2046 # words
			_plex86_offer "$typed" $(_plex86_values "$option" "$argument")
			return
		fi
	done < <(_plex86_options "${help[@]}")
	if [[ $typed != -* && $verb = check ]]; then
		_plex86_offer "$typed" FILE
	else
		# shellcheck disable=SC2046 # words
		_plex86_offer "$typed" $(_plex86_options "${help[@]}" | sed 's/ .*//')
	fi
}

complete -F _plex86 plex86
