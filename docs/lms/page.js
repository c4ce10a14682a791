// The page of this folder. An LMS calls `showStudent` or `showTeacher` with an element of a page of its own.
import { config } from "./config.js";
import { drawProblem, drawWaiting } from "./draw.js";
import { reason } from "./reasons.js";
import { signIn } from "./sign-in.js";
import { showStudent, showTeacher } from "./widget.js";

const place = document.querySelector("#attendance");
const address = new URLSearchParams(location.search);

drawWaiting(place, "Signing in …");
try {
  const person = await signIn(config);
  if (address.get("view") === "teacher") {
    showTeacher(place, person, config, { day: address.get("day"), sessionId: address.get("session") });
  } else {
    showStudent(place, person, config);
  }
} catch (error) {
  drawProblem(place, reason(error));
}
