#!/usr/bin/env bash
# Sets up everything on Google Cloud: make deploy PROJECT=my-school REGION=europe-west1
# You can run it again without harm: each step reads what exists, changes only the differences, and prints them.
set -euo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  echo "Bash 4.4 or newer is needed, not $BASH_VERSION." >&2
  exit 2
fi
shopt -s inherit_errexit
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export CLOUDSDK_CORE_DISABLE_PROMPTS=1
COMMAND=deploy
for part in names say google options lookahead policies accounts secrets topics functions firestore browser watching; do
  # shellcheck source=/dev/null
  source "infra/deploy/$part.sh"
done

read_state() {
  local place=projects/$PROJECT/locations/$REGION database name reads=()
  database=projects/$PROJECT/databases/$FIRESTORE_DATABASE
  for name in "${FUNCTIONS[@]}"; do
    reads+=("function-$name" "$FUNCTIONS_API/$place/functions/$name" "service-$name" "$RUN/$place/services/$name"
      "policy-service-$name" "$(readable_policy_url "service/$name")")
  done
  for name in "${TOPICS[@]}"; do
    reads+=("topic-$name" "$PUBSUB/projects/$PROJECT/topics/$name"
      "policy-topic-$name" "$(readable_policy_url "topic/$name")")
  done
  for name in "$ACCOUNT" "$TRIGGER_ACCOUNT" "$BUILD_ACCOUNT"; do
    reads+=("account-$name" "$IAM/projects/$PROJECT/serviceAccounts/$(address "$name")")
  done
  read_all "${reads[@]}" \
    "subscription-$DEAD_LETTERS" "$PUBSUB/projects/$PROJECT/subscriptions/$DEAD_LETTERS" \
    "policy-subscription-$DEAD_LETTERS" "$(readable_policy_url "subscription/$DEAD_LETTERS")" \
    "secret-$ERASURE_SECRET" "$SECRETS/projects/$PROJECT/secrets/$ERASURE_SECRET" \
    "secret-version-$ERASURE_SECRET" "$SECRETS/projects/$PROJECT/secrets/$ERASURE_SECRET/versions/1" \
    "policy-secret-$ERASURE_SECRET" "$(readable_policy_url "secret/$ERASURE_SECRET")" \
    functions "$FUNCTIONS_API/projects/$PROJECT/locations/-/functions?pageSize=1000" \
    locations "$FUNCTIONS_API/projects/$PROJECT/locations" \
    jobs "https://cloudscheduler.googleapis.com/v1/$place/jobs?pageSize=500" \
    repository "https://artifactregistry.googleapis.com/v1/$place/repositories/gcf-artifacts" \
    database "$FIRESTORE/$database" \
    backups "$FIRESTORE/$database/backupSchedules" \
    indexes "$FIRESTORE/$database/collectionGroups/-/indexes?pageSize=300" \
    fields "$FIRESTORE/$database/collectionGroups/-/fields?pageSize=300&filter=$FIELDS_FILTER" \
    release "$RULES/$(rules_release)" \
    sink "$LOGGING/projects/$PROJECT/sinks/_Default" \
    metrics "$LOGGING/projects/$PROJECT/metrics?pageSize=500" \
    alerts "$MONITORING/projects/$PROJECT/alertPolicies?pageSize=500"
  local disabled=("${DISABLED[@]}")
  read_pages indexes "$FIRESTORE/$database/collectionGroups/-/indexes?pageSize=300" indexes
  read_pages fields "$FIRESTORE/$database/collectionGroups/-/fields?pageSize=300&filter=$FIELDS_FILTER" fields
  DISABLED=("${disabled[@]}")
}
readonly FIELDS_FILTER='indexConfig.usesAncestorConfig:false%20OR%20ttlConfig:*'

print_end() {
  local client_id scopes
  client_id=$(state "account-$ACCOUNT" '.uniqueId // "(known after the deployment)"')
  scopes=$(printf ',https://www.googleapis.com/auth/%s' "${SCOPES[@]}")
  if [[ $(jq --raw-output .AUTH_MODE "$WORK/environment") == delegation ]]; then
    section "What a Workspace administrator does, once"
    cat <<TEXT
  https://admin.google.com/ac/owl/domainwidedelegation > Add new:
  Client ID:     $client_id
  OAuth scopes:  ${scopes#,}
TEXT
  else
    section "What each teacher does, once"
    printf '  docs/oauth.md: .venv/bin/python -m functions.setup_oauth --meet\n'
  fi
  explain_browser
  explain_exceptions
  section "Done: $CHANGES changes"
  printf '  API:   %s\n' "$(state "function-$API_FUNCTION" '.serviceConfig.uri // "(known after the deployment)"')"
  printf '  Check: make doctor PROJECT=%s REGION=%s\n' "$PROJECT" "$REGION"
  printf '  Next:  enrol a teacher (docs/operating.md):\n'
  printf '         make settings PROJECT=%s REGION=%s\n' "$PROJECT" "$REGION"
  printf '         make enroll PROJECT=%s TEACHER=teacher@%s\n' "$PROJECT" \
    "$(jq --raw-output '.ALLOWED_DOMAINS // "school.example" | split(",")[0]' "$WORK/environment")"
}

main() {
  read_options "$@"
  check_options
  open_google
  only_one
  printf 'Meet Attendance in %s, %s%s\n' "$PROJECT" "$REGION" "${DRY_RUN:+ (only what would be done)}"
  read_ahead
  read_state
  look_ahead
  stop_at_unread
  settle_environment

  section "APIs, accounts and grants"
  ensure_apis
  if [[ -z $DRY_RUN ]] && ((CHANGES)); then
    until_apis_answer read_state
    stop_at_unread
    PROBLEMS=()
    look_at_database
    ((${#PROBLEMS[@]} == 0)) || bad_input "${PROBLEMS[0]}"
  fi
  ensure_accounts
  setting SERVICE_ACCOUNT_CLIENT_ID "$(state "account-$ACCOUNT" '.uniqueId // empty')"
  write_environment

  section "Secrets"
  ensure_erasure_key
  section "Topics"
  ensure_topics
  section "Firestore"
  ensure_firestore
  ensure_browser
  section "Functions"
  ensure_functions
  ensure_few_images
  section "Schedule"
  ensure_schedule
  section "Watching"
  ensure_no_request_log
  ensure_metrics
  ensure_alerts
  print_end
}

main "$@"; exit
