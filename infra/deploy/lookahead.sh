# shellcheck shell=bash
# Finds everything that would stop the deployment half way. This happens before the first change, and all problems are
# printed together.

readonly CRM=https://cloudresourcemanager.googleapis.com/v3
readonly USAGE=https://serviceusage.googleapis.com
readonly ORG_POLICY=https://orgpolicy.googleapis.com/v2

PROBLEMS=()

problem() { # SENTENCE
  PROBLEMS+=("$1")
}

# These requests do not name the project as the payer: in an empty project no API is enabled, so none could answer.
read_ahead() {
  local policies=$ORG_POLICY/projects/$PROJECT/policies quota names api
  quota=$USAGE/v1beta1/projects/$PROJECT/services/run.googleapis.com/consumerQuotaMetrics
  quota+=/run.googleapis.com%2Fcpu_allocation
  names=$(for api in "${APIS[@]}" firebase; do
    printf '&names=projects/%s/services/%s.googleapis.com' "$PROJECT" "$api"
  done)
  UNPAID=1 read_all \
    project "$CRM/projects/$PROJECT" \
    who https://www.googleapis.com/oauth2/v2/userinfo \
    billing "https://cloudbilling.googleapis.com/v1/projects/$PROJECT/billingInfo" \
    services "$USAGE/v1/projects/$PROJECT/services:batchGet?${names#&}" \
    domains "$policies/iam.allowedPolicyMemberDomains:getEffectivePolicy" \
    members "$policies/iam.managed.allowedPolicyMembers:getEffectivePolicy" \
    places "$policies/gcp.resourceLocations:getEffectivePolicy" \
    "function-$EVENTS_FUNCTION" \
    "$FUNCTIONS_API/projects/$PROJECT/locations/$REGION/functions/$EVENTS_FUNCTION" \
    quota "$quota"
  check_project
  settle_database
  NUMBER=$(state project '.name | ltrimstr("projects/")')
  DEPLOYER=$(state who '.email // empty')
  [[ -n $DEPLOYER ]] || DEPLOYER=$(gcloud config get-value account --quiet 2>/dev/null || true)
  CPU_QUOTA=$(state quota --arg region "$REGION" '
    [.consumerQuotaLimits[]? | select(.unit == "1/{project}/{region}") | .quotaBuckets[]] |
    (map(select(.dimensions.region == $region)) + map(select(.dimensions == null)))[0].effectiveLimit // empty')
}

check_project() {
  exists project || bad_input "The project '$PROJECT' does not exist, or you may not see it ($(refusal project)).\
 List your projects: gcloud projects list"
  [[ $(state project '.state // "ACTIVE"') == ACTIVE ]] ||
    bad_input "The project '$PROJECT' was shut down ($(state project .state)). To keep it, restore it and link its\
 billing account again: gcloud projects undelete $PROJECT"
}

refusal() { # NAME: prints Google's message if it refused to answer
  cat "$WORK/state/$1.refused" 2>/dev/null || echo "HTTP 404"
}

look_ahead() {
  local missing
  if exists billing && [[ $(state billing '.billingEnabled // false') != true ]]; then
    problem "No billing account pays for $PROJECT. Link one: gcloud billing projects link $PROJECT\
 --billing-account=ACCOUNT_ID (gcloud billing accounts list shows them)."
  fi
  missing=$(missing_permissions)
  if [[ -n $missing ]]; then
    problem "You do not have all permissions that this needs in $PROJECT. Missing: $missing. Ask an owner of the\
 project for roles/owner while you deploy, or for roles with these permissions."
  fi
  look_at_place
  look_at_database
  look_at_quota
  look_at_policies
  ((${#PROBLEMS[@]})) || return 0
  printf 'Nothing was changed, because this would stop the deployment:\n' >&2
  printf '  - %s\n' "${PROBLEMS[@]}" >&2
  exit 2
}

missing_permissions() {
  local asked
  asked=$(printf '%s\n' "${PERMISSIONS[@]}" | jq --raw-input . | jq --slurp --compact-output '{permissions: .}')
  if ! UNPAID=1 rest POST "$CRM/projects/$PROJECT:testIamPermissions" "$asked" >"$WORK/held" 2>"$WORK/errors"; then
    note "Google does not say whether you have all permissions that this needs: $(why "$WORK/errors")" >&2
    return
  fi
  jq --raw-output --argjson asked "$asked" '$asked.permissions - (.permissions // []) | join(", ")' "$WORK/held"
}

look_at_place() {
  local known='' elsewhere
  if exists locations; then
    known=$(state locations '[.locations[].locationId] | join(" ")')
  else
    # The API that knows the regions is not enabled yet.
    known=$(grep --invert-match '^#' infra/deploy/regions.txt | tr '\n' ' ')
  fi
  elsewhere=$(state functions --arg region "$REGION" --arg name "$EVENTS_FUNCTION" '[.functions[]?.name | split("/")
    | select(.[-1] == $name and .[3] != $region) | .[3]] | join(", ")')
  [[ -z $elsewhere ]] ||
    problem "It is already deployed in $elsewhere. Two deployments would do everything twice. Deploy there, or remove\
 it first: make destroy PROJECT=$PROJECT REGION=$elsewhere"
  [[ " $known " == *" $REGION "* ]] ||
    problem "The region '$REGION' does not exist for Cloud Functions. Choose one of: $known"
}

look_at_database() {
  local place
  exists database || return 0
  place=$(state database .locationId)
  if [[ $(state database .type) != FIRESTORE_NATIVE ]]; then
    problem "The database $FIRESTORE_DATABASE of $PROJECT is in Datastore mode, which this system cannot use.\
 Use another one: FIRESTORE_DATABASE=attendance"
  elif [[ -n $FIRESTORE_LOCATION && $place != "$FIRESTORE_LOCATION" ]]; then
    problem "The database $FIRESTORE_DATABASE is in $place and cannot be moved to $FIRESTORE_LOCATION.\
 Leave FIRESTORE_LOCATION out, or use another database: FIRESTORE_DATABASE=attendance"
  elif [[ -z $FIRESTORE_LOCATION && $place != "$REGION" ]] && ! exists "function-$EVENTS_FUNCTION"; then
    problem "There is a database $FIRESTORE_DATABASE in $place, not in $REGION. To use it:\
 FIRESTORE_LOCATION=$place. To make another one: FIRESTORE_DATABASE=attendance"
  fi
}

look_at_quota() {
  [[ -n $CPU_QUOTA ]] || return 0
  local least=$((${#FUNCTIONS[@]} * CPU * 1000)) wanted
  wanted=$((${#FUNCTIONS[@]} * CPU * 1000 * (MAX_INSTANCES > 0 ? MAX_INSTANCES : 1)))
  if ((CPU_QUOTA < least)); then
    problem "$REGION allows $PROJECT $((CPU_QUOTA / 1000)) CPU for Cloud Run; ${#FUNCTIONS[@]} functions need\
 $((least / 1000)). Ask for more: https://console.cloud.google.com/iam-admin/quotas?project=$PROJECT\
 (CpuAllocPerProjectRegion), or take another region."
  elif ((CPU_QUOTA < wanted)); then
    problem "MAX_INSTANCES=$MAX_INSTANCES needs $((wanted / 1000)) CPU in $REGION, and $((CPU_QUOTA / 1000)) are\
 allowed. The most is MAX_INSTANCES=$((CPU_QUOTA / least))."
  fi
}

# Policies of the organisation may stop Meet's events. The deployment continues, and says at its end what this costs.
look_at_policies() {
  EXCEPTIONS=()
  MEET_MAY_PUBLISH=yes
  local published stored restricted
  restricted='any(.spec.rules[]?; .allowAll or .enforce == false) or ((.spec.rules // []) | length == 0) | not'
  # An existing grant stays valid. An existing topic without a storage policy also stays as it is.
  published=$(state "policy-topic-$EVENTS_TOPIC" --arg who "$MEET_PUBLISHER" 'any(.bindings[]?.members[]; . == $who)')
  stored=$(state "topic-$EVENTS_TOPIC" '.name != null and .messageStoragePolicy == null')
  if [[ $published != true ]] && exists domains && [[ $(state domains "$restricted") == true ]]; then
    MEET_MAY_PUBLISH=
    EXCEPTIONS+=("iam.allowedPolicyMemberDomains|allowAll: true")
  fi
  if [[ $published != true ]] && exists members &&
    [[ $(state members "$restricted and (tostring | contains(\"meet-api-event-push\") | not)") == true ]]; then
    MEET_MAY_PUBLISH=
    EXCEPTIONS+=("iam.managed.allowedPolicyMembers|enforce: false")
  fi
  TOPICS_ARE_KEPT_IN_PLACES=
  if [[ $stored != true ]] && exists places && [[ $(state places "$restricted") == true ]]; then
    TOPICS_ARE_KEPT_IN_PLACES=yes
    EXCEPTIONS+=("gcp.resourceLocations|allowAll: true")
  fi
}

explain_exceptions() { # prints what an administrator of the organisation's policies must run, so that events come
  local exception constraint rule
  ((${#EXCEPTIONS[@]})) || return 0
  section "Meet's events do not come yet"
  cat <<TEXT
  Policies of your organisation keep Meet from publishing to the topic $EVENTS_TOPIC. Everything else works: scheduled
  classes are read at their scheduled end, others within half an hour, instead of a moment after they end.
  An administrator of the organisation's policies (roles/orgpolicy.policyAdmin) makes an exception for this project:

TEXT
  for exception in "${EXCEPTIONS[@]}"; do
    constraint=${exception%%|*} rule=${exception#*|}
    printf "    printf '{name: projects/%s/policies/%s, spec: {rules: [{%s}]}}' >exception.yaml\n" \
      "$PROJECT" "$constraint" "$rule"
    printf '    gcloud org-policies set-policy exception.yaml\n'
  done
  cat <<TEXT

  Wait two minutes, then deploy again. The grant stays valid after you remove the exception:

TEXT
  for exception in "${EXCEPTIONS[@]}"; do
    printf '    gcloud org-policies delete %s --project=%s\n' "${exception%%|*}" "$PROJECT"
  done
}
