# shellcheck shell=bash
# Grants. A resource's policy is read once, the missing grants are added, and the policy is written once. A binding
# without a condition is also added if other bindings have conditions. Those bindings stay as they are.

policy_url() { # RESOURCE, as kind/name
  local name=${1#*/}
  case $1 in
    project) echo "$CRM/projects/$PROJECT" ;;
    account/*) echo "$IAM/projects/$PROJECT/serviceAccounts/$(address "$name")" ;;
    topic/*) echo "$PUBSUB/projects/$PROJECT/topics/$name" ;;
    subscription/*) echo "$PUBSUB/projects/$PROJECT/subscriptions/$name" ;;
    secret/*) echo "$SECRETS/projects/$PROJECT/secrets/$name" ;;
    service/*) echo "$RUN/projects/$PROJECT/locations/$REGION/services/$name" ;;
  esac
}

# Google shows the conditions of the bindings only if version 3 is requested.
readable_policy_url() { # RESOURCE
  echo "$(policy_url "$1"):getIamPolicy?options.requestedPolicyVersion=3"
}

read_policy() { # RESOURCE
  case $1 in
    # The request does not name the project as the payer, because in an empty project the API is off.
    project) UNPAID=1 rest POST "$(policy_url "$1"):getIamPolicy" '{"options": {"requestedPolicyVersion": 3}}' ;;
    account/*) rest POST "$(readable_policy_url "$1")" ;;
    *) rest GET "$(readable_policy_url "$1")" ;;
  esac
}

write_policy() { # RESOURCE FILE
  rest POST "$(policy_url "$1"):setIamPolicy" "{\"policy\": $(<"$2")}"
}

# Stores the policy in the state `policy-RESOURCE`: null if the resource does not exist. After any other refusal the
# deployment stops, because grants that cannot be read must not count as missing.
look_at_policy() { # RESOURCE
  local file=$WORK/state/policy-${1//\//-}
  read_policy "$1" >"$file" 2>"$WORK/errors" && return 0
  grep --extended-regexp --quiet 'HTTP 404|SERVICE_DISABLED' "$WORK/errors" || stop "Reading the grants on ${1/\// }" \
    "$(why "$WORK/errors")" "ask an owner of the project for the permission that is missing, or wait some minutes."
  echo null >"$file"
}

address() { # ACCOUNT: prints its e-mail
  echo "$1@$PROJECT.iam.gserviceaccount.com"
}

wanted_grants() { # ROLE MEMBER ROLE MEMBER …: prints them as JSON
  jq --null-input '[$ARGS.positional as $all | range(0; $all | length; 2) | {role: $all[.], member: $all[. + 1]}]' \
    --args -- "$@"
}

readonly MISSING_GRANTS='
  . as $policy | $wanted | map(select(. as $grant | any($policy.bindings[]?;
    .role == $grant.role and .condition == null and (.members | index($grant.member))) | not))'

readonly GRANTED='
  .version = 3 | .bindings //= [] | reduce $missing[] as $grant (.;
    if any(.bindings[]; .role == $grant.role and .condition == null)
    then .bindings |= map(if .role == $grant.role and .condition == null then .members += [$grant.member] else . end)
    else .bindings += [{role: $grant.role, members: [$grant.member]}] end)'

# ensure_grants RESOURCE ROLE MEMBER…: adds the missing members of each role. The policy is in the state
# `policy-RESOURCE` if it was read before. A resource that does not exist yet has no grants.
ensure_grants() {
  local resource=$1 known missing
  shift
  known="policy-${resource//\//-}"
  [[ -f $WORK/state/$known ]] || look_at_policy "$resource"
  missing=$(jq --compact-output --argjson wanted "$(wanted_grants "$@")" "${MISSING_GRANTS}" "$WORK/state/$known")
  if [[ $missing == '[]' ]]; then
    same "grants on ${resource/\// }"
    return
  fi
  change "grants on ${resource/\// }: $(jq --raw-output 'map("\(.role) for \(.member)") | join(", ")' <<<"$missing")" \
    add_grants "$resource" "$missing"
}

add_grants() { # RESOURCE MISSING: reads again, because a new API or another person may have changed the policy
  read_policy "$1" | jq --argjson missing "$2" "${GRANTED}" >"$WORK/policy.json" || return 1
  write_policy "$1" "$WORK/policy.json"
}

# ensure_only RESOURCE ROLE MEMBER…: gives the role without a condition to exactly these members.
ensure_only() {
  local resource=$1 role=$2 known members surplus
  shift 2
  known="$WORK/state/policy-${resource//\//-}"
  members=$(jq --null-input --compact-output '$ARGS.positional' --args -- "$@")
  [[ -f $known ]] || look_at_policy "$resource"
  surplus=$(jq --raw-output --arg role "$role" --argjson members "$members" \
    '[.bindings[]? | select(.role == $role and .condition == null) | .members[]] - $members | join(", ")' "$known")
  if [[ -n $surplus ]]; then
    change "remove $role on ${resource/\// } from: $surplus" remove_others "$resource" "$role" "$members"
  fi
  local grants=() member
  for member; do grants+=("$role" "$member"); done
  (($# == 0)) || ensure_grants "$resource" "${grants[@]}"
}

remove_others() { # RESOURCE ROLE MEMBERS
  read_policy "$1" | jq --arg role "$2" --argjson members "$3" '.version = 3 | .bindings |= map(
    if .role == $role and .condition == null then .members |= map(select(IN($members[]))) else . end
    | select(.members | length > 0))' >"$WORK/policy.json" || return 1
  write_policy "$1" "$WORK/policy.json"
}

# ensure_no_grants RESOURCE MEMBER…: removes all roles without a condition from these members.
ensure_no_grants() {
  local resource=$1 members held
  shift
  look_at_policy "$resource"
  members=$(jq --null-input --compact-output '$ARGS.positional' --args -- "$@")
  held=$(jq --raw-output --argjson members "$members" '[.bindings[]? | select(.condition == null)
    | select(any(.members[]; IN($members[]))) | .role] | join(", ")' \
    "$WORK/state/policy-${resource//\//-}")
  [[ -n $held ]] || return 0
  change "remove grants on ${resource/\// }: $held" take_away "$resource" "$members"
}

take_away() { # RESOURCE MEMBERS
  read_policy "$1" | jq --argjson members "$2" '.version = 3 | .bindings |= map(
    if .condition == null then .members -= $members else . end | select(.members | length > 0))' >"$WORK/policy.json" ||
    return 1
  write_policy "$1" "$WORK/policy.json"
}
