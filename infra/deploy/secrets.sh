# shellcheck shell=bash
# The key of the HMACs that replace the names of erased people. It is made once and never changed. With another key, the
# system could not recognise the people who were erased.

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
    stop "Looking at the secret $ERASURE_SECRET" \
      "its version 1 is not enabled, and only its key recognises the people who were erased" \
      "enable it: gcloud secrets versions enable 1 --secret=$ERASURE_SECRET --project=$PROJECT"
  fi
  ensure_named_grants "secret/$ERASURE_SECRET"
}

# The key is passed in a file that only this user can read: others on this machine can see the arguments of a command.
add_erasure_key() {
  head --bytes=32 /dev/urandom | base64 --wrap=0 >"$WORK/erasure-key" || return 1
  gcloud secrets versions add "$ERASURE_SECRET" --data-file="$WORK/erasure-key" --project="$PROJECT" --quiet
  local status=$?
  rm --force "$WORK/erasure-key"
  return "$status"
}
