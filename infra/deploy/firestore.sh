# shellcheck shell=bash
# The database, its backups, its indexes, the automatic deletion of documents, and the security rules.

readonly FIRESTORE=https://firestore.googleapis.com/v1
readonly RULES=${FIREBASE_RULES_API_ENDPOINT:-https://firebaserules.googleapis.com}/v1

ensure_database() {
  local flags=()
  if ! exists database; then
    change "make the Firestore database $FIRESTORE_DATABASE in ${FIRESTORE_LOCATION:-$REGION}" \
      gcloud firestore databases create --database="$FIRESTORE_DATABASE" --location="${FIRESTORE_LOCATION:-$REGION}" \
      --type=firestore-native --delete-protection --enable-pitr --project="$PROJECT" --quiet
    return
  fi
  [[ $(state database .deleteProtectionState) == DELETE_PROTECTION_ENABLED ]] || flags+=(--delete-protection)
  [[ $(state database .pointInTimeRecoveryEnablement) == POINT_IN_TIME_RECOVERY_ENABLED ]] || flags+=(--enable-pitr)
  if ((${#flags[@]} == 0)); then
    same "database $FIRESTORE_DATABASE in $(state database .locationId)"
    return
  fi
  change "protect the database $FIRESTORE_DATABASE (${flags[*]//--/})" gcloud firestore databases update \
    --database="$FIRESTORE_DATABASE" "${flags[@]}" --project="$PROJECT" --quiet
}

ensure_backups() {
  local daily
  daily=$(state backups '[.backupSchedules[]? | select(.dailyRecurrence)][0].name // empty | split("/")[-1]')
  if [[ -n $daily && $BACKUPS == yes ]]; then
    same "daily backups"
  elif [[ -n $daily ]]; then
    change "make no more backups; existing ones stay for their 7 days" \
      gcloud firestore backups schedules delete --database="$FIRESTORE_DATABASE" --backup-schedule="$daily" \
      --project="$PROJECT" --quiet
  elif [[ $BACKUPS == yes ]]; then
    change "back up the database every day, keep each for 7 days" gcloud firestore backups schedules create \
      --database="$FIRESTORE_DATABASE" --recurrence=daily --retention=7d --project="$PROJECT" --quiet
  else
    same "no backups, as BACKUPS=no says"
  fi
}

# gcloud sets indexes one by one, and cannot set the scope of a single field's index. So both are set with the REST API.
# infra/firestore.indexes.json already uses the words of this API.
# https://firebase.google.com/docs/reference/firestore/indexes
# https://cloud.google.com/firestore/docs/query-data/index-overview#single-field_index_exemptions
readonly MISSING_INDEXES='
  def plain: {queryScope: (.queryScope // "COLLECTION"), fields: [.fields[] | select(.fieldPath != "__name__")]};
  ([$stored[0].indexes[]? | plain + {collectionGroup: (.name | split("/")[-3])}]) as $known
  | .indexes[] | plain + {collectionGroup} | select(IN($known[]) | not)
  | ["index of \(.collectionGroup) by \([.fields[].fieldPath] | join(", "))", .collectionGroup,
     (del(.collectionGroup) | tojson)] | join("\t")'

readonly MISSING_OVERRIDES='
  def plain: [.[] | {queryScope, order, arrayConfig} | with_entries(select(.value))] | sort;
  ([$stored[0].fields[]? | select(.indexConfig.usesAncestorConfig != true) | {
    key: (.name | split("/") | "\(.[-3])/\(.[-1])"),
    value: [(.indexConfig.indexes // [])[] | {queryScope} + (.fields[0] | {order, arrayConfig})] | plain}]
    | from_entries) as $known
  | .fieldOverrides[] | . as $field | "\(.collectionGroup)/\(.fieldPath)" as $key
  | [.indexes[] | {queryScope: (.queryScope // "COLLECTION"), order, arrayConfig}] | plain
  | select(. != $known[$key])
  | (if . == [] then "no index of" else "indexes of" end) as $what
  | ["\($what) \($field.collectionGroup).\($field.fieldPath)",
     "\($field.collectionGroup)/fields/\($field.fieldPath | @uri)",
     ({indexConfig: {indexes: map({queryScope, fields: [{fieldPath: $field.fieldPath} + del(.queryScope)]})}} | tojson)]
  | join("\t")'

readonly MISSING_EXPIRY='
  ([$stored[0].fields[]? | select(.ttlConfig) | .name | split("/") | .[-3]]) as $known
  | $ARGS.positional - $known | .[]'

ensure_indexes() {
  local base=$FIRESTORE/projects/$PROJECT/databases/$FIRESTORE_DATABASE/collectionGroups what where body count=0
  jq --raw-output --slurpfile stored "$WORK/state/indexes" "$MISSING_INDEXES" infra/firestore.indexes.json \
    >"$WORK/indexes"
  while IFS=$'\t' read -r what where body; do
    count=$((count + 1))
    change "$what" rest POST "$base/$where/indexes" "$body"
  done <"$WORK/indexes"
  jq --raw-output --slurpfile stored "$WORK/state/fields" "$MISSING_OVERRIDES" infra/firestore.indexes.json \
    >"$WORK/overrides"
  while IFS=$'\t' read -r what where body; do
    count=$((count + 1))
    change "$what" rest PATCH "$base/$where?updateMask=indexConfig" "$body"
  done <"$WORK/overrides"
  ((count > 0)) || same "indexes and exemptions"
}

ensure_expiry() {
  local base=$FIRESTORE/projects/$PROJECT/databases/$FIRESTORE_DATABASE/collectionGroups group count=0
  jq --null-input --raw-output --slurpfile stored "$WORK/state/fields" "$MISSING_EXPIRY" --args "${EXPIRING[@]}" \
    >"$WORK/expiring"
  while read -r group; do
    count=$((count + 1))
    change "delete documents of $group when their expire_at has come" \
      rest PATCH "$base/$group/fields/expire_at?updateMask=ttlConfig" '{"ttlConfig": {}}'
  done <"$WORK/expiring"
  ((count > 0)) || same "documents are deleted when their time has come"
}

rules_release() { # prints the name of the release that contains the database's rules
  local release=projects/$PROJECT/releases/cloud.firestore
  [[ $FIRESTORE_DATABASE == '(default)' ]] || release+=/$FIRESTORE_DATABASE
  echo "$release"
}

# gcloud has no command for rules. https://firebase.google.com/docs/reference/rules/rest
ensure_rules() {
  local release ruleset content file=infra/firestore.closed.rules
  [[ $BROWSER != yes ]] || file=infra/firestore.rules
  release=$(rules_release)
  content=$(jq --raw-input --slurp . "$file")
  if exists release; then
    ruleset=$(state release .rulesetName)
    rest GET "$RULES/$ruleset" >"$WORK/state/ruleset" || echo null >"$WORK/state/ruleset"
    if [[ $(state ruleset --argjson content "$content" '[.source.files[]?.content] == [$content]') == true ]]; then
      same "security rules"
      return
    fi
  fi
  change "security rules of $file" release_rules "$release" "$content"
}

release_rules() { # RELEASE CONTENT
  local ruleset
  ruleset=$(rest POST "$RULES/projects/$PROJECT/rulesets" \
    "{\"source\": {\"files\": [{\"name\": \"firestore.rules\", \"content\": $2}]}}" | jq --raw-output .name) || return 1
  if exists release; then
    rest PATCH "$RULES/$1" "{\"release\": {\"name\": \"$1\", \"rulesetName\": \"$ruleset\"}}"
  else
    rest POST "$RULES/projects/$PROJECT/releases" "{\"name\": \"$1\", \"rulesetName\": \"$ruleset\"}"
  fi
}

ensure_firestore() {
  ensure_database
  ensure_backups
  ensure_indexes
  ensure_expiry
  ensure_rules
}
