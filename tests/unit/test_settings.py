"""Settings from the environment, and the messages about wrong ones."""

import dataclasses

import pytest

from functions import settings
from functions.domain.errors import WrongSetting
from functions.settings import is_loopback

GOOD = {
    "AUTH_MODE": "anonymous",
    "MEET_API_ENDPOINT": "http://127.0.0.1:8085",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for field in dataclasses.fields(settings.Settings):
        monkeypatch.delenv(field.name.upper(), raising=False)

    def put(**values):
        for name, value in {**GOOD, **values}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return put


def test_defaults_are_those_of_the_documentation(environment):
    environment()
    loaded = settings.load()

    assert loaded.attendance_store == "firestore"
    assert loaded.firestore_database == "(default)"
    assert (loaded.meet_reads_per_minute, loaded.settle_seconds, loaded.school_time_zone) == (600, 600, "UTC")
    assert loaded.retention is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AUTH_MODE", "magic", "delegation"),
        ("MEET_API_ENDPOINT", "meet.googleapis.com", "host:port"),
        ("MEET_API_ENDPOINT", "http://meet.example:80", "127.0.0.1"),
        ("MEET_API_ENDPOINT", "http://127.0.0.1.evil.example:80", "127.0.0.1"),
        ("MEET_API_ENDPOINT", "http://user@127.0.0.1:80", "127.0.0.1"),
        ("MEET_API_ENDPOINT", "meet.googleapis.com:443", "stand-ins on this machine"),
        ("FIRESTORE_EMULATOR_HOST", None, "FIRESTORE_EMULATOR_HOST"),
        ("FIRESTORE_EMULATOR_HOST", "firestore.example:443", "FIRESTORE_EMULATOR_HOST"),
        ("ATTENDANCE_STORE", "postgres://x", "sqlite:///PATH"),
        ("ATTENDANCE_STORE", "sqlite:///", "sqlite:///PATH"),
        ("MEET_READS_PER_MINUTE", "-1", "greater than or equal to 0"),
        ("MEET_READS_PER_MINUTE", "many", "integer"),
        ("SETTLE_SECONDS", "ten", "integer"),
        ("SCHOOL_TIME_ZONE", "Mars/Base", "Europe/Berlin"),
        ("SCHOOL_TIME_ZONE", "../etc/passwd", "Europe/Berlin"),
        ("PEOPLE_API_ENDPOINT", "people.googleapis.com:443", "PEOPLE_API_ENDPOINT"),
        ("DIRECTORY_API_ENDPOINT", "admin.googleapis.com:443", "stand-ins on this machine"),
        ("WORKSPACE_EVENTS_API_ENDPOINT", "10.0.0.1:80", "WORKSPACE_EVENTS_API_ENDPOINT"),
        ("PUBSUB_EMULATOR_HOST", "pubsub.example:443", "PUBSUB_EMULATOR_HOST"),
        ("API_CALLERS", "lms@school.example", "email=role"),
        ("API_CALLERS", "lms@school.example=root", "roles lms and admin"),
        ("API_CALLERS", "=admin", "email=role"),
        ("API_CALLERS", "lms@school.example=lms,LMS@school.example=admin", "every e-mail once"),
        ("ALLOWED_DOMAINS", "school", "ALLOWED_DOMAINS"),
        ("ALLOWED_TEACHERS", "ada@school.example,nobody", "ALLOWED_TEACHERS"),
        ("EVENTS_TOPIC", "projects/p/subscriptions/s", "EVENTS_TOPIC"),
        ("JOBS_TOPIC", "a b", "JOBS_TOPIC"),
        ("CHANGES_TOPIC", "a b", "CHANGES_TOPIC"),
        ("CHANGES_TOPIC", "attendance-changed", "CHANGES_TOPIC needs Pub/Sub"),
        ("DEFAULT_POLICY", "[]", "JSON object"),
        ("DEFAULT_POLICY", "{", "JSON object"),
        ("DEFAULT_POLICY", '{"min_share": 2}', "policy.min_share should be a share"),
        ("DEFAULT_POLICY", '{"grades": true}', "policy.grades is not a field"),
        ("RETENTION_DAYS", "0", "greater than or equal to 1"),
        ("RETENTION_DAYS", "100000000", "less than or equal to 36500"),
        ("MEET_READS_PER_MINUTE", "1" + "0" * 30, "less than or equal to 1000000"),
        ("MEET_API_ENDPOINT", "http://127.0.0.1:99999", "127.0.0.1:PORT"),
        ("GOOGLE_CLOUD_PROJECT", "a/b", "match pattern"),
        ("FIRESTORE_DATABASE", "a/b c", "match pattern"),
        ("LOG_LEVEL", "LOUD", "should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LIVE_PRESENCE", "perhaps", "1 or 0"),
        ("SETTLE_SECONDS", "1.5", "integer"),
        ("SETTLE_SECONDS", "1_0", "integer"),
        ("SETTLE_SECONDS", "9" * 10_000, "integer"),
        ("ERASURE_KEY", "k" * 31, "at least 32 characters"),
    ],
)
def test_a_wrong_setting_names_the_variable_and_what_it_should_be(environment, name, value, says):
    environment(**{name: value})

    with pytest.raises(WrongSetting) as caught:
        settings.load()

    assert name in caught.value.message
    assert says in caught.value.message


