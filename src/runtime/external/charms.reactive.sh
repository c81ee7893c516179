# Decorators for handlers in bash. To be sourced by a file in `reactive/`, which ends with
#
#     reactive_handler_main "$@"
#
# A decorator stands above its function: `@when db.joined`, `@when_not web.installed`, `@hook install`,
# `@only_once`, `@when_file_changed FILE`. Several of them must all hold.
# shellcheck shell=bash

# The functions in order, and of each its name and its tests, one a line, words apart by tabs.
_reactive_functions=()
declare -A _reactive_tests=()
declare -A _reactive_once=()

# Under `set -x`, the lines of this file are in nobody's way, unless CHARMS_REACTIVE_TRACE is `true`.
_reactive_decorate() {
    { if [ "${CHARMS_REACTIVE_TRACE-}" != true ]; then
        local -
        set +x
    fi; } 2>/dev/null
    local name file=${BASH_SOURCE[2]} line=${BASH_LINENO[1]} test=$1
    shift
    name=$(awk -v from="$line" '
        NR <= from || /^[[:space:]]*(@|#|$)/ { next }
        {
            if (sub(/^[[:space:]]*function[[:space:]]+/, "") || /^[[:space:]]*[^[:space:]()]+[[:space:]]*\(/) {
                sub(/^[[:space:]]*/, "")
                sub(/[[:space:](].*/, "")
                print
            }
            exit
        }' "$file")
    if [ -z "$name" ]; then
        echo "$file, line $line: no function below \`@$test\`" >&2
        exit 70
    fi
    if [ -z "${_reactive_tests[$name]-}" ]; then
        _reactive_functions+=("$name")
        _reactive_tests[$name]=$name
    fi
    local IFS=$'\t'
    _reactive_tests[$name]+=$'\n'$test${*:+$'\t'}$*
    if [ "$test" = only_once ]; then _reactive_once[$name]=1; fi
}

for _reactive_name in hook when when_all when_any when_not when_none when_not_all when_file_changed only_once; do
    eval "@$_reactive_name() { _reactive_decorate $_reactive_name \"\$@\"; }"
done
for _reactive_name in set_flag clear_flag toggle_flag is_flag_set all_flags_set any_flags_set \
    set_state remove_state is_state all_states any_states; do
    eval "$_reactive_name() { charms.reactive $_reactive_name \"\$@\"; }"
done
unset _reactive_name

reactive_handler_main() {
    local name names tests=()
    case ${1-} in
    --test)
        for name in "${_reactive_functions[@]}"; do tests+=("${_reactive_tests[$name]}"); done
        charms.reactive test "${tests[@]}"
        ;;
    --invoke)
        IFS=, read -r -a names <<<"${2-}"
        for name in "${names[@]}"; do
            "$name"
            # shellcheck disable=SC2181 # in a condition, `set -e` would not hold inside of the function
            [ $? = 0 ] || exit 1
            if [ -n "${_reactive_once[$name]-}" ]; then
                charms.reactive mark_invoked "${BASH_SOURCE[1]#"$CHARM_DIR/"}:$name"
            fi
        done
        ;;
    *)
        echo "usage: ${0##*/} --test | --invoke NAME,..." >&2
        exit 2
        ;;
    esac
}
