import { drawClass, drawProblem, drawStudent, drawWaiting, element, MARKS, nameOf, Clock } from "./draw.js";
import { ofSession, ofStudent, ofTeacher, rooms, session, watch, withoutMark } from "./queries.js";
import { identity, noStudent, noTeacher, reason } from "./reasons.js";

const STUDENT = "My attendance";
const TEACHER = "My classes";
const OFFLINE = "No connection. You see what was last received; the page continues by itself.";
const PATIENCE = 2000; // milliseconds before a connection that is missing is worth a sentence

/** A student's own attendance of a term, in the element `place`. */
export function showStudent(place, { db, claims }, config) {
  const problem = noStudent(claims);
  if (problem) {
    drawProblem(frame(place, STUDENT, identity(claims), []).content, problem);
    return;
  }
  const terms = element("select", { id: "term" }, ...config.terms.map(({ name }, number) => element("option", { value: number }, name)));
  const page = frame(place, STUDENT, identity(claims), [label("Term", terms)]);
  const listening = new Listening(page, claims);

  function show() {
    const { begin, end } = config.terms[terms.value];
    const asked = ofStudent(db, claims, midnight(begin, config.timeZone), midnight(end, config.timeZone));
    listening.start(show);
    listening.to(asked, (people) => drawStudent(page.content, people, { ...config, whose: identity(claims) }));
  }
  const today = dayOf(new Date(), config.timeZone);
  const now = config.terms.findIndex(({ begin, end }) => begin <= today && today < end);
  terms.value = now < 0 ? config.terms.length - 1 : now;
  terms.addEventListener("change", show);
  show();
}

/** A teacher's class meetings of a day, and one of them as it fills; `day` and `sessionId` say where to begin. */
export function showTeacher(place, { db, claims }, config, { day, sessionId } = {}) {
  const problem = noTeacher(claims);
  if (problem) {
    drawProblem(frame(place, TEACHER, identity(claims), []).content, problem);
    return;
  }
  const days = element("input", { type: "date", id: "day", required: "", min: "2000-01-01", max: "2999-12-31" });
  days.value = day ?? dayOf(new Date(), config.timeZone);
  const choice = element("select", { id: "meeting" });
  const page = frame(place, TEACHER, claims.email, [label("Day", days), label("Class meeting", choice)]);
  const ofDay = new Listening(page, claims);
  const ofMeeting = new Listening(page, claims);
  let shown = sessionId ?? null;

  function showDay() {
    if (!days.checkValidity()) return; // half typed
    ofMeeting.stop();
    drawWaiting(page.content, "Loading …");
    const asked = ofTeacher(db, claims.email, midnight(days.value, config.timeZone), midnight(next(days.value), config.timeZone));
    ofDay.start(showDay);
    ofDay.to(asked, (meetings) => {
      const options = meetings.map((meeting) => optionOf(meeting, config));
      if (shown && !meetings.some((meeting) => meeting.session_id === shown)) {
        options.push(element("option", { value: shown }, "The class meeting of this link"));
      }
      choice.disabled = options.length === 0;
      // A list that somebody has open would close if it were replaced by the same one.
      const written = (list) => list.map(({ value, text }) => `${value} ${text}`).join("\n");
      if (written([...choice.options]) !== written(options)) choice.replaceChildren(...options);
      const first = meetings.find((meeting) => meeting.state === "live") ?? meetings[0];
      const chosen = shown ?? first?.session_id;
      if (chosen === undefined) {
        page.content.replaceChildren(element("p", { class: "quiet" }, "You have no class on this day."));
      } else {
        choice.value = chosen;
        if (chosen !== ofMeeting.subject) showMeeting();
      }
    });
  }

  function showMeeting() {
    shown = choice.value;
    let meeting = null;
    let people = null;
    let room = null;
    let before = null;
    ofMeeting.start(showMeeting, shown);
    const draw = () => {
      if (meeting === null || people === null || room === null) return;
      const missing = withoutMark(meeting, people).map((pupil) => ({ pupil, person: people.find((person) => isThe(pupil, person)) }));
      drawClass(page.content, meeting, people, missing, room, config);
      before = announce(page.news, people, before);
    };
    ofMeeting.to(session(db, shown), (found) => { meeting = found; draw(); });
    ofMeeting.to(ofSession(db, shown, claims.email), (found) => { people = found; draw(); });
    ofMeeting.to(rooms(db, claims.email), (found) => { room = found.find((one) => one.session_id === shown) ?? {}; draw(); }, { extra: true });
  }

  days.addEventListener("change", () => { shown = null; showDay(); });
  choice.addEventListener("change", showMeeting);
  showDay();
}

