# shellcheck shell=bash
# The user's options, as NAME=value. They are checked before anything else. Options that the user leaves out keep their
# deployed value.

OPTIONS=(
  PROJECT REGION DOMAINS AUTH_MODE LMS ADMIN TIME_ZONE FIRESTORE_LOCATION FIRESTORE_DATABASE RETENTION_DAYS BROWSER
  BACKUPS MAX_INSTANCES DRY_RUN
)
# More settings from docs/settings.md that the user may give.
SETTINGS=(ALLOWED_TEACHERS DEFAULT_POLICY LIVE_PRESENCE LOG_LEVEL REPORTS_ADMIN ROOM_DEVICE_NAMES SETTLE_SECONDS)
OPTIONS_OF_DESTROY=(PROJECT REGION FIRESTORE_DATABASE DELETE_DATA DRY_RUN)

read_options() { # NAME=value...
  local argument name known=("${OPTIONS[@]}" "${SETTINGS[@]}")
  [[ $COMMAND == deploy ]] || known=("${OPTIONS_OF_DESTROY[@]}")
  for name in "${OPTIONS[@]}" "${SETTINGS[@]}" DELETE_DATA; do
    printf -v "$name" '%s' ''
    printf -v "GIVEN_$name" '%s' ''
  done
  for argument; do
    name=${argument%%=*}
    [[ $argument == *=* && " ${known[*]} " == *" $name "* ]] ||
      bad_input "Unknown option: $(shown "$argument"). Known are: ${known[*]} (each as NAME=value)."
    ! given "$name" || bad_input "$name is given twice. Give it once."
    printf -v "$name" '%s' "${argument#*=}"
    printf -v "GIVEN_$name" '%s' 1
  done
}

given() { # NAME: whether the user typed an option, also with an empty value
  local name=GIVEN_$1
  [[ -n ${!name:-} ]]
}

expect() { # NAME PATTERN WHAT-IT-MUST-BE
  [[ -z ${!1} || ${!1} =~ ^($2)$ ]] || bad_input "$1 must be $3, not '$(shown "${!1}")'."
}

readonly EMAIL='[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+'

check_options() {
  [[ -n $PROJECT ]] || bad_input "Name the Google Cloud project: make $COMMAND PROJECT=my-school REGION=europe-west1"
  [[ -n $REGION ]] || bad_input "Name the region: make $COMMAND PROJECT=$PROJECT REGION=europe-west1"
  [[ ! $PROJECT =~ ^[0-9]+$ ]] || bad_input "PROJECT must be the id of a project such as my-school, not its number\
 '$(shown "$PROJECT")'. The list of both: gcloud projects list"
  expect PROJECT '([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]' "the id of a project such as my-school"
  expect REGION '[a-z]+-[a-z]+[0-9]+' "a region such as europe-west1"
  expect DOMAINS 'none|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(,[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)*' \
    "domains with commas and no spaces between them, such as school.example,pupils.school.example"
  expect AUTH_MODE 'delegation|oauth' "delegation or oauth"
  expect LMS "none|(serviceAccount|user):$EMAIL(,(serviceAccount|user):$EMAIL)*" \
    "who calls the API, such as serviceAccount:lms@my-lms.iam.gserviceaccount.com (or user:…)"
  expect ADMIN "(serviceAccount|user):$EMAIL(,(serviceAccount|user):$EMAIL)*" \
    "who administers it, such as user:admin@school.example (or serviceAccount:…)"
  # Multi-regions: https://docs.cloud.google.com/firestore/native/docs/locations
  expect FIRESTORE_LOCATION 'eur3|nam5|nam7|[a-z]+-[a-z]+[0-9]+' "eur3, nam5, nam7, or a region such as europe-west1"
  expect FIRESTORE_DATABASE '\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]' "the id of a database such as (default)"
  expect RETENTION_DAYS 'none|[1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3}|36[0-4][0-9]{2}|36500' \
    "a number of days such as 365 and at most 36500, or none to keep everything"
  expect ALLOWED_TEACHERS "none|$EMAIL(,$EMAIL)*" \
    "e-mail addresses with commas and no spaces between them, such as grace@school.example,alan@school.example"
  expect REPORTS_ADMIN "none|$EMAIL|users/[0-9]{1,30}" "the e-mail of an administrator such as admin@school.example"
  expect LIVE_PRESENCE 'none|0|1' "0 to switch it off, or 1"
  expect LOG_LEVEL 'none|DEBUG|INFO|WARNING|ERROR' "DEBUG, INFO, WARNING or ERROR"
  expect SETTLE_SECONDS 'none|0|[1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400' \
    "a number of seconds such as 600 and at most 86400"
  expect BROWSER 'yes|no' "yes or no"
  expect BACKUPS 'yes|no' "yes or no"
  expect DELETE_DATA 'yes|no' "yes or no"
  expect MAX_INSTANCES '[1-9][0-9]{0,2}' "a number of instances for each function, such as 5"
  expect DRY_RUN '0|1|yes|no' "1 or left out"
  [[ $DRY_RUN != 0 && $DRY_RUN != no ]] || DRY_RUN=
  expect TIME_ZONE '[A-Z][A-Za-z0-9]+(/[A-Za-z0-9_+-]+)*' "an IANA name such as Europe/Berlin"
  [[ -z $TIME_ZONE || ! -d /usr/share/zoneinfo/Europe || -f /usr/share/zoneinfo/$TIME_ZONE ]] ||
    bad_input "TIME_ZONE must be an IANA name such as Europe/Berlin, not '$TIME_ZONE'."
  check_policy
}