DELEGATION = {
    "AUTH_MODE": None,
    "MEET_API_ENDPOINT": None,
    "FIRESTORE_EMULATOR_HOST": None,
    "GOOGLE_CLOUD_PROJECT": "school-attendance",
    "SERVICE_ACCOUNT_EMAIL": "meet-attendance@school-attendance.iam.gserviceaccount.com",
}
HERE = "http://127.0.0.1:8085"


def test_delegation_is_the_default_and_needs_a_project_and_a_service_account(environment):
    environment(**DELEGATION)

    loaded = settings.load()

    assert (loaded.auth_mode, loaded.is_local, loaded.pubsub_in_use) == ("delegation", False, True)
    assert loaded.workspace_events_in_use
    assert loaded.people_in_use


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Head@School.Example", "head@school.example"),
        (" head@school.example\n", "head@school.example"),
        (" users/9 ", "users/9"),
    ],
)
def test_the_administrator_who_reads_reports_is_understood_however_the_name_is_typed(environment, typed, meant):
    environment(**{**DELEGATION, "REPORTS_ADMIN": typed})

    assert settings.load().reports_admin == meant


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SERVICE_ACCOUNT_EMAIL": None}, "SERVICE_ACCOUNT_EMAIL should name"),
        ({"SERVICE_ACCOUNT_EMAIL": "ada@school.example"}, "SERVICE_ACCOUNT_EMAIL"),
        ({"SERVICE_ACCOUNT_CLIENT_ID": "ada"}, "SERVICE_ACCOUNT_CLIENT_ID"),
        ({"GOOGLE_CLOUD_PROJECT": None}, "GOOGLE_CLOUD_PROJECT should name"),
        ({"MEET_API_ENDPOINT": HERE}, "MEET_API_ENDPOINT should be host:port"),
        ({"REPORTS_API_ENDPOINT": HERE}, "tokens of real teachers are sent only to Google"),
        ({"IAM_CREDENTIALS_API_ENDPOINT": HERE}, "IAM_CREDENTIALS_API_ENDPOINT should be host:port"),
        ({"OAUTH_TOKEN_ENDPOINT": HERE}, "MEET_API_ENDPOINT should be http://127.0.0.1:PORT"),
        ({"OAUTH_TOKEN_ENDPOINT": HERE, "MEET_API_ENDPOINT": HERE}, "IAM_CREDENTIALS_API_ENDPOINT"),
        ({"API_CALLERS": "*=admin"}, "API_CALLERS should name every caller"),
        ({"REPORTS_ADMIN": "the boss"}, "REPORTS_ADMIN"),
        ({"AUTH_MODE": "oauth", "OAUTH_TOKEN_FILE": "token.json", "K_SERVICE": "api"}, "OAUTH_TOKEN_FILE"),
        (
            {"AUTH_MODE": "oauth", "OAUTH_TOKEN_ENDPOINT": HERE, "MEET_API_ENDPOINT": HERE},
            "SECRET_MANAGER_API_ENDPOINT",
        ),
    ],
)
def test_tokens_are_never_sent_where_they_do_not_belong(environment, changes, says):
    environment(**{**DELEGATION, **changes})

    with pytest.raises(WrongSetting) as caught:
        settings.load()

    assert says in caught.value.message


