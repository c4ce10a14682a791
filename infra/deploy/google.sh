# shellcheck shell=bash
# Google's REST API, called with gcloud's own token. One call of curl reads many things. Changes are made with
# REST if gcloud has no command for them, or if starting gcloud many times would take minutes.

need() { # PROGRAM HOW-TO-INSTALL
  command -v "$1" >/dev/null || bad_input "The program '$1' is missing. $2"
}

open_google() { # makes the folder of this run, and a file with the token that only this user can read
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
    bad_input "gcloud has no login that Google accepts ($(no_login "$WORK/errors")). Run: gcloud auth login"
  fi
  printf 'header = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\n' "$token" >"$WORK/curlrc"
  TOKEN_SINCE=$SECONDS
}

no_login() { # FILE: prints the first sentence of gcloud's message
  local said
  said=$(why "$1")
  said=${said%% Please *}
  said=${said%% To *}
  shown "${said%.}"
}

# Two deployments at the same time would undo each other's changes. The lock is for this user on this machine. It ends
# with the process, also if the process is killed. Without the lock, Google refuses the second change of a function.
only_one() {
  local folder=${CLOUDSDK_CONFIG:-$HOME/.config/gcloud}
  [[ -z $DRY_RUN && -w $folder ]] && command -v flock >/dev/null || return 0
  exec {LOCK}>>"$folder/meet-attendance-${PROJECT//:/_}.lock" || return 0
  flock --nonblock "$LOCK" ||
    stop "Starting" "another make deploy or make destroy of $PROJECT is running on this machine" "wait until it has ended."
}

curl_google() { # ARGUMENTS...
  # A token is valid for an hour at most. A deployment may have to wait for Google longer than that.
  ((SECONDS - TOKEN_SINCE < 1800)) || refresh_token
  curl --config "$WORK/curlrc" --silent --show-error --max-time 90 "$@"
}

rest() { # METHOD URL [BODY]: prints the answer; a refusal is printed in the form of gcloud's errors
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

# read_all NAME URL NAME URL …: reads many things at once. Each answer becomes the file NAME in $WORK/state. The file
# contains `null` if the resource does not exist, or if its API is not enabled (then NAME is also in DISABLED). After
# another refusal, NAME.refused contains Google's message.
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

# An API answers only some time after it was enabled.
until_apis_answer() { # COMMAND...: repeats a command that reads, until all APIs answer
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

# A resource that could not be read must not count as missing: the deployment would lose settings.
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

# Reads the further pages of a list, and adds their items to the first page.
read_pages() { # NAME URL ITEMS
  local token
  while token=$(state "$1" '.nextPageToken // empty') && [[ -n $token ]]; do
    rest GET "$2&pageToken=$(jq --null-input --raw-output --arg token "$token" '$token | @uri')" >"$WORK/page"
    jq --slurp --arg items "$3" '.[0][$items] += .[1][$items] | .[0] + {nextPageToken: .[1].nextPageToken}' \
      "$WORK/state/$1" "$WORK/page" >"$WORK/joined"
    mv "$WORK/joined" "$WORK/state/$1"
  done
}

state() { # NAME FILTER-AND-ARGUMENTS-OF-JQ...: prints a part of what was read
  local name=$1
  shift
  jq --raw-output "$@" "$WORK/state/$name"
}

exists() { # NAME: whether it was read and exists
  [[ -s $WORK/state/$1 && $(<"$WORK/state/$1") != null ]]
}
