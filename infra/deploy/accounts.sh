# shellcheck shell=bash
# APIs, Google's agents, the service accounts, and the grants for all of them.

readonly IAM=https://iam.googleapis.com/v1

ensure_apis() {
  local off=()
  state services --arg browser "$BROWSER" '.services[] | select(.state != "ENABLED") | .name | split("/")[-1]
    | select($browser == "yes" or . != "firebase.googleapis.com")' >"$WORK/off"
  mapfile -t off <"$WORK/off"
  if ((${#off[@]} == 0)); then
    same "${#APIS[@]} APIs"
    return
  fi
  change "enable ${off[*]//.googleapis.com/}" gcloud services enable "${off[@]}" --project="$PROJECT" --quiet
}

# Google makes an agent when its API is first used. This is too late for the agent's grant, so we make the agent now.
# gcloud's command for it is beta, and not installed everywhere. https://cloud.google.com/iam/docs/create-service-agents
ensure_agent() { # API AGENT
  local address="service-$NUMBER@$2.iam.gserviceaccount.com"
  if grep --quiet "serviceAccount:$address" "$WORK/state/policy-project"; then
    same "Google's agent $2"
    return
  fi
  change "make Google's agent $2" \
    rest POST "$USAGE/v1beta1/projects/$PROJECT/services/$1.googleapis.com:generateServiceIdentity"
}

ensure_account() { # NAME DISPLAY-NAME
  if exists "account-$1"; then
    same "service account $1"
    return
  fi
  change "make the service account $1" \
    gcloud iam service-accounts create "$1" --display-name="$2" --project="$PROJECT" --quiet
  if [[ -z $DRY_RUN ]]; then
    rest GET "$IAM/projects/$PROJECT/serviceAccounts/$(address "$1")" >"$WORK/state/account-$1"
  fi
}

ensure_accounts() {
  look_at_policy project
  ensure_agent eventarc gcp-sa-eventarc
  ensure_agent pubsub gcp-sa-pubsub
  ensure_account "$ACCOUNT" "Meet Attendance"
  ensure_account "$TRIGGER_ACCOUNT" "Meet Attendance: delivers events to the functions"
  ensure_account "$BUILD_ACCOUNT" "Meet Attendance: builds the functions"
  ensure_named_grants project
  if [[ $(jq --raw-output .AUTH_MODE "$WORK/environment") == delegation ]]; then
    ensure_named_grants "account/$ACCOUNT"
  else
    ensure_no_grants "account/$ACCOUNT" "$(member "$ACCOUNT")"
  fi
}

ensure_named_grants() { # RESOURCE [ROLE MEMBER…]: makes the grants of names.sh on it, and the given ones
  local resource=$1 grants=("${@:2}") grant role who
  for grant in "${GRANTS[@]}"; do
    [[ ${grant%%|*} == "$resource" ]] || continue
    role=${grant#*|} who=${grant##*|}
    [[ $who != "$MEET_PUBLISHER" || -n $MEET_MAY_PUBLISH ]] || continue
    grants+=("${role%|*}" "$(member "$who")")
  done
  ((${#grants[@]} == 0)) || ensure_grants "$resource" "${grants[@]}"
}
