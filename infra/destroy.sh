#!/usr/bin/env bash
# Removes what deploy.sh made: make destroy PROJECT=my-school REGION=europe-west1
# Without DELETE_DATA=yes, it keeps the database, its backups, the secrets, the dead letters, and the account that a
# Workspace administrator has allowed.
set -euo pipefail
shopt -s inherit_errexit
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export CLOUDSDK_CORE_DISABLE_PROMPTS=1
COMMAND=destroy
for part in names say google options lookahead policies accounts secrets topics functions firestore watching; do
  # shellcheck source=/dev/null
  source "infra/deploy/$part.sh"
done

read_state() {
  local place=projects/$PROJECT/locations/$REGION name reads=()
  for name in "${FUNCTIONS[@]}"; do
    reads+=("function-$name" "$FUNCTIONS_API/$place/functions/$name")
  done
  for name in "${TOPICS[@]}"; do
    reads+=("topic-$name" "$PUBSUB/projects/$PROJECT/topics/$name")
  done
  for name in "$ACCOUNT" "$TRIGGER_ACCOUNT" "$BUILD_ACCOUNT"; do
    reads+=("account-$name" "$IAM/projects/$PROJECT/serviceAccounts/$(address "$name")")
  done
  UNPAID=1 read_all project "$CRM/projects/$PROJECT" \
    "function-$EVENTS_FUNCTION" "$FUNCTIONS_API/$place/functions/$EVENTS_FUNCTION"
  check_project
  NUMBER=$(state project '.name | ltrimstr("projects/")')
  settle_database
  read_all "${reads[@]}" \
    "subscription-$DEAD_LETTERS" "$PUBSUB/projects/$PROJECT/subscriptions/$DEAD_LETTERS" \
    functions "$FUNCTIONS_API/projects/$PROJECT/locations/-/functions?pageSize=1000" \
    jobs "https://cloudscheduler.googleapis.com/v1/$place/jobs?pageSize=500" \
    database "$FIRESTORE/projects/$PROJECT/databases/$FIRESTORE_DATABASE" \
    backups "$FIRESTORE/projects/$PROJECT/locations/-/backups" \
    secrets "$SECRETS/projects/$PROJECT/secrets?pageSize=25000&filter=labels.app=meet-attendance" \
    sink "$LOGGING/projects/$PROJECT/sinks/_Default" \
    metrics "$LOGGING/projects/$PROJECT/metrics?pageSize=500" \
    alerts "$MONITORING/projects/$PROJECT/alertPolicies?pageSize=500"
}

removed_if() { # WHAT NAME-OF-STATE COMMAND...: removes it if it exists
  local what=$1 name=$2
  shift 2
  ! exists "$name" || change "delete $what" "$@"
}

destroy_running_parts() {
  local entry name
  for entry in "${SCHEDULE[@]}"; do
    name=${entry%%|*}
    [[ $(state jobs --arg name "$name" 'any(.jobs[]?; .name | endswith("/" + $name))') != true ]] ||
      change "delete the schedule $name" \
        gcloud scheduler jobs delete "$name" --location="$REGION" --project="$PROJECT" --quiet
  done
  for name in "${FUNCTIONS[@]}"; do
    removed_if "the function $name" "function-$name" \
      gcloud functions delete "$name" --gen2 --region="$REGION" --project="$PROJECT" --quiet
  done
}

deployed_elsewhere() { # prints the other regions with a deployment; they use the same topics, accounts and database
  state functions --arg region "$REGION" --arg names "${FUNCTIONS[*]}" '[.functions[]?.name | split("/")
    | select((.[-1] | IN(($names | split(" "))[])) and .[3] != $region) | .[3]] | unique | join(", ")'
}

destroy_topics() {
  local name
  for name in "$EVENTS_TOPIC" "$JOBS_TOPIC" "$CHANGES_TOPIC"; do
    removed_if "the topic $name" "topic-$name" gcloud pubsub topics delete "$name" --project="$PROJECT" --quiet
  done
}

destroy_watching() {
  local name
  state alerts '.alertPolicies[]? | select(.userLabels["meet-attendance"]) | .name' >"$WORK/alerts"
  while read -r name; do
    change "delete the alert ${name##*/}" rest DELETE "$MONITORING/$name"
  done <"$WORK/alerts"
  state metrics '.metrics[]?.name | select(startswith("attendance-"))' >"$WORK/metrics"
  while read -r name; do
    [[ ! -f infra/monitoring/metrics/$name.yaml ]] ||
      change "delete the metric $name" rest DELETE "$LOGGING/projects/$PROJECT/metrics/$name"
  done <"$WORK/metrics"
  [[ $(state sink --arg name "$EXCLUSION" 'any(.exclusions[]?; .name == $name)') != true ]] ||
    change "keep request logs again" gcloud logging sinks update _Default --remove-exclusions="$EXCLUSION" \
      --project="$PROJECT" --quiet
}

