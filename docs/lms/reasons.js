// What went wrong, in words for the person in front of the page and for the people who help them.

/** Why somebody with these claims can see nothing as a student; null if they can see their own. */
export function noStudent(claims) {
  if (typeof claims.student_id === "string" && claims.student_id) return null;
  return nobody(claims, "Your sign-in does not say which student you are", "neither a student number nor an e-mail address");
}

/** Why somebody with these claims can see nothing as a teacher; null if they can see their own classes. */
export function noTeacher(claims) {
  return nobody(claims, "Your sign-in does not say which teacher you are", "no e-mail address");
}

function nobody(claims, title, lacking) {
  if (claims.email && claims.email_verified === true) return null;
  const why = claims.email ? `Nobody has verified its address ${claims.email}.` : `It has ${lacking}.`;
  return {
    title,
    text: `${why} Without that, the attendance system shows you nothing.`,
    help: "Sign in with your school account. If you did: the LMS has to name the student in its token, or your address has to be verified.",
  };
}

/** Why a read or the sign-in failed. `claims` are those of the token, if there was one. */
export function reason(error, claims = {}) {
  const code = String(error.code ?? error.name ?? "unknown").replace(/^firestore\//, "");
  const [title, text, help] = (REASONS[code] ?? (code.startsWith("auth/") ? SIGN_IN_FAILED : FAILED))(claims);
  return { title, text, help, code };
}

const FAILED = () => [
  "The attendance could not be read",
  "The database gave an answer that this page does not know.",
  "Load the page again. If that does not help, report the code below.",
];

const SIGN_IN_FAILED = () => [
  "The sign-in failed",
  "Firebase Authentication did not accept the token of your LMS.",
  "Load the page again. If that does not help, report the code below.",
];

const NO_CONNECTION = () => [
  "No connection to the database",
  "This device is offline, or something between it and Google blocks the connection.",
  "Check the connection, then load the page again.",
];

const NO_INDEX = () => [
  "The database is not ready for this question",
  "An index is missing or is still being built.",
  "An operator runs make deploy again, which adds what is missing. Building takes some minutes; then load the page again.",
];

const REASONS = {
  "permission-denied": (claims) => [
    "You may not see this",
    `Students see their own attendance, and teachers the classes that they teach. You are signed in as ${identity(claims)}, and the database says that this is not yours.`,
    "If it should be yours: ask your school whether this student number or address is the one on the roster, and whether pages may read at all (make deploy … BROWSER=yes).",
  ],
  unauthenticated: () => [
    "Your sign-in has ended",
    "The database no longer accepts the token of this page.",
    "Load the page again.",
  ],
  unavailable: NO_CONNECTION,
  "auth/network-request-failed": NO_CONNECTION,
  "deadline-exceeded": NO_CONNECTION,
  "failed-precondition": NO_INDEX,
  "not-found": () => [
    "There is nothing at this address",
    "The project has no such database, or the class meeting was deleted.",
    "Check the address of this page, and projectId in config.js.",
  ],
  "resource-exhausted": () => [
    "The database has answered too often today",
    "The project's quota for reads is used up.",
    "Try again later. An operator sees the quota in the Google Cloud console.",
  ],
  "lms/no-token": () => [
    "Your LMS gave no sign-in for the attendance",
    "This page asked your LMS for a token and got none.",
    "Check that you are signed in to your LMS and that it can be reached, then load this page again.",
  ],
  "auth/invalid-custom-token": () => [
    "The sign-in failed",
    "The token of your LMS is malformed or too old. A token is valid for an hour at most.",
    "Load the page again. If that does not help, check how the LMS makes the token, and the clock of its server.",
  ],
  "auth/custom-token-mismatch": () => [
    "The sign-in failed",
    "The token of your LMS was signed by a service account of another Google Cloud project.",
    "Let a service account of the project in config.js sign it.",
  ],
  "auth/configuration-not-found": () => [
    "The sign-in failed",
    "Firebase Authentication is not switched on in this project.",
    "An operator opens Authentication in the Firebase console and chooses Get started.",
  ],
};

/** What a token says about a person. */
export function identity(claims) {
  if (claims.student_id) return `student number ${claims.student_id}`;
  return claims.email ?? "somebody without a student number or address";
}
