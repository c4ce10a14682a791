# shellcheck shell=bash
# Google's REST API with gcloud's own token: many things are read with one call of curl, and set where gcloud has no
# command for it or starting gcloud for each of them would take minutes.

need() { # PROGRAM HOW-TO-INSTALL
  command -v "$1" >/dev/null || bad_input "The program '$1' is missing. $2"
}

open_google() { # the folder of this run, and a token in a file that nobody else reads
  need gcloud "Install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install"
  need curl "On Debian: sudo apt-get install curl"
  need jq "On Debian: sudo apt-get install jq"
  WORK=$(umask 077 && mktemp --directory 2>/dev/null) ||
    bad_input "No folder can be made in ${TMPDIR:-/tmp}: the disk is full, or may not be written to. Free some space, or\
 name another folder: export TMPDIR=…"
  trap 'rm --recursive --force "$WORK"' EXIT
  exec {LOUD}>&2
  trap interrupted INT TERM HUP
  mkdir "$WORK/state"
  refresh_token
}

refresh_token() {
  local token
  if ! token=$(gcloud auth print-access-token --quiet 2>"$WORK/errors"); then
    bad_input "gcloud has no login that Google takes ($(no_login "$WORK/errors")). Run: gcloud auth login"
  fi
  printf 'header = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\n' "$token" >"$WORK/curlrc"
  TOKEN_SINCE=$SECONDS
}

no_login() { # FILE: the first sentence of what gcloud said
  local said
  said=$(why "$1")
  said=${said%% Please *}
  said=${said%% To *}
  shown "${said%.}"
}

# Two deployments at once would undo each other's changes. The lock is this user's on this machine; it ends with the
# process, however that ends. Where it cannot be kept, Google refuses the second change of the same function.
only_one() {
  local folder=${CLOUDSDK_CONFIG:-$HOME/.config/gcloud}
  [[ -z $DRY_RUN && -w $folder ]] && command -v flock >/dev/null || return 0
  exec {LOCK}>>"$folder/meet-attendance-${PROJECT//:/_}.lock" || return 0
  flock --nonblock "$LOCK" ||
    stop "Starting" "another make deploy or make destroy of $PROJECT is running on this machine" "wait until it has ended."
}

curl_google() { # ARGUMENTS...
  # A token is good for an hour at most; waiting for Google may take as long.
  ((SECONDS - TOKEN_SINCE < 1800)) || refresh_token
  curl --config "$WORK/curlrc" --silent --show-error --max-time 90 "$@"
}

rest() { # METHOD URL [BODY]: the answer; a refusal is said like gcloud says one
  local body=() status payer=(--header "x-goog-user-project: $PROJECT")
  [[ -z ${UNPAID:-} ]] || payer=()
  [[ $# -lt 3 ]] || body=(--data-binary "$3")
  status=$(curl_google --request "$1" "${body[@]}" "${payer[@]}" \
    --output "$WORK/answer" --write-out '%{http_code}' "$2") || return 1
  if [[ $status != 2?? ]]; then
    printf 'ERROR: HTTP %s: %s\n' "$status" "$(jq --raw-output '.error | (.message, .details[0].reason? // empty)' \
      "$WORK/answer" 2>/dev/null)" >&2
    return 1
  fi
  cat "$WORK/answer"
}

# read_all NAME URL NAME URL …: read many things at once; each is a file of its name in $WORK/state. What does not
# exist is `null`, and so is what belongs to an API that is not enabled (listed in DISABLED). Of other refusals
# NAME.refused has Google's words.
read_all() {
  local arguments=() status file payer=(--header "x-goog-user-project: $PROJECT")
  [[ -z ${UNPAID:-} ]] || payer=()
  while (($#)); do
    arguments+=(--output "$WORK/state/$1" "$2")
    shift 2
  done
  curl_google --parallel --parallel-immediate --retry 4 --retry-delay "$((PAUSE < 2 ? PAUSE : 2))" "${payer[@]}" \
    --write-out '%{http_code} %{filename_effective}\n' "${arguments[@]}" >"$WORK/statuses" 2>"$WORK/errors" ||
    stop "Reading what there is" "$(why "$WORK/errors")" "see whether this machine reaches googleapis.com."
  DISABLED=()
  while read -r status file; do
    rm --force "$file.refused"
    [[ $status != 2?? ]] || continue
    if grep --quiet SERVICE_DISABLED "$file"; then
      DISABLED+=("${file##*/}")
    elif [[ $status != 404 ]]; then
      jq --raw-output '"HTTP \(.error.code): \(.error.message)"' "$file" >"$file.refused"
    fi
    echo null >"$file"
  done <"$WORK/statuses"
}

# New APIs answer a little later than they are enabled.
until_apis_answer() { # COMMAND...: something that reads
  local try
  for ((try = 1; ; try++)); do
    "$@"
    ((${#DISABLED[@]})) || return 0
    ((try < TRIES)) ||
      stop "Reading what there is" "APIs that were enabled do not answer yet: ${DISABLED[*]}" "wait some minutes."
    printf '    %s APIs do not answer yet; trying again in %s s\n' "${#DISABLED[@]}" "$PAUSE"
    sleep "$PAUSE"
  done
}

# What could not be read must not be taken for something that does not exist: a deployment would forget settings.
stop_at_unread() {
  local file name
  for file in "$WORK/state/"*.refused; do
    [[ -f $file ]] || continue
    name=${file##*/}
    [[ " ${MAY_BE_UNREAD[*]} " == *" ${name%.refused} "* ]] ||
      stop "Reading ${name%.refused}" "$(<"$file")" \
        "ask an owner of the project for the permission that is missing, or wait some minutes."
  done
}
MAY_BE_UNREAD=(who billing domains members places quota)

# The same, for lists: further pages are added to the first.
read_pages() { # NAME URL ITEMS
  local token
  while token=$(state "$1" '.nextPageToken // empty') && [[ -n $token ]]; do
    rest GET "$2&pageToken=$(jq --null-input --raw-output --arg token "$token" '$token | @uri')" >"$WORK/page"
    jq --slurp --arg items "$3" '.[0][$items] += .[1][$items] | .[0] + {nextPageToken: .[1].nextPageToken}' \
      "$WORK/state/$1" "$WORK/page" >"$WORK/joined"
    mv "$WORK/joined" "$WORK/state/$1"
  done
}

state() { # NAME FILTER-AND-ARGUMENTS-OF-JQ...: ask what was read
  local name=$1
  shift
  jq --raw-output "$@" "$WORK/state/$name"
}

exists() { # NAME
  [[ -s $WORK/state/$1 && $(<"$WORK/state/$1") != null ]]
}