/** Queries that are listened to until others take their place; says so when one fails or the connection does. */
class Listening {
  constructor(page, claims) {
    Object.assign(this, { page, claims, ends: [], subject: null });
  }

  /** Forget what was listened to. `again` starts listening again after an error. */
  start(again, subject = null) {
    this.stop();
    Object.assign(this, { again, subject });
  }

  stop() {
    for (const end of this.ends.splice(0)) end();
    this.subject = null;
    clearTimeout(this.waiting);
    this.page.connection.textContent = "";
  }

  /** Listen. What is `extra` may be missing or refused, and the rest is shown without it. */
  to(asked, show, { extra = false } = {}) {
    const { page } = this;
    this.ends.push(watch(asked, (found, { connected }) => {
      clearTimeout(this.waiting);
      if (connected) page.connection.textContent = "";
      else this.waiting = setTimeout(() => { page.connection.textContent = OFFLINE; }, PATIENCE);
      if (connected || extra || (Array.isArray(found) ? found.length > 0 : found)) show(found);
      else drawProblem(page.content, reason({ code: "unavailable" }), this.again);
    }, (error) => {
      if (extra) return show([]);
      const { again } = this;
      this.stop();
      drawProblem(page.content, reason(error, this.claims), again);
    }));
  }
}

function frame(place, title, who, controls) {
  const page = {
    content: element("div", { class: "content" }),
    connection: element("p", { class: "connection warning", role: "status" }),
    news: element("p", { class: "news quiet", role: "status" }),
  };
  drawWaiting(page.content, "Loading …");
  place.replaceChildren(
    element("h1", {}, title),
    element("p", { class: "quiet" }, "Signed in as ", element("bdi", {}, who)),
    element("div", { class: "controls" }, ...controls),
    page.connection, page.news, page.content,
  );
  return page;
}

function label(text, control) {
  return element("label", {}, element("span", {}, text), control);
}

function optionOf(meeting, { language }) {
  const clock = new Clock(language, meeting.time_zone);
  const name = meeting.subject ?? meeting.class_id ?? "Class meeting";
  return element("option", { value: meeting.session_id }, `${clock.span(meeting.session_start, meeting.scheduled_end)} ${name}`);
}

function isThe(pupil, person) {
  return (pupil.student_id && person.student_id === pupil.student_id) || (pupil.email && person.emails.includes(pupil.email));
}

/** Say which marks are new, for people who do not see the page change. Gives the marks for the next time. */
function announce(news, people, before) {
  const marked = people.filter((person) => person.role === "student" && person.mark && person.mark !== "unknown");
  if (before !== null) {
    const fresh = marked.filter((person) => before.get(person.attendee_id) !== person.mark);
    const words = fresh.map((person) => `${nameOf(person)}: ${MARKS[person.mark] ?? person.mark}`);
    if (words.length > 0) news.textContent = words.length > 3 ? `${words.length} new marks` : `New: ${words.join("; ")}`;
  } else {
    news.textContent = "";
  }
  return new Map(marked.map((person) => [person.attendee_id, person.mark]));
}

/** The day, `2026-11-23`, that a moment is in there. */
function dayOf(moment, timeZone) {
  return new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short" }).format(moment);
}

function next(day) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}

/** The moment at which a day, `2026-11-23`, begins there. */
function midnight(day, timeZone) {
  const wall = new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short", timeStyle: "medium" });
  const wanted = Date.parse(`${day}T00:00:00Z`);
  let moment = wanted;
  for (let pass = 0; pass < 2; pass += 1) moment += wanted - Date.parse(`${wall.format(moment).replace(" ", "T")}Z`);
  return new Date(moment);
}
