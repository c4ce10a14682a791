# shellcheck shell=bash
# The key of what is kept of erased people's names. It is made once and never changed: with another key, everybody who
# was erased would be stored again by the next reading.

readonly SECRETS=https://secretmanager.googleapis.com/v1

ensure_erasure_key() {
  if ! exists "secret-$ERASURE_SECRET"; then
    change "make the secret $ERASURE_SECRET" gcloud secrets create "$ERASURE_SECRET" --replication-policy=automatic \
      --labels=app=meet-attendance --project="$PROJECT" --quiet
  else
    same "secret $ERASURE_SECRET"
  fi
  if ! exists "secret-version-$ERASURE_SECRET"; then
    change "put a new key into the secret $ERASURE_SECRET" add_erasure_key
  elif [[ $(state "secret-version-$ERASURE_SECRET" .state) != ENABLED ]]; then
    stop "Looking at the secret $ERASURE_SECRET" "its version 1 is not enabled, and no other key finds who was erased" \
      "enable it: gcloud secrets versions enable 1 --secret=$ERASURE_SECRET --project=$PROJECT"
  fi
  ensure_named_grants "secret/$ERASURE_SECRET"
}

# From a file that only this user reads: what a command is given, others on this machine see.
add_erasure_key() {
  head --bytes=32 /dev/urandom | base64 --wrap=0 >"$WORK/erasure-key" || return 1
  gcloud secrets versions add "$ERASURE_SECRET" --data-file="$WORK/erasure-key" --project="$PROJECT" --quiet
  local status=$?
  rm --force "$WORK/erasure-key"
  return "$status"
}
