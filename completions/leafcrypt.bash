_clap_complete_leafcrypt() {
    local candidate words=("${COMP_WORDS[@]}")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(COMPLETE=bash _CLAP_COMPLETE_INDEX="$COMP_CWORD" _CLAP_COMPLETE_RAW="${COMP_WORDS[COMP_CWORD]}" leafcrypt -- "${words[@]}")
    if compopt +o nospace 2> /dev/null && [[ "${COMPREPLY-}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_leafcrypt leafcrypt
else
    complete -o nospace -o bashdefault -F _clap_complete_leafcrypt leafcrypt
fi