# The functions do not start if the policy has a field that they do not know.
check_policy() {
  local wrong
  [[ -n $DEFAULT_POLICY && $DEFAULT_POLICY != none ]] || return 0
  jq --exit-status --slurp 'length == 1 and (.[0] | type == "object")' <<<"$DEFAULT_POLICY" >/dev/null 2>&1 ||
    bad_input "DEFAULT_POLICY must be a JSON object such as {\"late_after_minutes\": 10}."
  wrong=$(env --ignore-environment .venv/bin/python -c '
import sys
from functions.settings.texts import WrongText, policy
try:
    policy(sys.argv[1])
except WrongText as error:
    print(error)
' "$DEFAULT_POLICY" 2>&1) || wrong="it cannot be checked: ${wrong##*$'\n'}"
  [[ -z $wrong ]] || bad_input "DEFAULT_POLICY cannot be used: $(shown "$wrong"). docs/marks.md names its fields."
}

settle_database() { # sets FIRESTORE_DATABASE: the user's database, otherwise the one in use
  [[ -n $FIRESTORE_DATABASE ]] ||
    FIRESTORE_DATABASE=$(state "function-$EVENTS_FUNCTION" \
      '.serviceConfig.environmentVariables.FIRESTORE_DATABASE // "(default)"')
}

# Writes the environment of the functions: the deployed environment, changed by the user's options.
settle_environment() {
  local source=null stored name value
  SET=()
  for name in "${FUNCTIONS[@]}"; do
    if exists "function-$name"; then source=$(<"$WORK/state/function-$name") && break; fi
  done
  jq '.serviceConfig.environmentVariables // {}' <<<"$source" >"$WORK/environment"
  # All settings at once: jq takes long to start.
  stored=$(jq --raw-output 'to_entries[] | "[\(.key | @sh)]=\(.value | @sh)"' "$WORK/environment")
  declare -gA DEPLOYED="($stored)"

  CALLERS=$(callers)
  BACKUPS=${BACKUPS:-$(jq --raw-output '.labels["meet-attendance-backups"] // "yes"' <<<"$source")}
  BROWSER=${BROWSER:-$(jq --raw-output '.labels["meet-attendance-browser"] // "no"' <<<"$source")}
  MAX_INSTANCES=${MAX_INSTANCES:-$(jq --raw-output '.serviceConfig.maxInstanceCount // empty' <<<"$source")}
  fit_quota
  setting GOOGLE_CLOUD_PROJECT "$PROJECT"
  setting FIRESTORE_DATABASE "$FIRESTORE_DATABASE"
  setting AUTH_MODE "${AUTH_MODE:-${DEPLOYED[AUTH_MODE]:-}}" delegation
  setting SERVICE_ACCOUNT_EMAIL "$(member "$ACCOUNT" | cut --delimiter=: --fields=2)"
  setting SERVICE_ACCOUNT_CLIENT_ID "$(state "account-$ACCOUNT" '.uniqueId // empty')"
  setting EVENTS_TOPIC "$EVENTS_TOPIC"
  setting JOBS_TOPIC "$JOBS_TOPIC"
  setting CHANGES_TOPIC "$CHANGES_TOPIC"
  # Google adds this setting. Without it here, the next deployment would find a difference.
  setting LOG_EXECUTION_ID "${DEPLOYED[LOG_EXECUTION_ID]:-}" true
  setting API_CALLERS "$CALLERS"
  setting MEET_PROJECT_READS_PER_MINUTE $((MEET_READS / (${#FUNCTIONS[@]} * MAX_INSTANCES)))
  setting MEET_SHARED_READS_PER_MINUTE "$MEET_SHARED_READS"
  setting SCHOOL_TIME_ZONE "${TIME_ZONE:-${DEPLOYED[SCHOOL_TIME_ZONE]:-}}" UTC
  setting ALLOWED_DOMAINS "${DOMAINS:-${DEPLOYED[ALLOWED_DOMAINS]:-}}"
  setting RETENTION_DAYS "${RETENTION_DAYS:-${DEPLOYED[RETENTION_DAYS]:-}}"
  for name in "${SETTINGS[@]}"; do
    if given "$name"; then value=${!name}; else value=${DEPLOYED[$name]:-}; fi
    setting "$name" "$value"
  done
  write_environment
}

setting() { # NAME VALUE [DEFAULT]: sets a setting; removes it if the value is empty or `none`
  local value=${2:-${3:-}}
  [[ $value != none ]] || value=
  SET+=("$1" "$value")
}

write_environment() { # writes what `setting` has set since the last time
  jq '$ARGS.positional as $set | reduce range(0; $set | length; 2) as $at (.;
    if $set[$at + 1] == "" then del(.[$set[$at]]) else .[$set[$at]] = $set[$at + 1] end)' \
    --args -- "${SET[@]}" <"$WORK/environment" >"$WORK/environment.next"
  mv "$WORK/environment.next" "$WORK/environment"
  SET=()
}

# Prints API_CALLERS: `email=role,…`. If the user does not give a role's option, the callers with this role stay.
callers() {
  local lms=$LMS admin=$ADMIN before
  before=$(tr , '\n' <<<"${DEPLOYED[API_CALLERS]:-}")
  [[ -n $lms ]] || lms=$(sed --quiet 's/=lms$//p' <<<"$before" | paste --serial --delimiters=,)
  [[ -n $admin ]] || admin=$(sed --quiet 's/=admin$//p' <<<"$before" | paste --serial --delimiters=,)
  [[ $lms != none ]] || lms=
  {
    tr , '\n' <<<"$lms" | sed --quiet --regexp-extended 's/^(serviceAccount:|user:)?(.+)$/\L\2=lms/p'
    tr , '\n' <<<"${admin:-$DEPLOYER}" | sed --quiet --regexp-extended 's/^(serviceAccount:|user:)?(.+)$/\L\2=admin/p'
  } | paste --serial --delimiters=,
}

caller_members() { # ROLE|'': prints the callers as members of a policy, one in each line
  tr , '\n' <<<"$CALLERS" | sed --quiet "s/=${1:-.*}\$//p" | while read -r email; do
    if [[ $email == *.gserviceaccount.com ]]; then echo "serviceAccount:$email"; else echo "user:$email"; fi
  done
}

# Sets the number of instances for each function: the user's or the deployed number. If there is none, it is
# MOST_INSTANCES, or less if the region's CPU quota is smaller.
fit_quota() {
  local most=$MOST_INSTANCES
  if [[ -n $CPU_QUOTA ]] && ((most * CPU * ${#FUNCTIONS[@]} * 1000 > CPU_QUOTA)); then
    most=$((CPU_QUOTA / (CPU * ${#FUNCTIONS[@]} * 1000)))
  fi
  MAX_INSTANCES=${MAX_INSTANCES:-$most}
}