def test_one_teacher_on_one_machine_needs_no_project(environment, tmp_path):
    environment(
        AUTH_MODE="oauth",
        MEET_API_ENDPOINT=None,
        FIRESTORE_EMULATOR_HOST=None,
        OAUTH_TOKEN_FILE=str(tmp_path / "token.json"),
        ATTENDANCE_STORE=f"sqlite:///{tmp_path}/a.db",
    )

    assert settings.load().google_cloud_project is None


def test_a_wrong_value_is_not_repeated_since_it_may_be_a_secret(environment):
    environment(MEET_READS_PER_MINUTE="hunter2")

    with pytest.raises(WrongSetting) as caught:
        settings.load()

    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "meant"), [("1", True), ("true", True), ("YES", True), (" on ", True), ("0", False), ("False", False)]
)
def test_a_switch_is_understood_in_the_usual_words(environment, text, meant):
    environment(LIVE_PRESENCE=text)

    assert settings.load().live_presence is meant


def test_what_a_command_gives_counts_before_the_environment(environment):
    environment(SETTLE_SECONDS="60", LOG_LEVEL="DEBUG")
    loaded = settings.load(settle_seconds="120", log_level="", meet_full_reads=True)

    assert (loaded.settle_seconds, loaded.log_level, loaded.meet_full_reads) == (120, "INFO", True)
    assert {"settle_seconds", "meet_full_reads"} <= loaded.named
    assert "log_level" not in loaded.named


def test_settings_that_are_shown_do_not_show_the_key(environment):
    environment(ERASURE_KEY="a-key-that-nobody-may-read-in-any-log")
    loaded = settings.load()

    assert loaded.key_of_erased_names == b"a-key-that-nobody-may-read-in-any-log"
    assert "a-key" not in f"{loaded!r}"


def test_changed_settings_are_checked_again(environment):
    environment(API_CALLERS="*=admin")

    with pytest.raises(WrongSetting, match="API_CALLERS"):
        dataclasses.replace(settings.load(), k_service="meet-attendance-api")


def test_every_wrong_variable_is_named_at_once(environment):
    environment(SETTLE_SECONDS="x", LOG_LEVEL="x")

    with pytest.raises(WrongSetting, match=r"SETTLE_SECONDS.*LOG_LEVEL"):
        settings.load()


def test_the_embedded_store_is_refused_in_the_cloud(environment, tmp_path):
    environment(ATTENDANCE_STORE=f"sqlite:///{tmp_path}/a.db", K_SERVICE="attendance")

    with pytest.raises(WrongSetting, match="ATTENDANCE_STORE"):
        settings.load()


