// The only place where a page on your machine differs from a page of your LMS.

export const config = {
  // `make deploy … BROWSER=yes` prints this. It names your project and is not a secret.
  firebase: { projectId: "my-school", apiKey: "…", authDomain: "my-school.firebaseapp.com" },

  // Asks your LMS for a custom token for the person who is signed in there: docs/lms.md, "Sign people in".
  async token() {
    const asked = fetch("/attendance-token", { method: "POST", credentials: "same-origin" });
    const answer = await asked.catch(() => null); // no connection to the LMS
    if (!answer?.ok) throw Object.assign(new Error("The LMS gave no token."), { code: "lms/no-token" });
    return answer.text();
  },

  // On your machine: the address of the Firestore emulator, and the claims of a made-up person, such as
  // { host: "127.0.0.1", port: 8080, claims: { sub: "ada", student_id: "4711" } }. The page then signs nobody in.
  emulator: null,

  // The choices of a student, the last one first on screen if none of them is now.
  terms: [
    { name: "Autumn 2026", begin: "2026-08-01", end: "2027-02-01" },
    { name: "Spring 2027", begin: "2027-02-01", end: "2027-08-01" },
  ],

  // Days begin and end in the school's time zone; dates are written as in this language.
  timeZone: "Europe/Berlin",
  language: "en-GB",
};
