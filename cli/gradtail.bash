# SPDX-License-Identifier: Apache-2.0
# Completion of gradtail's command line for bash, from the program's own help.
_gradtail() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help argument=
  local words='inspect check make strip --help --version'
  if ((COMP_CWORD > 1)); then
    help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null)
    # Behind an option, its argument: choices such as auto|always|never, a FILE, or anything else.
    [[ $before != -* || ! $help =~ $before\ ([a-z0-9]+\|[a-z0-9|]+|[A-Z]+) ]] ||
      argument=${BASH_REMATCH[1]}
    case $argument,$word in
      *'|'*) words=${argument//|/ } ;;
      ,-*) words=$(grep -o -e '--[a-z-]*' <<<"$help") ;;
      ,* | FILE,*)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
      *) return ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o filenames -F _gradtail gradtail
