# shellcheck shell=bash
# The three functions, the subscriptions of their triggers, and who may call them.

readonly FUNCTIONS_API=https://cloudfunctions.googleapis.com/v2
readonly RUN=https://run.googleapis.com/v2
readonly EVENTARC=https://eventarc.googleapis.com/v1

# Prints a digest of the names and contents of all files that gcloud would upload.
source_digest() {
  gcloud meta list-files-for-upload . --quiet 2>/dev/null | LC_ALL=C sort >"$WORK/uploaded"
  grep --quiet --line-regexp main.py "$WORK/uploaded" ||
    stop "Looking at the source" "main.py is not among what gcloud would upload" \
      "run it in a complete copy of the repository."
  tr '\n' '\0' <"$WORK/uploaded" | xargs --null sha256sum | sha256sum | cut --characters=1-64
}

# Prints how a function should be, in the words of the API, so that it can be compared with the deployed one.
wanted_function() { # ENTRY-POINT TIMEOUT TOPIC|''
  local concurrency=$CONCURRENCY
  [[ -n $3 ]] || concurrency=$API_CONCURRENCY
  jq --null-input --sort-keys \
    --arg entry "$1" --argjson timeout "$2" --arg topic "${3:+projects/$PROJECT/topics/$3}" \
    --arg runtime "$RUNTIME" --arg memory "$MEMORY" --argjson cpu "$CPU" --argjson concurrency "$concurrency" \
    --argjson most "$MAX_INSTANCES" --arg account "$(address "$ACCOUNT")" \
    --arg build "projects/$PROJECT/serviceAccounts/$(address "$BUILD_ACCOUNT")" \
    --arg secret "$ERASURE_SECRET" --slurpfile environment "$WORK/environment" '
    {entry: $entry, runtime: $runtime, build: $build, memory: ($memory | rtrimstr("i")), cpu: $cpu, concurrency: $concurrency,
     timeout: $timeout, most: $most, account: $account, environment: $environment[0],
     secrets: {ERASURE_KEY: "\($secret):1"}}
    + (if $topic == "" then {} else {topic: $topic, retry: true} end)'
}

