// What makes the console quicker where scripts may run; everything works without it.
"use strict";

function prepare() {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    });
  }
}

document.addEventListener("DOMContentLoaded", prepare);
