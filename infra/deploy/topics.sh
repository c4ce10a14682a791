# shellcheck shell=bash
# Topics, the subscription for dead letters, and the schedule that publishes jobs.

readonly PUBSUB=https://pubsub.googleapis.com/v1

ensure_topics() {
  local topic missing=()
  for topic in "${TOPICS[@]}"; do
    if exists "topic-$topic"; then same "topic $topic"; else missing+=("$topic"); fi
  done
  ((${#missing[@]} == 0)) || change "make the topics ${missing[*]}" \
    gcloud pubsub topics create "${missing[@]}" --project="$PROJECT" --quiet
  ensure_no_storage_policy
  ensure_dead_letters
  ensure_named_grants "topic/$EVENTS_TOPIC"
  ensure_named_grants "topic/$JOBS_TOPIC"
  local listening=() member
  caller_members lms >"$WORK/listening"
  while read -r member; do listening+=(roles/pubsub.subscriber "$member"); done <"$WORK/listening"
  ensure_named_grants "topic/$CHANGES_TOPIC" "${listening[@]}"
  ensure_named_grants "topic/$DEAD_LETTERS"
  ensure_named_grants "subscription/$DEAD_LETTERS"
}

# A topic may be made while a policy of the organisation allows only some places. The topic then has a storage policy
# with these places, and Meet cannot publish to it. https://cloud.google.com/pubsub/docs/resource-location-restriction
ensure_no_storage_policy() {
  [[ -z $TOPICS_ARE_KEPT_IN_PLACES && -n $(state "topic-$EVENTS_TOPIC" '.messageStoragePolicy // empty') ]] || return 0
  change "remove the storage policy of the topic $EVENTS_TOPIC, because with it Meet cannot publish" \
    gcloud pubsub topics update "$EVENTS_TOPIC" --recompute-message-storage-policy --project="$PROJECT" --quiet
}

ensure_dead_letters() {
  local kept='.expirationPolicy.ttl == null and .messageRetentionDuration == $kept'
  if ! exists "subscription-$DEAD_LETTERS"; then
    change "make the subscription $DEAD_LETTERS" gcloud pubsub subscriptions create "$DEAD_LETTERS" \
      --topic="$DEAD_LETTERS" --expiration-period=never --message-retention-duration="$KEPT_FOR" \
      --ack-deadline=60 --project="$PROJECT" --quiet
  elif [[ $(state "subscription-$DEAD_LETTERS" .topic) != "projects/$PROJECT/topics/$DEAD_LETTERS" ]]; then
    # This happens if its topic was deleted. A new topic does not replace the deleted one.
    # https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete
    stop "Looking at the subscription $DEAD_LETTERS" \
      "it does not belong to the topic $DEAD_LETTERS; probably that topic was deleted and made again" \
      "delete it: gcloud pubsub subscriptions delete $DEAD_LETTERS --project=$PROJECT"
  elif [[ $(state "subscription-$DEAD_LETTERS" "$kept" --arg kept "$KEPT_FOR") != true ]]; then
    change "let the subscription $DEAD_LETTERS keep messages for 7 days and never expire" \
      gcloud pubsub subscriptions update "$DEAD_LETTERS" --expiration-period=never \
      --message-retention-duration="$KEPT_FOR" --project="$PROJECT" --quiet
  else
    same "subscription $DEAD_LETTERS"
  fi
}

ensure_schedule() {
  local entry name when job
  for entry in "${SCHEDULE[@]}"; do
    IFS='|' read -r name when job <<<"$entry"
    ensure_job "$name" "$when" "$job"
  done
}

ensure_job() { # NAME WHEN JOB
  local stored wanted flags
  stored=$(state jobs --arg name "$1" '[.jobs[]? | select(.name | endswith("/" + $name))][0]')
  flags=(--schedule="$2" --time-zone=Etc/UTC --topic="projects/$PROJECT/topics/$JOBS_TOPIC" --message-body='{}'
    --location="$REGION" --project="$PROJECT" --quiet)
  if [[ $stored == null ]]; then
    change "schedule $1 ($2)" gcloud scheduler jobs create pubsub "$1" "${flags[@]}" --attributes="job=$3"
    return
  fi
  wanted='.schedule == $when and .timeZone == "Etc/UTC" and .pubsubTarget.attributes.job == $job
    and .pubsubTarget.topicName == $topic'
  if [[ $(jq --arg when "$2" --arg job "$3" --arg topic "projects/$PROJECT/topics/$JOBS_TOPIC" "$wanted" <<<"$stored") \
    != true ]]; then
    change "schedule $1 again as it was ($2)" \
      gcloud scheduler jobs update pubsub "$1" "${flags[@]}" --update-attributes="job=$3"
  elif [[ $(jq --raw-output .state <<<"$stored") == ENABLED ]]; then
    same "schedule $1"
  fi
  if [[ $(jq --raw-output .state <<<"$stored") != ENABLED ]]; then
    change "resume $1" gcloud scheduler jobs resume "$1" --location="$REGION" --project="$PROJECT" --quiet
  fi
}
