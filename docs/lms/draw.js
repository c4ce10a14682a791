// Draws what the queries gave. Everything that people typed gets into the page as text, never as HTML.

export const MARKS = {
  present: "present",
  late: "late",
  left_early: "left early",
  partial: "partial",
  absent: "absent",
  excused: "excused",
  unknown: "unknown",
};

const STATES = { scheduled: "planned", live: "in progress", ended: "ended", not_held: "not held", cancelled: "cancelled" };
const TO_LOOK_AT = ["absent", "partial", "late", "left_early", "present", "excused"];
const ATTENDED = ["present", "late", "left_early"];
const MISSED = ["partial", "absent"];

/** An element with attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Something that people typed: in its own direction of writing, and as long as it is. */
function typed(text) {
  return element("bdi", {}, text);
}

/** Times as they are read where the class is held. */
export class Clock {
  constructor(language, timeZone) {
    this.day = new Intl.DateTimeFormat(language, { timeZone, weekday: "short", day: "numeric", month: "short", year: "numeric" });
    this.time = new Intl.DateTimeFormat(language, { timeZone, hour: "2-digit", minute: "2-digit" });
  }

  /** A time element for the day, and the time of day, of a timestamp of Firestore. */
  moment(timestamp) {
    const date = timestamp.toDate();
    return element("time", { datetime: date.toISOString() }, `${this.day.format(date)}, ${this.time.format(date)}`);
  }

  /** `09:00–09:45`; without an end only the start. */
  span(start, end) {
    return [start, end].filter(Boolean).map((timestamp) => this.time.format(timestamp.toDate())).join("–");
  }
}

export function drawWaiting(place, text) {
  place.replaceChildren(element("p", { class: "quiet", role: "status" }, text));
}

/** Why nothing is shown, what helps and, where it could help, a button that tries again. */
export function drawProblem(place, { title, text, help, code }, again = null) {
  const button = again && element("button", { type: "button" }, "Try again");
  button?.addEventListener("click", again);
  place.replaceChildren(
    element(
      "section",
      { class: "problem", role: "alert" },
      element("h2", {}, title),
      element("p", {}, typed(text)),
      element("p", {}, help),
      button,
      code ? element("p", { class: "quiet" }, "Code for your school: ", element("code", {}, code)) : null,
    ),
  );
}

/** A student's own attendance, the newest first. */
export function drawStudent(place, people, { language, whose }) {
  const own = people.filter((person) => person.role === "student");
  if (own.length === 0) {
    const text = `No class of this term has any attendance of ${whose} yet. It appears when a class has ended.`;
    place.replaceChildren(element("p", { class: "quiet" }, typed(text)));
    return;
  }
  const attended = own.filter((person) => ATTENDED.includes(person.mark)).length;
  const counted = attended + own.filter((person) => MISSED.includes(person.mark)).length;
  const share = counted ? ` (${Math.round((100 * attended) / counted)} %)` : "";
  place.replaceChildren(
    element("p", { class: "sum" }, `Attended ${attended} of ${counted} class meetings that count${share}`),
    tally(own),
    element("ul", { class: "rows", "aria-label": "Class meetings, the newest first" }, ...own.reverse().map((person) => {
      const clock = new Clock(language, person.time_zone);
      const subject = person.subject ?? person.class_id ?? "Class meeting";
      return row([clock.moment(person.session_start), typed(subject)], chipOf(person), why(person, clock));
    })),
  );
}

