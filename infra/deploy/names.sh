# shellcheck shell=bash disable=SC2034 # the other files use these names
# The parts of a deployment: every name, setting and role in one place.

APIS=(
  meet workspaceevents pubsub firestore cloudfunctions run eventarc cloudbuild artifactregistry cloudscheduler
  secretmanager iam iamcredentials people admin calendar-json firebaserules logging monitoring cloudresourcemanager
  orgpolicy serviceusage
)

ACCOUNT=meet-attendance               # runs the functions; a Workspace administrator allows its client id
TRIGGER_ACCOUNT=meet-attendance-trigger
BUILD_ACCOUNT=meet-attendance-build   # new organisations have no default account that can build

EVENTS_TOPIC=workspace-events
JOBS_TOPIC=attendance-jobs
CHANGES_TOPIC=attendance-changed
DEAD_LETTERS=attendance-dead-letter   # a topic and its subscription
TOPICS=("$EVENTS_TOPIC" "$JOBS_TOPIC" "$CHANGES_TOPIC" "$DEAD_LETTERS")

ERASURE_SECRET=meet-attendance-erasure-key   # in Secret Manager; the functions get it as ERASURE_KEY

# Meet publishes with this account, https://developers.google.com/workspace/events/guides/create-subscription
MEET_PUBLISHER=serviceAccount:meet-api-event-push@system.gserviceaccount.com

EVENTS_FUNCTION=meet-attendance-events
JOBS_FUNCTION=meet-attendance-jobs
API_FUNCTION=meet-attendance-api
FUNCTIONS=("$EVENTS_FUNCTION" "$JOBS_FUNCTION" "$API_FUNCTION")

# -- size -----------------------------------------------------------------------------------------------------------
# Memory: 80 conferences of 30 people at once in one instance took 144 MB. We take three times that, rounded up to a
# size that Google offers. This is enough for the largest conference and for a file of a whole month.
RUNTIME=python313
MEMORY=512Mi
CPU=1                 # with less than 1, Google allows only one request at a time
CONCURRENCY=1000      # messages: most of them only wait for Meet's quota; the maximum of Cloud Run
API_CONCURRENCY=80    # requests, as in the measurement above
EVENT_TIMEOUT=540     # seconds; the maximum for an event
API_TIMEOUT=300
# Caps: 3 functions x 5 instances = 15 CPU, below the 20 that new projects often have in a region.
# Meet: 6,000 reads a minute for the project / 15 instances = 400 for each; 3 x 5 x 400 = 6,000. An instance with more to
# do claims from what the others do not use: all claims together are a little less than Meet's quota, because an
# instance that needs little does not ask first.
MOST_INSTANCES=5      # of each function; fewer if the region's quota is smaller
MEET_SHARED_READS=5800
MEET_READS=6000       # a minute, https://developers.google.com/workspace/meet/api/guides/limits

# -- settings of a trigger's subscription ---------------------------------------------------------------------------
ATTEMPTS=100          # after this many, the message is a dead letter
SHORTEST_PAUSE=10s
LONGEST_PAUSE=600s
ACK_DEADLINE=600      # the maximum of Pub/Sub; a function takes up to 540 s
KEPT_FOR=604800s      # 7 days

# -- schedule: name, when, job --------------------------------------------------------------------------------------
SCHEDULE=(
  "attendance-sync-due|*/5 * * * *|sync-due"
  "attendance-reconcile|*/30 * * * *|reconcile"
  "attendance-renew-subscriptions|0 */6 * * *|renew-subscriptions"
)

# Collection groups with personal data. `expire_at` in their documents says when Firestore deletes them.
EXPIRING=(
  sessions attendance sheet corrections conferences snapshot registers parts people live parked_events audit
  idempotency erased erasures remarks seen
)

