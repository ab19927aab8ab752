// Single keys. They rest while a dialog is open, in a text, with a modifier, and where somebody has switched them off.
import { isOpen } from "./dialogs.js";

const STORED = "inpaint-single-keys";

function typing(target) {
  return target.matches?.("textarea, select, input:not([type=radio]):not([type=checkbox])") ?? false;
}

// `does`: what each key does, by its name in small letters; `hold`: called with true and false for the space bar.
export function listen(does, hold) {
  const box = document.getElementById("keys-on");
  try {
    box.checked = localStorage.getItem(STORED) !== "off";
  } catch {
    box.checked = true;
  }
  box.addEventListener("change", () => {
    try {
      localStorage.setItem(STORED, box.checked ? "on" : "off");
    } catch {
      // Then it holds for this page.
    }
  });

  document.addEventListener("keydown", (event) => {
    if (isOpen() || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const onButton = event.target.matches?.("button, a, summary") ?? false;
    if (event.key === "?") {
      event.preventDefault();
      does["?"]();
      return;
    }
    if (!box.checked) return;
    if (event.key === " ") {
      // A button that was moved to is pressed by the space bar, except the one that digits have led to.
      if (onButton && event.target.id !== "next") return;
      event.preventDefault();
      if (!event.repeat) hold(true);
      return;
    }
    if (event.key === "Enter" && onButton && event.target.id !== "next") return;
    const act = does[event.key.toLowerCase()];
    if (!act || event.repeat) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") {
      if (event.target.id === "next") event.preventDefault();
      hold(false);
    }
  });
  window.addEventListener("blur", () => hold(false));
}