readonly DEPLOYED_FUNCTION='{
  entry: .buildConfig.entryPoint, runtime: .buildConfig.runtime, build: .buildConfig.serviceAccount,
  memory: (.serviceConfig.availableMemory // "" | rtrimstr("i")), cpu: (.serviceConfig.availableCpu // "0" | tonumber),
  concurrency: .serviceConfig.maxInstanceRequestConcurrency, timeout: .serviceConfig.timeoutSeconds,
  most: .serviceConfig.maxInstanceCount, account: .serviceConfig.serviceAccountEmail,
  environment: (.serviceConfig.environmentVariables // {}),
  secrets: ([.serviceConfig.secretEnvironmentVariables[]? | {key, value: "\(.secret):\(.version)"}] | from_entries)}
  + (if .eventTrigger.pubsubTopic
     then {topic: .eventTrigger.pubsubTopic, retry: (.eventTrigger.retryPolicy == "RETRY_POLICY_RETRY")} else {} end)'

ensure_function() { # NAME ENTRY-POINT TIMEOUT TOPIC|''
  local name=$1 topic=$4 wanted digest differences
  wanted=$(wanted_function "$2" "$3" "$topic")
  digest=$(printf '%s\n%s' "$SOURCE" "$wanted" | sha256sum | cut --characters=1-40)
  if exists "function-$name" && [[ $(state "function-$name" "$IS_SHELL" --arg topic "$topic") == true ]]; then
    change "delete what a failed deployment left of $name" \
      gcloud functions delete "$name" --gen2 --region="$REGION" --project="$PROJECT" --quiet
    echo null >"$WORK/state/function-$name"
    rm --force "$WORK/state/policy-service-$name" # Google deletes it with the function
  fi
  if exists "function-$name"; then
    state "function-$name" "$DEPLOYED_FUNCTION" --sort-keys >"$WORK/deployed"
    refuse_other_trigger "$name" "$topic"
    differences=$(jq --raw-output --argjson wanted "$wanted" '. as $deployed | $wanted | to_entries
      | map(select(.value != $deployed[.key]) | .key) | join(", ")' "$WORK/deployed")
    [[ $(state "service-$name" '.terminalCondition.state // empty') != CONDITION_FAILED ]] ||
      differences=${differences:-it does not run}
    if [[ -z $differences && $(state "function-$name" '.state') == ACTIVE &&
      $(state "function-$name" '.labels["meet-attendance-digest"] // ""') == "$digest" ]]; then
      same "function $name"
      ensure_labels "$name"
      return
    fi
    deploy_function "update $name (${differences:-the source})" "$name" "$wanted" "$digest" ''
  else
    deploy_function "deploy $name" "$name" "$wanted" "$digest" "$topic"
  fi
}

# Labels store the options that no setting shows. Google changes a label without building the function again.
ensure_labels() { # NAME
  local labels
  labels=$(state "function-$1" --compact-output --arg backups "$BACKUPS" --arg browser "$BROWSER" \
    '(.labels // {}) + {"meet-attendance-backups": $backups, "meet-attendance-browser": $browser}')
  [[ $(state "function-$1" --argjson labels "$labels" '.labels == $labels') == true ]] ||
    change "keep BACKUPS=$BACKUPS BROWSER=$BROWSER with $1" rest PATCH \
      "$FUNCTIONS_API/projects/$PROJECT/locations/$REGION/functions/$1?updateMask=labels" "{\"labels\": $labels}"
}

# If the creation of a function fails, a function without a trigger is left. No update can add the trigger. A function
# that is ACTIVE is never deleted.
readonly IS_SHELL='.state != "ACTIVE" and .state != "DEPLOYING" and (.eventTrigger.trigger // "") == ""
  and ($topic != "" or .state == "FAILED" and (.serviceConfig.uri // "") == "")'

refuse_other_trigger() { # NAME TOPIC
  local topic
  topic=$(jq --raw-output '.topic // ""' "$WORK/deployed")
  [[ ${topic##*/} == "$2" ]] || stop "Updating $1" \
    "it is triggered by '${topic##*/}', not by '$2'; another trigger would drop what waits in the old one" \
    "delete it when nothing waits: gcloud functions delete $1 --gen2 --region=$REGION --project=$PROJECT"
}

# Google's build compiles the source (https://github.com/GoogleCloudPlatform/buildpacks, cmd/python/functions_framework),
# and the image sets the times of all files to 1980 (https://buildpacks.io/docs/for-app-developers/concepts/reproducibility).
# Python compares these times, so it would compile everything again at each start. With this variable it compares what is
# in the files: https://docs.python.org/3/library/py_compile.html#py_compile.PycInvalidationMode
readonly COMPILED_AT=315532801

deploy_function() { # WHAT NAME WANTED DIGEST TOPIC-OF-A-NEW-ONE
  local what=$1 name=$2 flags
  flags=("$name" --gen2 --region="$REGION" --project="$PROJECT" --quiet --source=.
    --runtime="$RUNTIME" --entry-point="$(jq --raw-output .entry <<<"$3")"
    --build-service-account="projects/$PROJECT/serviceAccounts/$(address "$BUILD_ACCOUNT")"
    --run-service-account="$(address "$ACCOUNT")"
    --memory="$MEMORY" --cpu="$CPU" --concurrency="$(jq .concurrency <<<"$3")" --max-instances="$MAX_INSTANCES"
    --timeout="$(jq --raw-output .timeout <<<"$3")s" --env-vars-file="$WORK/environment.yaml"
    --set-secrets="ERASURE_KEY=$ERASURE_SECRET:1"
    --set-build-env-vars="SOURCE_DATE_EPOCH=$COMPILED_AT"
    --update-labels="meet-attendance-digest=$4,meet-attendance-backups=$BACKUPS,meet-attendance-browser=$BROWSER")
  cp "$WORK/environment" "$WORK/environment.yaml" # JSON is YAML too
  if ! exists "function-$name"; then
    # The trigger is named only when the function is created. If an update names it, Google makes it again, and the
    # messages that wait in the old one are lost.
    if [[ -n $5 ]]; then
      flags+=(--trigger-topic="$5" --retry --trigger-service-account="$(address "$TRIGGER_ACCOUNT")")
    else
      flags+=(--trigger-http --no-allow-unauthenticated)
    fi
  elif [[ $(jq '.retry' "$WORK/deployed") == false ]]; then
    flags+=(--retry)
  fi
  DEPLOYING=$name
  change "$what" deploy_or_clear "${flags[@]}"
  if [[ -z $DRY_RUN ]]; then
    rest GET "$FUNCTIONS_API/projects/$PROJECT/locations/$REGION/functions/$name" >"$WORK/state/function-$name"
  fi
}

# A failed attempt may leave an incomplete function. The next attempt would treat it as a function of another kind.
deploy_or_clear() { # FLAGS...
  local function
  gcloud functions deploy "$@" && return 0
  function=$(rest GET "$FUNCTIONS_API/projects/$PROJECT/locations/$REGION/functions/$DEPLOYING" 2>/dev/null) || return 1
  if ! exists "function-$DEPLOYING" && [[ $(jq .state <<<"$function") == '"FAILED"' ]]; then
    gcloud functions delete "$DEPLOYING" --gen2 --region="$REGION" --project="$PROJECT" --quiet >/dev/null 2>&1
  fi
  return 1
}

ensure_functions() {
  SOURCE=$(source_digest)
  ensure_function "$EVENTS_FUNCTION" on_workspace_event "$EVENT_TIMEOUT" "$EVENTS_TOPIC"
  ensure_function "$JOBS_FUNCTION" on_job "$EVENT_TIMEOUT" "$JOBS_TOPIC"
  ensure_function "$API_FUNCTION" api "$API_TIMEOUT" ''
  ensure_triggers
  ensure_invokers
}

# Each trigger made a subscription. It is set up for dead letters, and corrected if an update changed it.
ensure_triggers() {
  local name trigger subscription reads=()
  if [[ -n $DRY_RUN ]] && ! exists "function-$JOBS_FUNCTION"; then
    change "set up the subscriptions of the triggers: dead letters after $ATTEMPTS attempts, kept for 7 days" true
    return
  fi
  for name in "$EVENTS_FUNCTION" "$JOBS_FUNCTION"; do
    trigger=$(state "function-$name" '.eventTrigger.trigger // empty')
    [[ -n $trigger ]] || stop "Looking at the trigger of $name" "the function has none" \
      "delete it when nothing waits: gcloud functions delete $name --gen2 --region=$REGION --project=$PROJECT"
    reads+=("trigger-$name" "$EVENTARC/$trigger")
  done
  until_apis_answer read_all "${reads[@]}"
  stop_at_unread
  reads=()
  for name in "$EVENTS_FUNCTION" "$JOBS_FUNCTION"; do
    subscription=$(state "trigger-$name" '.transport.pubsub.subscription // empty | split("/")[-1]')
    [[ -n $subscription ]] || stop "Looking at the trigger of $name" "it has no subscription yet" "wait some minutes."
    reads+=("subscription-$subscription" "$PUBSUB/projects/$PROJECT/subscriptions/$subscription"
      "policy-subscription-$subscription" "$(readable_policy_url "subscription/$subscription")")
  done
  until_apis_answer read_all "${reads[@]}"
  stop_at_unread
  for name in "$EVENTS_FUNCTION" "$JOBS_FUNCTION"; do
    subscription=$(state "trigger-$name" '.transport.pubsub.subscription | split("/")[-1]')
    # https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete
    [[ $(state "subscription-$subscription" .topic) != _deleted-topic_ ]] ||
      stop "Looking at the subscription of $name" \
        "its topic was deleted, and a topic of the same name does not replace it: nothing reaches the function" \
        "delete the function: gcloud functions delete $name --gen2 --region=$REGION --project=$PROJECT"
  done
  for name in "$EVENTS_FUNCTION" "$JOBS_FUNCTION"; do
    ensure_subscription "$(state "trigger-$name" '.transport.pubsub.subscription | split("/")[-1]')" "$name"
  done
}

readonly SUBSCRIPTION_IS_WELL='
  .deadLetterPolicy.deadLetterTopic == $topic and .deadLetterPolicy.maxDeliveryAttempts == $attempts
  and .retryPolicy == {minimumBackoff: $shortest, maximumBackoff: $longest} and .ackDeadlineSeconds == $deadline
  and .messageRetentionDuration == $kept and .expirationPolicy.ttl == null'

ensure_subscription() { # NAME FUNCTION
  if [[ $(state "subscription-$1" "$SUBSCRIPTION_IS_WELL" --arg topic "projects/$PROJECT/topics/$DEAD_LETTERS" \
    --argjson attempts "$ATTEMPTS" --arg shortest "$SHORTEST_PAUSE" --arg longest "$LONGEST_PAUSE" \
    --argjson deadline "$ACK_DEADLINE" --arg kept "$KEPT_FOR") == true ]]; then
    same "subscription of $2"
  else
    change "set up the subscription of $2: dead letters after $ATTEMPTS attempts, kept for 7 days" \
      gcloud pubsub subscriptions update "$1" --dead-letter-topic="$DEAD_LETTERS" \
      --max-delivery-attempts="$ATTEMPTS" --min-retry-delay="$SHORTEST_PAUSE" --max-retry-delay="$LONGEST_PAUSE" \
      --ack-deadline="$ACK_DEADLINE" --message-retention-duration="$KEPT_FOR" --expiration-period=never \
      --project="$PROJECT" --quiet
  fi
  ensure_grants "subscription/$1" "$TRIGGER_SUBSCRIPTION_ROLE" "$(member agent:gcp-sa-pubsub)"
}

ensure_invokers() {
  local callers=() name
  caller_members '' | sort --unique >"$WORK/callers"
  mapfile -t callers <"$WORK/callers"
  ensure_only "service/$EVENTS_FUNCTION" "$INVOKER_ROLE" "$(member "$TRIGGER_ACCOUNT")"
  ensure_only "service/$JOBS_FUNCTION" "$INVOKER_ROLE" "$(member "$TRIGGER_ACCOUNT")"
  ensure_only "service/$API_FUNCTION" "$INVOKER_ROLE" "${callers[@]}"
  for name in "${FUNCTIONS[@]}"; do
    if [[ $(state "service-$name" '.invokerIamDisabled // false') == true ]]; then
      change "let only callers with a grant call $name again" rest PATCH \
        "$RUN/projects/$PROJECT/locations/$REGION/services/$name?updateMask=invokerIamDisabled" \
        '{"invokerIamDisabled": false}'
    fi
  done
}

# Images of old versions: the five newest of each function stay, the others are deleted.
ensure_few_images() {
  local policies='[
    {"name": "keep-5-newest", "action": {"type": "KEEP"}, "mostRecentVersions": {"keepCount": 5}},
    {"name": "delete-others", "action": {"type": "DELETE"}, "condition": {"tagState": "ANY", "olderThan": "1d"}}]'
  if [[ $(state repository '(.cleanupPolicies // {}) | .["keep-5-newest"].mostRecentVersions.keepCount == 5
    and .["delete-others"].action == "DELETE"') == true &&
    $(state repository '.cleanupPolicyDryRun // false') == false ]]; then
    same "images in gcf-artifacts: the 5 newest"
    return
  fi
  printf '%s' "$policies" >"$WORK/cleanup.json"
  change "keep the 5 newest images in gcf-artifacts" gcloud artifacts repositories set-cleanup-policies gcf-artifacts \
    --location="$REGION" --policy="$WORK/cleanup.json" --no-dry-run --project="$PROJECT" --quiet
}