# -- grants ---------------------------------------------------------------------------------------------------------
# One grant in each line: resource|role|member. Members without a colon are service accounts of the project. `agent:x`
# is Google's agent x of the project. Functions and trigger subscriptions get their grants when they exist
# (functions.sh). Grants that only delegation needs are made only with AUTH_MODE=delegation (accounts.sh).
GRANTS=(
  "project|roles/datastore.user|$ACCOUNT"
  "project|roles/cloudbuild.builds.builder|$BUILD_ACCOUNT"
  "project|roles/eventarc.serviceAgent|agent:gcp-sa-eventarc"
  "project|roles/pubsub.serviceAgent|agent:gcp-sa-pubsub"
  "account/$ACCOUNT|roles/iam.serviceAccountTokenCreator|$ACCOUNT"  # it signs as itself, so delegation needs no key
  "topic/$EVENTS_TOPIC|roles/pubsub.publisher|$MEET_PUBLISHER"
  "topic/$JOBS_TOPIC|roles/pubsub.publisher|$ACCOUNT"
  "topic/$CHANGES_TOPIC|roles/pubsub.publisher|$ACCOUNT"
  "topic/$DEAD_LETTERS|roles/pubsub.publisher|agent:gcp-sa-pubsub"
  "subscription/$DEAD_LETTERS|roles/pubsub.subscriber|$ACCOUNT"
  "secret/$ERASURE_SECRET|roles/secretmanager.secretAccessor|$ACCOUNT"
)
TRIGGER_SUBSCRIPTION_ROLE=roles/pubsub.subscriber  # for Pub/Sub's agent, which removes dead letters
INVOKER_ROLE=roles/run.invoker                     # for the trigger's account and the API's callers

# The permissions that the person who deploys needs. One request checks all of them.
PERMISSIONS=(
  resourcemanager.projects.get resourcemanager.projects.getIamPolicy resourcemanager.projects.setIamPolicy
  serviceusage.services.enable serviceusage.services.list serviceusage.services.use
  iam.serviceAccounts.create iam.serviceAccounts.get iam.serviceAccounts.getIamPolicy iam.serviceAccounts.setIamPolicy
  iam.serviceAccounts.actAs
  pubsub.topics.create pubsub.topics.get pubsub.topics.update pubsub.topics.getIamPolicy pubsub.topics.setIamPolicy
  pubsub.topics.attachSubscription pubsub.subscriptions.create pubsub.subscriptions.get pubsub.subscriptions.update
  pubsub.subscriptions.getIamPolicy pubsub.subscriptions.setIamPolicy
  cloudfunctions.functions.create cloudfunctions.functions.get cloudfunctions.functions.update
  cloudfunctions.functions.delete cloudfunctions.functions.sourceCodeSet cloudfunctions.locations.list
  cloudfunctions.operations.get
  run.services.get run.services.getIamPolicy run.services.setIamPolicy eventarc.triggers.get
  cloudscheduler.jobs.create cloudscheduler.jobs.list cloudscheduler.jobs.update cloudscheduler.jobs.enable
  datastore.databases.create datastore.databases.get datastore.databases.update datastore.indexes.create
  datastore.indexes.list datastore.indexes.update datastore.backupSchedules.create datastore.backupSchedules.list
  firebaserules.rulesets.create firebaserules.rulesets.get firebaserules.releases.create firebaserules.releases.get
  firebaserules.releases.update
  secretmanager.secrets.create secretmanager.secrets.get secretmanager.secrets.getIamPolicy
  secretmanager.secrets.setIamPolicy secretmanager.versions.add secretmanager.versions.get
  artifactregistry.repositories.get artifactregistry.repositories.update
  logging.logMetrics.create logging.logMetrics.list logging.logMetrics.update logging.sinks.get logging.sinks.update
  monitoring.alertPolicies.create monitoring.alertPolicies.list monitoring.alertPolicies.update
)

# The scopes that a Workspace administrator allows; docs/administrator.md says what each is for.
SCOPES=(
  meetings.space.readonly meetings.space.created directory.readonly admin.directory.user.readonly userinfo.email
  userinfo.profile calendar.events admin.reports.audit.readonly
)

member() { # NAME (the last part of a grant): prints it as the member of a policy
  case $1 in
    agent:*) echo "serviceAccount:service-$NUMBER@${1#agent:}.iam.gserviceaccount.com" ;;
    *:*) echo "$1" ;;
    *) echo "serviceAccount:$1@$PROJECT.iam.gserviceaccount.com" ;;
  esac
}
