# shellcheck shell=bash
# BROWSER=yes: adds Firebase to the project, with a web app. A page of the LMS uses the configuration of this web app.
# https://firebase.google.com/docs/reference/firebase-management/rest

readonly FIREBASE=https://firebase.googleapis.com/v1beta1

ensure_browser() {
  local app
  if [[ $BROWSER != yes ]]; then
    same "no access for browsers (BROWSER=yes adds Firebase)"
    return
  fi
  until_apis_answer read_all firebase "$FIREBASE/projects/$PROJECT" apps "$FIREBASE/projects/$PROJECT/webApps"
  stop_at_unread
  if exists firebase; then
    same "Firebase"
  else
    change "add Firebase to the project" rest POST "$FIREBASE/projects/$PROJECT:addFirebase" '{}'
    wait_for_firebase firebase "$FIREBASE/projects/$PROJECT" '.projectId // empty'
  fi
  if [[ -n $(state apps "$OUR_APP") ]]; then
    same "web app Meet Attendance"
  else
    change "make the web app Meet Attendance" rest POST "$FIREBASE/projects/$PROJECT/webApps" \
      '{"displayName": "Meet Attendance"}'
    wait_for_firebase apps "$FIREBASE/projects/$PROJECT/webApps" "$OUR_APP"
  fi
  app=$(state apps "$OUR_APP")
  [[ -z $app ]] || rest GET "$FIREBASE/$app/config" >"$WORK/web-configuration"
}
readonly OUR_APP='[.apps[]? | select(.displayName == "Meet Attendance")][0].name // empty'

wait_for_firebase() { # STATE URL FILTER: reads again until the filter finds something
  local try
  [[ -z $DRY_RUN ]] || return 0
  for ((try = 1; try <= TRIES; try++)); do
    read_all "$1" "$2"
    [[ -z $(state "$1" "$3") ]] || return 0
    sleep "$((PAUSE < 5 ? PAUSE : 5))"
  done
  stop "Adding Firebase" "it has not become visible" "wait some minutes."
}

explain_browser() {
  [[ -f $WORK/web-configuration ]] || return 0
  section "For pages that read Firestore in the browser"
  jq . "$WORK/web-configuration" | sed 's/^/  /'
  cat <<TEXT
  In https://console.firebase.google.com/project/$PROJECT/authentication : Get started, and choose how people sign in;
  under Settings > Authorized domains add the LMS's domain. infra/firestore.rules says what a page may read.
TEXT
}
