# shellcheck shell=bash
# Log-based metrics, alert policies, and the rule that the request log of the API is not stored.

readonly LOGGING=https://logging.googleapis.com/v2
readonly MONITORING=https://monitoring.googleapis.com/v3

readonly EXCLUSION=meet-attendance-api-requests

# The request log of the API would contain URLs with students' e-mails. The function itself writes a log line instead.
ensure_no_request_log() {
  local filter
  filter="resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"$API_FUNCTION\""
  filter+=' AND log_id("run.googleapis.com/requests")'
  if [[ $(state sink --arg name "$EXCLUSION" --arg filter "$filter" \
    'any(.exclusions[]?; .name == $name and .filter == $filter and .disabled != true)') == true ]]; then
    same "request log of the API left out"
  elif [[ $(state sink --arg name "$EXCLUSION" 'any(.exclusions[]?; .name == $name)') == true ]]; then
    # An empty value switches the exclusion on again. With any other value, also with `false`, it would be off.
    change "leave out the request log of the API again" gcloud logging sinks update _Default \
      "--update-exclusion=^;^name=$EXCLUSION;filter=$filter;disabled=" --project="$PROJECT" --quiet
  else
    change "leave out the request log of the API" gcloud logging sinks update _Default \
      "--add-exclusion=^;^name=$EXCLUSION;filter=$filter" --project="$PROJECT" --quiet
  fi
}

# gcloud 528 has only alpha commands for alert policies, and starting gcloud twelve times takes a while. So both use REST.
# The files are YAML; the Python of the virtual environment reads them.
monitoring_files() { # KIND: prints its files as one JSON array
  .venv/bin/python -c '
import json, pathlib, sys, yaml
print(json.dumps([yaml.safe_load(file.read_text()) for file in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml"))]))
' "infra/monitoring/$1"
}

# Compares a file with what is stored. Fields that Google or a person has added (names, channels) are ignored and stay.
readonly SAYS_THE_SAME='
  def says($file): . as $stored
    | if ($file | type) == "object" then all($file | to_entries[]; . as $part
        | ($stored | if type == "object" then .[$part.key] else null end) | says($part.value))
      elif ($file | type) == "array" then ($stored | type) == "array" and ($stored | length) == ($file | length)
        and all(range(0; $file | length); . as $at | $stored[$at] | says($file[$at]))
      elif ($file | type) == "string" and ($stored | type) == "string"
      then ($stored | sub("\\s+$"; "")) == ($file | sub("\\s+$"; ""))
      else $stored == $file or ($stored == null and ($file | IN(0, "", false, "STRING"))) end;'

ensure_metrics() {
  local name body count=0
  monitoring_files metrics >"$WORK/metrics"
  jq --raw-output --slurpfile stored "$WORK/state/metrics" "$SAYS_THE_SAME"'
    .[] | . as $file | select(any($stored[0].metrics[]?; says($file)) | not) | "\(.name)\t\(tojson)"' \
    "$WORK/metrics" >"$WORK/missing"
  while IFS=$'\t' read -r name body; do
    count=$((count + 1))
    if [[ $(state metrics --arg name "$name" 'any(.metrics[]?; .name == $name)') == true ]]; then
      change "metric $name as in its file" rest PUT "$LOGGING/projects/$PROJECT/metrics/$name" "$body"
    else
      change "metric $name" rest POST "$LOGGING/projects/$PROJECT/metrics" "$body"
    fi
  done <"$WORK/missing"
  ((count > 0)) || same "log-based metrics"
}

ensure_alerts() {
  local label name body count=0
  monitoring_files policies >"$WORK/policies"
  jq --raw-output --slurpfile stored "$WORK/state/alerts" "$SAYS_THE_SAME"'
    .[] | . as $file | .userLabels["meet-attendance"] as $key
    | [$stored[0].alertPolicies[]? | select(.userLabels["meet-attendance"] == $key)][0] as $found
    | select($found == null or ($found | says($file) | not))
    | "\($key)\t\($found.name // "-")\t\(tojson)"' "$WORK/policies" >"$WORK/missing"
  while IFS=$'\t' read -r label name body; do
    count=$((count + 1))
    if [[ $name != - ]]; then
      change "alert $label as in its file" rest PATCH \
        "$MONITORING/$name?updateMask=displayName,severity,combiner,conditions,documentation,alertStrategy" "$body"
    else
      change "alert $label" rest POST "$MONITORING/projects/$PROJECT/alertPolicies" "$body"
    fi
  done <"$WORK/missing"
  ((count > 0)) || same "alerts"
}
