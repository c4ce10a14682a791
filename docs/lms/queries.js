// queries.js: npm install firebase
import { collection, collectionGroup, doc, getDocsFromServer, onSnapshot, orderBy, query, where } from "firebase/firestore";

/** A student's own attendance over a term, oldest first; by the claim `student_id`, otherwise by verified address. */
export function ofStudent(db, { student_id, email }, begin, end) {
  const own = student_id ? where("student_id", "==", student_id) : where("emails", "array-contains", lower(email));
  const term = [where("session_start", ">=", begin), where("session_start", "<", end)];
  return query(collectionGroup(db, "attendance"), own, ...term, orderBy("session_start"), orderBy("attendee_id"));
}

/** A teacher's own class meetings, oldest first; with a class, only those of that class. */
export function ofTeacher(db, email, begin, end, classId = null) {
  const own = [where("teacher_emails", "array-contains", lower(email))];
  if (classId !== null) own.push(where("class_id", "==", classId));
  const days = [where("session_start", ">=", begin), where("session_start", "<", end)];
  return query(collection(db, "sessions"), ...own, ...days, orderBy("session_start"), orderBy("session_id"));
}

/** Everybody's attendance in one of the teacher's own class meetings. */
export function ofSession(db, sessionId, email) {
  return query(collection(db, "sessions", sessionId, "attendance"), where("teacher_emails", "array-contains", lower(email)));
}

/** One of the teacher's own class meetings: its state, and its roster. */
export function session(db, sessionId) {
  return doc(db, "sessions", sessionId);
}

/** Who is in the rooms of the teacher's own class meetings now: a document for each room in which a call goes on. */
export function rooms(db, email) {
  return query(collection(db, "live"), where("teacher_emails", "array-contains", lower(email)));
}

/** Reads once. Without a connection it fails, and does not answer from what the page remembers. */
export async function read(asked) {
  return (await getDocsFromServer(asked)).docs.map((found) => found.data());
}

/** Everybody's attendance in all of the teacher's own meetings of a class, oldest first. */
export async function ofClass(db, email, classId, begin, end) {
  const meetings = await read(ofTeacher(db, email, begin, end, classId));
  return (await Promise.all(meetings.map((meeting) => read(ofSession(db, meeting.session_id, email))))).flat();
}

/**
 * Listens: calls `show` with what is there now and after each change, and `fail` with an error that ends it.
 * `connected` is false while the answer is only what the page remembers. Call the result to stop listening.
 */
export function watch(asked, show, fail) {
  return onSnapshot(asked, { includeMetadataChanges: true }, (found) => {
    const data = found.docs ? found.docs.map((each) => each.data()) : found.data();
    show(data, { connected: !found.metadata.fromCache });
  }, fail);
}

/** Listens for changes: calls `show` with each class meeting of the teacher that changed, and its whole attendance. */
export function watchChanges(db, email, begin, end, show, fail) {
  return onSnapshot(ofTeacher(db, email, begin, end), (found) => {
    for (const { type, doc: meeting } of found.docChanges()) {
      if (type !== "removed") {
        read(ofSession(db, meeting.id, email)).then((people) => show(meeting.data(), people), fail);
      }
    }
  }, fail);
}

/** Who of the roster has no mark yet. Marks are `unknown` as long as missing data could change them. */
export function withoutMark(meeting, people) {
  const marked = people.filter((person) => person.mark && person.mark !== "unknown");
  const ids = new Set(marked.map((person) => person.student_id).filter(Boolean));
  const emails = new Set(marked.flatMap((person) => person.emails));
  const hasMark = (pupil) => (pupil.student_id ? ids.has(pupil.student_id) : emails.has(pupil.email));
  return meeting.roster.filter((pupil) => !hasMark(pupil) && !meeting.teacher_emails.includes(pupil.email));
}

// The documents hold addresses in lower case, and the rules compare them so.
function lower(email) {
  return email.toLowerCase();
}