def test_an_empty_variable_is_one_that_is_not_set(environment):
    environment(RETENTION_DAYS="", SETTLE_SECONDS="")

    assert settings.load().settle_seconds == 600


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.8.9.1:80", True),
        ("localhost:8080", True),
        ("[::1]:8080", True),
        ("10.0.0.1:80", False),
        ("0.0.0.0:80", False),
        ("localhost.evil.example:80", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_the_address_alone(target, local):
    assert is_loopback(target) is local


def test_callers_have_their_roles_whatever_the_case_of_their_address(environment):
    environment(API_CALLERS=" LMS@school.example = lms , ops@school.example=admin,")

    assert settings.load().api_callers == {"lms@school.example": "lms", "ops@school.example": "admin"}


def test_everybody_may_only_call_on_one_machine(environment):
    environment(API_CALLERS="*=admin")
    assert settings.load().api_callers == {"*": "admin"}

    environment(API_CALLERS="*=admin", K_SERVICE="attendance")
    with pytest.raises(WrongSetting, match="API_CALLERS"):
        settings.load()

    environment(API_CALLERS="*=admin", K_SERVICE=None, AUTH_MODE="delegation")
    with pytest.raises(WrongSetting, match="API_CALLERS"):
        settings.load()


@pytest.mark.parametrize(
    "endpoint",
    [
        "PEOPLE_API_ENDPOINT",
        "CALENDAR_API_ENDPOINT",
        "OAUTH_TOKEN_ENDPOINT",
        "IAM_CREDENTIALS_API_ENDPOINT",
        "SECRET_MANAGER_API_ENDPOINT",
        "ID_TOKEN_CERTIFICATES_ENDPOINT",
    ],
)
def test_everybody_may_not_call_where_one_endpoint_is_elsewhere_in_use_or_not(environment, endpoint):
    environment(**{"API_CALLERS": "*=admin", endpoint: "service.example:443"})

    with pytest.raises(WrongSetting, match=r"API_CALLERS|should be http://127.0.0.1"):
        settings.load()


def test_where_anything_is_real_callers_are_checked_by_google_and_nobody_else(environment, tmp_path):
    real = {
        "AUTH_MODE": "oauth",
        "OAUTH_TOKEN_FILE": f"{tmp_path}/token.json",
        "MEET_API_ENDPOINT": None,
        "GOOGLE_CLOUD_PROJECT": "school-attendance",
    }
    environment(**real)
    assert not settings.load().is_local

    environment(**{**real, "ID_TOKEN_CERTIFICATES_ENDPOINT": "http://127.0.0.1:9000"})
    with pytest.raises(WrongSetting, match="ID_TOKEN_CERTIFICATES_ENDPOINT"):
        settings.load()


def test_a_service_without_a_stand_in_is_not_in_use(environment):
    environment(PEOPLE_API_ENDPOINT="http://127.0.0.1:9000/")
    loaded = settings.load()

    assert loaded.people_api_endpoint == "http://127.0.0.1:9000"
    assert (loaded.people_in_use, loaded.directory_in_use, loaded.workspace_events_in_use) == (True, False, False)
    assert not loaded.pubsub_in_use


def test_topics_are_those_of_the_project_unless_they_are_named_whole(environment):
    environment(GOOGLE_CLOUD_PROJECT=None, EVENTS_TOPIC="projects/other/topics/events")
    assert settings.load().events_topic_name == "projects/other/topics/events"
    assert settings.load().jobs_topic_name == "projects/local/topics/attendance-jobs"

    environment(GOOGLE_CLOUD_PROJECT="my-school")
    assert settings.load().jobs_topic_name == "projects/my-school/topics/attendance-jobs"


def test_lists_and_the_policy_are_read_from_text(environment):
    environment(
        ALLOWED_DOMAINS="School.example, other.example",
        ALLOWED_TEACHERS="Ada@school.example",
        ROOM_DEVICE_NAMES="Room *,Saal ?",
        DEFAULT_POLICY='{"late_after_minutes": 10}',
    )
    loaded = settings.load()

    assert loaded.allowed_domains == ("school.example", "other.example")
    assert loaded.allowed_teachers == ("ada@school.example",)
    assert loaded.room_device_names == ("Room *", "Saal ?")
    assert (loaded.default_policy.late_after_minutes, loaded.default_policy.left_early_minutes) == (10, 5)
