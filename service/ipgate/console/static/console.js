// What makes the console quicker where scripts may run; everything works without it.
"use strict";

const UNREACHABLE = "The console cannot be reached. What you entered is still here. Try again in a moment.";

const MAX_FILE = 8 * 1024 * 1024 - 4096;

function prepare() {
  for (const button of document.querySelectorAll("button.copy, button.all")) {
    button.hidden = false;
  }
}

function copy(button) {
  navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(
    () => (button.textContent = "Copied"),
    () => (button.textContent = "Select it, and copy it"),
  );
}

function tickAll(button) {
  const boxes = [...button.form.querySelectorAll("input[type=checkbox]")];
  const ticked = !boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = ticked;
}

// Where a page took the place of another, people who listen to it begin where something happened.
function goTo() {
  if (document.activeElement?.matches("input[type=search], [autofocus]")) return;
  const first = ["[aria-invalid=true]", ".problem", ".notice", ".panel h2", "h1"]
    .map((selector) => document.querySelector(selector))
    .find((element) => element);
  if (!first) return;
  if (!first.matches("input, select, textarea")) first.tabIndex = -1;
  first.focus({ preventScroll: true });
}

function tell(text) {
  const place = document.getElementById("main");
  document.getElementById("unreachable")?.remove();
  const problem = document.createElement("p");
  problem.id = "unreachable";
  problem.className = "problem";
  problem.setAttribute("role", "alert");
  problem.textContent = text;
  place.prepend(problem);
  problem.scrollIntoView({ block: "nearest" });
}

document.addEventListener("DOMContentLoaded", prepare);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches(".copy")) copy(button);
  if (button?.matches(".all")) tickAll(button);
});
document.addEventListener("change", (event) => {
  const file = event.target.files?.[0];
  if (file) event.target.setCustomValidity(file.size > MAX_FILE ? "The file has more than 8 MB." : "");
});
document.addEventListener("htmx:after:swap", () => {
  prepare();
  goTo();
});
document.addEventListener("htmx:error", () => tell(UNREACHABLE));