destroy_accounts() {
  local name
  ensure_no_grants project "$(member "$ACCOUNT")" "$(member "$TRIGGER_ACCOUNT")" "$(member "$BUILD_ACCOUNT")"
  ensure_no_grants "account/$ACCOUNT" "$(member "$ACCOUNT")"
  ensure_no_grants "subscription/$DEAD_LETTERS" "$(member "$ACCOUNT")"
  ensure_no_grants "secret/$ERASURE_SECRET" "$(member "$ACCOUNT")"
  for name in "$TRIGGER_ACCOUNT" "$BUILD_ACCOUNT"; do
    removed_if "the service account $name" "account-$name" \
      gcloud iam service-accounts delete "$(address "$name")" --project="$PROJECT" --quiet
  done
}

destroy_data() {
  local name
  if exists database; then
    [[ $(state database .deleteProtectionState) != DELETE_PROTECTION_ENABLED ]] ||
      change "remove the delete protection of the database $FIRESTORE_DATABASE" gcloud firestore databases update \
        --database="$FIRESTORE_DATABASE" --no-delete-protection --project="$PROJECT" --quiet
    change "delete the database $FIRESTORE_DATABASE with all attendance" \
      gcloud firestore databases delete --database="$FIRESTORE_DATABASE" --project="$PROJECT" --quiet
  fi
  state backups --arg database "projects/$PROJECT/databases/$FIRESTORE_DATABASE" \
    '.backups[]? | select(.database == $database) | .name' >"$WORK/backups"
  while read -r name; do
    change "delete the backup ${name##*/}" rest DELETE "$FIRESTORE/$name"
  done <"$WORK/backups"
  state secrets '.secrets[]?.name' >"$WORK/secrets"
  while read -r name; do
    change "delete the secret ${name##*/}" rest DELETE "$SECRETS/$name"
  done <"$WORK/secrets"
  removed_if "the subscription $DEAD_LETTERS with what waits in it" "subscription-$DEAD_LETTERS" \
    gcloud pubsub subscriptions delete "$DEAD_LETTERS" --project="$PROJECT" --quiet
  removed_if "the topic $DEAD_LETTERS" "topic-$DEAD_LETTERS" \
    gcloud pubsub topics delete "$DEAD_LETTERS" --project="$PROJECT" --quiet
  removed_if "the service account $ACCOUNT, which ends the school's delegation" "account-$ACCOUNT" \
    gcloud iam service-accounts delete "$(address "$ACCOUNT")" --project="$PROJECT" --quiet
}

confirm_loss() { # at a terminal, the user must type the project's id
  local answer
  [[ -t 0 && -z $DRY_RUN ]] || return 0
  read -r -p "This deletes all attendance in $PROJECT for good. Type the project's id to go on: " answer
  [[ $answer == "$PROJECT" ]] || bad_input "Nothing was deleted."
}

main() {
  read_options "$@"
  check_options
  [[ $DELETE_DATA != yes ]] || confirm_loss
  open_google
  only_one
  printf 'Removing Meet Attendance from %s, %s%s\n\n' "$PROJECT" "$REGION" "${DRY_RUN:+ (only what would be done)}"
  read_state
  stop_at_unread
  local elsewhere
  elsewhere=$(deployed_elsewhere)
  [[ -z $elsewhere || $DELETE_DATA != yes ]] ||
    bad_input "It is also deployed in $elsewhere, and that deployment needs the data. Leave DELETE_DATA out, or remove\
 it there first: make destroy PROJECT=$PROJECT REGION=${elsewhere%%,*}"
  destroy_running_parts
  if [[ -n $elsewhere ]]; then
    printf '\nDone: %s changes. Topics, accounts, alerts and data stay for the deployment in %s.\n' \
      "$CHANGES" "$elsewhere"
    return
  fi
  destroy_topics
  destroy_watching
  destroy_accounts
  if [[ $DELETE_DATA == yes ]]; then
    destroy_data
    printf '\nDone: %s changes. Enabled APIs, Google'"'"'s agents and the images in gcf-artifacts stay.\n' "$CHANGES"
  else
    printf '\nDone: %s changes. These stay: the database and its backups, secrets, dead letters, and the account %s.\n' \
      "$CHANGES" "$ACCOUNT"
    printf 'To delete them too: make destroy PROJECT=%s REGION=%s DELETE_DATA=yes\n' "$PROJECT" "$REGION"
  fi
}

main "$@"; exit
