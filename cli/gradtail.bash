# SPDX-License-Identifier: Apache-2.0
# Completion of gradtail's command line for bash.
_gradtail() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
  case $before in
    --from) words='auto raw hex base64' ;;
    --color) words='auto always never' ;;
    --limit | --payload-size | --detached | --*-id | --*-type | --rref-created-on | --device) return ;;
    --payload-text) return ;;
  esac
  if [[ -z $words ]]; then
    case ${COMP_WORDS[1]} in
      inspect) words='--help --from --limit --payload-size --all --json --color' ;;
      check) words='--help --from --limit --quiet' ;;
      make)
        words='--help --context-id --message-id --from-worker-id --wrapped-message-type --device
          --retain-graph --rref-created-on --rref-local-id --payload --payload-text --detached
          --output'
        ;;
      strip) words='--help --from --limit --payload --trailer' ;;
    esac
    if ((COMP_CWORD == 1)); then
      words='inspect check make strip --help --version'
    elif [[ $word != -* ]]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
    fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o filenames -F _gradtail gradtail
