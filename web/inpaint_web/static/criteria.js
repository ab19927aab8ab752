// The questions of an item: radio buttons, of which one group is the current one that digits go to.

export class Criteria {
  // `given(name, stars, by)`: somebody chose a number.
  constructor(form, given) {
    this.form = form;
    this.given = given;
    this.groups = new Map();
    for (const group of form.querySelectorAll(".criterion")) this.groups.set(group.dataset.criterion, group);
    this.names = [];
    this.current = 0;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => {
      if (event.target.type === "radio") this.given(event.target.name, Number(event.target.value));
    });
    form.addEventListener("focusin", (event) => {
      const group = event.target.closest(".criterion");
      if (group) this.mark(this.names.indexOf(group.dataset.criterion));
    });
    form.addEventListener("pointerover", (event) => this.explain(event.target.closest("label")));
    form.addEventListener("pointerout", (event) => this.rest(event.target.closest(".criterion")));
  }

  show(names, stars) {
    this.names = names;
    for (const [name, group] of this.groups) group.hidden = !names.includes(name);
    for (const name of names) this.set(name, stars[name] ?? null);
    const first = names.findIndex((name) => stars[name] === undefined);
    this.mark(first < 0 ? names.length : first);
  }

  set(name, stars) {
    const group = this.groups.get(name);
    for (const input of group.querySelectorAll("input")) input.checked = Number(input.value) === stars;
    this.rest(group);
  }

  value(name) {
    const chosen = this.groups.get(name).querySelector("input:checked");
    return chosen ? Number(chosen.value) : null;
  }

  missing() {
    return this.names.filter((name) => this.value(name) === null);
  }

  title(name) {
    return this.groups.get(name).querySelector(".title").textContent;
  }

  // A digit: stars for the current question.
  press(stars) {
    const name = this.names[this.current];
    if (name === undefined) return false;
    this.given(name, stars);
    return true;
  }

  advance(name) {
    this.focus(this.names.indexOf(name) + 1);
  }

  // The group gets the focus; behind the last one the button does.
  focus(number) {
    this.mark(number);
    const name = this.names[number];
    if (name === undefined) {
      document.getElementById("next").focus({ preventScroll: true });
      return;
    }
    const group = this.groups.get(name);
    const input = group.querySelector("input:checked") ?? group.querySelector("input");
    input.focus({ preventScroll: true });
    group.scrollIntoView({ block: "nearest" });
  }

  mark(number) {
    this.current = number;
    this.names.forEach((name, place) => this.groups.get(name).classList.toggle("current", place === number));
  }

  explain(label) {
    if (!label?.dataset.anchor) return;
    const line = label.closest(".criterion").querySelector(".anchor");
    const number = document.createElement("b");
    number.textContent = label.querySelector("input").value;
    line.replaceChildren(number, ` ${label.dataset.anchor}`);
  }

  // Without a pointer on a number, the chosen one is explained.
  rest(group) {
    if (!group) return;
    const chosen = group.querySelector("input:checked");
    if (chosen) this.explain(chosen.closest("label"));
    else group.querySelector(".anchor").replaceChildren();
  }
}