/** A class meeting as it fills: who is in the room now, who has no mark yet, who has which, who else was there. */
export function drawClass(place, meeting, people, missing, room, { language }) {
  const clock = new Clock(language, meeting.time_zone);
  const students = people.filter((person) => person.role === "student");
  const marked = students.filter((person) => person.mark && person.mark !== "unknown").sort(byMarkAndName);
  const guests = people.filter((person) => person.role === "guest" && person.kind !== "room").sort(byName);
  const start = meeting.scheduled_start ?? meeting.session_start;
  const end = meeting.scheduled_end ?? meeting.actual_end;
  place.replaceChildren(
    element(
      "header",
      {},
      element("h2", {}, typed(meeting.subject ?? meeting.class_id ?? "Class meeting")),
      element("p", { class: "quiet" }, clock.moment(start), end ? ` – ${clock.time.format(end.toDate())}` : "",
        meeting.class_id ? element("span", {}, " · class ", typed(meeting.class_id)) : null,
        " · ", element("span", { class: "chip" }, STATES[meeting.state] ?? meeting.state)),
      note(meeting),
    ),
    ...now(room, clock),
    tally(students),
    group(hasMarks(meeting) ? "No mark yet" : "On the roster", "Everybody on the roster has a mark.", missing.map(({ pupil, person }) =>
      row([typed(nameOf(person ?? pupil))], null, person ? why(person, clock) : "Not seen yet."))),
    group("Marked", "Nobody yet.", marked.map((person) => row([typed(nameOf(person))], chipOf(person), why(person, clock)))),
    guests.length === 0 ? "" : group("Guests", "", guests.map((person) =>
      row([typed(nameOf(person))], null, person.kind === "phone" ? "By telephone." : "Not on the roster."))),
  );
}

/** Who is in the room now and which students are not, while a call goes on. */
function now(room, clock) {
  if (!room.participants?.length) return [];
  const at = (timestamp) => clock.time.format(timestamp.toDate());
  return [
    group(`In the room at ${at(room.as_of)}`, "", room.participants.map((person) =>
      row([typed(nameOf(person))], null, `Since ${at(person.joined_at)}.`))),
    group("Not in the room", "Everybody on the roster is in the room.", room.missing.map((person) =>
      row([typed(nameOf(person))], null, person.left_at ? `Left at ${at(person.left_at)}.` : "Not here yet."))),
  ];
}

/** What a person is called on the page. */
export function nameOf(person) {
  return person.display_name || person.email || person.student_id || "Somebody without a name";
}

function note(meeting) {
  if (meeting.policy?.marks === false) return element("p", {}, "This class records times only, without marks.");
  if (meeting.state === "not_held") return element("p", {}, "Nobody gets a mark for a class that was not held.");
  if (meeting.sync?.state === "failed") {
    return element("p", { class: "warning" }, "Meet's record could not be read. Marks may be missing; the system tries again.");
  }
  if (meeting.sync?.state === "provisional") return element("p", { class: "quiet" }, "Meet's data is not complete yet. Marks may still change.");
  return null;
}

function tally(people) {
  const counts = Object.keys(MARKS).map((mark) => [mark, people.filter((person) => person.mark === mark).length]);
  const shown = counts.filter(([, count]) => count > 0);
  return element("ul", { class: "tally", "aria-label": "Number of each mark" },
    ...shown.map(([mark, count]) => element("li", { class: `chip ${mark}` }, `${count} ${MARKS[mark]}`)));
}

function group(title, ifNobody, rows) {
  return element("section", { class: "group" }, element("h3", {}, `${title} (${rows.length})`),
    rows.length === 0 ? element("p", { class: "quiet" }, ifNobody) : element("ul", { class: "rows", "aria-label": title }, ...rows));
}

function hasMarks(meeting) {
  return meeting.policy?.marks !== false && !["not_held", "cancelled"].includes(meeting.state);
}

function row(what, mark, text) {
  return element("li", {},
    element("span", { class: "what" }, ...what.flatMap((part, place) => (place ? [" ", part] : [part]))),
    element("span", { class: "mark" }, mark ?? ""),
    element("span", { class: "why" }, typed(text)));
}

function chipOf(person) {
  const { mark, session_state: state } = person;
  if (mark) return element("span", { class: `chip ${mark in MARKS ? mark : ""}` }, MARKS[mark] ?? mark);
  return element("span", { class: "chip" }, state === "ended" ? "no mark" : STATES[state] ?? state);
}

function why(person, clock) {
  if (person.override) return person.override.reason ? `Decided by hand: ${person.override.reason}` : "Decided by hand.";
  if (person.status_reason || !person.first_joined_at) return person.status_reason ?? "";
  const minutes = Math.round(person.total_duration_seconds / 60);
  return `There for ${minutes} min, ${clock.span(person.first_joined_at, person.last_left_at)}.`;
}

function byName(one, other) {
  return nameOf(one).localeCompare(nameOf(other));
}

function byMarkAndName(one, other) {
  return TO_LOOK_AT.indexOf(one.mark) - TO_LOOK_AT.indexOf(other.mark) || byName(one, other);
}
