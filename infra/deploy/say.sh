# shellcheck shell=bash
# Prints messages, and makes changes. A change is announced first. It is tried again while Google's services do not know
# the latest changes yet. If it fails, the reason is explained.

CHANGES=0

section() { # TITLE
  printf '\n%s\n' "$1"
}

same() { # WHAT
  printf '  = %s\n' "$1"
}

note() { # SENTENCE
  printf '  ! %s\n' "$1"
}

shown() { # VALUE: prints a value that the user typed, on one line and not too long
  local value=${1//[[:cntrl:]]/ }
  ((${#value} <= 120)) || value="${value:0:120}…"
  printf '%s' "$value"
}

interrupted() {
  # At this moment, standard error may be a file. LOUD is the standard error with which the script started.
  printf '\nInterrupted. Run the same command again: it continues where it stopped.\n' >&"$LOUD"
  exit 130
}

bad_input() { # SENTENCE: stops because the user's input cannot be used; nothing was changed
  printf '%s\n' "$1" >&2
  exit 2
}

stop() { # WHAT WHY TO-DO
  printf '\n%s failed.\n  Why: %s\n  What to do: %s\n' "$1" "$2" "$3" >&2
  printf '  Then run the same command again: it continues where it stopped.\n' >&2
  exit 1
}

# Errors that end by themselves within minutes: from new agents, accounts, grants and APIs, and from a busy service.
readonly PASSING='Permission denied while using the Eventarc Service Agent|[Ss]ervice account .* does not exist'\
'|has not been used in project|SERVICE_DISABLED|concurrent policy changes|Cannot find metric that matches'\
'|missing permission on the build service account|Access to bucket gcf-v2-sources|Database ID .* is not available'\
'|Permission denied on secret'\
'|HTTP (429|500|502|503|504)|temporarily unavailable|Please try again|unable to queue the operation'
readonly TRIES=${DEPLOY_TRIES:-20}
readonly PAUSE=${DEPLOY_PAUSE_SECONDS:-30}

passes() { # FILE: whether Google's error ends by itself
  grep --extended-regexp --quiet "$PASSING" "$1"
}

change() { # WHAT COMMAND...: makes a change; with DRY_RUN, only says that it would be made
  local what=$1 try
  shift
  CHANGES=$((CHANGES + 1))
  printf '  + %s\n' "$what"
  [[ -z $DRY_RUN ]] || return 0
  for ((try = 1; ; try++)); do
    "$@" >"$WORK/output" 2>"$WORK/errors" </dev/null && return 0
    if ((try >= TRIES)) || ! passes "$WORK/errors"; then
      break
    fi
    wait_for_google "$WORK/errors"
  done
  stop "$what" "$(why "$WORK/errors")" "$(remedy "$WORK/errors")"
}

wait_for_google() { # FILE
  printf '    Google is not ready yet (%s); trying again in %s s\n' "$(why "$1" | cut --characters=1-90)" "$PAUSE"
  sleep "$PAUSE"
}

why() { # FILE: prints Google's message in one line
  local said
  said=$(sed --quiet '/^ERROR/,$p' "$1")
  [[ -n $said ]] || said=$(<"$1")
  said=$(sed --regexp-extended 's/^ERROR: (\([a-z.-]+\) )?(OperationError: )?//' <<<"$said" | head --lines=8 |
    tr '\n' ' ' | tr --squeeze-repeats ' ')
  echo "${said:-the command ended without saying why}"
}

remedy() { # FILE: prints what a person can do about it
  local said
  said=$(<"$1")
  case $said in
    *iam.serviceaccounts.actAs* | *iam.serviceAccounts.actAs*)
      echo "ask an owner of the project for the role roles/iam.serviceAccountUser." ;;
    *CpuAllocPerProjectRegion*)
      echo "add MAX_INSTANCES=N with a smaller N, or ask for more CPU: https://cloud.google.com/run/quotas" ;;
    *"do not belong to a permitted customer"*)
      echo "an organisation policy keeps this member out; ask its administrator for an exception for this project." ;;
    *"Permission "*" denied"* | *PERMISSION_DENIED* | *"does not have permission"*)
      echo "ask an owner of the project for the permission that is named above." ;;
    *"unrecognized arguments"* | *"Invalid choice"* | *"invalid choice"*)
      echo "this gcloud is too old; update it: gcloud components update (or with the package manager it came from)." ;;
    *"missing main.py"*)
      echo "run it from the folder of a complete copy of this repository." ;;
    *Healthcheck*)
      echo "see the function's log: gcloud functions logs read NAME --gen2 --region=$REGION --project=$PROJECT" ;;
    *) echo "remove the cause that Google names; if it names none, wait some minutes." ;;
  esac
}
